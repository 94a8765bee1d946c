"""rrcf's trees as arrays, and the inputs on which rrcf itself fails."""

from __future__ import annotations

import numpy as np
import pytest

from models.grow import CutState, grow


def _check(tree, rows):
    inner = np.flatnonzero(tree.left >= 0)
    leaves = np.flatnonzero(tree.left < 0)
    assert len(tree.mass) == 2 * len(np.unique(rows, axis=0)) - 1
    assert tree.mass[0] == len(rows)
    assert (tree.mass[inner] == tree.mass[tree.left[inner]] + tree.mass[tree.right[inner]]).all()
    assert (tree.left[inner] > inner).all()
    assert (tree.right[inner] > tree.left[inner]).all()
    assert (tree.lo[leaves] == tree.hi[leaves]).all()
    assert (tree.lo[0] == rows.min(axis=0)).all()
    assert (tree.hi[0] == rows.max(axis=0)).all()
    d, cut = tree.dim[inner], tree.cut[inner]
    assert (tree.hi[tree.left[inner], d] <= cut).all()
    assert (tree.lo[tree.right[inner], d] > cut).all()


@pytest.mark.parametrize("levels", [2, 3, 1000])
def test_arrays_hold_a_whole_tree_in_preorder(levels):
    rows = np.random.default_rng(levels).integers(0, levels, size=(64, 4)).astype(float)
    _check(grow(rows, CutState(0)), rows)


def test_equal_rows_are_one_leaf_with_their_mass():
    tree = grow(np.full((5, 2), 3.0), CutState(0))
    assert tree.mass.tolist() == [5]
    assert tree.lo.tolist() == [[3.0, 3.0]]


def test_a_cut_between_neighbours_far_from_zero_leaves_no_child_empty():
    # plain RandomState.uniform returns the upper end here for one draw in twelve, and rrcf then fails
    rows = np.array([[2.0**52 - 3], [2.0**52]])
    for seed in range(100):
        _check(grow(rows, CutState(seed)), rows)


def test_growing_neither_changes_the_rows_nor_the_global_generator():
    rows = np.random.default_rng(0).integers(0, 3, size=(30, 2)).astype(float)
    before, state = rows.copy(), np.random.get_state()[1].copy()
    grow(rows, CutState(0))
    assert (rows == before).all()
    assert (np.random.get_state()[1] == state).all()
