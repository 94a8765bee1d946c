"""What a score's shares are called in the input's columns, and rows with something else in some of them.

Imports nothing of ours outside models/. tests/models/test_explain.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.placement import Placement, distances

Doubles = NDArray[np.float64]


def spread(placement: Placement, x: Doubles, shares: Doubles) -> Doubles:
    """Shares of the input's columns, (n_rows, n_features, 2), low side first.

    Constant columns divide the share of the column that stands for them by how far the row is from each.

    Args:
        x: (n_rows, n_features), as asked.
        shares: (n_rows, width, 2), of the placed columns.
    """
    whole = np.zeros((len(x), len(placement.origin), 2))
    whole[:, placement.varying] = shares[:, : len(placement.varying)]
    if len(placement.constant):
        away = placement.away(x)
        total = distances(away)
        each = np.divide(shares[:, placement.beside, 1], total, out=np.zeros(len(x)), where=total > 0)
        for side, sign in enumerate((-1, 1)):
            whole[:, placement.constant, side] = np.maximum(sign * away, 0) * each[:, None]
    return whole


def changed(x: Doubles, i: int, changes: Mapping[Any, float], names: Sequence[str] | None) -> Doubles:
    """Row i of x, (1, n_features), with some features set to other values.

    Raises:
        ValueError: there is no row i; a feature is unknown.
    """
    if isinstance(i, bool) or not isinstance(i, int | np.integer) or not -len(x) <= i < len(x):
        raise ValueError(f"row: found {i!r}; expected a position in {len(x)} rows")
    known = range(x.shape[1]) if names is None else names
    row = x[[i]]
    for feature, value in changes.items():
        if isinstance(feature, bool) or feature not in known:
            told = f"0 to {x.shape[1] - 1}" if names is None else "one of the fitted names"
            raise ValueError(f"changes: found feature {feature!r}; expected {told}")
        if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
            raise ValueError(f"changes: found {value!r} for feature {feature!r}; expected a number")
        try:
            row[0, known.index(feature)] = value
        except OverflowError as error:
            raise ValueError(f"changes: found a number beyond any float for feature {feature!r}") from error
    return row


def product_shares(codisp_shares: Doubles, x: Doubles) -> Doubles:
    """Where each row's CoDisp times norm comes from: the shares of its features, (n_rows, n_features).

    The logarithm of the product is a sum of two terms that count alike. CoDisp is divided as its attribution
    is; the norm is divided by x_f^2 / norm^2, since the norm is the sum of its derivatives times the x_f (Euler).
    A feature's share is the mean of the two.

    Args:
        codisp_shares: (n_rows, n_features), at least 0; a row's sum is its CoDisp.
        x: (n_rows, n_features).
    Returns:
        At least 0; a row sums to 1, or is 0 throughout where the product is 0.
    """
    squares = np.square(x)
    sums = codisp_shares.sum(axis=1), squares.sum(axis=1)
    parts = [
        np.divide(part, whole[:, None], out=np.zeros(x.shape), where=(sums[0] > 0)[:, None] & (sums[1] > 0)[:, None])
        for part, whole in zip((codisp_shares, squares), sums, strict=True)
    ]
    shares: Doubles = (parts[0] + parts[1]) / 2
    return shares
