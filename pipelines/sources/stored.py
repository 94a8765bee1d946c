"""A stored object while it is read, whatever holds it: hashed as it is stored, inflated, its envelope taken off.

pipelines/envelopes/ knows the envelopes; which one an object has is told by its first bytes (sniff.py there)."""

from __future__ import annotations

import hashlib
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

import pyarrow as pa

from pipelines.envelopes import plain, security_lake
from pipelines.envelopes.inflate import inflated
from pipelines.envelopes.limits import Limits
from pipelines.envelopes.sniff import Form, form
from pipelines.envelopes.values import Values
from pipelines.errors import DataError
from pipelines.sources.base import Batch, LongLine

_BATCH_BYTES = 16_000_000
_BATCH_LINES = 100_000
"""Bounds the memory of a batch of empty or very short lines, such as a small .gz may hold by the million."""
MAX_LINE_BYTES = 64 * 1024 * 1024
"""A longer line goes to quarantine unread, so that one line cannot take all memory."""

_BOM = b"\xef\xbb\xbf"


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
    _raw: IO[bytes]
    _stored: _Hashing
    _passed_over: bool

    @property
    def sha256(self) -> str:
        """Of the stored bytes, hex."""
        return self._stored.sha256.hexdigest()

    @property
    def stored_bytes(self) -> int:
        """Bytes as stored, compressed or not."""
        return self._stored.bytes

    def batches(self) -> Iterator[Batch | LongLine]:
        """Events one a line, in order, about 16 MB at a time.

        Raises:
            DataError: the compressed stream is cut, damaged or a bomb, or the Parquet file cannot be read.
        """
        try:
            yield from self._skipped() if self._passed_over else self._taken_apart()
        except (EOFError, OSError, zlib.error, pa.ArrowInvalid) as error:
            if getattr(error, "errno", None) is not None:
                # this machine's disk, not the object
                raise
            raise DataError(
                f"{self.where}: the compressed stream is cut or damaged ({_one_line(error)}); "
                "fetch it again, or take it out of the source"
            ) from error

    def _skipped(self) -> Iterator[Batch]:
        """The number of lines, without a line."""
        stream = inflated(io.BufferedReader(self._stored, 1 << 20), self.where, lambda: self._stored.bytes)
        lines, last = 0, b""
        while data := stream.read(_BATCH_BYTES):
            lines += data.count(b"\n")
            last = data[-1:]
        yield Batch(self.name, 0, b"", skipped=lines + (last not in (b"", b"\n")))

    def _taken_apart(self) -> Iterator[Batch | LongLine]:
        limits = Limits(_BATCH_BYTES, _BATCH_LINES, MAX_LINE_BYTES)
        stored = io.BufferedReader(self._stored, 1 << 20)
        stream = inflated(stored, self.where, lambda: self._stored.bytes)
        head, found = b"", None
        while found is None:
            more = stream.read(limits.batch_bytes)
            head += more
            offset = len(_BOM) if head.startswith(_BOM) else 0
            found = form(head[offset:], ended=not more, line_bytes=limits.line_bytes)
        if found is Form.PARQUET:
            with security_lake.seekable(head, stream, self._raw if stream is stored else None) as file:
                yield from security_lake.batches(self.name, self.where, file, limits)
        elif found is Form.VALUES:
            yield from Values(self.name, offset, head[offset:], stream, limits).batches()
        else:
            yield from plain.lines(self.name, offset, head[offset:], stream, limits)


@contextmanager
def reading(name: str, where: str, raw: IO[bytes], *, passed_over: bool = False) -> Iterator[StoredReading]:
    """The object whose stored bytes `raw` yields; the caller closes `raw`.

    Args:
        name: what records and quarantine call it.
        where: what errors call it: a path or an address.
        passed_over: its lines are counted and not read: it is known to hold another log.
    """
    yield StoredReading(name, where, raw, _Hashing(raw), passed_over)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
