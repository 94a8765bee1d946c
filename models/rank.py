"""Scores to places. Imports nothing of ours. tests/models/test_rank.py."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata


def ranks(score: NDArray[np.float64]) -> NDArray[np.int64]:
    """Place of each score, (n,): 1 is the highest, equal scores share a place, the next is skipped (1, 1, 3).

    Raises:
        ValueError: score holds a NaN.
    """
    missing = np.flatnonzero(np.isnan(score))
    if len(missing):
        raise ValueError(f"score {missing[0]}: found NaN; expected a number")
    return rankdata(-np.asarray(score), method="min").astype(np.int64)
