"""A batch read by the queries that an export runs, all of it in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from pipelines.parsing.handed import SCHEMA, record_batches
from pipelines.parsing.lines import lines_of, without
from pipelines.parsing.parse import QUARANTINE_SCHEMA, bad_lines, reading, refused
from pipelines.parsing.salvage import BadLine
from pipelines.parsing.within import events_within, unread_of
from pipelines.sources.base import Batch
from pipelines.stages.choosing import settled


@dataclass(frozen=True)
class Parsed:
    """Rows of the events table, lines in quarantine, and how many lines were blank."""

    rows: pa.Table
    quarantine: pa.Table
    blank: int


def parse(engine: duckdb.DuckDBPyConnection, batch: Batch) -> Parsed:
    """Rows and quarantine of one batch, in the order of its lines; a line may be a list of events.

    Args:
        engine: a connection whose TimeZone is UTC; nothing stays in it.
    """
    found = lines_of(batch)
    rows: list[pa.Table] = []
    ended: list[dict[str, object] | None] = []

    def within(bad: Iterable[BadLine]) -> list[pa.RecordBatch]:
        return list(events_within(bad, list, lambda one: ended.append(refused(one, batch.source))))

    waiting = within(unread_of(0, found, batch.raw))
    waiting += record_batches(without(found, found.unread), 0, batch.raw)
    while waiting or not rows:
        read = _read(engine, waiting)
        rows.append(read.filter(read["night"].is_valid()))
        waiting = within(bad_lines(read.filter(read["night"].is_null()).to_batches()))
    entries = [row for row in ended if row is not None]
    blank = found.blank + len(ended) - len(entries)
    whole = pa.concat_tables(rows).sort_by("pos")
    quarantine = pa.Table.from_pylist(sorted(entries, key=_place), QUARANTINE_SCHEMA)
    return Parsed(_settled(engine, whole), quarantine, blank)


def _place(entry: dict[str, Any]) -> int:
    return int(entry["byte_offset"])


def _read(engine: duckdb.DuckDBPyConnection, lines: Sequence[pa.RecordBatch]) -> pa.Table:
    engine.register("lines", pa.Table.from_batches(lines, SCHEMA))
    try:
        # as a relation the long query would be planned twice
        engine.execute(f"CREATE TEMP TABLE lines_read AS {reading(None)}")
        return engine.sql("FROM lines_read").to_arrow_table()
    finally:
        engine.execute("DROP TABLE IF EXISTS lines_read")
        engine.unregister("lines")


def _settled(engine: duckdb.DuckDBPyConnection, rows: pa.Table) -> pa.Table:
    at = rows.schema.get_field_index("reason")
    numbered = rows.set_column(at, "reason", pa.chunked_array([rows["reason"].combine_chunks().dictionary_encode()]))
    made = settled(engine, numbered)
    plain = [f.with_type(f.type.value_type) if pa.types.is_dictionary(f.type) else f for f in made.schema]
    return made.cast(pa.schema(plain)).add_column(0, "pos", rows["pos"])
