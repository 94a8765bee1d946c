"""Source objects to lines for the engine: read in order, hashed, cleared of what the archive holds already."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from pipelines.commits import Input
from pipelines.known import NO_NIGHT, Known
from pipelines.lines import lines_of, record_batches, without
from pipelines.sources.base import Batch, LongLine, SourceObject

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
    again: list[np.ndarray[tuple[int], np.dtype[np.int64]]] = field(default_factory=list)
    long: list[LongLine] = field(default_factory=list)
    failed: BaseException | None = None

    def batches(self) -> Generator[pa.RecordBatch]:
        """Lines of all objects, in order, for the engine (lines.SCHEMA); `source` is an object's index.

        What fails stands in `failed`, too: the engine wraps it in an error of its own.
        """
        try:
            yield from self._batches()
        except BaseException as error:
            self.failed = error
            raise

    def _batches(self) -> Iterator[pa.RecordBatch]:
        total, done = sum(one.size for one in self.objects) or 1, 0
        for index, one in enumerate(self.objects):
            self.ended.append(Ended())
            self.again.append(np.zeros(len(self.known.nights), np.int64))
            with one.open() as stream:
                for found in stream.batches():
                    yield from self._lines(index, found)
                    self.progress(f"read {one.name}", (done + min(stream.stored_bytes, one.size)) / total)
                self.inputs.append(Input(one.name, stream.sha256, stream.stored_bytes))
            done += one.size

    def _lines(self, index: int, found: Batch | LongLine) -> Iterator[pa.RecordBatch]:
        ended = self.ended[index]
        if isinstance(found, LongLine):
            ended.read += 1
            self.long.append(found)
            return
        lines = lines_of(found)
        ended.blank += lines.blank
        ended.skipped += found.skipped
        if self.known:
            nights = self.known.night_of(lines.digests)
            met = nights != NO_NIGHT
            self.again[index] += np.bincount(nights[met], minlength=len(self.known.nights))
            ended.read += int(met.sum())
            ended.duplicate += int(met.sum())
            lines = without(lines, met)
        yield from record_batches(lines, index, found.raw)
