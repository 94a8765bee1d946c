"""What a shipper writes before an event on the same line: where it ends, and the time it begins with.

Pure; tests/pipelines/test_lines.py holds the truth."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

_PREFIX_BYTES = 64
"""More text than this before the first brace is no prefix of a shipper."""

_BRACE, _SPACE, _NEWLINE, _RETURN = b"{ \n\r"
_BOM = b"\xef\xbb\xbf"


def prefixes_of(data: bytes, starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Length of what stands before each line's event: NULs, byte order marks, and behind them a shipper's prefix up to
    the first brace; else 0."""
    view = np.frombuffer(data, np.uint8)
    found = _marks(view, starts)
    firsts = starts[:-1] + found
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
    found[other[good]] += length[good]
    return found


def _marks(view: NDArray[np.uint8], starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Length of the NULs, as of a log that was cut while it was written to, and of the byte order marks, as of files
    that were joined, at the beginning of each line; 0 for a line of nothing else."""
    found = np.zeros(len(starts) - 1, np.int64)
    firsts = view[starts[:-1]]
    lines = np.flatnonzero((firsts == 0) | (firsts == _BOM[0]))
    if len(lines):
        marks = view == 0
        boms = np.flatnonzero((view[:-2] == _BOM[0]) & (view[1:-1] == _BOM[1]) & (view[2:] == _BOM[2]))
        for k in range(len(_BOM)):
            marks[boms + k] = True
        lines = lines[marks[starts[lines]]]
        ends = np.append(np.flatnonzero(marks[:-1] > marks[1:]) + 1, len(view))
        behind = ends[np.searchsorted(ends, starts[lines], "right")]
        more = np.append(view, _NEWLINE)[behind]
        found[lines] = np.where((more == _NEWLINE) | (more == _RETURN), 0, behind - starts[lines])
    return found


def without_prefixes(
    data: bytes, starts: NDArray[np.int64], prefixes: NDArray[np.int64]
) -> tuple[bytes, NDArray[np.int64]]:
    """The lines without their prefixes, and where they then start."""
    edges = np.zeros(len(data) + 1, np.int8)
    has = prefixes > 0
    edges[starts[:-1][has]] += 1
    edges[(starts[:-1] + prefixes)[has]] -= 1
    kept = np.frombuffer(data, np.uint8)[np.cumsum(edges[:-1], dtype=np.int8) == 0]
    return kept.tobytes(), starts - np.concatenate([[0], np.cumsum(prefixes)])


def stamps(data: bytes, starts: NDArray[np.int64], prefixes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Milliseconds of the time each prefix begins with; 0 where it begins with none that has a zone."""
    times, has = np.zeros(len(starts), np.int64), np.flatnonzero(prefixes)
    # a shipper's ends in a space, marks do not
    has = has[np.frombuffer(data, np.uint8)[starts[has] + prefixes[has] - 1] == _SPACE]
    for i in has.tolist():
        times[i] = _ms(data[starts[i] : starts[i] + prefixes[i]].lstrip(b"\0" + _BOM).partition(b" ")[0])
    return times


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _ms(stamp: bytes) -> int:
    try:
        found = datetime.fromisoformat(stamp.decode())
    except ValueError:
        return 0
    return 0 if found.tzinfo is None else (found - _EPOCH) // timedelta(milliseconds=1)


def cleared(line: bytes) -> tuple[int, int]:
    """Length of a shipper's prefix of one line, and the milliseconds of its time; 0 where there is none."""
    starts = np.array([0, len(line)])
    prefixes = prefixes_of(line, starts) if line else np.zeros(1, np.int64)
    return int(prefixes[0]), int(stamps(line, starts[:-1], prefixes)[0])
