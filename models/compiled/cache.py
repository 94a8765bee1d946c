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
import tempfile
import warnings
from functools import cache
from pathlib import Path

VARIABLE = "NUMBA_CACHE_DIR"
"""The environment variable that names the folder; without it, code stands beside the sources or below the home."""


@cache
def folder() -> Path | None:
    """The folder that numba is to use, made if need be; None where there is none, with a warning."""
    for base in _candidates():
        found = base / f"kernels-{_sources()}"
        if _usable(found):
            return found
        if found.is_dir() and _ours(found):
            return _copied(found)
    tried = ", ".join(map(str, _candidates()))
    warnings.warn(
        f"{tried}: machine code cannot be kept there and is made anew in every process, which takes half a minute; "
        f"set {VARIABLE} to a writable folder of this user, or to one that 'python -m models.warm' has filled",
        RuntimeWarning,
        stacklevel=2,
    )
    return None


def _candidates() -> list[Path]:
    named = os.environ.get(VARIABLE)
    if named:
        return [Path(named).absolute()]
    below_home = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "auditforest"
    return [Path(__file__).parent / "__pycache__", below_home]


def _sources() -> str:
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _usable(found: Path) -> bool:
    try:
        found.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=found):
            return _ours(found)
    except OSError:
        return False


def _ours(found: Path) -> bool:
    """Whether nobody but this user and root may have written there."""
    status = found.stat()
    return status.st_uid in (0, os.geteuid()) and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _copied(found: Path) -> Path:
    copy = Path(tempfile.mkdtemp(prefix="auditforest-kernels-"))
    atexit.register(shutil.rmtree, copy, ignore_errors=True)
    # not copytree, which would make the copy as read-only as the folder
    for path in found.rglob("*"):
        if path.is_file():
            target = copy / path.relative_to(found)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    return copy
