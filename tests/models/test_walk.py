"""The closed form against arithmetic by hand, against a plain recursion and against rrcf's own insertions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from models.grid import Grid
from models.grow import CutState, from_rrcf, rrcf
from models.walk import expected_codisp, make_tree

# A (0,0)  B (2,0)  C (2,4)  D = E (10,0)
#
#   0 root  column 0 <= 5   mass 5  box (0,0)-(10,4)  span 14
#   1   L   column 1 <= 2   mass 3  box (0,0)-(2,4)   span 6
#   2     AB column 0 <= 1  mass 2  box (0,0)-(2,0)   span 2
#   3        A   4 B
#   5     C
#   6   DE                  mass 2
#
# M (joined): M1 = 2/4, M6 = 3/3, M2 = max(1/2, 1/3), M5 = max(1/2, 2/2), M3 = M4 = max(1/2, 1/2)
# S (parted) = max(mass, M): 5, 3, 2, 1, 1, 1, 2
FIVE = make_tree(
    dim=np.array([0, 1, 0, -1, -1, -1, -1]),
    cut=np.array([5, 2, 1, np.nan, np.nan, np.nan, np.nan]),
    left=np.array([1, 2, 3, -1, -1, -1, -1]),
    right=np.array([6, 5, 4, -1, -1, -1, -1]),
    mass=np.array([5, 3, 2, 1, 1, 1, 2]),
    lo=np.array([[0, 0], [0, 0], [0, 0], [0, 0], [2, 0], [2, 4], [10, 0]], dtype=float),
    hi=np.array([[10, 4], [2, 4], [2, 0], [0, 0], [2, 0], [2, 4], [10, 0]], dtype=float),
)

BY_HAND = {
    # ends beside B: S4 = 1; AB: ext 2, p = 2/4, 1/2 + 2/2 = 3/2; L: ext 1, p = 1/7, 6/7 3/2 + 3/7; root: inside
    "beside_b": ((3, 1), 0, Fraction(12, 7)),
    # ends beside DE: S6 = 2; root: ext 2 + 1, p = 3/17, 14/17 2 + 3/17 5
    "beyond_everything": ((12, 5), 0, Fraction(43, 17)),
    # joins DE: M6
    "equal_to_d_and_e": ((10, 0), 0, Fraction(1)),
    # joins C: M5, which is S5 too
    "equal_to_c": ((2, 4), 0, Fraction(1)),
    # joins A: M3
    "equal_to_a": ((0, 0), 0, Fraction(1, 2)),
    # A's point, but 2 away in a column that is constant in the tree: S3 = 1; AB: p = 2/4, 1/2 + 2/2 = 3/2;
    # L: p = 2/8, 3/4 3/2 + 3/4 = 15/8; root: p = 2/16, 7/8 15/8 + 5/8 = 145/64
    "outside_by_two": ((0, 0), 2, Fraction(145, 64)),
}


@pytest.mark.parametrize(("row", "outside", "expected"), BY_HAND.values(), ids=BY_HAND)
def test_the_tree_of_five_points_scores_as_worked_by_hand(row, outside, expected):
    found = expected_codisp((FIVE,), np.array([row], dtype=float), np.array([outside], dtype=float))
    assert found[0] == pytest.approx(float(expected), rel=1e-15)


def _rrcf_tree(rows, seed):
    placed, _ = Grid.of(rows).place(rows)
    return rrcf.RCTree(placed, index_labels=np.arange(len(rows)), precision=0, random_state=CutState(seed))


def _plain(node, x, joined=0.0):
    """The same expectation, by recursion over rrcf's nodes, without ending a walk early."""
    parted = max(node.n, joined)
    if isinstance(node, rrcf.Leaf):
        return joined if (node.x == x).all() else parted
    child, sibling = (node.l, node.r) if x[node.q] <= node.p else (node.r, node.l)
    below = _plain(child, x, max(joined, sibling.n / (child.n + 1)))
    beyond = np.maximum(np.maximum(node.b[0] - x, x - node.b[-1]), 0).sum()
    chance = beyond / (np.ptp(node.b, axis=0).sum() + beyond)
    return (1 - chance) * below + chance * parted


def test_ending_a_walk_early_changes_no_score(shape):
    rows, new = shape
    varying = np.ptp(rows, axis=0) > 0
    rows, new = rows[:, varying], np.vstack([rows, new])[:, varying]
    asked, outside = Grid.of(rows).place(new)
    for seed in range(5):
        tree = _rrcf_tree(rows, seed)
        found = expected_codisp((from_rrcf(tree.root),), asked, outside)
        np.testing.assert_allclose(found, [_plain(tree.root, x) for x in asked], rtol=1e-12)


def test_walks_do_end_early():
    rows = np.random.default_rng(0).normal(size=(64, 4))
    tree = from_rrcf(_rrcf_tree(rows, 0).root)
    assert tree.settled[tree.left >= 0].any()


def _inserted(tree, x, times):
    """CoDisp of x after each of many insertions, the tree left as it was."""
    found = np.empty(times)
    for k in range(times):
        tree.insert_point(x, index="new")
        found[k] = tree.codisp("new")
        tree.forget_point("new")
    return found


def test_the_expectation_is_the_mean_of_rrcf_insertions(shape):
    rows, new = shape
    grid = Grid.of(rows)
    placed, _ = grid.place(rows)
    # rrcf's own tree must hold the constant columns, for it to see a row leave them
    origin, unit = grid.origin, 2.0**grid.exponent
    for seed in (0, 1):
        whole = rrcf.RCTree(np.rint((rows - origin) * unit), index_labels=np.arange(len(rows)), precision=0,
                            random_state=CutState(seed))  # fmt: skip
        flat = rrcf.RCTree(placed, index_labels=np.arange(len(rows)), precision=0, random_state=CutState(seed))
        expected = expected_codisp((from_rrcf(flat.root),), *grid.place(new))
        for x, value in zip(np.rint((new - origin) * unit), expected, strict=True):
            drawn = _inserted(whole, x, 500)
            error = drawn.std(ddof=1) / np.sqrt(len(drawn))
            # 64 means are compared, and a rare outcome may be missing from the draws: hence 5, and a floor
            assert abs(drawn.mean() - value) <= 5 * error + 0.02 * value
