"""Detectors: numpy in, numpy out. Imports nothing of ours."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from models.forest import RandomCutForest

__all__ = ["RandomCutForest"]


def __getattr__(name: str) -> Any:
    """The forest, imported when it is asked for: scikit-learn takes a second, and models.rank does not need it."""
    if name == "RandomCutForest":
        from models.forest import RandomCutForest

        return RandomCutForest
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
