"""Parquet with bytes that depend on the rows alone: fixed settings, no clock, no thread order."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from io import BytesIO
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.errors import DataError

PART_BYTES = 256 * 1024 * 1024
_ROW_GROUP = 122_880
_META = b"auditforest"


def written(batches: Iterable[pa.RecordBatch], schema: pa.Schema, part_bytes: int = PART_BYTES) -> Iterable[bytes]:
    """The rows as one or more Parquet files of about `part_bytes` at most, in order; none for no rows."""
    sink, writer = BytesIO(), None
    for batch in _regrouped(batches, schema):
        if writer is None:
            sink = BytesIO()
            writer = _writer(sink, schema)
        writer.write_table(batch, row_group_size=_ROW_GROUP)
        if sink.tell() >= part_bytes:
            writer.close()
            writer = None
            yield sink.getvalue()
    if writer is not None:
        writer.close()
        yield sink.getvalue()


def _regrouped(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterable[pa.Table]:
    # row groups must not depend on how the engine happened to cut its batches
    waiting: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        waiting.append(batch)
        rows += batch.num_rows
        if rows >= _ROW_GROUP:
            table = pa.Table.from_batches(waiting).cast(schema)
            whole = rows - rows % _ROW_GROUP
            yield table.slice(0, whole)
            waiting = table.slice(whole).to_batches()
            rows -= whole
    if rows:
        yield pa.Table.from_batches(waiting).cast(schema)


def _writer(sink: BytesIO, schema: pa.Schema) -> pq.ParquetWriter:
    return pq.ParquetWriter(
        sink, schema, compression="zstd", compression_level=3, version="2.6", write_page_checksum=True
    )


def encode(table: pa.Table, meta: Mapping[str, Any]) -> bytes:
    """One table as one file; `meta` stands in its metadata as canonical JSON."""
    text = json.dumps(meta, sort_keys=True, separators=(",", ":")).encode()
    table = table.replace_schema_metadata({_META: text})
    sink = BytesIO()
    with _writer(sink, table.schema) as writer:
        writer.write_table(table, row_group_size=_ROW_GROUP)
    return sink.getvalue()


def rows_of(body: bytes) -> int:
    """Rows of a file just written."""
    return int(pq.read_metadata(BytesIO(body)).num_rows)


def decode(body: bytes, where: str) -> tuple[pa.Table, dict[str, Any]]:
    """A table and its metadata, checksums verified.

    Raises:
        DataError: the bytes are not a whole Parquet file of ours.
    """
    try:
        table = pq.read_table(BytesIO(body), page_checksum_verification=True)
        meta = json.loads((table.schema.metadata or {})[_META])
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        raise DataError(
            f"{where}: not a whole table of this archive ({' '.join(str(error).split())[:200]}); "
            "delete the object and run the night again"
        ) from error
    return table, meta
