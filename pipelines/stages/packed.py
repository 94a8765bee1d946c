"""Rows with their texts as dictionaries, which are moved at little cost, and without, as they are written out. Pure.

tests/pipelines/test_sorting.py."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from pipelines.parsing.events import COLUMNS
from pipelines.sizes import runs, text_bytes
from pipelines.stages.keys import flat

_PIECE_BYTES = 16_000_000
"""Of texts written out at once."""
_UNLIKE = frozenset(c.name for c in COLUMNS if c.differs)


def text_columns(schema: pa.Schema) -> list[str]:
    """The columns of text to be read as dictionaries: not ids, and texts in lists Parquet cannot always read so."""
    return [f.name for f in schema if pa.types.is_string(f.type) and f.name not in _UNLIKE]


def packed(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Texts in lists as dictionaries: they are few, and moved often."""
    columns = [_packed_lists(c) if pa.types.is_list(c.type) else c for c in batch.columns]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _packed_lists(lists: pa.ListArray) -> pa.ListArray:
    if not pa.types.is_string(lists.type.value_type):
        return lists
    # of a slice the places cannot be taken with the nulls
    whole = pa.concat_arrays([lists]) if lists.offset else lists
    return pa.ListArray.from_arrays(
        whole.offsets, whole.values.dictionary_encode(), mask=whole.is_null() if whole.null_count else None
    )


def plain_pieces(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """The rows in order, without dictionaries, so many at once as fit."""
    for a, b in runs(text_bytes(batch.columns), len(batch), _PIECE_BYTES):
        yield _plain(batch.slice(a, b - a))


def _plain(batch: pa.RecordBatch) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([flat(column) for column in batch.columns], names=batch.schema.names)
