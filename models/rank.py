"""Scores to places. Imports nothing of ours. tests/models/test_rank.py."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def ranks(score: NDArray[np.float64]) -> NDArray[np.int64]:
    """Place of each score, (n,): 1 is the highest, equal scores share a place, the next is skipped (1, 1, 3).

    Raises:
        ValueError: score holds a NaN.
    """
    missing = np.flatnonzero(np.isnan(score))
    if len(missing):
        raise ValueError(f"score {missing[0]}: found NaN; expected a number")
    lower = -np.asarray(score, dtype=np.float64)
    place: NDArray[np.int64] = np.searchsorted(np.sort(lower), lower, side="left").astype(np.int64) + 1
    return place
