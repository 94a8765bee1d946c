"""Bytes to lines: one row for each line that could be an event, with its place, length and hash.

What a shipper writes before or around an event on the same line is taken off here, where that is cheap; parse.py
takes apart what is left. Pure; tests/pipelines/test_lines.py holds the truth."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.heavy import MAX_VALUES, heavy, lightened
from pipelines.prefixes import prefixes_of, stamps, without_prefixes
from pipelines.sources.base import Batch
from pipelines.wrapped import likely, unwrap

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

BODY, LINE = "body", "line"
"""What was not read, as it holds more JSON values than the engine is handed: the request body, or all of the line."""

HASH_BYTES = 16
_SLICE_BYTES = 2_000_000
"""Size of one record batch handed to the engine; each is one thread's work."""

_NEWLINE, _RETURN, _BRACE = b"\n\r{"
_SIGNS = np.frombuffer(b",[{", np.uint8)
"""What begins or parts JSON values."""


@dataclass(frozen=True)
class Lines:
    """Lines of one batch that are not blank: text, place in the object, length and hash without the terminator.

    `digests` holds HASH_BYTES for each line, one after the other; `wrapped` says which lines were taken out of others;
    `left_out` has, by the number of a line, what was left out of it (or null), and its hash where text is missing."""

    text: pa.StringArray
    pos: NDArray[np.int64]
    sizes: NDArray[np.int32]
    digests: bytes
    logged_ms: pa.Int64Array | None
    blank: int
    wrapped: NDArray[np.bool_] | None = None
    left_out: Mapping[int, tuple[str | None, str | None]] = field(default_factory=dict)

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
    wrapped = np.zeros(len(starts) - 1, np.bool_)
    if batch.starts is None:
        data, starts = _unwrapped(data, starts, wrapped)
    prefixes = prefixes_of(data, starts)
    if prefixes.any():
        if logged is None:
            logged = stamps(data, starts[:-1], prefixes)
        data, starts = without_prefixes(data, starts, prefixes)
        pos = pos + prefixes
    sizes = _sizes(data, starts)
    firsts, ends = starts[:-1].tolist(), (starts[:-1] + sizes).tolist()
    digests = b"".join([sha256(data[a:b]).digest()[:HASH_BYTES] for a, b in zip(firsts, ends, strict=True)])
    text = pa.StringArray.from_buffers(len(firsts), pa.py_buffer(starts.astype(np.int32)), pa.py_buffer(data))
    times = None if logged is None else pa.array(logged, pa.int64(), mask=logged <= 0)
    found = _lightened(Lines(text, pos, sizes, digests, times, 0, wrapped, {}))
    blank = sizes == 0
    return _only(found, ~blank, int(blank.sum())) if blank.any() else found


def _lightened(lines: Lines) -> Lines:
    """The lines, those too heavy for the engine without what makes them so."""
    long = np.flatnonzero(lines.sizes > MAX_VALUES).tolist()
    texts: dict[int, bytes] = {}
    left_out: dict[int, tuple[str | None, str | None]] = {}
    for i in long:
        line = lines.text[i].as_buffer().to_pybytes()
        if heavy(line):
            light = lightened(line)
            left_out[i] = (LINE, None)
            if light is not None:
                texts[i] = light[0]
                left_out[i] = (BODY if light[1] else None, sha256(line[: lines.sizes[i]]).hexdigest())
    if not left_out:
        return lines
    text = pa.concat_arrays(_exchanged(lines.text, texts)) if texts else lines.text
    return replace(lines, text=text, left_out=left_out)


def _exchanged(text: pa.StringArray, others: Mapping[int, bytes]) -> Iterator[pa.StringArray]:
    last = 0
    for i, other in others.items():
        yield text.slice(last, i - last)
        yield _texts([other])
        last = i + 1
    yield text.slice(last)


def _texts(found: Sequence[bytes]) -> pa.StringArray:
    places = np.concatenate([[0], np.cumsum([len(one) for one in found])]).astype(np.int32)
    return pa.StringArray.from_buffers(len(found), pa.py_buffer(places), pa.py_buffer(b"".join(found)))


def _only(lines: Lines, keep: NDArray[np.bool_], blank: int = 0) -> Lines:
    digests = np.frombuffer(lines.digests, np.uint8).reshape(-1, HASH_BYTES)[keep].tobytes()
    mask = pa.array(keep)
    times = None if lines.logged_ms is None else lines.logged_ms.filter(mask)
    nth = np.cumsum(keep) - 1
    left_out = {int(nth[i]): what for i, what in lines.left_out.items() if keep[i]}
    return Lines(
        lines.text.filter(mask),
        lines.pos[keep],
        lines.sizes[keep],
        digests,
        times,
        lines.blank + blank,
        None if lines.wrapped is None else lines.wrapped[keep],
        left_out,
    )


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
    """The lines in batches of MAX_VALUES each, or of one line that is not read."""
    text = some["line"]
    _, places, data = (buffer if buffer is not None else pa.py_buffer(bytes(4)) for buffer in text.buffers())
    offsets = np.frombuffer(places, np.int32)[text.offset : text.offset + len(text) + 1].astype(np.int64)
    view = np.frombuffer(data, np.uint8)[offsets[0] : offsets[-1]]
    if sum(int(np.count_nonzero(view == sign)) for sign in _SIGNS) <= MAX_VALUES:
        yield some
        return
    signs = np.cumsum(np.isin(view, _SIGNS), dtype=np.int64)
    ends = np.concatenate([[0], signs])[offsets[1:] - offsets[0]]
    first = before = 0
    for i, end in enumerate(ends.tolist()):
        if end - before > MAX_VALUES and i > first:
            yield some.slice(first, i - first)
            first, before = i, int(ends[i - 1])
    yield some.slice(first)


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
    inside: int
    left_out: str | None = None


def inner_batches(found: Sequence[Inner]) -> Iterator[pa.RecordBatch]:
    """Events taken out of bad lines, as the engine reads them, cut so that it can hold them."""
    if found:
        yield from _cut(_inner_batch(found), np.array([len(one.parsed) for one in found], np.int32))


def _light(one: Inner) -> Inner:
    if not heavy(one.parsed):
        return one
    light = lightened(one.parsed)
    if light is None:
        return replace(one, left_out=LINE)
    return replace(one, parsed=light[0], left_out=BODY if light[1] else one.left_out)


def _inner_batch(found: Sequence[Inner]) -> pa.RecordBatch:
    """Events taken out of bad lines, none of them too heavy for the engine by itself."""
    found = [_light(one) for one in found]
    hashes = [sha256(i.line).hexdigest() for i in found]
    return pa.record_batch(
        [
            pa.array([i.source for i in found], pa.int32()),
            pa.array([i.pos for i in found], pa.int64()),
            _texts([i.parsed for i in found]),
            pa.array([len(i.line) for i in found], pa.int32()),
            pa.array([digest[: 2 * HASH_BYTES] for digest in hashes], pa.string()),
            pa.array([i.raw for i in found]),
            pa.array([i.cut for i in found]),
            pa.array([i.logged_ms for i in found], pa.int64()),
            pa.array([i.inside for i in found], pa.int8()),
            pa.array([i.left_out for i in found], pa.string()),
            pa.array([None if i.parsed == i.line else h for i, h in zip(found, hashes, strict=True)], pa.string()),
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


_PLAIN = np.frombuffer(b'{"kind"', np.uint8)
"""How the API server begins an event; such lines are not looked at one by one."""


def _unwrapped(data: bytes, starts: NDArray[np.int64], wrapped: NDArray[np.bool_]) -> tuple[bytes, NDArray[np.int64]]:
    """The lines, those of a shipper's wrapper taken out of it, and where they then start; notes which in `wrapped`.

    Only where that is cheap: salvage.py finds the others one by one, with the same result."""
    view = np.frombuffer(data, np.uint8)
    firsts, sizes = starts[:-1], np.diff(starts)
    maybe = (sizes > len(_PLAIN)) & (sizes <= MAX_VALUES)
    maybe[maybe] = view[firsts[maybe]] == _BRACE
    at = np.flatnonzero(maybe)
    maybe[at] = (view[firsts[at][:, None] + np.arange(len(_PLAIN))] != _PLAIN).any(axis=1)
    inner: dict[int, bytes] = {}
    for i in np.flatnonzero(maybe).tolist():
        line = data[starts[i] : starts[i + 1]]
        found = unwrap(line) if likely(line) else None
        if found is not None and found[1]:
            inner[i] = found[0]
    if not inner:
        return data, starts
    wrapped[list(inner)] = True
    edges = starts.tolist()
    pieces = [inner[i] + b"\n" if i in inner else data[a:b] for i, (a, b) in enumerate(itertools.pairwise(edges))]
    # a line stays one line, so each has its place
    return b"".join(pieces), np.concatenate([[0], np.cumsum([len(piece) for piece in pieces])])
