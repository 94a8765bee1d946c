"""Texts found in a buffer to Arrow columns: each different text once, or all one after the other.

Pure; tests/pipelines/test_compiled_columns.py."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.compiled.encode import NO_CODE, encode, entries, spread, write
from pipelines.compiled.scan import NOTHING, SPAN_LENGTH
from pipelines.compiled.vectors import WIDTH

Ints = NDArray[np.int32]
Longs = NDArray[np.int64]

_CODED = pa.dictionary(pa.int32(), pa.string())


def number(data: pa.Buffer, texts: Longs) -> tuple[Ints, Longs]:
    """Of each text its number, and of each number its text; a text may have several."""
    codes, firsts = np.empty(len(texts), np.int32), np.empty(len(texts), np.int64)
    places = np.zeros(places_for(len(texts)), np.int64)
    count = encode(data.address, data.size, texts, codes, places, firsts)
    return codes, firsts[:count]


def places_for(count: int) -> int:
    """The size of a table in which so many different texts are found fast."""
    return 1 << (2 * count).bit_length()


def plain(data: pa.Buffer, texts: Longs) -> pa.StringArray:
    """The texts one after the other."""
    there = texts != NOTHING
    room = int(((texts >> 32) & SPAN_LENGTH)[there].sum()) + WIDTH
    out, offsets = pa.allocate_buffer(room), np.empty(len(texts) + 1, np.int32)
    write(data.address, data.size, texts, out.address, offsets)
    return pa.StringArray.from_buffers(len(texts), pa.py_buffer(offsets), out, _valid(there))


def dictionary(codes: Ints, distinct: pa.StringArray) -> pa.DictionaryArray:
    """Texts by their numbers; null for NO_CODE."""
    return pa.DictionaryArray.from_buffers(
        _CODED, len(codes), [_valid(codes != NO_CODE), pa.py_buffer(codes)], distinct
    )


def lists(data: pa.Buffer, codes: Ints, distinct: Longs) -> pa.ListArray:
    """Lists of texts by their numbers, of which `distinct` says what stands between the brackets."""
    counts = np.empty(len(distinct), np.int32)
    total = entries(data.address, data.size, distinct, counts, np.empty(0, np.int64))
    texts = np.empty(total, np.int64)
    entries(data.address, data.size, distinct, counts, texts)
    numbers, words = number(data, texts)
    rows = int(counts[codes[codes != NO_CODE]].sum(dtype=np.int64))
    offsets, values = np.empty(len(codes) + 1, np.int32), np.empty(rows, np.int32)
    spread(codes, counts, np.cumsum(counts, dtype=np.int64) - counts, numbers, offsets, values)
    buffers = [_valid(codes != NO_CODE), pa.py_buffer(offsets)]
    inside = dictionary(values, plain(data, words))
    return pa.ListArray.from_buffers(pa.list_(_CODED), len(codes), buffers, children=[inside])


def _valid(mask: NDArray[np.bool_]) -> pa.Buffer | None:
    return None if mask.all() else pa.py_buffer(np.packbits(mask, bitorder="little"))
