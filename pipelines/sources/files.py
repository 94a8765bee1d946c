"""Plain files: a file, a folder or a glob of NDJSON audit events, plain, .gz or .zst.

Compression is told by the first bytes, not by the name: a gzip file without its ending is read all the same."""

from __future__ import annotations

import glob
import gzip
import hashlib
import io
import itertools
import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

import pyarrow as pa

from pipelines.errors import ConfigError, DataError
from pipelines.parse import split
from pipelines.sources.base import Batch, LongLine, Source

ENDINGS = (".ndjson", ".jsonl", ".json", ".log")
"""Names read from a folder, each also with .gz, .gzip, .zst or .zstd; a file named outright is always read."""

_PACKED = ("", ".gz", ".gzip", ".zst", ".zstd")
_BATCH_BYTES = 16_000_000
_BATCH_LINES = 100_000
"""Bounds the memory of a batch of empty or very short lines, such as a small .gz may hold by the million."""
MAX_LINE_BYTES = 64 * 1024 * 1024
"""A longer line goes to quarantine unread, so that one line cannot take all memory."""

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class SourceFile:
    """One source object: the path to read, and the name it goes by in records and quarantine."""

    path: Path
    name: str

    @property
    def size(self) -> int:
        """Bytes as stored."""
        return self.path.stat().st_size

    def open(self) -> AbstractContextManager[FileReading]:
        """The file, open and inflated.

        Raises:
            ConfigError: it cannot be opened.
        """
        return reading(self)


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


def select(source: str, apart_from: Path | None = None) -> Source:
    """Files of a source: the file itself, the logs below a folder, or what a glob matches, sorted by name.

    A file that links lead to twice is read once.

    Args:
        apart_from: a folder of which no file is read: the archive itself, whose records end in .json, too.
    Raises:
        ConfigError: nothing is there, or nothing there looks like an audit log.
    """
    try:
        return _select(source, apart_from)
    except OSError as error:
        raise ConfigError(
            f"--source {source}: {error.filename} cannot be read ({error.strerror}); check the path and its permissions"
        ) from error


def _select(source: str, apart_from: Path | None) -> Source:
    path = Path(source)
    if apart_from is not None and path.resolve().is_relative_to(apart_from.resolve()):
        raise ConfigError(f"--source {source}: lies in the archive {apart_from}; keep the logs elsewhere")
    if path.is_file():
        return Source((SourceFile(path, _name(path.name)),), ())
    if path.is_dir():
        root, found = path, _told_apart(_below(path), apart_from)
    else:
        if not glob.has_magic(source):
            raise ConfigError(f"--source {source}: no such file or folder; expected a file, a folder or a quoted glob")
        # Path.glob knows no absolute pattern
        matches = {Path(p) for p in glob.glob(source, recursive=True)}  # noqa: PTH207
        root, found = _root(source), _told_apart(matches, apart_from)
        if not found:
            raise ConfigError(f"--source {source}: the glob matches no file; quote it and check the folder")
        return Source(_named(found, root), ())
    logs = [p for p in found if _looks_like_log(p.name)]
    if not logs:
        raise ConfigError(
            f"--source {source}: none of its {len(found)} files ends in {', '.join(ENDINGS)} "
            "(plain, .gz or .zst); name the file itself, or a glob"
        )
    others = tuple(sorted(p.relative_to(root).as_posix() for p in set(found) - set(logs)))
    return Source(_named(logs, root), others)


def _told_apart(paths: Iterable[Path], apart_from: Path | None) -> list[Path]:
    """The files among the paths, each once, none of them below the folder."""
    out = None if apart_from is None else apart_from.resolve()
    found = {}
    for path in sorted(paths, reverse=True):
        real = path.resolve()
        if real.is_file() and (out is None or not real.is_relative_to(out)):
            found[real] = path
    return list(found.values())


def _below(folder: Path) -> Iterator[Path]:
    def fail(error: OSError) -> None:
        raise error

    # Path.rglob passes over a folder it may not read, and its logs would be missed in silence
    for inner, _, names in os.walk(folder, onerror=fail):
        yield from (Path(inner, name) for name in names)


def _root(pattern: str) -> Path:
    plain = Path(pattern).parts
    fixed = next((i for i, part in enumerate(plain) if glob.has_magic(part)), len(plain))
    return Path(*plain[:fixed]) if fixed else Path()


def _name(name: str) -> str:
    # a file's name is bytes and need not be text; records and tables hold text
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _named(paths: list[Path], root: Path) -> tuple[SourceFile, ...]:
    names = [p.relative_to(root).as_posix() if p.is_relative_to(root) else p.name for p in paths]
    files = [SourceFile(path, _name(name)) for path, name in zip(paths, names, strict=True)]
    return tuple(sorted(files, key=lambda f: f.name))


def _looks_like_log(name: str) -> bool:
    return any(name.lower().endswith(end + packed) for end in ENDINGS for packed in _PACKED)


@dataclass
class FileReading:
    """A file while it is read; `sha256` and `stored_bytes` are whole once `batches` has ended."""

    file: SourceFile
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
            yield from _cut(self.file.name, self._inflated)
        except (EOFError, OSError, zlib.error, pa.ArrowInvalid) as error:
            raise DataError(
                f"{self.file.path}: the compressed stream is cut or damaged ({_one_line(error)}); "
                "fetch the file again, or take it out of the source"
            ) from error


@contextmanager
def reading(file: SourceFile) -> Iterator[FileReading]:
    """The file, open and inflated.

    Raises:
        ConfigError: it cannot be opened.
    """
    try:
        raw = file.path.open("rb")
    except OSError as error:
        raise ConfigError(f"{file.path}: cannot be read ({error.strerror}); check its permissions") from error
    with raw:
        stored = _Hashing(raw)
        buffered: io.BufferedReader = io.BufferedReader(stored, 1 << 20)
        yield FileReading(file, stored, _inflated(buffered))


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
