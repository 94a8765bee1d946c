"""The plain walk against a recursion over rrcf's own nodes, and its early ends."""

from __future__ import annotations

import numpy as np
from plain_rrcf import plain

from models.placement import Placement
from models.reference.engine import codisp
from models.reference.grow import CutState, flatten, rrcf
from models.reference.walk import values
from models.trees import join


def _rrcf_tree(rows, seed):
    placed = Placement.of(rows, whole=True).place(rows)
    return rrcf.RCTree(placed, index_labels=np.arange(len(rows)), precision=0, random_state=CutState(seed))


def _flat(tree):
    flat, points = flatten(tree.root)
    return join([flat], points)


def test_ending_a_walk_early_changes_no_score(shape):
    rows, new = shape
    varying = np.ptp(rows, axis=0) > 0
    rows, new = rows[:, varying], np.vstack([rows, new])[:, varying]
    asked = Placement.of(rows, whole=True).place(new)
    for seed in range(5):
        tree = _rrcf_tree(rows, seed)
        found = codisp(_flat(tree), asked, 1)
        np.testing.assert_allclose(found, [plain(tree.root, x) for x in asked], rtol=1e-12)


def test_walks_do_end_early():
    trees = _flat(_rrcf_tree(np.random.default_rng(0).normal(size=(64, 4)), 0))
    assert values(next(iter(trees)), aws=False).settled[trees.dim >= 0].any()
