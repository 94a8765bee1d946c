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

from pipelines.parsing.heavy import BODY, LINE, MAX_VALUES, heavy, lightened
from pipelines.parsing.prefixes import prefixes_of, stamps, without_prefixes
from pipelines.parsing.wrapped import likely, unwrap
from pipelines.sources.base import Batch

HASH_BYTES = 16

_NEWLINE, _RETURN, _BRACE = b"\n\r{"
_SHORT = 16
"""Bytes of a line, on average, below which none is looked at before the blank ones are gone."""


@dataclass(frozen=True)
class Lines:
    """Lines of one batch that are not blank: text, place in the object, length and hash without the terminator.

    `digests` holds HASH_BYTES for each line, one after the other; `wrapped` says which lines were taken out of others;
    `left_out` has, by the number of a line, what was left out of it (or null), and its hash where text is missing; of
    a line of which all was, the text is whole."""

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

    @property
    def unread(self) -> NDArray[np.bool_]:
        """Which lines the engine could not hold, whatever is left out of them."""
        found = np.zeros(len(self), np.bool_)
        found[[i for i, (what, _) in self.left_out.items() if what == LINE]] = True
        return found


def split(data: bytes) -> NDArray[np.int64]:
    """Where each line starts, and the end of the last as one more entry."""
    return _starts(np.frombuffer(data, np.uint8) == _NEWLINE)


def _starts(newlines: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The same, of bytes of which it is known whether they end a line."""
    starts = np.concatenate([[0], np.flatnonzero(newlines) + 1])
    return starts if starts[-1] == len(newlines) else np.append(starts, len(newlines))


def lines_of(batch: Batch) -> Lines:
    """The lines of a batch, each cleared of what a shipper wrote before the event, or around it as JSON text."""
    if batch.starts is None:
        data, starts, places, blank = _without_blank(batch.data)
    else:
        data, starts, places, blank = batch.data, split(batch.data), batch.starts, 0
    pos = batch.offset + places
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
    there = sizes > 0
    firsts, ends = starts[:-1][there].tolist(), (starts[:-1] + sizes)[there].tolist()
    digests = b"".join([sha256(data[a:b]).digest()[:HASH_BYTES] for a, b in zip(firsts, ends, strict=True)])
    text = pa.StringArray.from_buffers(len(sizes), pa.py_buffer(starts.astype(np.int32)), pa.py_buffer(data))
    times = None if logged is None else pa.array(logged, pa.int64(), mask=logged <= 0)
    if not there.all():
        blank += int((~there).sum())
        text, times = text.filter(pa.array(there)), None if times is None else times.filter(pa.array(there))
        pos, sizes, wrapped = pos[there], sizes[there], wrapped[there]
    return _lightened(Lines(text, pos, sizes, digests, times, blank, wrapped, {}))


def _without_blank(data: bytes) -> tuple[bytes, NDArray[np.int64], NDArray[np.int64], int]:
    """The data without lines of no sign at all, where each line left starts in it, where it stood, and how many went.

    There may be millions of them in a small object: nothing is held for each."""
    view = np.frombuffer(data, np.uint8)
    ends = view == _NEWLINE
    if np.count_nonzero(ends) * _SHORT <= len(ends):
        # those there may be are few, and told by their size
        starts = _starts(ends)
        return data, starts, starts[:-1], 0
    blank = ends.copy()
    blank[1:] &= ends[:-1]
    places = np.flatnonzero(ends[:-1] > ends[1:]) + 1
    if not blank[0]:
        places = np.concatenate([[0], places])
    left = view[~blank].tobytes()
    return left, split(left), places, int(blank.sum())


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
                left_out[i] = (BODY if light[1] else None, sha256(memoryview(line)[: lines.sizes[i]]).hexdigest())
    if not left_out:
        return lines
    text = pa.concat_arrays(_exchanged(lines.text, texts)) if texts else lines.text
    return replace(lines, text=text, left_out=left_out)


def _exchanged(text: pa.StringArray, others: Mapping[int, bytes]) -> Iterator[pa.StringArray]:
    last = 0
    for i, other in others.items():
        yield text.slice(last, i - last)
        yield texts([other])
        last = i + 1
    yield text.slice(last)


def texts(found: Sequence[bytes]) -> pa.StringArray:
    """The bytes as text that nothing has looked at."""
    places = np.concatenate([[0], np.cumsum([len(one) for one in found])]).astype(np.int32)
    return pa.StringArray.from_buffers(len(found), pa.py_buffer(places), pa.py_buffer(b"".join(found)))


def _only(lines: Lines, keep: NDArray[np.bool_]) -> Lines:
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
        lines.blank,
        None if lines.wrapped is None else lines.wrapped[keep],
        left_out,
    )


def without(lines: Lines, known: NDArray[np.bool_]) -> Lines:
    """The lines that are not known."""
    return _only(lines, ~known) if known.any() else lines


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
