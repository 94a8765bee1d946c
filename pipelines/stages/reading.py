"""Source objects to lines for the engine: read in order, hashed, cleared of what the archive holds already."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.commits import Input
from pipelines.known import NO_NIGHT, Known
from pipelines.parsing.handed import Inner, record_batches
from pipelines.parsing.lines import HASH_BYTES, Lines, lines_of, without
from pipelines.parsing.salvage import BadLine
from pipelines.parsing.within import unread_of
from pipelines.sources.base import Batch, LongLine, SourceObject

Ordinary = Callable[[int, Lines, bool], Lines]
"""Takes what it can read without the engine; called with an object's index, lines, and whether they are raw."""
Within = Callable[[Iterable[BadLine]], Iterator[pa.RecordBatch]]
"""What is read in place of lines that the engine could not hold."""
Progress = Callable[[str, float], None]
"""Called with what is being done and the share of the stage that is done (0 to 1)."""


@dataclass
class Ended:
    """Where the lines of one source object ended: read = archived + duplicate + quarantined + outside.

    Blank lines and messages passed over are no lines read."""

    read: int = 0
    archived: int = 0
    duplicate: int = 0
    quarantined: int = 0
    outside: int = 0
    blank: int = 0
    skipped: int = 0


@dataclass
class Feed:
    """The objects of a source on their way into the engine, and what was met on the way.

    `inputs`, `ended`, `again` and `long` are whole once `batches` has ended. `again` counts the lines of each object
    that are archived already, by the index of their night in `known.nights`."""

    objects: Sequence[SourceObject]
    known: Known
    progress: Progress
    inputs: list[Input] = field(default_factory=list)
    ended: list[Ended] = field(default_factory=list)
    again: list[NDArray[np.int64]] = field(default_factory=list)
    long: list[LongLine] = field(default_factory=list)

    def batches(self, ordinary: Ordinary, within: Within) -> Generator[pa.RecordBatch]:
        """Lines of all objects, in order, for the engine (handed.SCHEMA); `source` is an object's index."""
        total, done = sum(one.size for one in self.objects) or 1, 0
        for index, one in enumerate(self.objects):
            self.ended.append(Ended())
            self.again.append(np.zeros(len(self.known.nights), np.int64))
            with one.open() as stream:
                for found in stream.batches():
                    if isinstance(found, LongLine):
                        self.ended[index].read += 1
                        self.long.append(found)
                    else:
                        lines = self._lines(index, found)
                        yield from within(unread_of(index, lines, found.raw))
                        lines = without(lines, lines.unread)
                        yield from record_batches(ordinary(index, lines, found.raw), index, found.raw)
                    self.progress(f"read {one.name}", (done + min(stream.stored_bytes, one.size)) / total)
                self.inputs.append(Input(one.name, stream.sha256, stream.stored_bytes))
            done += one.size

    def unknown(self, found: Sequence[Inner]) -> list[Inner]:
        """The events taken out of bad lines that are not archived yet; the others are counted as duplicates."""
        if not self.known or not found:
            return list(found)
        digests = b"".join(bytes.fromhex(one.told[1])[:HASH_BYTES] for one in found)
        nights = self.known.night_of(digests)
        for one, night in zip(found, nights.tolist(), strict=True):
            if night != NO_NIGHT:
                self._met(one.source, np.array([night]))
        return [one for one, night in zip(found, nights.tolist(), strict=True) if night == NO_NIGHT]

    def _met(self, index: int, nights: NDArray[np.int64]) -> None:
        """Count lines of an object that are archived already, each under its night."""
        self.again[index] += np.bincount(nights, minlength=len(self.known.nights))
        self.ended[index].read += len(nights)
        self.ended[index].duplicate += len(nights)

    def _lines(self, index: int, found: Batch) -> Lines:
        """The lines that are not archived yet."""
        ended = self.ended[index]
        lines = lines_of(found)
        ended.blank += lines.blank
        ended.skipped += found.skipped
        if self.known:
            nights = self.known.night_of(lines.digests)
            met = nights != NO_NIGHT
            self._met(index, nights[met])
            lines = without(lines, met)
        return lines
