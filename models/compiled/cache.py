"""Where machine code is kept between processes.

numba keeps a function's code for as long as the function's own file is unchanged, whatever became of the files
it calls, and cannot read a folder that it may not write to. So code goes to a folder named by the hash of this
package's sources, and a folder that may only be read is copied.
The files are pickles: whoever may write there runs code here, and a folder of another user is not used.
Imports nothing of ours. tests/models/test_cache.py."""

from __future__ import annotations

import atexit
import hashlib
import os
import shutil
import stat
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path

VARIABLE = "NUMBA_CACHE_DIR"
"""The environment variable that names the folder; without it, code stands beside the sources or below the home."""


@cache
def folder() -> Path | None:
    """The folder that numba is to use, made if need be; None where there is none, with a warning."""
    bases, name = _candidates(), f"kernels-{_sources()}"
    for base in bases:
        found = base / name
        if _usable(found):
            return found
        copy = _copied(found)
        if copy is not None:
            return copy
    tried = ", ".join(map(str, bases))
    warnings.warn(
        f"{tried}: machine code cannot be kept there and is made anew in every process, which takes about 15 seconds; "
        f"set {VARIABLE} to a writable folder of this user, or to one that 'python -m models.warm' has filled",
        RuntimeWarning,
        stacklevel=2,
    )
    return None


def warmed(work: Callable[[], object], what: str) -> int:
    """The exit code of a command that compiles kernels by calling them: 0 once they are kept, 1 if they cannot be."""
    started = time.perf_counter()
    work()
    kept_in = folder()
    if kept_in is None:
        return 1
    sys.stdout.write(f"{kept_in}: {what} ready after {time.perf_counter() - started:.0f} s\n")
    return 0


def _candidates() -> list[Path]:
    named = os.environ.get(VARIABLE)
    if named:
        return [Path(named).absolute()]
    # a user without an entry in the password file has no home, and the text stays as it is
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111 - Path's raises then
    below_home = [Path(home) / "auditforest"] if Path(home).is_absolute() else []
    return [Path(__file__).parent / "__pycache__", *below_home]


def _sources() -> str:
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _usable(found: Path) -> bool:
    try:
        # others may read what an image was built with; _ours sees to it that they cannot write
        found.mkdir(mode=0o755, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=found):
            return _ours(found)
    except OSError:
        return False


def _ours(found: Path) -> bool:
    """Whether the folder is this user's or root's, and only they may write to it."""
    status = found.stat()
    return status.st_uid in (0, os.geteuid()) and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _copied(found: Path) -> Path | None:
    """A copy of a folder that may only be read, gone with the process; None of one that cannot be read."""
    try:
        if not _ours(found):
            return None
        copy = Path(tempfile.mkdtemp(prefix="auditforest-kernels-"))
        atexit.register(_remove, copy, os.getpid())
        # not copytree, which would make the copy as read-only as the folder
        for folder_of, _, names in os.walk(found, onerror=_raise):
            for name in names:
                target = copy / Path(folder_of).relative_to(found) / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(Path(folder_of) / name, target)
    except OSError:
        return None
    return copy


def _remove(copy: Path, owner: int) -> None:
    # a forked child ends before its parent has done with the copy
    if os.getpid() == owner:
        shutil.rmtree(copy, ignore_errors=True)


def _raise(error: OSError) -> None:
    raise error
