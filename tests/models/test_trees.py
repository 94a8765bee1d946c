"""What engines grow are trees; arrays that are none are refused by name."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from models import RandomCutForest
from models.engines import ENGINES
from models.trees import boxes, check


def forest(engine="compiled"):
    rows = np.random.default_rng(0).integers(0, 6, size=(40, 4)).astype(float)
    return RandomCutForest(5, 16, engine=engine, random_state=0).fit(rows)


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_grows_trees(shape, engine):
    rows, _ = shape
    fitted = RandomCutForest(5, 64, engine=engine, random_state=0).fit(rows)
    check(fitted.trees_)
    for tree in fitted.trees_:
        placed = fitted.placement_.place(rows)
        drawn = {tuple(row) for row in fitted.trees_.rows[tree.row[tree.dim < 0]]}
        assert drawn <= {tuple(row) for row in placed}
        assert len(drawn) == (tree.dim < 0).sum()
        if fitted.max_samples_ == len(rows):
            lo, hi = boxes(tree, fitted.trees_.rows)
            assert (lo[0] == placed.min(axis=0)).all()
            assert (hi[0] == placed.max(axis=0)).all()


def test_no_row_is_kept_that_no_leaf_names():
    trees = forest().trees_
    assert np.unique(trees.row[trees.dim < 0]).tolist() == list(range(len(trees.rows)))


def test_columns_are_cut_with_the_chance_of_their_extent():
    rows = np.random.default_rng(0).uniform(size=(50, 2)) * [3.0, 1.0]
    rows[:2] = [[0.0, 0.0], [3.0, 1.0]]
    for engine, n in (("compiled", 4000), ("rrcf", 400)):
        fitted = RandomCutForest(n, 64, engine=engine, random_state=0).fit(rows)
        first = np.array([tree.dim[0] for tree in fitted.trees_])
        assert abs((first == 0).mean() - 0.75) < 3 / np.sqrt(n)
        place = fitted.placement_.place(rows)[:, :2]
        cuts = np.array([tree.cut[0] for tree in fitted.trees_])[first == 0]
        share = (cuts - place[:, 0].min()) / np.ptp(place[:, 0])
        assert abs(share.mean() - 0.5) < 2 / np.sqrt(n)
        assert share.min() >= 0
        assert share.max() < 1


def changed(name, at, value):
    def change(trees):
        array = getattr(trees, name).copy()
        array[at] = value
        return dataclasses.replace(trees, **{name: array})

    return change


REFUSED = {
    "a_cycle": (changed("right", 0, 0), "right child"),
    "a_child_of_another_tree": (changed("right", 0, 31), "right child"),
    "a_huge_child": (changed("right", 0, 2**31 - 1), "right child"),
    "a_leaf_with_a_child": (changed("right", -1, 3), "leaves have no column and no child"),
    "a_column_too_far": (changed("dim", 0, 8), "columns of the rows"),
    "a_negative_column": (changed("dim", 0, -2), "leaves have no column"),
    "a_row_too_far": (changed("row", -1, 10_000), "rows that are there"),
    "a_negative_row": (changed("row", -1, -1), "rows that are there"),
    "a_cut_outside": (changed("cut", 0, 1e6), "a cut parts its children"),
    "a_cut_that_is_no_number": (changed("cut", 0, np.nan), "cuts are finite"),
    "a_cell_too_close_to_nothing": (changed("rows", (0, 0), 1e-30), "not too close"),
    "fewer_rows_than_leaves": (
        lambda t: dataclasses.replace(t, rows=t.rows[:3]),
        "more leaves than there are rows|are there",
    ),
    "a_cell_that_is_no_number": (changed("rows", (0, 0), np.nan), "rows are finite"),
    "a_mass_that_does_not_add_up": (changed("mass", 0, 99), "a mass is the sum"),
    "no_mass": (changed("mass", -1, 0), "masses are at least 1"),
    "an_offset_back": (changed("first", 1, 0), "every tree has a node"),
    "an_offset_past_the_end": (changed("first", -1, 10_000), "first goes from 0"),
    "arrays_of_unlike_length": (lambda t: dataclasses.replace(t, cut=t.cut[:-1]), "cut has as many entries"),
}


@pytest.mark.parametrize(("change", "said"), REFUSED.values(), ids=REFUSED)
def test_arrays_that_are_no_trees_are_refused(change, said):
    with pytest.raises(ValueError, match=f"no random cut trees: expected that .*{said}"):
        check(change(forest().trees_))


def test_a_model_at_the_usual_size_is_below_four_megabytes():
    rows = np.random.default_rng(0).normal(size=(30_000, 24))
    fitted = RandomCutForest(100, 256, random_state=0).fit(rows)
    assert fitted.trees_.nbytes < 4e6


@pytest.mark.parametrize("engine", ENGINES)
def test_a_cut_that_rounds_onto_the_end_of_its_box_leaves_no_side_empty(engine):
    # the last two are neighbours in single precision: half of all places between them round to the upper one
    rows = np.array([[0.0], [0.0], [0.0], [1.0], [1.0 + 2.0**-23]])
    check(RandomCutForest(100, engine=engine, random_state=0).fit(rows).trees_)
