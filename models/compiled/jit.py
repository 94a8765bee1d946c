"""The one way functions of this package are compiled.

Imports nothing of ours outside models/compiled. tests/models/test_cache.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

from models.compiled.cache import folder

F = TypeVar("F", bound=Callable[..., object])


def kernel(function: F) -> F:
    """The function, compiled at its first call; it holds no lock, so that several threads may run it at once."""
    kept_in = folder()
    config: Any = numba.config
    before = config.CACHE_DIR
    # numba looks at its setting while a function is declared; other users of numba keep theirs
    config.CACHE_DIR = str(kept_in or before)
    try:
        return cast(F, numba.njit(nogil=True, cache=kept_in is not None)(function))
    finally:
        config.CACHE_DIR = before
