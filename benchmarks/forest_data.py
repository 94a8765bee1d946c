"""Rows to grow forests on: skewed counts as the features have them, and a plain Gaussian cloud.

Imports nothing of ours."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]

COUNTS, GAUSS = "counts", "Gauss"
# drawn so many rows at a time: the peak of memory stays that of the rows
_AT_ONCE = 10_000


def draw(kind: str, n_rows: int, n_columns: int, seed: int = 0) -> Doubles:
    """Rows of one kind, (n_rows, n_columns).

    Counts are log1p of Poisson draws whose mean is a column's rate (gamma, shape .5) times a row's activity
    (lognormal), so that a few columns are busy, most nearly empty, and the columns of a row rise together.
    The columns depend on their number and the seed, not on the number of rows.
    """
    rng = np.random.default_rng([seed, n_columns])
    rate = rng.gamma(0.5, 2.0, size=(1, n_columns))
    x = np.empty((n_rows, n_columns))
    for start in range(0, n_rows, _AT_ONCE):
        part = x[start : start + _AT_ONCE]
        if kind == GAUSS:
            part[:] = rng.standard_normal(part.shape)
        else:
            part[:] = np.log1p(rng.poisson(rate * rng.lognormal(size=(len(part), 1)), size=part.shape))
    return x
