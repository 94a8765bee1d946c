"""Random cut trees as flat arrays, whichever engine grew them, and what can be told of one tree.

tests/models/test_trees.py."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.placement import NEAR

Cells = NDArray[Any]
Ints = NDArray[np.int32]


@dataclass(frozen=True)
class Trees:
    """Trees one after another, each in preorder: a left child follows its parent at once.

    Boxes are not kept: they follow from the leaves' rows, and are made again faster than they are read.

    Attributes:
        first: (n_trees + 1,) int64, where each tree begins; the last is the number of nodes.
        dim, cut: (n_nodes,), a row with row[dim] <= cut goes left; -1 and 0 in leaves.
        right: (n_nodes,), the right child, counted from the tree's root; -1 in leaves.
        mass: (n_nodes,), sampled rows below the node, equal rows counted each.
        row: (n_nodes,), the leaf's position in rows; -1 in inner nodes.
        rows: (n_rows, n_columns), the points of all leaves, in the engine's units.
    """

    first: NDArray[np.int64]
    dim: Ints
    cut: Cells
    right: Ints
    mass: Ints
    row: Ints
    rows: Cells

    def __len__(self) -> int:
        return len(self.first) - 1

    def __iter__(self) -> Iterator[Tree]:
        for start, stop in zip(self.first[:-1], self.first[1:], strict=True):
            nodes = slice(start, stop)
            yield Tree(self.dim[nodes], self.cut[nodes], self.right[nodes], self.mass[nodes], self.row[nodes])

    @property
    def sampled(self) -> int:
        """Rows in the largest tree."""
        return int(self.mass[self.first[:-1]].max())

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(a.nbytes for a in (self.first, self.dim, self.cut, self.right, self.mass, self.row, self.rows))


class Grown(NamedTuple):
    """Trees, and how their own rows stand in them.

    Attributes:
        sample: (n_trees, n_sampled), positions of each tree's rows among those it was drawn from.
        own: (n_trees, n_sampled), CoDisp of each as a member of its tree.
    """

    trees: Trees
    sample: NDArray[np.int32]
    own: NDArray[np.float64]


class Tree(NamedTuple):
    """One tree's part of each array of Trees; leaves name rows of the whole."""

    dim: Ints
    cut: Cells
    right: Ints
    mass: Ints
    row: Ints


class Boxes(NamedTuple):
    """Bounding boxes of a tree's nodes, (n_nodes, n_columns) each; a leaf's is its point."""

    lo: Cells
    hi: Cells


def boxes(tree: Tree, rows: Cells) -> Boxes:
    """The bounding box of each node."""
    lo = rows[np.maximum(tree.row, 0)]
    hi = lo.copy()
    inner = np.flatnonzero(tree.dim >= 0)
    depth = depths(tree)[inner]
    # level by level from the deepest: a hundred nodes at a time, not one
    for level in range(int(depth.max(initial=0)), -1, -1):
        nodes = inner[depth == level]
        left, right = nodes + 1, tree.right[nodes]
        lo[nodes] = np.minimum(lo[left], lo[right])
        hi[nodes] = np.maximum(hi[left], hi[right])
    return Boxes(lo, hi)


def ends(tree: Tree, box: Boxes) -> tuple[Cells, Cells]:
    """Of each inner node, in its cut's column: the highest cell on the left and the lowest on the right."""
    inner = np.flatnonzero(tree.dim >= 0)
    column = tree.dim[inner]
    return box.hi[inner + 1, column], box.lo[tree.right[inner], column]


def depths(tree: Tree) -> NDArray[np.int64]:
    """Cuts above each node, (n_nodes,)."""
    depth = [0] * len(tree.dim)
    for node, (dim, right) in enumerate(zip(tree.dim.tolist(), tree.right.tolist(), strict=True)):
        if dim >= 0:
            depth[node + 1] = depth[right] = depth[node] + 1
    return np.array(depth)


def join(grown: list[Tree], rows: Cells) -> Trees:
    """The trees in one set of arrays, holding those of rows that a leaf names, each once."""
    first = np.concatenate([[0], np.cumsum([len(tree.dim) for tree in grown])])
    dim, cut, right, mass, row = (np.concatenate(arrays) for arrays in zip(*grown, strict=True))
    return compact(Trees(first.astype(np.int64), dim, cut, right, mass, row, rows))


def compact(trees: Trees) -> Trees:
    """The same trees without the rows that no leaf names."""
    leaves = trees.dim < 0
    used, place = np.unique(trees.row[leaves], return_inverse=True)
    row = np.full(len(trees.row), -1, dtype=np.int32)
    row[leaves] = place
    return Trees(
        trees.first, trees.dim, trees.cut, trees.right, trees.mass, row, np.ascontiguousarray(trees.rows[used])
    )


def check(trees: Trees) -> None:
    """Nothing; arrays that no engine could have made are refused, so that a walk never leaves them.

    Raises:
        ValueError: the arrays are no random cut trees; the message names the first fault.
    """
    n_nodes = len(trees.dim)
    for name in ("cut", "right", "mass", "row"):
        _must(len(getattr(trees, name)) == n_nodes, f"{name} has as many entries as dim")
    first = trees.first
    _must(len(first) >= 2 and first[0] == 0 and first[-1] == n_nodes, "first goes from 0 to the number of nodes")
    # not their differences, which may wrap
    _must(bool((first[1:] > first[:-1]).all()), "every tree has a node")
    most = max(int(b) - int(a) for a, b in pairwise(first))
    _must(most < 2 * len(trees.rows), "no tree has more leaves than there are rows")
    size = np.abs(trees.rows)
    _must(bool((size <= 2.0**110).all()), "rows are finite")
    if trees.rows.dtype == np.float32:
        _must(bool(((size == 0) | (size >= NEAR)).all()), "rows of single precision are 0 or not too close to it")
    _must(bool(np.isfinite(trees.cut).all()), "cuts are finite")
    leaf = trees.dim < 0
    _must(bool((trees.dim[leaf] == -1).all() and (trees.right[leaf] == -1).all()), "leaves have no column and no child")
    _must(bool((trees.dim < trees.rows.shape[1]).all()), "cuts are in columns of the rows")
    _must(bool((trees.row[~leaf] == -1).all()), "inner nodes have no row")
    _must(bool(((trees.row[leaf] >= 0) & (trees.row[leaf] < len(trees.rows))).all()), "leaves name rows that are there")
    _must(bool((trees.mass > 0).all()), "masses are at least 1")
    for k, tree in enumerate(trees):
        _check_tree(k, tree, trees.rows)


def _check_tree(k: int, tree: Tree, rows: Cells) -> None:
    inner = np.flatnonzero(tree.dim >= 0)
    right = tree.right[inner]
    _must(bool(((right > inner + 1) & (right < len(tree.dim))).all()), f"tree {k}: a right child follows the left side")
    children = np.concatenate([[0], inner + 1, right])
    _must(len(np.unique(children)) == len(tree.dim) == len(children), f"tree {k}: every node has one parent")
    total = tree.mass[inner + 1].astype(np.int64) + tree.mass[right]
    _must(bool((tree.mass[inner] == total).all()), f"tree {k}: a mass is the sum of its children's")
    highest_left, lowest_right = ends(tree, boxes(tree, rows))
    parted = (highest_left <= tree.cut[inner]) & (tree.cut[inner] < lowest_right)
    _must(bool(parted.all()), f"tree {k}: a cut parts its children")


def _must(true: bool, claim: str) -> None:
    if not true:
        raise ValueError(f"no random cut trees: expected that {claim}")
