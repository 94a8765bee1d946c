"""Trees grown by the rrcf package, handed over as flat arrays.

The only module that imports rrcf. tests/models/test_grow.py."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.trees import Tree

Doubles = NDArray[np.float64]

with warnings.catch_warnings():
    # rrcf 0.4.4 asks pkg_resources for its own version, and setuptools warns of that on every import
    warnings.filterwarnings("ignore", message="pkg_resources is deprecated", category=UserWarning)
    import rrcf

__all__ = ["CutState", "flatten", "grow_tree", "rrcf"]


class CutState(np.random.RandomState):
    """A RandomState whose uniform draw never rounds up to the upper end.

    rrcf cuts at uniform(lo, hi) and fails with an empty child when that returns hi, as it may when lo and
    hi are close for their size. It takes no other generator than an int or a RandomState.
    """

    def uniform(self, low: Any = 0.0, high: Any = 1.0, size: Any = None) -> Any:
        """Draws from [low, high)."""
        return np.minimum(super().uniform(low, high, size), np.nextafter(high, low))


def grow_tree(rows: Doubles, state: np.random.RandomState) -> tuple[Tree, Doubles]:
    """A tree over rows of whole numbers below 2**53, at least one; and the points its leaves name."""
    if (rows == rows[0]).all():
        return _lone_leaf(rows)
    # a list of labels fails at the first pair of equal rows; precision 0 is the identity on whole numbers
    tree = rrcf.RCTree(rows, index_labels=np.arange(len(rows)), precision=0, random_state=state)
    return flatten(tree.root)


def flatten(root: Any) -> tuple[Tree, Doubles]:
    """The arrays of an rrcf tree, given its root node; and the points its leaves name, in the tree's units."""
    dim: list[int] = []
    cut: list[float] = []
    right: list[int] = []
    mass: list[int] = []
    row: list[int] = []
    points: list[Doubles] = []
    stack: list[tuple[Any, int]] = [(root, -1)]
    while stack:
        node, right_of = stack.pop()
        own = len(mass)
        if right_of >= 0:
            right[right_of] = own
        mass.append(int(node.n))
        right.append(-1)
        if isinstance(node, rrcf.Leaf):
            dim.append(-1)
            cut.append(0.0)
            row.append(len(points))
            points.append(np.asarray(node.x, dtype=np.float64).reshape(-1))
        else:
            dim.append(int(node.q))
            cut.append(float(node.p))
            row.append(-1)
            stack += [(node.r, own), (node.l, -1)]
    whole = (np.array(numbers, dtype=np.int32) for numbers in (dim, right, mass, row))
    dims, rights, masses, rows = whole
    return Tree(dims, np.array(cut), rights, masses, rows), np.array(points)


def _lone_leaf(rows: Doubles) -> tuple[Tree, Doubles]:
    """One leaf that holds all rows; rrcf divides by the span 0 there."""
    none = np.array([-1], dtype=np.int32)
    mass = np.array([len(rows)], dtype=np.int32)
    return Tree(none, np.zeros(1), none, mass, np.zeros(1, dtype=np.int32)), rows[:1].copy()
