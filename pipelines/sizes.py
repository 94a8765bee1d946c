"""Bytes that the texts of rows take when they are written out: a dictionary of one long text may stand for many rows.

Pure. tests/pipelines/test_sizes.py."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Longs = NDArray[np.int64]


def text_bytes(columns: Sequence[pa.Array]) -> Longs:
    """Of each row the bytes of its texts; there must be a column."""
    total = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        found = _bytes(column)
        if found is not None:
            total += found
    return total


def runs(sizes: Longs, rows: int, most: int) -> Iterator[tuple[int, int]]:
    """Parts these rows, in order, so that each part has at most so many, and bytes; or is one row."""
    before = np.concatenate([[0], np.cumsum(sizes)])
    start = 0
    while start < len(sizes):
        fits = int(np.searchsorted(before, before[start] + most, "right")) - 1
        end = min(max(fits, start + 1), start + rows)
        yield start, end
        start = end


def _bytes(column: pa.Array) -> Longs | None:
    """Of each row the bytes of its text, or of the texts of its list; None for a column of none."""
    if pa.types.is_string(column.type):
        lengths: Longs = pc.binary_length(column).fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
        return lengths
    if pa.types.is_dictionary(column.type):
        found = _bytes(column.dictionary)
        # a null is the entry behind the last
        return None if found is None else np.append(found, 0)[column.indices.fill_null(-1).to_numpy()]
    if pa.types.is_list(column.type):
        found = _bytes(column.values)
        if found is None:
            return None
        before = np.concatenate([[0], np.cumsum(found)])
        offsets = column.offsets.to_numpy()
        return np.asarray(before[offsets[1:]] - before[offsets[:-1]], np.int64)
    return None
