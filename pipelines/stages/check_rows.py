"""The inside of a Parquet file, verified: its columns, its number of rows, their order and their night.

Reads a file batch by batch. tests/pipelines/test_check_damages.py holds the truth."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.archive import EVENTS, QUARANTINE
from pipelines.parsing.events import ORDER, SCHEMA
from pipelines.parsing.parse import QUARANTINE_SCHEMA

# as the export reads them: a text column of more rows might not fit into memory
_BATCH_ROWS = 8192
_SCHEMAS: Mapping[str, pa.Schema] = {EVENTS: SCHEMA, QUARANTINE: QUARANTINE_SCHEMA}
_ORDERS: Mapping[str, tuple[str, ...]] = {EVENTS: ORDER, QUARANTINE: ("source", "byte_offset", "sha256")}


def problem(path: Path, table: str, rows: int, night: date) -> tuple[str, str] | None:
    """Kind and text of what is wrong inside a part of an append-only table; None where all is well.

    Args:
        rows: as many as were committed.
    """
    try:
        with pq.ParquetFile(path) as file:
            if file.metadata.num_rows != rows:
                return "rows", f"{file.metadata.num_rows} rows, {rows} expected"
            missing = lacking(_unlike(_SCHEMAS[table], file.schema_arrow))
            if missing is not None:
                return "columns", missing
            return _disorder(file, _ORDERS[table], night if table == EVENTS else None)
    except (pa.ArrowException, OSError, ValueError) as error:
        return "rows", f"no Parquet file ({' '.join(str(error).split())[:120]})"


def table_problem(rows: pa.Table, schema: pa.Schema, order: Sequence[str]) -> tuple[str, str] | None:
    """Kind and text of what is wrong with the rows of a whole table; None where all is well."""
    missing = lacking(_unlike(schema, rows.schema))
    if missing is not None:
        return "columns", missing
    wrong = _first_wrong(rows, order)
    return None if wrong is None else ("order", f"row {wrong + 2} does not come after the row before it")


def _first_wrong(rows: pa.Table, order: Sequence[str]) -> int | None:
    """The first row, counted from 0, of which the next does not come after it; None where every one does."""
    wrong: int = pc.index(_follows(rows.slice(1), rows.slice(0, rows.num_rows - 1), order), False).as_py()
    return None if wrong < 0 else wrong


def _unlike(declared: pa.Schema, found: pa.Schema) -> Iterator[str]:
    """Columns that a schema lacks or has of another type; more columns than declared are fine."""
    for column in declared:
        if column.name not in found.names or not found.field(column.name).type.equals(column.type):
            yield column.name


def lacking(columns: Iterable[str]) -> str | None:
    """What to say of columns that are missing or of another type; None where there is none."""
    names = list(columns)
    if not names:
        return None
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    return f"written by another version: {shown} missing or of another type"


def _disorder(file: pq.ParquetFile, order: Sequence[str], night: date | None) -> tuple[str, str] | None:
    """Where rows are not in strict order, or of another night; None where all is well."""
    last: pa.Table | None = None
    at = 0
    for batch in file.iter_batches(_BATCH_ROWS, columns=list(order)):
        rows = pa.Table.from_batches([batch])
        if night is not None and not _of_night(rows["stage_ts"], night):
            return "order", f"rows {at + 1} to {at + rows.num_rows} hold one of another night than {night}"
        both = rows if last is None else pa.concat_tables([last, rows])
        wrong = _first_wrong(both, order)
        if wrong is not None:
            # the row carried over stands first from the second batch on
            return "order", f"row {at + wrong + (2 if last is None else 1)} does not come after the row before it"
        at += rows.num_rows
        last = rows.slice(rows.num_rows - 1)
    return None


def _of_night(times: pa.ChunkedArray, night: date) -> bool:
    if times.null_count:
        return False
    begin = datetime.combine(night, time(), UTC)
    ends = pc.min_max(times).as_py()
    return bool(begin <= ends["min"] and ends["max"] < begin + timedelta(days=1))


def _follows(later: pa.Table, earlier: pa.Table, order: Sequence[str]) -> pa.ChunkedArray:
    """Of each pair of rows whether the later stands behind the earlier in this order, nulls first."""
    after = pa.nulls(later.num_rows, pa.bool_()).fill_null(False)
    for name in reversed(order):
        low, high = earlier[name].combine_chunks(), later[name].combine_chunks()
        less = pc.coalesce(pc.less(low, high), pc.and_(pc.is_null(low), pc.is_valid(high)))
        same = pc.coalesce(pc.equal(low, high), pc.and_(pc.is_null(low), pc.is_null(high)))
        after = pc.or_(less, pc.and_(same, after))
    return after
