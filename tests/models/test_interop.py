"""Trees of the rrcf package, taken over and given back."""

from __future__ import annotations

import numpy as np
import pytest
from plain_rrcf import plain

from models import RandomCutForest
from models.engines import ENGINES
from models.reference.grow import rrcf
from models.trees import check

every_engine = pytest.mark.parametrize("engine", ENGINES)


def planted(trees, rows, seed=0, labels=None):
    """A batch forest as rrcf's documentation makes it: each tree over some of the rows, labelled by position."""
    rng = np.random.default_rng(seed)
    made = []
    for k in range(trees):
        drawn = rng.choice(len(rows), size=min(40, len(rows)), replace=False)
        made.append(rrcf.RCTree(rows[drawn], index_labels=drawn if labels is None else labels(drawn), random_state=k))
    return made


def scores(trees, x):
    return np.array([np.mean([plain(tree.root, row) for tree in trees]) for row in x])


# multiples of 1/8 are the same in rrcf's nine decimals, in single precision and on the grid
def rows_and_new(shape):
    return (np.rint(8 * x) / 8 for x in shape)


@every_engine
def test_rrcf_trees_score_here_as_they_do_there(shape, engine):
    rows, new = rows_and_new(shape)
    trees = planted(8, rows)
    forest = RandomCutForest.from_rrcf(trees, engine=engine)
    check(forest.trees_)
    asked = np.vstack([rows[:10], new])
    np.testing.assert_allclose(forest.codisp(asked), scores(trees, asked), rtol=1e-6)


@every_engine
def test_trees_given_to_rrcf_score_there_as_they_do_here(shape, engine):
    rows, new = rows_and_new(shape)
    forest = RandomCutForest(8, 40, engine=engine, random_state=0).fit(rows)
    asked = np.vstack([rows[:10], new])
    np.testing.assert_allclose(scores(forest.to_rrcf(), asked), forest.codisp(asked), rtol=1e-6)


@every_engine
def test_a_round_trip_through_rrcf_changes_no_score(shape, engine):
    rows, new = rows_and_new(shape)
    forest = RandomCutForest(8, 40, engine=engine, random_state=0).fit(rows)
    back = RandomCutForest.from_rrcf(forest.to_rrcf(), engine=engine)
    np.testing.assert_allclose(back.codisp(new), forest.codisp(new), rtol=1e-6)
    np.testing.assert_allclose(back.aws_score(new), forest.aws_score(new), rtol=1e-6)


@every_engine
def test_rrcf_can_go_on_with_the_trees_it_is_given(engine):
    rows = np.random.default_rng(0).integers(0, 4, size=(60, 3)).astype(float)
    for tree in RandomCutForest(4, 40, engine=engine, random_state=0).fit(rows).to_rrcf():
        assert len(tree.leaves) == 40
        assert tree.ndim == 3
        label = next(iter(tree.leaves))
        before = tree.codisp(label)
        tree.insert_point(np.array([9.0, 9.0, 9.0]), index="new")
        # far outside: cut off above the root, so its sibling is the whole tree
        assert tree.codisp("new") == 40
        tree.forget_point("new")
        assert tree.codisp(label) == before


@every_engine
def test_training_codisp_of_taken_trees_is_rrcf_s_own_batch_mode(engine):
    rows = np.random.default_rng(0).normal(size=(30, 3))
    trees = planted(20, rows)
    forest = RandomCutForest.from_rrcf(trees, engine=engine)
    expected = [np.mean([tree.codisp(k) for tree in trees if k in tree.leaves]) for k in range(30)]
    np.testing.assert_allclose(forest.training_codisp_, expected, rtol=1e-12)


def test_a_taken_forest_predicts_and_knows_its_size():
    rows = np.random.default_rng(0).normal(size=(50, 3))
    forest = RandomCutForest.from_rrcf(planted(5, rows))
    assert (forest.n_estimators, forest.max_samples_, forest.n_features_in_) == (5, 40, 3)
    assert forest.predict(np.vstack([rows, [[99.0, 99.0, 99.0]]]))[-1] == -1


ROWS = np.random.default_rng(0).normal(size=(20, 3))
REFUSED = {
    "none": ([], "found none columns; expected one width"),
    "an_empty_tree": ([rrcf.RCTree()], "tree 0: found RCTree without points"),
    "no_tree": ([ROWS], "tree 0: found ndarray without points"),
    "unlike_widths": (planted(1, ROWS) + planted(1, ROWS[:, :2]), r"found \[2, 3\] columns"),
    "unlike_labels": (planted(1, ROWS) + planted(1, ROWS, labels=lambda drawn: drawn.astype(str)), "labels: .*sorted"),
    "beyond": ([rrcf.RCTree(np.array([[1e31], [0.0]]), random_state=0)], "found 1e[+]31"),
    "too_close": (
        [rrcf.RCTree(np.array([[0.0], [1.0], [2.0], [1e6], [1e6 + 1e-3]]), random_state=0)],
        "found two points that this engine rounds to one; engine='rrcf' may",
    ),
}


@pytest.mark.parametrize(("trees", "said"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_forest_is_refused(trees, said):
    with pytest.raises(ValueError, match=said):
        RandomCutForest.from_rrcf(trees)


def test_the_reference_tells_points_apart_that_the_compiled_engine_cannot():
    trees, _ = REFUSED["too_close"]
    asked = np.array([[1e6], [0.5]])
    forest = RandomCutForest.from_rrcf(trees, engine="rrcf")
    np.testing.assert_allclose(forest.codisp(asked), scores(trees, asked), rtol=1e-6)


@every_engine
def test_new_rows_of_any_decimals_score_as_in_rrcf_and_stored_ones_count_as_equal(engine):
    rng = np.random.default_rng(0)
    rows, new = rng.normal(size=(60, 4)), 1.5 * rng.normal(size=(20, 4))
    trees = planted(8, rows)
    forest = RandomCutForest.from_rrcf(trees, engine=engine)
    np.testing.assert_allclose(forest.codisp(new), scores(trees, new), rtol=1e-6)
    # rrcf keeps nine decimals and takes a stored row for a new one; rounded likewise it is equal there, too
    np.testing.assert_allclose(forest.codisp(np.around(rows, 9)), scores(trees, np.around(rows, 9)), rtol=1e-6)


@every_engine
def test_a_cut_that_falls_between_two_neighbours_still_parts_them(engine):
    ends = np.array([1.0, np.nextafter(np.float32(1), np.float32(2)), 0.0, 0.0, 0.0], dtype=np.float64)
    for seed in range(30):
        tree = rrcf.RCTree(ends[:, None], random_state=seed, precision=15)
        forest = RandomCutForest.from_rrcf([tree], engine=engine)
        check(forest.trees_)
        check(RandomCutForest.from_rrcf(forest.to_rrcf(), engine=engine).trees_)


@every_engine
def test_a_cut_of_rrcf_that_parts_nothing_is_named(engine):
    # rrcf's insert_point cuts a tied column here, and puts equal cells on both sides
    tree = rrcf.RCTree(random_state=0)
    for k, point in enumerate([[0, 0], [0, 1], [1, 0], [1, 1], [0, 2], [2, 1]]):
        tree.insert_point(np.array(point, dtype=float), index=k)
    with pytest.raises(ValueError, match="tree 0: found a cut that does not part its points"):
        RandomCutForest.from_rrcf([tree], engine=engine)


@every_engine
def test_a_point_has_the_same_label_in_all_trees_it_is_in(engine):
    rows = np.random.default_rng(0).integers(0, 9, size=(40, 2)).astype(float)
    points = {}
    for tree in RandomCutForest(6, 30, engine=engine, random_state=0).fit(rows).to_rrcf():
        for label, leaf in tree.leaves.items():
            assert tuple(points.setdefault(label, leaf.x)) == tuple(leaf.x)
