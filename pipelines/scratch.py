"""Folders for what a run needs only while it works: gone when it ends, and swept by the next run when it was killed.

A folder is held by a lock that dies with its process, so a living run's folder is never taken for a leftover, not even
by a process that cannot see the other one."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import gettempdir, mkdtemp

_PREFIX = "auditforest-"
_LOCK = ".lock"
_BEING_MADE_S = 3600
"""A folder without its name that is older has lost its process."""


@contextmanager
def scratch() -> Iterator[Path]:
    """An empty folder of this process."""
    _sweep(Path(gettempdir()))
    made = Path(mkdtemp(prefix=f".{_PREFIX}"))
    with (made / _LOCK).open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # only a folder that is locked bears the name that is swept
        folder = made.rename(made.with_name(made.name.removeprefix(".")))
        try:
            yield folder
        finally:
            with suppress(OSError):
                _remove(folder)


def _sweep(parent: Path) -> None:
    # another user's folder, or one that goes this very moment, is none of ours
    for folder in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if _is_ours(folder):
                _remove_if_left(folder)
    for folder in parent.glob(f".{_PREFIX}*"):
        with suppress(OSError):
            if _is_ours(folder) and time.time() - folder.stat().st_mtime > _BEING_MADE_S:
                _remove_unnamed(folder)


def _is_ours(folder: Path) -> bool:
    return folder.stat().st_uid == os.getuid() and folder.is_dir() and not folder.is_symlink()


def _remove_if_left(folder: Path) -> None:
    with (folder / _LOCK).open("r+b") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        _remove(folder)


def _remove_unnamed(folder: Path) -> None:
    """Removes what a process left that was killed before its folder had a name: nothing stands in it but the lock."""
    (folder / _LOCK).unlink(missing_ok=True)
    folder.rmdir()


def _remove(folder: Path) -> None:
    # the lock goes last: a sweep that is killed leaves a folder that is swept again
    for inner in folder.iterdir():
        if inner.is_dir() and not inner.is_symlink():
            shutil.rmtree(inner, ignore_errors=True)
        elif inner.name != _LOCK:
            with suppress(OSError):
                inner.unlink()
    shutil.rmtree(folder, ignore_errors=True)
