"""What rows that are not in a tree would score once inserted, expected over the random insertion.

tests/models/test_walk.py works a tree by hand and repeats rrcf's own insertions."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.trees import Boxes, Tree, depths

Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]


class Values(NamedTuple):
    """What a row scores by where it ends in a tree, (n_nodes,) each.

    Attributes:
        joined: it ends inside the node's leaf without a cut of its own (M).
        parted: it is cut off just above the node (S).
        settled: every outcome below scores the same, so that a walk may end.
        decider: 2 * column + side of the stored cut that joined comes from; side 1 where the row is right of it.
    """

    joined: Doubles
    parted: Doubles
    settled: NDArray[np.bool_]
    decider: Ints


def values(tree: Tree, *, aws: bool) -> Values:
    """The constants of CoDisp, or of the inverse depth.

    Source:
        Guha, Mishra, Roy, Schrijvers, ICML 2016, collusive displacement; a row joins each node on its path,
        hence the + 1. Inverse depth: the RandomCutForest library of AWS, scoreSeen, scoreUnseen and damp.
    """
    dims, rights, masses = tree.dim.tolist(), tree.right.tolist(), tree.mass.tolist()
    n_nodes = len(dims)
    unit = float(np.log2(1 + masses[0]))
    joined, parted, depth = [0.0] * n_nodes, [0.0] * n_nodes, depths(tree).tolist()
    settled, decider = [False] * n_nodes, [0] * n_nodes
    for node, (dim, b, mass) in enumerate(zip(dims, rights, masses, strict=True)):
        a = node + 1
        parted[node] = unit / (depth[node] + 1) if aws else max(float(mass), joined[node])
        if dim >= 0:
            for side, (child, sibling) in enumerate(((a, b), (b, a))):
                here = masses[sibling] / (masses[child] + 1)
                joined[child] = max(joined[node], here)
                # the nearest of equals decides
                decider[child] = 2 * dim + side if here >= joined[node] else decider[node]
        elif aws:
            joined[node] = unit * (1 - mass / (2 * masses[0])) / (depth[node] + np.log2(1 + mass))
    # inverse depths differ at every level
    for node in () if aws else reversed(range(n_nodes)):
        if dims[node] < 0:
            settled[node] = parted[node] == joined[node]
        else:
            a, b = node + 1, rights[node]
            settled[node] = settled[a] and settled[b] and parted[a] == parted[b] == parted[node]
    return Values(np.array(joined), np.array(parted), np.array(settled), np.array(decider))


def expected(tree: Tree, value: Values, box: Boxes, asked: Doubles) -> Doubles:
    """The score of each row in one tree, (n_rows,): down by the stored cuts, then up through the chances of an own cut.

    A row's bits do not depend on the other rows.
    """
    path, end = descend(tree, asked, value.settled)
    score = value.parted[end]
    equal = _at_own_leaf(value, box, asked, end)
    score[equal] = value.joined[end[equal]]
    # boxes are nested: above the first that holds a row, so do all others, and nothing can cut it off
    exposed = ~equal
    for rows, nodes in reversed(path):
        out = exposed[rows]
        rows, nodes = rows[out], nodes[out]
        _, beyond = _sides(box, asked, rows, nodes)
        chance = beyond / (_span(box, nodes) + beyond)
        # this form, not (1 - p) s + p S, leaves a score that equals S untouched to the last bit
        score[rows] += chance * (value.parted[nodes] - score[rows])
        exposed[rows] = beyond > 0
    return score


def shares_of(tree: Tree, value: Values, box: Boxes, asked: Doubles) -> Doubles:
    """Where each row's CoDisp in one tree comes from: (n_rows, n_columns, 2), low side first.

    A row cut off above a node scores by the mass of the node, then the columns in which it sticks out share
    that by how far it does; or by an earlier cut, then that cut's column has it all.
    """
    shares = np.zeros((*asked.shape, 2))
    flat = shares.reshape(len(asked), -1)
    left_over = np.ones(len(asked))
    path, end = descend(tree, asked, value.settled)
    at_end = value.settled[end] | _at_own_leaf(value, box, asked, end)
    last = np.flatnonzero(~at_end)
    for rows, nodes in [*path, (last, end[last])]:
        sides, beyond = _sides(box, asked, rows, nodes)
        out = beyond > 0
        rows, nodes, sides, beyond = rows[out], nodes[out], sides[out], beyond[out]
        chance = beyond / (_span(box, nodes) + beyond)
        worth = left_over[rows] * chance * value.parted[nodes]
        left_over[rows] *= 1 - chance
        # of two equal displacements the earlier cut's decides: then walks that end early say the same
        own = tree.mass[nodes] > value.joined[nodes]
        each = worth[own] / beyond[own]
        shares[rows[own]] += each[:, None, None] * sides[own]
        flat[rows[~own], value.decider[nodes[~own]]] += worth[~own]
    kept = np.flatnonzero(at_end)
    flat[kept, value.decider[end[kept]]] += left_over[kept] * value.joined[end[kept]]
    return shares


def descend(tree: Tree, x: Doubles, settled: NDArray[np.bool_] | None = None) -> tuple[list[tuple[Ints, Ints]], Ints]:
    """Rows and their inner nodes at each level, from the root; and the node where each row ends."""
    rows = np.arange(len(x))
    nodes = np.zeros(len(x), dtype=np.int64)
    end = nodes.copy()
    ends = tree.dim < 0 if settled is None else settled | (tree.dim < 0)
    path: list[tuple[Ints, Ints]] = []
    while True:
        going = ~ends[nodes]
        end[rows] = nodes
        rows, nodes = rows[going], nodes[going]
        if not len(rows):
            return path, end
        path.append((rows, nodes))
        goes_left = x[rows, tree.dim[nodes]] <= tree.cut[nodes]
        nodes = np.where(goes_left, nodes + 1, tree.right[nodes])


def _at_own_leaf(value: Values, box: Boxes, asked: Doubles, end: Ints) -> NDArray[np.bool_]:
    """Whether each row equals the leaf in which it ends, (n_rows,); False where the walk ended early."""
    equal: NDArray[np.bool_] = ~value.settled[end]
    equal[equal] = (asked[equal] == box.lo[end[equal]]).all(axis=1)
    return equal


def _span(box: Boxes, nodes: Ints) -> Doubles:
    span: Doubles = (box.hi[nodes].astype(np.float64) - box.lo[nodes]).sum(axis=1)
    return span


def _sides(box: Boxes, asked: Doubles, rows: Ints, nodes: Ints) -> tuple[Doubles, Doubles]:
    """How far each row sticks out of its node's box, (n, n_columns, 2), low side first; and in all, (n,)."""
    # rows of the compiled engine are of single precision, their distances here are not
    x, lo, hi = (cells.astype(np.float64) for cells in (asked[rows], box.lo[nodes], box.hi[nodes]))
    sides = np.stack([lo - x, x - hi], axis=2)
    np.maximum(sides, 0.0, out=sides)
    # along the contiguous axis numpy adds each row alone, so one row has the bits it has in a batch
    beyond: Doubles = sides.sum(axis=2).sum(axis=1)
    return sides, beyond
