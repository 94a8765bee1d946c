"""Ordinary lines to rows: what `pipelines.parsing.parse.reading` makes of them, at a fraction of its cost.

A line is taken only where it is certain what the SQL would say; the SQL reads the others and stays the truth.
Pure. tests/pipelines/test_compiled_lane.py compares with the SQL, row by row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines.compiled.columns import dictionary, lists, places_for, plain
from pipelines.compiled.fields import ALWAYS_NULL, COLUMN_OF, FIELDS, MASKED, Field, Kind, keys
from pipelines.compiled.rows import AS_FOUND, NUMBERED, NUMBERED_IF_NOT_EMPTY, Found, fill
from pipelines.compiled.scan import NOTHING
from pipelines.parsing.events import ARROW, COLUMNS
from pipelines.parsing.lines import HASH_BYTES, Lines, without
from pipelines.parsing.parse import EARLY
from pipelines.parsing.tokens import masked_texts

Longs = NDArray[np.int64]

_EPOCH = date(1970, 1, 1).toordinal()
_UNLIKE = frozenset({"audit_id"})
"""Texts that hardly ever come twice: to look for equal ones would be in vain."""

_NULLS = {c.name: ARROW[c.type] for c in COLUMNS if c.name in ALWAYS_NULL}


def _how(name: str, field: Field) -> int:
    if name in _UNLIKE or field.kind in (Kind.TIME, Kind.INTEGER):
        return AS_FOUND
    return NUMBERED_IF_NOT_EMPTY if field.empty_is_null else NUMBERED


_HOW = np.array([_how(name, field) for name, field in FIELDS.items()])


@dataclass(frozen=True)
class Extracted:
    """Which lines were taken, the rows of those whose night is asked for, and how many of each other night there are.

    `rows` has `pos`, `night`, `mistyped` and the columns EARLY of pipelines.parsing.parse, in the order of the lines;
    texts that come again and again are dictionary arrays."""

    taken: NDArray[np.bool_]
    rows: pa.RecordBatch
    outside: Mapping[date, int]


def extract(lines: Lines, nights: Sequence[date] | None, *, raw: bool = True) -> Extracted:
    """What can be read of the lines without the SQL.

    Args:
        nights: whose events are read; None reads all.
        raw: whether a line is what the source holds; else `bytes` is null.
    """
    if lines.left_out:
        return _beside(lines, nights, raw)
    count, text = len(lines), lines.text
    _, places, data = (buffer if buffer is not None else pa.py_buffer(bytes(4)) for buffer in text.buffers())
    offsets = np.frombuffer(places, np.int32)[text.offset : text.offset + count + 1]
    # a kernel is compiled for one kind of array
    offsets.flags.writeable = False
    found = _room(count)
    wanted = np.array([n.toordinal() - _EPOCH for n in nights or ()], np.int64)
    rows = fill(data.address, data.size, offsets, keys().ctypes.data, wanted, nights is None, _HOW, found)
    other = np.ones(count, np.bool_) if nights is not None else np.zeros(count, np.bool_)
    other[found.lines[:rows]] = False
    days, counts = np.unique(found.days[found.taken & other], return_counts=True)
    outside = {date.fromordinal(day + _EPOCH): n for day, n in zip(days.tolist(), counts.tolist(), strict=True)}
    return Extracted(found.taken, _rows(lines, data, found, rows, raw), outside)


def _beside(lines: Lines, nights: Sequence[date] | None, raw: bool) -> Extracted:
    """What can be read of the lines that are whole; what was left out of the others only the SQL can tell."""
    whole = np.ones(len(lines), np.bool_)
    whole[list(lines.left_out)] = False
    found = extract(without(lines, ~whole), nights, raw=raw)
    taken = np.zeros(len(lines), np.bool_)
    taken[whole] = found.taken
    return replace(found, taken=taken)


def _room(count: int) -> Found:
    # what is not touched costs nothing
    return Found(
        np.zeros(count, np.bool_),
        np.zeros(count, np.int64),
        np.empty(count, np.int64),
        np.empty((len(FIELDS), count), np.int64),
        np.empty((len(FIELDS), count), np.int32),
        np.empty((len(FIELDS), count), np.int64),
        np.zeros(len(FIELDS), np.int64),
        np.zeros((len(FIELDS), places_for(count)), np.int64),
    )


def _rows(lines: Lines, data: pa.Buffer, found: Found, count: int, raw: bool) -> pa.RecordBatch:
    chosen = found.lines[:count]
    made: dict[str, pa.Array] = {
        "pos": pa.array(lines.pos[chosen]),
        "night": pa.array(found.days[chosen].astype("datetime64[D]")),
        "mistyped": pa.array(np.zeros(count, np.bool_)),
        "bytes": pa.array(lines.sizes[chosen]) if raw else pa.nulls(count, pa.int32()),
        "content_hash": _hashes(lines.digests, chosen),
    }
    made |= {name: _column(name, data, found, count) for name in FIELDS}
    made |= {name: pa.nulls(count, kind) for name, kind in _NULLS.items()}
    names = ["pos", "night", "mistyped", *EARLY]
    return pa.RecordBatch.from_arrays([made[name] for name in names], names)


def _column(name: str, data: pa.Buffer, found: Found, count: int) -> pa.Array:
    at, kind = COLUMN_OF[name], FIELDS[name].kind
    values, codes, distinct = found.values[at, :count], found.codes[at, :count], found.firsts[at, : found.counts[at]]
    if kind is Kind.TIME:
        return pa.array(values, mask=values == NOTHING).cast(pa.timestamp("us", "UTC"))
    if kind is Kind.INTEGER:
        return pa.array(values.astype(np.int32), mask=values == NOTHING)
    if kind is Kind.TEXTS:
        return lists(data, codes, distinct)
    if name in _UNLIKE:
        return plain(data, values)
    texts = plain(data, distinct)
    if name in MASKED:
        texts = masked_texts(texts)
    return dictionary(codes, _truncated(texts) if name == "truncated" else texts)


def _truncated(said: pa.StringArray) -> pa.StringArray:
    return pc.if_else(pc.equal(said, "true"), pa.scalar("bodies"), pa.scalar(None, pa.string()))


def _hashes(digests: bytes, chosen: Longs) -> pa.StringArray:
    hexed = np.frombuffer(digests, np.uint8).reshape(-1, HASH_BYTES)[chosen].tobytes().hex().encode()
    offsets = np.arange(0, 2 * HASH_BYTES * len(chosen) + 1, 2 * HASH_BYTES, dtype=np.int32)
    return pa.StringArray.from_buffers(len(chosen), pa.py_buffer(offsets), pa.py_buffer(hexed))
