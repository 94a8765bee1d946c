"""What every detector offers, and the one check of its input that scikit-learn does not make.

Imports nothing of ours. tests/models/test_input.py feeds each kind of bad cell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

LARGEST = 1e30


# scikit-learn's name for the matrix is a capital X, also as a keyword
# ruff: noqa: N803
class Detector(Protocol):
    """Ranks rows by strangeness once it has seen what is usual."""

    def fit(self, X: ArrayLike) -> Self:
        """The detector itself, now knowing the rows of X: (n_principals, n_features)."""
        ...

    def codisp(self, X: ArrayLike) -> NDArray[np.float64]:
        """Strangeness of each row, (n_principals,), at least 0; higher is stranger."""
        ...

    def aws_score(self, X: ArrayLike) -> NDArray[np.float64]:
        """The second opinion on each row, (n_principals,), above 0; higher is stranger."""
        ...

    def attribute(self, X: ArrayLike) -> NDArray[np.float64]:
        """Shares of codisp by feature and side, low before high, (n_principals, n_features, 2)."""
        ...

    def score_samples(self, X: ArrayLike) -> NDArray[np.float64]:
        """The negated codisp, scikit-learn's sign, (n_principals,); lower is stranger."""
        ...


def check_cells(x: NDArray[np.float64], names: Sequence[str] | None = None) -> None:
    """Nothing; an unusable cell is named by its column and row, both counted from 0.

    Args:
        x: (n_principals, n_features).
        names: column names for the message; positions are used without them.
    Raises:
        ValueError: a cell is NaN, infinite, or beyond LARGEST, where sums of extents lose their meaning.
    """
    # a NaN is neither, and a table of truths for each cell would take longer than the rest
    if x.min(initial=0.0) >= -LARGEST and x.max(initial=0.0) <= LARGEST:
        return
    usable = np.abs(x) <= LARGEST
    row, column = (int(i) for i in np.argwhere(~usable)[0])
    cell = x[row, column]
    found = "NaN" if np.isnan(cell) else f"{cell:g}"
    where = str(column) if names is None else repr(str(names[column]))
    raise ValueError(
        f"column {where}, row {row}: found {found}; "
        f"expected a number between -{LARGEST:g} and {LARGEST:g}, neither NaN nor inf"
    )
