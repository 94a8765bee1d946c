"""A stored object while it is read, whatever holds it: hashed as it is stored, inflated, cut into batches of lines.

Compression is told by the first bytes, not by the name: a gzip file without its ending is read all the same."""

from __future__ import annotations

import gzip
import hashlib
import io
import itertools
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Protocol

import pyarrow as pa

from pipelines.errors import DataError
from pipelines.parse import split
from pipelines.sources.base import Batch, LongLine

_BATCH_BYTES = 16_000_000
_BATCH_LINES = 100_000
"""Bounds the memory of a batch of empty or very short lines, such as a small .gz may hold by the million."""
MAX_LINE_BYTES = 64 * 1024 * 1024
"""A longer line goes to quarantine unread, so that one line cannot take all memory."""

_BOM = b"\xef\xbb\xbf"


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _Hashing(io.RawIOBase):
    """Passes a stored file on and hashes it on the way."""

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw
        self.sha256 = hashlib.sha256()
        self.bytes = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        data = self._raw.read(len(buffer))
        buffer[: len(data)] = data
        self.sha256.update(data)
        self.bytes += len(data)
        return len(data)


@dataclass
class StoredReading:
    """An object while it is read; `sha256` and `stored_bytes` are whole once `batches` has ended."""

    name: str
    where: str
    _stored: _Hashing
    _inflated: _Readable

    @property
    def sha256(self) -> str:
        """Of the stored bytes, hex."""
        return self._stored.sha256.hexdigest()

    @property
    def stored_bytes(self) -> int:
        """Bytes as stored, compressed or not."""
        return self._stored.bytes

    def batches(self) -> Iterator[Batch | LongLine]:
        """Whole lines in order, about 16 MB at a time.

        Raises:
            DataError: the compressed stream is cut or damaged.
        """
        try:
            yield from _cut(self.name, self._inflated)
        except (EOFError, OSError, zlib.error, pa.ArrowInvalid) as error:
            raise DataError(
                f"{self.where}: the compressed stream is cut or damaged ({_one_line(error)}); "
                "fetch it again, or take it out of the source"
            ) from error


@contextmanager
def reading(name: str, where: str, raw: IO[bytes]) -> Iterator[StoredReading]:
    """The object whose stored bytes `raw` yields; the caller closes `raw`.

    Args:
        name: what records and quarantine call it.
        where: what errors call it: a path or an address.
    """
    stored = _Hashing(raw)
    yield StoredReading(name, where, stored, _inflated(io.BufferedReader(stored, 1 << 20)))


def _inflated(stored: io.BufferedReader) -> _Readable:
    magic = stored.peek(4)[:4]
    if magic[:2] == b"\x1f\x8b":
        return gzip.GzipFile(fileobj=stored)
    if magic == b"\x28\xb5\x2f\xfd":
        return _Zstd(stored)
    return stored


class _Zstd:
    def __init__(self, stored: io.BufferedReader) -> None:
        self._stream = pa.CompressedInputStream(pa.PythonFile(stored, mode="r"), "zstd")

    def read(self, size: int, /) -> bytes:
        return bytes(self._stream.read(size))


def _cut(source: str, stream: _Readable) -> Iterator[Batch | LongLine]:
    rest, offset = stream.read(len(_BOM)), 0
    if rest == _BOM:
        rest, offset = b"", len(_BOM)
    while data := stream.read(_BATCH_BYTES):
        rest += data
        first = rest.find(b"\n")
        if first > MAX_LINE_BYTES:
            yield LongLine(source, offset, first, hashlib.sha256(rest[:first]).hexdigest(), rest[:4096])
            rest, offset = rest[first + 1 :], offset + first + 1
        end = rest.rfind(b"\n") + 1
        if end:
            yield from _portions(source, offset, rest[:end])
            rest, offset = rest[end:], offset + end
        if len(rest) > MAX_LINE_BYTES:
            long, rest = _skip(source, offset, rest, stream)
            yield long
            offset += long.length + 1
    if rest:
        yield from _portions(source, offset, rest)


def _portions(source: str, offset: int, data: bytes) -> Iterator[Batch]:
    starts = split(data)
    edges = [*starts[:-1:_BATCH_LINES].tolist(), len(data)]
    for a, b in itertools.pairwise(edges):
        yield Batch(source, offset + a, data[a:b])


def _skip(source: str, offset: int, start: bytes, stream: _Readable) -> tuple[LongLine, bytes]:
    digest, length, tail = hashlib.sha256(start), len(start), b""
    while data := stream.read(_BATCH_BYTES):
        line, newline, tail = data.partition(b"\n")
        digest.update(line)
        length += len(line)
        if newline:
            break
    return LongLine(source, offset, length, digest.hexdigest(), start[:4096]), tail


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
