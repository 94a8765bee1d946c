"""One tree as flat arrays, and the expected CoDisp of rows that are not in it.

Imports nothing of ours. tests/models/test_walk.py works a tree by hand and repeats rrcf's own insertions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# rows walked at once: their boxes stay in the cache
BLOCK = 512


@dataclass(frozen=True)
class TreeArrays:
    """A random cut tree in preorder: the root is node 0 and parents come before children.

    Attributes:
        dim, cut: (n_nodes,), a row with row[dim] <= cut goes left; -1 and NaN in leaves.
        left, right: (n_nodes,), child positions, -1 in leaves.
        mass: (n_nodes,), sampled rows below the node, equal rows counted each.
        lo, hi: (n_nodes, n_features), bounding box; a leaf's is its point.
        span: (n_nodes,), summed extents of the box.
        joined: (n_nodes,), CoDisp of a row that ends inside the node's leaf without a cut of its own (M).
        parted: (n_nodes,), CoDisp of a row cut off just above the node (S).
        settled: (n_nodes,), True where every outcome below has the same CoDisp, so that a walk may end.
    """

    dim: Ints
    cut: Floats
    left: Ints
    right: Ints
    mass: Ints
    lo: Floats
    hi: Floats
    span: Floats
    joined: Floats
    parted: Floats
    settled: NDArray[np.bool_]


def make_tree(dim: Ints, cut: Floats, left: Ints, right: Ints, mass: Ints, lo: Floats, hi: Floats) -> TreeArrays:
    """The tree with its per-node constants; arguments as in TreeArrays, children after their parents.

    Source:
        Guha, Mishra, Roy, Schrijvers, ICML 2016, collusive displacement; a row joins each node on its path,
        hence the + 1.
    """
    n_nodes = len(mass)
    joined = [0.0] * n_nodes
    lefts, rights, masses = left.tolist(), right.tolist(), mass.tolist()
    for node, (a, b) in enumerate(zip(lefts, rights, strict=True)):
        if a >= 0:
            joined[a] = max(joined[node], masses[b] / (masses[a] + 1))
            joined[b] = max(joined[node], masses[a] / (masses[b] + 1))
    parted = [float(max(m, j)) for m, j in zip(masses, joined, strict=True)]
    settled = [False] * n_nodes
    for node in reversed(range(n_nodes)):
        a, b = lefts[node], rights[node]
        if a < 0:
            settled[node] = parted[node] == joined[node]
        else:
            settled[node] = settled[a] and settled[b] and parted[a] == parted[b] == parted[node]
    return TreeArrays(
        dim, cut, left, right, mass, lo, hi, (hi - lo).sum(axis=1),
        np.array(joined), np.array(parted), np.array(settled),
    )  # fmt: skip


def expected_codisp(trees: tuple[TreeArrays, ...], x: Floats, outside: Floats) -> Floats:
    """CoDisp of each row as a new row, expected over its random insertion, averaged over the trees.

    Args:
        x: (n_rows, n_features) in the units of the trees, finite.
        outside: (n_rows,), at least 0, distance from the trees' rows in columns the trees do not hold.
    Returns:
        (n_rows,), at least 0, unitless; higher is stranger. A row's bits do not depend on the other rows.
    """
    total = np.zeros(len(x))
    for start in range(0, len(x), BLOCK):
        block = slice(start, start + BLOCK)
        for tree in trees:
            total[block] += _walk(tree, x[block], outside[block])
    return total / len(trees)


def _walk(tree: TreeArrays, x: Floats, outside: Floats) -> Floats:
    """Expected CoDisp in one tree: down by the stored cuts, then up through the chances of an own cut."""
    path, end = _descend(tree, x)
    score = tree.parted[end]
    leaves = np.flatnonzero(~tree.settled[end])
    equal = (x[leaves] == tree.lo[end[leaves]]).all(axis=1) & (outside[leaves] == 0)
    score[leaves[equal]] = tree.joined[end[leaves[equal]]]
    # boxes are nested: above the first that holds a row, so do all others, and nothing can cut it off
    exposed = np.ones(len(x), dtype=bool)
    exposed[leaves[equal]] = False
    for rows, nodes in reversed(path):
        out = exposed[rows]
        rows, nodes = rows[out], nodes[out]
        beyond = _beyond(tree, nodes, x[rows]) + outside[rows]
        chance = beyond / (tree.span[nodes] + beyond)
        # this form, not (1 - p) s + p S, leaves a score that equals S untouched to the last bit
        score[rows] += chance * (tree.parted[nodes] - score[rows])
        exposed[rows] = beyond > 0
    return score


def _descend(tree: TreeArrays, x: Floats) -> tuple[list[tuple[Ints, Ints]], Ints]:
    """Rows and their inner nodes at each level, from the root; and the node where each row ends."""
    rows = np.arange(len(x))
    nodes = np.zeros(len(x), dtype=np.int64)
    end = nodes.copy()
    ends = tree.settled | (tree.left < 0)
    path: list[tuple[Ints, Ints]] = []
    while True:
        going = ~ends[nodes]
        end[rows] = nodes
        rows, nodes = rows[going], nodes[going]
        if not len(rows):
            return path, end
        path.append((rows, nodes))
        goes_left = x[rows, tree.dim[nodes]] <= tree.cut[nodes]
        nodes = np.where(goes_left, tree.left[nodes], tree.right[nodes])


def _beyond(tree: TreeArrays, nodes: Ints, x: Floats) -> Floats:
    """Summed distance of each row from the box of its node; 0 inside."""
    distance = tree.lo[nodes] - x
    np.maximum(distance, x - tree.hi[nodes], out=distance)
    np.maximum(distance, 0.0, out=distance)
    # along the contiguous axis numpy adds each row alone, so one row has the bits it has in a batch
    summed: Floats = distance.sum(axis=1)
    return summed
