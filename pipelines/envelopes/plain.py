"""Objects that are lines as they stand, cut into batches at line ends; nothing in a line is looked at."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator

import numpy as np

from pipelines.envelopes.gather import START_BYTES
from pipelines.envelopes.limits import Limits, Readable
from pipelines.sources.base import Batch, LongLine


def lines(source: str, offset: int, head: bytes, stream: Readable, limits: Limits) -> Iterator[Batch | LongLine]:
    """All lines in order; a line longer than may be is measured and passed over.

    Args:
        offset: where `head`, the first bytes, begins in the object; `stream` yields the others.
    """
    rest, data = b"", head
    while data:
        rest += data
        if len(rest) > limits.line_bytes and rest.startswith(b"\0"):
            # a log that was cut while it was written to begins with a hole of any size
            hole = len(rest) - len(rest.lstrip(b"\0")) - 1
            rest, offset = rest[hole:], offset + hole
        first = rest.find(b"\n")
        if first > limits.line_bytes:
            yield LongLine(source, offset, first, hashlib.sha256(rest[:first]).hexdigest(), rest[:START_BYTES])
            rest, offset = rest[first + 1 :], offset + first + 1
        end = rest.rfind(b"\n") + 1
        if end:
            # what is handed over may be large: nothing of it is held beside it
            data, rest = rest[:end], rest[end:]
            yield from _portions(source, offset, data, limits)
            offset += end
        if len(rest) > limits.line_bytes:
            long, rest = _skip(source, offset, rest, stream, limits)
            yield long
            offset += long.length + 1
        data = stream.read(limits.batch_bytes)
    if rest:
        yield from _portions(source, offset, rest, limits)


def _portions(source: str, offset: int, data: bytes, limits: Limits) -> Iterator[Batch]:
    for a, b in itertools.pairwise(_edges(data, limits.batch_lines)):
        yield Batch(source, offset + a, data[a:b])


def _edges(data: bytes, most: int) -> list[int]:
    """Where portions of so many lines begin, and the end."""
    ends = np.frombuffer(data, np.uint8) == ord("\n")
    if np.count_nonzero(ends) < most:
        return [0, len(data)]
    # blank lines, of which a small object may hold millions, do not count
    behind = np.flatnonzero(ends[1:] > ends[:-1]) + 2
    edges: list[int] = np.unique([0, *behind[most - 1 :: most].tolist(), len(data)]).tolist()
    return edges


def _skip(source: str, offset: int, start: bytes, stream: Readable, limits: Limits) -> tuple[LongLine, bytes]:
    digest, length, tail = hashlib.sha256(start), len(start), b""
    while data := stream.read(limits.batch_bytes):
        line, newline, tail = data.partition(b"\n")
        digest.update(line)
        length += len(line)
        if newline:
            break
    return LongLine(source, offset, length, digest.hexdigest(), start[:START_BYTES]), tail
