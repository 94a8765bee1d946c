"""The bad lines of a run in a Parquet file: which of them the quarantine does not hold, and no night counts.

The same bytes in the same object are the same line, wherever in it they stand: an hour of a log that is read again
with a late event in it has them further on."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.parsing.parse import QUARANTINE_SCHEMA
from pipelines.quarantine import ROWS, Lines
from pipelines.stages.parts import read_parts

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
class BadPlace:
    """Where a bad line stood, and why it is one."""

    source: str
    byte_offset: int
    reason: str

    @classmethod
    def of(cls, rows: pa.Table) -> BadPlace:
        """Of the first of these lines."""
        return cls(**rows.slice(0, 1).select([*cls.__dataclass_fields__]).to_pylist()[0])


@dataclass(frozen=True)
class Refused:
    """Bad lines (parse.QUARANTINE_SCHEMA) of one run, and what is known of filed ones."""

    engine: duckdb.DuckDBPyConnection
    file: Path

    def __post_init__(self) -> None:
        columns = "file VARCHAR, night DATE, source VARCHAR, sha256 VARCHAR, n BIGINT"
        self.engine.execute(f"CREATE OR REPLACE TEMP TABLE filed_bad ({columns})")

    @property
    def _lines(self) -> str:
        return read_parts([self.file])

    def __len__(self) -> int:
        return int(pq.read_metadata(self.file).num_rows)

    @cached_property
    def by_source(self) -> Mapping[str, int]:
        """How many, by source object, which are in order."""
        return dict(
            self.engine.execute(
                f"SELECT source, count(*) FROM {self._lines} GROUP BY source ORDER BY source"
            ).fetchall()
        )

    def hold(self, filed: Lines) -> None:
        """Take note of lines that the quarantine holds."""
        self.engine.register("filed_rows", filed.rows)
        self.engine.execute(
            "INSERT INTO filed_bad SELECT ?, ?, source, sha256, count(*) FROM filed_rows GROUP BY source, sha256",
            [filed.file, filed.night],
        )
        self.engine.unregister("filed_rows")

    def unfiled(self) -> Sequence[tuple[str, int]]:
        """The lines held nowhere, in batches by source object and in the archive's order; `batch` gives each."""
        self.engine.execute(
            "CREATE OR REPLACE TEMP TABLE fresh_bad AS SELECT * REPLACE ((row_number() OVER "
            f"(PARTITION BY source ORDER BY byte_offset, sha256) - 1) // {ROWS} AS nth) "
            f"FROM ({self._without('true')}) ORDER BY source, byte_offset, sha256"
        )
        return self.engine.execute("SELECT DISTINCT source, nth FROM fresh_bad ORDER BY source, nth").fetchall()

    def batch(self, source: str, number: int) -> pa.Table:
        """Lines (parse.QUARANTINE_SCHEMA) of one batch."""
        sql = "SELECT * EXCLUDE (nth) FROM fresh_bad WHERE source = ? AND nth = ? ORDER BY byte_offset, sha256"
        found: pa.Table = self.engine.sql(sql, params=[source, number]).to_arrow_table()
        return found.cast(QUARANTINE_SCHEMA)

    def uncounted(self, night: date, counted: Collection[str]) -> tuple[int, int]:
        """How many the night is to count, and how many are counted.

        Args:
            counted: files whose lines it counts; other nights count those that stand under them.
        """
        found = self.engine.execute(
            f"SELECT count(*) FROM ({self._without('night <> $night OR list_contains($counted, file)')})",
            {"night": night, "counted": list(counted)},
        ).fetchall()
        fresh: int = found[0][0]
        return fresh, len(self) - fresh

    def _without(self, held: str) -> str:
        """SQL for the lines that are none of those held; `nth` numbers the same bytes in an object."""
        return (
            "SELECT b.* FROM (SELECT *, row_number() OVER (PARTITION BY source, sha256 ORDER BY byte_offset) AS nth "
            f"FROM {self._lines}) AS b LEFT JOIN (SELECT source, sha256, sum(n) AS n FROM filed_bad WHERE {held} "
            "GROUP BY ALL) AS k USING (source, sha256) WHERE nth > coalesce(n, 0)"
        )

    def holding(self, night: date) -> list[str]:
        """Names of the files whose lines the night counts and that hold one of these."""
        found = self.engine.execute(
            f"SELECT DISTINCT file FROM filed_bad SEMI JOIN {self._lines} USING (source, sha256) WHERE night = ?",
            [night],
        ).fetchall()
        return [name for (name,) in found]

    def first(self) -> BadPlace:
        """The first of all."""
        found = self.engine.execute(
            f"SELECT source, byte_offset, reason FROM {self._lines} ORDER BY source, byte_offset LIMIT 1"
        ).fetchall()
        return BadPlace(*found[0])
