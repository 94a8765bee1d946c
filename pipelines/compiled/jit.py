"""The one way functions of this package are compiled: like the forest's, kept in a folder named by these sources.

What is declared elsewhere is an argument of a kernel, never a constant in it: its machine code would outlive it. Only
the caps are constants, whose file names the folder with these sources. tests/pipelines/test_compiled_cache.py."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba.core.caching import NullCache

from models.compiled.cache import folder
from models.compiled.jit import kernel as kept_beside_the_forest

F = TypeVar("F", bound=Callable[..., object])


def kernel(function: F) -> F:
    """The function, compiled at its first call; it holds no lock."""
    compiled: Any = kept_beside_the_forest(function)
    own = _own_folder()
    if own is None:
        compiled._cache = cast(Any, NullCache)()
        return cast(F, compiled)
    config: Any = numba.config
    before = config.CACHE_DIR
    # numba looks at its setting while a cache is made; other users of numba keep theirs
    config.CACHE_DIR = str(own)
    try:
        compiled._cache = type(compiled._cache)(function)
    finally:
        config.CACHE_DIR = before
    return cast(F, compiled)


@cache
def _own_folder() -> Path | None:
    """A folder for this package's machine code inside the forest's; None where code cannot be kept."""
    found = folder()
    if found is None:
        return None
    own = found / f"lines-{_sources()}"
    try:
        own.mkdir(exist_ok=True)
    except OSError:
        return None
    return own


def _sources() -> str:
    digest, here = hashlib.sha256(), Path(__file__).parent
    for path in [*sorted(here.glob("*.py")), here.parent / "parsing" / "caps.py"]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]
