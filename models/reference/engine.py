"""The reference engine: a tree at a time from rrcf, walked by numpy in double precision.

Some fifty times slower than compiled code and easier to read; what it says, the compiled engine is held to.
tests/models/test_engines.py."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.reference.grow import CutState, grow_tree
from models.reference.walk import descend, expected, shares_of, values
from models.trees import Grown, Tree, Trees, boxes, join

Doubles = NDArray[np.float64]

WHOLE = True
LANES = 1


def grow(rows: Doubles, seeds: NDArray[np.uint64], n_sampled: int, threads: int) -> Grown:  # noqa: ARG001 - Engine's
    """See models.engines.Engine; rrcf runs on one thread."""
    grown: list[Tree] = []
    points: list[Doubles] = []
    sample = np.empty((len(seeds), n_sampled), dtype=np.int32)
    own = np.empty((len(seeds), n_sampled))
    for k, seed in enumerate(seeds):
        # RandomState takes words of 32 bits
        state = CutState([int(seed) & 0xFFFFFFFF, int(seed) >> 32])
        sample[k] = state.permutation(len(rows))[:n_sampled]
        tree, leaves = grow_tree(rows[sample[k]], state)
        own[k] = own_codisp(tree)[descend(tree, rows[sample[k]])[1]]
        grown.append(tree._replace(row=np.where(tree.row < 0, -1, tree.row + sum(map(len, points))).astype(np.int32)))
        points.append(leaves)
    return Grown(join(grown, np.concatenate(points)), sample, own)


def own_codisp(tree: Tree) -> Doubles:
    """CoDisp of a member of each node's subtree, counted over the node and its ancestors, (n_nodes,).

    Source:
        Guha, Mishra, Roy, Schrijvers, ICML 2016, collusive displacement; rrcf.RCTree.codisp.
    """
    best = np.zeros(len(tree.dim))
    for node in np.flatnonzero(tree.dim >= 0):
        a, b = node + 1, tree.right[node]
        best[a] = max(best[node], tree.mass[b] / tree.mass[a])
        best[b] = max(best[node], tree.mass[a] / tree.mass[b])
    return best


def codisp(trees: Trees, rows: Doubles, threads: int) -> Doubles:  # noqa: ARG001 - Engine's
    """See models.engines.Engine; one thread."""
    return _score(trees, rows, aws=False)


def aws_score(trees: Trees, rows: Doubles, threads: int) -> Doubles:  # noqa: ARG001 - Engine's
    """See models.engines.Engine; one thread."""
    return _score(trees, rows, aws=True)


def _score(trees: Trees, rows: Doubles, *, aws: bool) -> Doubles:
    total = np.zeros(len(rows))
    for tree in trees:
        total += expected(tree, values(tree, aws=aws), boxes(tree, trees.rows), rows)
    return total / len(trees)


def attribute(trees: Trees, rows: Doubles, threads: int) -> Doubles:  # noqa: ARG001 - Engine's
    """See models.engines.Engine; one thread."""
    shares = np.zeros((*rows.shape, 2))
    for tree in trees:
        shares += shares_of(tree, values(tree, aws=False), boxes(tree, trees.rows), rows)
    return shares / len(trees)
