"""A source read to its end: rows in temporary Parquet files, lines for quarantine in another, and the count of both.

On disk, so that memory stays bounded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.engine import alone
from pipelines.parsing.handed import SCHEMA
from pipelines.parsing.parse import BAD, bad_lines, quarantined, reading, refused
from pipelines.parsing.salvage import BadLine
from pipelines.parsing.within import events_within
from pipelines.sources.base import LongLine
from pipelines.stages.aside import Aside
from pipelines.stages.choosing import Choosing
from pipelines.stages.made_here import made_here
from pipelines.stages.ordinary import Ordinary
from pipelines.stages.parts import quoted, read_parts
from pipelines.stages.reading import Ended, Feed
from pipelines.stages.refused import Refused, Refusing

_GROUP_ROWS, _GROUP_BYTES = 30_000, 16_000_000
"""Of rows on their way to the disk, and back: a bad line stands there whole."""


def _bad_rows(rows: Path) -> Iterator[pa.RecordBatch]:
    # not through the engine: it is about to read what is made of these rows
    with pq.ParquetFile(rows) as file:
        for group in range(file.num_row_groups):
            # one at a time: batches go on from one to the next, and these may hold a few lines of a megabyte each
            for batch in file.iter_batches(256, row_groups=[group], columns=["night", *BAD]):
                yield batch.filter(batch["night"].is_null())


@dataclass
class Staging:
    """Rows and bad lines of one run, and where each source object's lines ended so far.

    `rows`, `refused`, `staged`, `first` and `last` are whole once `read` has ended: `staged` counts the wanted rows by
    object and night, first and last are the nights that any line is of."""

    engine: duckdb.DuckDBPyConnection
    folder: Path
    nights: Sequence[date]
    feed: Feed
    first: date | None = None
    last: date | None = None
    staged: Counter[tuple[int, date]] = field(default_factory=Counter)
    _rounds: list[Path] = field(default_factory=list)
    _files: list[Path] = field(default_factory=list)

    @cached_property
    def ended(self) -> dict[str, Ended]:
        """By source object."""
        return {one.name: ended for one, ended in zip(self.feed.objects, self.feed.ended, strict=True)}

    @cached_property
    def rows(self) -> Choosing:
        """The rows read."""
        return Choosing(self.engine, self.folder, [*self._files, *self._rounds])

    @cached_property
    def refused(self) -> Refused:
        """The lines that are no audit event."""
        return Refused(self.engine, self.folder / "bad.parquet")

    def read(self) -> None:
        """Read every line of the source and parse it, and what can be saved of the bad ones.

        Raises:
            AuditForestError: what a source object raises.
        """
        ordinary = Ordinary(self.folder / "ordinary.parquet", self.nights)
        with Refusing(self.refused.file) as refusing:

            def refuse(bad: BadLine) -> None:
                row = refused(bad, self.feed.objects[bad.source].name)
                if row is None:
                    self.feed.ended[bad.source].blank += 1
                else:
                    refusing.add(row)

            def within(bad: Iterable[BadLine]) -> Iterator[pa.RecordBatch]:
                return events_within(bad, self.feed.unknown, refuse)

            with closing(self.feed.batches(ordinary.take, within)) as lines:
                self._parse(lines)
            self._files = ordinary.close()
            for line in self.feed.long:
                refusing.add(_long(line))
            for rows in self._rounds:
                if self._has_bad(rows):
                    self._parse(within(bad_lines(_bad_rows(rows))))
        self._count(ordinary)
        # what the reading has left is room for the sort
        pa.default_memory_pool().release_unused()

    def _parse(self, lines: Iterator[pa.RecordBatch]) -> None:
        aside = Aside(self.folder / "aside.arrow")
        self._copy(aside.others(lines))
        if aside:
            with alone(self.engine):
                self._copy(aside.taken())

    def _copy(self, lines: Iterator[pa.RecordBatch]) -> None:
        path = self.folder / f"rows-{len(self._rounds)}.parquet"
        made_here(lines, lambda handed: self._copy_to(path, handed))
        # more may come while these are looked through
        self._rounds.append(path)

    def _copy_to(self, path: Path, lines: Iterator[pa.RecordBatch]) -> None:
        self.engine.register("lines", pa.RecordBatchReader.from_batches(SCHEMA, lines))
        try:
            self.engine.execute(
                f"COPY ({reading(self.nights)}) TO {quoted(path)} (FORMAT parquet, COMPRESSION snappy, "
                f"ROW_GROUP_SIZE {_GROUP_ROWS}, ROW_GROUP_SIZE_BYTES {_GROUP_BYTES})"
            )
        finally:
            self.engine.unregister("lines")

    def _has_bad(self, rows: Path) -> bool:
        found: int = self.engine.execute(f"SELECT count(*) FROM {read_parts([rows])} WHERE night IS NULL").fetchall()[
            0
        ][0]
        return found > 0

    def _count(self, ordinary: Ordinary) -> None:
        """How the lines of each object ended that are not archived, and which nights there are."""
        found = self.rows.counted()
        found += [(source, night, False, count) for (source, night), count in ordinary.outside.items()]
        for source, night, wanted, count in found:
            self.feed.ended[source].read += count
            if wanted:
                self.staged[source, night] = count
            else:
                self.feed.ended[source].outside += count
        for name, count in self.refused.by_source.items():
            self.ended[name].read += count
        for line in self.feed.long:
            # counted when it was met
            self.ended[line.source].read -= 1
        known = [n for n in self.feed.known.nights if self.again(n).any()]
        seen = sorted({night for _, night, _, _ in found} | set(known))
        if seen:
            self.first, self.last = seen[0], seen[-1]

    def again(self, night: date) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Of each object the lines of the night that were archived before this run."""
        if night not in self.feed.known.nights:
            return np.zeros(len(self.feed.again), np.int64)
        index = self.feed.known.nights.index(night)
        return np.array([again[index] for again in self.feed.again], np.int64)

    def present(self, night: date) -> bool:
        """Did any source object hold an event of the night?"""
        return any(n == night for _, n in self.staged) or bool(self.again(night).any())


def _long(line: LongLine) -> dict[str, object]:
    row = quarantined(line.source, line.offset, line.start, "longer than a line may be")
    return row | {"length": line.length, "sha256": line.sha256}
