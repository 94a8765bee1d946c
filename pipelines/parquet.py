"""Parquet with bytes that depend on the rows alone: fixed settings, no clock, no thread order."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.errors import DataError
from pipelines.sizes import text_bytes

PART_BYTES = 256 * 1024 * 1024
ROW_GROUP = 32_768
"""Rows written, and read, at once."""
GROUP_BYTES = 64_000_000
"""Of the texts of rows written at once, however few rows that are."""
DIFFERS = "differs"
"""Key in the metadata of a field of which nearly every row has another value."""

_META = b"auditforest"
# a text of so many bytes, then another text: Thrift's compact protocol. JSON holds no control character, so it is
# not in `meta` itself
_META_AT = b"\x18" + bytes([len(_META)]) + _META + b"\x18"
_SEAL = b"auditforest-sha256="
_UNSEALED = b"0" * 64


def written(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema, folder: Path, part_bytes: int = PART_BYTES
) -> Iterator[Path]:
    """The rows as one or more Parquet files in the folder, in order; none for no rows.

    Args:
        part_bytes: a file is closed after the row group that reaches it.
    """
    writer, path = None, folder
    for number, group in enumerate(_row_groups(batches, schema)):
        if writer is None:
            path = folder / f"part-{number}.parquet"
            writer = _writer(path, schema)
        writer.write_table(group, row_group_size=ROW_GROUP)
        if path.stat().st_size >= part_bytes:
            writer.close()
            writer = None
            yield path
    if writer is not None:
        writer.close()
        yield path


def _row_groups(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    # neither row groups nor the pages in them may depend on how the engine happened to cut its batches
    waiting: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        before = np.concatenate([[0], np.cumsum(text_bytes(batch.columns))])
        at = 0
        while at < len(batch):
            fits = int(np.searchsorted(before, before[at] + GROUP_BYTES - size, "right")) - 1
            # a row that is larger than that is a group
            end = min(max(fits, at if rows else at + 1), at + ROW_GROUP - rows, len(batch))
            waiting.append(batch.slice(at, end - at))
            rows, size, at = rows + end - at, size + int(before[end] - before[at]), end
            if rows == ROW_GROUP or at < len(batch):
                yield _joined(waiting, schema)
                waiting, rows, size = [], 0, 0
    if rows:
        yield _joined(waiting, schema)


def _joined(batches: list[pa.RecordBatch], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_batches(batches).cast(schema).combine_chunks()


def _writer(sink: BytesIO | Path, schema: pa.Schema) -> pq.ParquetWriter:
    differing = {f.name for f in schema if DIFFERS.encode() in (f.metadata or {})}
    texts = [f.name for f in schema if f.name in differing and pa.types.is_string(f.type)]
    return pq.ParquetWriter(
        sink,
        schema,
        compression="zstd",
        compression_level=3,
        version="2.6",
        write_page_checksum=True,
        use_dictionary=[path for path in _leaves(schema) if path.partition(".")[0] not in differing],
        # lengths apart from the bytes: the ids of a night compress by a tenth more
        column_encoding=dict.fromkeys(texts, "DELTA_LENGTH_BYTE_ARRAY") or None,
    )


def _leaves(schema: pa.Schema) -> list[str]:
    """Names of the columns that values are written to."""
    none = BytesIO()
    pq.write_table(schema.empty_table(), none)
    written = pq.read_metadata(none).schema
    return [written.column(i).path for i in range(len(written))]


def encode(table: pa.Table, meta: Mapping[str, Any]) -> bytes:
    """One table as one file; `meta` stands in its metadata as canonical JSON.

    The file bears its own checksum, taken with zeros in the checksum's place: no commit names a derived table, and
    Parquet's page checksums leave the footer, `meta` among it, unguarded.
    """
    text = json.dumps(meta, sort_keys=True, separators=(",", ":")).encode()
    table = table.replace_schema_metadata({_META: text}).combine_chunks()
    sink = BytesIO()
    with _writer(sink, table.schema) as writer:
        writer.write_table(table, row_group_size=ROW_GROUP)
        writer.add_key_value_metadata({_META + b".seal": _SEAL + _UNSEALED})
    return _sealed(sink.getvalue())


def _sealed(body: bytes) -> bytes:
    at = body.rindex(_SEAL) + len(_SEAL)
    body = body[:at] + _UNSEALED + body[at + len(_UNSEALED) :]
    return body[:at] + sha256(body).hexdigest().encode() + body[at + len(_UNSEALED) :]


def rows_of(path: Path) -> int:
    """Rows of a file just written."""
    return int(pq.read_metadata(path).num_rows)


def decode(body: bytes, where: str, columns: Sequence[str] | None = None) -> tuple[pa.Table, dict[str, Any]]:
    """A table, or some of its columns, and its metadata; the checksum of the whole verified.

    Raises:
        DataError: the bytes are not a whole Parquet file of ours, or lack a column, as of other versions.
    """
    with _whole(where):
        _verify(body)
        if columns is not None:
            _refuse_lacking(body, where, columns)
        table = pq.read_table(BytesIO(body), columns=None if columns is None else list(columns))
        return table, json.loads((table.schema.metadata or {})[_META])


def metadata(body: bytes, where: str) -> dict[str, Any]:
    """A table's metadata alone, in a hundredth of the time; the checksum of the whole verified.

    Raises:
        DataError: as decode.
    """
    with _whole(where):
        _verify(body)
        found: dict[str, Any] = json.loads(_text(body))
        return found


def _text(body: bytes) -> bytes:
    """The text under our key, which stands near the end of the footer: its length in bits of seven, then its bytes.

    To parse the footer would mean to parse what it says of some hundred columns."""
    at = body.rindex(_META_AT) + len(_META_AT)
    size = shift = 0
    more = True
    while more:
        size |= (body[at] & 0x7F) << shift
        more = body[at] >= 0x80
        at, shift = at + 1, shift + 7
    return body[at : at + size]


@contextmanager
def _whole(where: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, KeyError, ValueError, RecursionError) as error:
        raise DataError(
            f"{where}: not a whole table of this archive ({' '.join(str(error).split())[:200]}); "
            "delete the object and run the night again"
        ) from error


def _verify(body: bytes) -> None:
    if _sealed(body) != body:
        raise ValueError("its checksum is another")


def _refuse_lacking(body: bytes, where: str, columns: Sequence[str]) -> None:
    lacking = sorted({*columns} - {*pq.read_schema(BytesIO(body)).names})
    if lacking:
        raise DataError(
            f"{where}: written by another version of auditforest, without {', '.join(lacking)}; run 'auditforest "
            "features' and then 'auditforest score' for its night"
        )
