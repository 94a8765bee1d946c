"""rrcf's trees as arrays, and the inputs on which rrcf itself fails."""

from __future__ import annotations

import numpy as np
import pytest

from models.reference.grow import CutState, grow_tree
from models.trees import check, join


def grown(rows, seed):
    trees = join([grow_tree(rows, CutState(seed))[0]], grow_tree(rows, CutState(seed))[1])
    check(trees)
    return trees


@pytest.mark.parametrize("levels", [2, 3, 1000])
def test_arrays_hold_a_whole_tree_with_one_leaf_for_each_different_row(levels):
    rows = np.random.default_rng(levels).integers(0, levels, size=(64, 4)).astype(float)
    trees = grown(rows, 0)
    assert len(trees.mass) == 2 * len(np.unique(rows, axis=0)) - 1
    assert trees.mass[0] == len(rows)
    assert (np.unique(trees.rows, axis=0) == np.unique(rows, axis=0)).all()


def test_equal_rows_are_one_leaf_with_their_mass():
    trees = grown(np.full((5, 2), 3.0), 0)
    assert trees.mass.tolist() == [5]
    assert trees.rows.tolist() == [[3.0, 3.0]]


def test_a_cut_between_neighbours_far_from_zero_leaves_no_child_empty():
    # plain RandomState.uniform returns the upper end here for one draw in twelve, and rrcf then fails
    rows = np.array([[2.0**52 - 3], [2.0**52]])
    for seed in range(100):
        grown(rows, seed)


def test_growing_neither_changes_the_rows_nor_the_global_generator():
    rows = np.random.default_rng(0).integers(0, 3, size=(30, 2)).astype(float)
    before, state = rows.copy(), np.random.get_state()[1].copy()
    grow_tree(rows, CutState(0))
    assert (rows == before).all()
    assert (np.random.get_state()[1] == state).all()
