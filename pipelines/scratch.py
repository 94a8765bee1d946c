"""Folders for what a run needs only while it works: gone when it ends, and swept by the next run when it was killed.

A folder is held by a lock that dies with its process, so a living run's folder is never taken for a leftover, not even
by a process that cannot see the other one."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import gettempdir, mkdtemp

_PREFIX = "auditforest-"
_LOCK = ".lock"


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
            shutil.rmtree(folder, ignore_errors=True)


def _sweep(parent: Path) -> None:
    for folder in parent.glob(f"{_PREFIX}*"):
        # another user's folder, or one that goes this very moment, is none of ours
        with suppress(OSError):
            if folder.stat().st_uid == os.getuid() and folder.is_dir() and not folder.is_symlink():
                _remove_if_left(folder)


def _remove_if_left(folder: Path) -> None:
    with (folder / _LOCK).open("r+b") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        shutil.rmtree(folder, ignore_errors=True)
