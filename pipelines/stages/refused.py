"""The bad lines of a run in a Parquet file: which of them the quarantine does not hold.

The same bytes in the same object are the same line, wherever in it they stand: an hour of a log that is read again
with a late event in it has them further on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.parse import QUARANTINE_SCHEMA
from pipelines.stages.parts import read_parts

_BATCH_ROWS = 8192
_HELD_ROWS = 10_000


class Refusing:
    """Writes bad lines to a file, from birth to the end of its block."""

    def __init__(self, file: Path) -> None:
        self._writer = pq.ParquetWriter(file, QUARANTINE_SCHEMA)
        self._held: list[dict[str, object]] = []

    def __enter__(self) -> Refusing:
        return self

    def __exit__(self, *_: object) -> None:
        self._write()
        self._writer.close()

    def add(self, row: dict[str, object]) -> None:
        """Take one row of parse.QUARANTINE_SCHEMA."""
        self._held.append(row)
        if len(self._held) >= _HELD_ROWS:
            self._write()

    def _write(self) -> None:
        if self._held:
            self._writer.write_table(pa.Table.from_pylist(self._held, QUARANTINE_SCHEMA))
            self._held = []


@dataclass(frozen=True)
class Refused:
    """Bad lines (parse.QUARANTINE_SCHEMA) of one run."""

    engine: duckdb.DuckDBPyConnection
    file: Path

    @property
    def _lines(self) -> str:
        return read_parts([self.file])

    def __len__(self) -> int:
        return int(pq.read_metadata(self.file).num_rows)

    @cached_property
    def by_source(self) -> Mapping[str, int]:
        """How many, by source object."""
        return dict(self.engine.execute(f"SELECT source, count(*) FROM {self._lines} GROUP BY source").fetchall())

    def choose(self, parts: Sequence[Path]) -> tuple[Mapping[str, int], Mapping[str, int]]:
        """How many the parts do not hold, and how many they do, by source object; `chosen` then yields the former."""
        known = read_parts(parts) if parts else f"(SELECT * FROM {self._lines} WHERE false)"
        self.engine.execute(
            "CREATE OR REPLACE TEMP TABLE fresh_bad AS SELECT b.* EXCLUDE (nth) FROM (SELECT *, row_number() OVER "
            f"(PARTITION BY source, sha256 ORDER BY byte_offset) AS nth FROM {self._lines}) AS b LEFT JOIN "
            f"(SELECT source, sha256, count(*) AS n FROM {known} GROUP BY ALL) AS k USING (source, sha256) "
            "WHERE nth > coalesce(n, 0)"
        )
        fresh = dict(self.engine.execute("SELECT source, count(*) FROM fresh_bad GROUP BY source").fetchall())
        return fresh, {source: count - fresh.get(source, 0) for source, count in self.by_source.items()}

    def chosen(self) -> pa.RecordBatchReader:
        """The lines last chosen, in the archive's order."""
        return self.engine.sql("FROM fresh_bad ORDER BY source, byte_offset, sha256").to_arrow_reader(_BATCH_ROWS)

    def holding(self, parts: Sequence[Path]) -> list[str]:
        """Names of the parts that hold one of them."""
        if not parts:
            return []
        found = self.engine.execute(
            f"SELECT DISTINCT file FROM (SELECT parse_filename(filename) AS file, source, sha256 FROM "
            f"{read_parts(parts, ', filename = true')}) SEMI JOIN {self._lines} USING (source, sha256)"
        ).fetchall()
        return [name for (name,) in found]

    def first(self) -> tuple[str, int, str]:
        """Source, byte offset and reason of the first."""
        found = self.engine.execute(
            f"SELECT source, byte_offset, reason FROM {self._lines} ORDER BY source, byte_offset LIMIT 1"
        ).fetchall()
        where, offset, reason = found[0]
        return where, offset, reason
