"""The one way functions of this package are compiled.

Imports nothing of ours outside models/compiled. tests/models/test_cache.py."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
from numba.core.caching import FunctionCache

from models.compiled.cache import folder

F = TypeVar("F", bound=Callable[..., object])


# numba's own is without types
_FunctionCache: Any = FunctionCache


class _Kept(_FunctionCache):
    """numba's machine code on disk, except that neither a damaged file nor a full disk ends the run."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The code for these argument types; None if there is none that can be read."""
        try:
            return super().load_overload(sig, target_context)
        # unpickling a damaged file may raise anything
        except Exception as error:  # noqa: BLE001
            self._warn("cannot be read and is made anew", error)
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Nothing; the code is kept if that is possible."""
        try:
            super().save_overload(sig, data)
        except OSError as error:
            self._warn("cannot be kept", error)
        except Exception:  # noqa: BLE001 - the damaged index again, which is read before it is written
            self.flush()
            super().save_overload(sig, data)

    def _warn(self, what: str, error: Exception) -> None:
        said = f"{self.cache_path}: machine code {what} ({type(error).__name__}: {error})"
        warnings.warn(said, RuntimeWarning, stacklevel=2)


def kernel(function: F) -> F:
    """The function, compiled at its first call; it holds no lock, so that several threads may run it at once."""
    compiled: Any = numba.njit(nogil=True)(function)
    kept_in = folder()
    if kept_in is not None:
        config: Any = numba.config
        before = config.CACHE_DIR
        # numba looks at its setting while a cache is made; other users of numba keep theirs
        config.CACHE_DIR = str(kept_in)
        try:
            compiled._cache = _Kept(function)
        finally:
            config.CACHE_DIR = before
    return cast(F, compiled)
