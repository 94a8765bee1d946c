"""Compressed objects inflated while they are read: gzip and zstd, one in the other at most, and bombs refused.

Compression is told by the first bytes, not by the name: a gzip file without its ending is read all the same, and so is
one that a delivery packed once more. tests/pipelines/test_stored.py holds the truth."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable
from typing import Any, Protocol

import pyarrow as pa

from pipelines.errors import DataError

BOMB_BYTES = 1 << 30
BOMB_TIMES = 300
"""An object that inflates to more than both, in bytes and in times its own size, is refused. Logs reach 30 times."""
_LAYERS = 2
_BUFFER_BYTES = 1 << 20
_STORED_BYTES = 1 << 18
_GZIP = b"\x1f\x8b"
_ZSTD = {b"\x28\xb5\x2f\xfd", *(bytes([n]) + b"\x2a\x4d\x18" for n in range(0x50, 0x60))}
"""How a frame begins, or one that is skipped: pzstd writes its sizes in such (RFC 8878, 3.1)."""


class _Raw(Protocol):
    def readinto(self, buffer: memoryview, /) -> int: ...


def inflated(stored: io.BufferedReader[Any], where: str, stored_bytes: Callable[[], int]) -> io.BufferedReader[Any]:
    """What an object holds, all layers of compression taken off.

    Args:
        where: what errors call the object.
        stored_bytes: how many of its bytes have been read so far.
    Raises:
        DataError: at once, or from a read of the answer: more than two layers, or a bomb. A stream that is cut or
            damaged raises EOFError, OSError, zlib.error or pa.ArrowInvalid.
    """
    for _ in range(_LAYERS):
        kind = _kind(stored)
        if kind is None:
            return stored
        stored = io.BufferedReader(_Bounded(kind(stored), where, stored_bytes), _BUFFER_BYTES)
    if _kind(stored):
        raise DataError(
            f"{where}: compressed more than {_LAYERS} times over; expected a log, or one packed once or twice; "
            "unpack it, or take it out of the source"
        )
    return stored


def refuse_bomb(where: str, inflated_bytes: int, stored_bytes: int) -> None:
    """Nothing, of an object that is none.

    Raises:
        DataError: it holds more than a log of its size ever does.
    """
    if inflated_bytes > BOMB_BYTES and inflated_bytes > BOMB_TIMES * stored_bytes:
        raise DataError(
            f"{where}: inflates to more than {BOMB_TIMES} times its size ({inflated_bytes:,} bytes out of "
            f"{stored_bytes:,}); expected a log, which reaches 30 times; take it out of the source, or "
            "unpack it if it is a log"
        )


def _kind(stored: io.BufferedReader[Any]) -> Callable[[io.BufferedReader[Any]], _Raw] | None:
    magic = stored.peek(4)[:4]
    if magic[:2] == _GZIP:
        return _Gzip
    return _Zstd if magic in _ZSTD else None


class _Bounded(io.RawIOBase):
    """One layer, and the bound against bombs: also of a layer whose inflated bytes are thrown away again."""

    def __init__(self, layer: _Raw, where: str, stored_bytes: Callable[[], int]) -> None:
        self._layer, self._where, self._stored_bytes = layer, where, stored_bytes
        self._bytes = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        try:
            found = self._layer.readinto(buffer)
        except _WindowError:
            raise DataError(
                f"{self._where}: zstd with a window of more than 128 MB; expected one that is read without --long; "
                "unpack it ('zstd -d --long=31'), or take it out of the source"
            ) from None
        self._bytes += found
        refuse_bomb(self._where, self._bytes, self._stored_bytes())
        return found


class _Gzip:
    """Members one after the other; zeros between and behind them are padding."""

    def __init__(self, stored: io.BufferedReader[Any]) -> None:
        self._stored = stored
        self._rest = b""
        self._member = zlib.decompressobj(zlib.MAX_WBITS | 16)

    def readinto(self, buffer: memoryview, /) -> int:
        while True:
            if self._member.eof and not self._another():
                return 0
            given = self._rest or self._stored.read1(_STORED_BYTES)
            # called without any input, too: what the last call had no room for is still inside
            found = self._member.decompress(given, len(buffer))
            self._rest = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            if not given and not found and not self._member.eof:
                raise EOFError("it ends before its end-of-stream marker")
            if found:
                buffer[: len(found)] = found
                return len(found)

    def _another(self) -> bool:
        while not (rest := self._rest.lstrip(b"\0")):
            self._rest = self._stored.read1(_STORED_BYTES)
            if not self._rest:
                return False
        self._rest = rest if len(rest) > 1 else rest + self._stored.read1(_STORED_BYTES)
        if self._rest[:2] != _GZIP:
            raise OSError(f"{bytes(self._rest[:2])!r} behind its end, where only gzip or zeros may stand")
        self._member = zlib.decompressobj(zlib.MAX_WBITS | 16)
        return True


class _WindowError(Exception):
    """Sound, but takes more memory to inflate than is given."""


class _Zstd:
    def __init__(self, stored: io.BufferedReader[Any]) -> None:
        self._stream = pa.CompressedInputStream(pa.PythonFile(stored, mode="r"), "zstd")

    def readinto(self, buffer: memoryview, /) -> int:
        try:
            found = self._stream.read(len(buffer))
        except OSError as error:
            if "too much memory" in str(error):
                raise _WindowError from error
            raise
        buffer[: len(found)] = found
        return len(found)
