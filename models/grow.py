"""Trees grown by the rrcf package, handed over as flat arrays.

The only module that imports rrcf. tests/models/test_grow.py."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.walk import TreeArrays, make_tree

with warnings.catch_warnings():
    # rrcf 0.4.4 asks pkg_resources for its own version, and setuptools warns of that on every import
    warnings.filterwarnings("ignore", message="pkg_resources is deprecated", category=UserWarning)
    import rrcf


class CutState(np.random.RandomState):
    """A RandomState whose uniform draw never rounds up to the upper end.

    rrcf cuts at uniform(lo, hi) and fails with an empty child when that returns hi, as it may when lo and
    hi are close for their size. It takes no other generator than an int or a RandomState.
    """

    def uniform(self, low: Any = 0.0, high: Any = 1.0, size: Any = None) -> Any:
        """Draws from [low, high)."""
        return np.minimum(super().uniform(low, high, size), np.nextafter(high, low))


def grow(rows: NDArray[np.float64], state: np.random.RandomState) -> TreeArrays:
    """A tree over rows of whole numbers below 2**53, (n_rows, n_features) with at least one row."""
    if (rows == rows[0]).all():
        return _lone_leaf(rows)
    # a list of labels fails at the first pair of equal rows; precision 0 is the identity on whole numbers
    tree = rrcf.RCTree(rows, index_labels=np.arange(len(rows)), precision=0, random_state=state)
    return from_rrcf(tree.root)


def from_rrcf(root: Any) -> TreeArrays:
    """The arrays of an rrcf tree, given its root node."""
    dim: list[int] = []
    cut: list[float] = []
    left: list[int] = []
    right: list[int] = []
    mass: list[int] = []
    lo: list[NDArray[np.float64]] = []
    hi: list[NDArray[np.float64]] = []
    stack: list[tuple[Any, int]] = [(root, -1)]
    while stack:
        node, right_of = stack.pop()
        own = len(mass)
        if right_of >= 0:
            right[right_of] = own
        mass.append(int(node.n))
        lo.append(node.b[0])
        hi.append(node.b[-1])
        right.append(-1)
        if isinstance(node, rrcf.Leaf):
            dim.append(-1)
            cut.append(np.nan)
            left.append(-1)
        else:
            dim.append(int(node.q))
            cut.append(float(node.p))
            left.append(own + 1)
            stack += [(node.r, own), (node.l, -1)]
    return make_tree(
        np.array(dim), np.array(cut), np.array(left), np.array(right), np.array(mass),
        np.array(lo, dtype=np.float64), np.array(hi, dtype=np.float64),
    )  # fmt: skip


def _lone_leaf(rows: NDArray[np.float64]) -> TreeArrays:
    """One leaf that holds all rows; rrcf divides by the span 0 there."""
    point = rows[:1].copy()
    none = np.array([-1])
    return make_tree(none, np.array([np.nan]), none, none, np.array([len(rows)]), point, point)
