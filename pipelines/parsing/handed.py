"""Lines as the engine is handed them, so many at once as it can hold. Pure; tests/pipelines/test_lines.py."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.parsing.heavy import BODY, LINE, SIGNS, heavy, lightened
from pipelines.parsing.lines import HASH_BYTES, Lines, texts

SCHEMA = pa.schema(
    [
        ("source", pa.int32()),
        ("pos", pa.int64()),
        ("line", pa.string()),
        ("line_bytes", pa.int32()),
        ("line_hash", pa.string()),
        ("raw", pa.bool_()),
        ("cut", pa.bool_()),
        ("logged_ms", pa.int64()),
        ("inside", pa.int8()),
        ("left_out", pa.string()),
        ("whole_sha256", pa.string()),
    ]
)
"""Of the lines handed to the engine. `source` counts the objects of the run; `line_bytes`, `line_hash`: of the line as
it was read; `cut`: the line is what could be saved of one cut off; `logged_ms`: when the envelope says that it was
logged; `inside`: how many lines it stood in, each within the other; `left_out`: BODY, LINE or null;
`whole_sha256`: of the line as it was read, hex, where `line` is not that."""

_SLICE_BYTES = 300_000
"""Size of one record batch handed to the engine; each is one thread's work, and takes some seventy times its bytes."""
_SLICE_VALUES = 15_000
"""JSON values of one record batch, each up to a kilobyte; 300 KB of ordinary lines hold 9,000."""

_SIGNS = np.frombuffer(SIGNS.encode(), np.uint8)


def record_batches(lines: Lines, source: int, raw: bool) -> Iterator[pa.RecordBatch]:
    """The lines as the engine reads them, cut so that one thread has a fair share."""
    count = len(lines)
    if not count:
        return
    hexed = pa.py_buffer(lines.digests.hex().encode())
    offsets = pa.py_buffer(np.arange(0, 2 * HASH_BYTES * count + 1, 2 * HASH_BYTES, dtype=np.int32))
    whole = pa.record_batch(
        [
            pa.array(np.full(count, source, np.int32)),
            pa.array(lines.pos),
            lines.text,
            pa.array(lines.sizes),
            pa.StringArray.from_buffers(count, offsets, hexed),
            _all(raw, count),
            _all(False, count),
            pa.nulls(count, pa.int64()) if lines.logged_ms is None else lines.logged_ms,
            pa.array(np.zeros(count, np.int8) if lines.wrapped is None else lines.wrapped.astype(np.int8)),
            *_left_out([lines.left_out.get(i, (None, None)) for i in range(count)] if lines.left_out else [], count),
        ],
        schema=SCHEMA,
    )
    yield from _cut(whole, lines.sizes)


def _left_out(found: Sequence[tuple[str | None, str | None]], count: int) -> tuple[pa.StringArray, pa.StringArray]:
    if not found:
        return pa.nulls(count, pa.string()), pa.nulls(count, pa.string())
    return pa.array([what for what, _ in found], pa.string()), pa.array([sha for _, sha in found], pa.string())


def _all(value: bool, count: int) -> pa.BooleanArray:
    return pa.array(np.full(count, value))


def _cut(whole: pa.RecordBatch, sizes: NDArray[np.int32]) -> Iterator[pa.RecordBatch]:
    share = np.cumsum(sizes, dtype=np.int64) // _SLICE_BYTES
    # a long line stands alone: its signs need not be counted, and to count them takes 16 times its bytes
    ends = [*(np.flatnonzero(np.diff(share)) + 1), *(np.flatnonzero(sizes > _SLICE_BYTES) + 1)]
    for a, b in itertools.pairwise(np.unique([0, *ends, len(sizes)]).tolist()):
        some = whole.slice(a, b - a)
        yield from [some] if b - a == 1 else _of_few_values(some)


def _of_few_values(some: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """The lines in batches of _SLICE_VALUES each, or of one line."""
    text = some["line"]
    _, places, data = (buffer if buffer is not None else pa.py_buffer(bytes(4)) for buffer in text.buffers())
    offsets = np.frombuffer(places, np.int32)[text.offset : text.offset + len(text) + 1].astype(np.int64)
    view = np.frombuffer(data, np.uint8)[offsets[0] : offsets[-1]]
    if sum(int(np.count_nonzero(view == sign)) for sign in _SIGNS) <= _SLICE_VALUES:
        yield some
        return
    signs = np.cumsum(np.isin(view, _SIGNS), dtype=np.int64)
    ends = np.concatenate([[0], signs])[offsets[1:] - offsets[0]]
    first = before = 0
    for i, end in enumerate(ends.tolist()):
        if end - before > _SLICE_VALUES and i > first:
            yield some.slice(first, i - first)
            first, before = i, int(ends[i - 1])
    yield some.slice(first)


def large(batch: pa.RecordBatch) -> bool:
    """Is it one line, of more bytes or values than each of several threads can hold?"""
    if batch.num_rows != 1:
        return False
    line = batch["line"][0].as_buffer().to_pybytes()
    return len(line) > _SLICE_BYTES or sum(map(line.count, SIGNS.encode())) > _SLICE_VALUES


@dataclass(frozen=True)
class Inner:
    """An event found inside a bad line: where it starts, its bytes, and the bytes to parse in their place."""

    source: int
    pos: int
    line: bytes
    parsed: bytes
    raw: bool
    cut: bool
    logged_ms: int | None
    inside: int
    left_out: str | None = None
    read_as: tuple[int, str] | None = None
    """Bytes and SHA-256 (hex) of the line as it was read, where `line` is not that."""

    @cached_property
    def told(self) -> tuple[int, str]:
        """Bytes and SHA-256 (hex) of the line, by which it is known."""
        return self.read_as or (len(self.line), sha256(self.line).hexdigest())

    @property
    def whole_sha256(self) -> str | None:
        """SHA-256 (hex) of the line as it was read, where `parsed` is not that."""
        return None if self.parsed == self.line and self.read_as is None else self.told[1]


def inner_batches(found: Sequence[Inner]) -> Iterator[pa.RecordBatch]:
    """Events taken out of bad lines, as the engine reads them, cut so that it can hold them; each must be light."""
    if found:
        yield from _cut(_inner_batch(found), np.array([len(one.parsed) for one in found], np.int32))


def light(one: Inner) -> Inner:
    """The event with so little to parse that the engine can hold it; `left_out` is LINE where that cannot be."""
    if not heavy(one.parsed):
        return one
    found = lightened(one.parsed)
    if found is None:
        return replace(one, left_out=LINE)
    return replace(one, parsed=found[0], left_out=BODY if found[1] else one.left_out)


def _inner_batch(found: Sequence[Inner]) -> pa.RecordBatch:
    told = [i.told for i in found]
    return pa.record_batch(
        [
            pa.array([i.source for i in found], pa.int32()),
            pa.array([i.pos for i in found], pa.int64()),
            texts([i.parsed for i in found]),
            pa.array([length for length, _ in told], pa.int32()),
            pa.array([digest[: 2 * HASH_BYTES] for _, digest in told], pa.string()),
            pa.array([i.raw for i in found]),
            pa.array([i.cut for i in found]),
            pa.array([i.logged_ms for i in found], pa.int64()),
            pa.array([i.inside for i in found], pa.int8()),
            pa.array([i.left_out for i in found], pa.string()),
            pa.array([i.whole_sha256 for i in found], pa.string()),
        ],
        schema=SCHEMA,
    )
