"""Files that are whole and durable before they have their name, and what a disk refuses in our own words.

tests/pipelines/test_store.py tries it through LocalStore."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO

from pipelines.errors import AwsError
from pipelines.keys import TEMPORARY

_CHUNK = 1 << 20
_MENDS = {
    errno.EACCES: "give this user the right to read and write there",
    errno.EPERM: "give this user the right to read and write there",
    errno.EROFS: "mount it for writing, or name another folder",
    errno.ENOSPC: "free some space, then run again",
    errno.EDQUOT: "raise the quota or free some space, then run again",
    errno.ENOTDIR: "the archive and its tables are folders; name another archive",
    errno.EISDIR: "a folder stands where an object belongs; move it away",
}


_NEVER = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP)
"""What a retry does not mend."""


@contextmanager
def disk(path: Path) -> Iterator[None]:
    """Turns what the system refuses inside into an AwsError that names the path."""
    try:
        yield
    except OSError as error:
        found = (error.strerror or type(error).__name__).lower()
        mend = _MENDS.get(error.errno or 0, "look at the disk or the mount, then run again")
        raise AwsError(f"{path}: {found}; {mend}") from error


def is_no_folder(folder: Path) -> Path | None:
    """What stands where the folder or one above it would be, and is none; None where nothing does."""
    there = _nearest(folder)
    return None if there.is_dir() else there


def refusal(folder: Path) -> str | None:
    """Why nobody can write in the folder, nor make it where it is missing; None where someone can.

    Tried by what leaves nothing behind; what only passes, such as a full disk, is left to the first write.
    """
    there = _nearest(folder)
    try:
        Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=there)).rmdir()
    except OSError as error:
        if error.errno in _NEVER:
            return f"nothing can be written in {there} ({(error.strerror or '').lower()})"
    return None


def _nearest(folder: Path) -> Path:
    # by lstat: a link to nothing is there, and in the way
    return next(path for path in (folder, *folder.parents) if os.path.lexists(path))


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """A new file to write; gone when what is done inside raises.

    Raises:
        OSError: there is one already, or it cannot be made.
    """
    with path.open("xb") as out:
        try:
            yield out
            out.flush()  # a full disk must be met here, while the file can still be removed
        except BaseException:
            path.unlink()
            raise


@contextmanager
def written_beside(path: Path, body: IO[bytes]) -> Iterator[Path]:
    """A durable file with these bytes in the folder of the path; gone at the end, the folder's entries durable."""
    _make(path.parent)
    temporary = path.with_name(TEMPORARY + secrets.token_hex(8))
    try:
        with temporary.open("xb") as out:
            shutil.copyfileobj(body, out, _CHUNK)
            out.flush()
            os.fsync(out.fileno())
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)
    _sync(path.parent)


def same(one: Path, other: Path) -> bool:
    """Whether two files hold the same bytes."""
    # Not filecmp: it keeps answers by size and time, and a time may be too coarse to tell two writes apart
    return one.stat().st_size == other.stat().st_size and _digest(one) == _digest(other)


def _digest(path: Path) -> bytes:
    with path.open("rb") as body:
        return hashlib.file_digest(body, "sha256").digest()


def _make(folder: Path) -> None:
    """Creates the folder and those above it, each entry durable before the next."""
    if folder.is_dir():
        return
    _make(folder.parent)
    try:
        folder.mkdir(exist_ok=True)
    except FileExistsError as error:  # and no folder
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from error
    _sync(folder.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def files_under(folder: Path) -> Iterator[Path]:
    """Every file below the folder, none when there is no folder.

    Raises:
        AwsError: a folder cannot be read.
    """

    def refuse(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            with disk(Path(error.filename or folder)):
                raise error

    for parent, _, names in os.walk(folder, onerror=refuse):
        for name in names:
            yield Path(parent, name)
