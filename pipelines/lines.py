"""Bytes to lines: one row for each line that could be an event, with its place, length and hash.

What a shipper writes before or around an event on the same line is taken off here, where that is cheap; parse.py
takes apart what is left. Pure; tests/pipelines/test_lines.py holds the truth."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.sources.base import Batch

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
        ("inside", pa.bool_()),
    ]
)
"""Of the lines handed to the engine. `source` counts the objects of the run; `cut`: the line is what could be saved of
one cut off; `logged_ms`: when the envelope says that it was logged; `inside`: it stood inside another line."""

HASH_BYTES = 16
_PREFIX_BYTES = 64
"""More text than this before the first brace is no prefix of a shipper."""

_SLICE_BYTES = 2_000_000
"""Size of one record batch handed to the engine; each is one thread's work."""

_NEWLINE, _RETURN, _BRACE, _SPACE = b"\n\r{ "


@dataclass(frozen=True)
class Lines:
    """Lines of one batch that are not blank: text, place in the object, length and hash without the terminator.

    `digests` holds HASH_BYTES for each line, one after the other."""

    text: pa.StringArray
    pos: NDArray[np.int64]
    sizes: NDArray[np.int32]
    digests: bytes
    logged_ms: pa.Int64Array | None
    blank: int

    def __len__(self) -> int:
        return len(self.pos)


def split(data: bytes) -> NDArray[np.int64]:
    """Where each line starts, and the end of the last as one more entry."""
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == _NEWLINE) + 1
    if len(data) and (len(ends) == 0 or ends[-1] != len(data)):
        ends = np.append(ends, len(data))
    return np.concatenate([[0], ends]).astype(np.int64)


def lines_of(batch: Batch) -> Lines:
    """The lines of a batch, each cleared of what a shipper wrote before the event, or around it as JSON text."""
    data, starts = batch.data, split(batch.data)
    pos = batch.offset + (starts[:-1] if batch.starts is None else batch.starts)
    logged = None if batch.times_ms is None else np.asarray(batch.times_ms)
    if batch.starts is None and _is_wrapped(data):
        data = b"".join(_unwrapped(line) + b"\n" for line in data.removesuffix(b"\n").split(b"\n"))
        starts = split(data)
    prefixes = _prefixes(data, starts)
    if prefixes.any():
        if logged is None:
            logged = _times(data, starts[:-1], prefixes)
        data, starts = _without(data, starts, prefixes)
        pos = pos + prefixes
    sizes = _sizes(data, starts)
    firsts, ends = starts[:-1].tolist(), (starts[:-1] + sizes).tolist()
    digests = b"".join([sha256(data[a:b]).digest()[:HASH_BYTES] for a, b in zip(firsts, ends, strict=True)])
    text = pa.StringArray.from_buffers(len(firsts), pa.py_buffer(starts.astype(np.int32)), pa.py_buffer(data))
    times = None if logged is None else pa.array(logged, pa.int64(), mask=logged <= 0)
    found = Lines(text, pos, sizes, digests, times, 0)
    blank = sizes == 0
    return _only(found, ~blank, int(blank.sum())) if blank.any() else found


def _only(lines: Lines, keep: NDArray[np.bool_], blank: int = 0) -> Lines:
    digests = np.frombuffer(lines.digests, np.uint8).reshape(-1, HASH_BYTES)[keep].tobytes()
    mask = pa.array(keep)
    times = None if lines.logged_ms is None else lines.logged_ms.filter(mask)
    return Lines(lines.text.filter(mask), lines.pos[keep], lines.sizes[keep], digests, times, lines.blank + blank)


def without(lines: Lines, known: NDArray[np.bool_]) -> Lines:
    """The lines that are not known."""
    return _only(lines, ~known) if known.any() else lines


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
            _all(False, count),
        ],
        schema=SCHEMA,
    )
    yield from _cut(whole, lines.sizes)


def _all(value: bool, count: int) -> pa.BooleanArray:
    return pa.array(np.full(count, value))


def _cut(whole: pa.RecordBatch, sizes: NDArray[np.int32]) -> Iterator[pa.RecordBatch]:
    share = np.cumsum(sizes, dtype=np.int64) // _SLICE_BYTES
    edges = [0, *(np.flatnonzero(np.diff(share)) + 1).tolist(), len(sizes)]
    for a, b in itertools.pairwise(edges):
        yield whole.slice(a, b - a)


@dataclass(frozen=True, slots=True)
class Inner:
    """An event found inside a bad line: where it starts, its bytes, and the bytes to parse in their place."""

    source: int
    pos: int
    line: bytes
    parsed: bytes
    raw: bool
    cut: bool
    logged_ms: int | None
    inside: bool


def inner_batch(found: Sequence[Inner]) -> pa.RecordBatch:
    """Events taken out of bad lines, as the engine reads them."""
    text = np.concatenate([[0], np.cumsum([len(i.parsed) for i in found])]).astype(np.int32)
    data = pa.py_buffer(b"".join(i.parsed for i in found))
    return pa.record_batch(
        [
            pa.array([i.source for i in found], pa.int32()),
            pa.array([i.pos for i in found], pa.int64()),
            pa.StringArray.from_buffers(len(found), pa.py_buffer(text), data),
            pa.array([len(i.line) for i in found], pa.int32()),
            pa.array([sha256(i.line).hexdigest()[: 2 * HASH_BYTES] for i in found], pa.string()),
            pa.array([i.raw for i in found]),
            pa.array([i.cut for i in found]),
            pa.array([i.logged_ms for i in found], pa.int64()),
            pa.array([i.inside for i in found]),
        ],
        schema=SCHEMA,
    )


def _sizes(data: bytes, starts: NDArray[np.int64]) -> NDArray[np.int32]:
    """Length of each line without its end."""
    view = np.frombuffer(data, np.uint8)
    sizes = np.diff(starts)
    while True:
        last = view[np.maximum(starts[:-1] + sizes - 1, 0)] if len(data) else np.empty(0, np.uint8)
        ended = (sizes > 0) & ((last == _NEWLINE) | (last == _RETURN))
        if not ended.any():
            return sizes.astype(np.int32)
        sizes = sizes - ended


def _prefixes(data: bytes, starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Length of what stands before the first brace of each line, where that is a shipper's prefix; else 0."""
    view = np.frombuffer(data, np.uint8)
    firsts = starts[:-1]
    found = np.zeros(len(firsts), np.int64)
    other = np.flatnonzero(view[firsts] != _BRACE) if len(data) else np.empty(0, np.int64)
    # shippers begin with a time
    other = other[(view[firsts[other]] >= ord("0")) & (view[firsts[other]] <= ord("9"))]
    if not len(other):
        return found
    braces = np.flatnonzero(view == _BRACE)
    nth = np.searchsorted(braces, firsts[other])
    has = nth < len(braces)
    brace = braces[np.minimum(nth, len(braces) - 1)] if len(braces) else np.zeros(len(other), np.int64)
    length = brace - firsts[other]
    good = has & (length <= _PREFIX_BYTES) & (brace < starts[other + 1])
    good[good] = view[brace[good] - 1] == _SPACE
    found[other[good]] = length[good]
    return found


def _without(data: bytes, starts: NDArray[np.int64], prefixes: NDArray[np.int64]) -> tuple[bytes, NDArray[np.int64]]:
    """The lines without their prefixes, and where they then start."""
    edges = np.zeros(len(data) + 1, np.int8)
    has = prefixes > 0
    edges[starts[:-1][has]] += 1
    edges[(starts[:-1] + prefixes)[has]] -= 1
    kept = np.frombuffer(data, np.uint8)[np.cumsum(edges[:-1], dtype=np.int8) == 0]
    return kept.tobytes(), starts - np.concatenate([[0], np.cumsum(prefixes)])


def _times(data: bytes, starts: NDArray[np.int64], prefixes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Milliseconds of the time each prefix begins with; 0 where it begins with none that has a zone."""
    times = np.zeros(len(starts), np.int64)
    for i in np.flatnonzero(prefixes).tolist():
        times[i] = _ms(data[starts[i] : starts[i] + prefixes[i]].partition(b" ")[0])
    return times


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _ms(stamp: bytes) -> int:
    try:
        found = datetime.fromisoformat(stamp.decode())
    except ValueError:
        return 0
    return 0 if found.tzinfo is None else (found - _EPOCH) // timedelta(milliseconds=1)


_WRAPPERS = ("log", "message")
"""Keys under which Fluent Bit and its like put a whole line as text."""


def _is_wrapped(data: bytes) -> bool:
    """Does the first line carry an event as text? Others are told one by one when they turn out to be no event."""
    first = data[: data.find(b"\n") + 1]
    return unwrap(first) is not None if any(f'"{key}"'.encode() in first[:4096] for key in _WRAPPERS) else False


def _unwrapped(line: bytes) -> bytes:
    inner = unwrap(line)
    return line if inner is None else inner


def unwrap(line: bytes) -> bytes | None:
    """The line that a JSON object holds as text under `log` or `message`; None for anything else."""
    try:
        found = json.loads(line)
        if not isinstance(found, dict) or "auditID" in found:
            return None
        text = next((found[k] for k in _WRAPPERS if isinstance(found.get(k), str)), None)
        # a lone surrogate is no text; the line stays as it is, and is told to be no event
        return None if text is None else text.rstrip("\r\n").replace("\n", " ").encode()
    except (ValueError, RecursionError):
        return None
