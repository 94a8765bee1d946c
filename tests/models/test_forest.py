"""The forest as a detector, on both engines: same seed same bits, no row sees another, scikit-learn's contract."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.estimator_checks import check_estimator

from models import RandomCutForest
from models.compiled.walk import score
from models.engines import ENGINES, engine

COUNTS = st.integers(-3, 3).map(float)
CELLS = COUNTS | st.floats(-1e30, 1e30)


@st.composite
def fitted_and_new(draw, cells=(COUNTS, CELLS)):
    width = draw(st.integers(1, 3))
    heights = draw(st.tuples(st.integers(2, 12), st.integers(1, 6)))
    kind = draw(st.sampled_from(cells))
    return tuple(draw(arrays(np.float64, (n, width), elements=kind)) for n in heights)


@pytest.fixture(params=ENGINES)
def small(request):
    def make(**changes):
        asked = {"n_estimators": 4, "max_samples": 8, "random_state": 0, "engine": request.param, **changes}
        return RandomCutForest(**asked)

    return make


def properties(test):
    # the fixture is a function without a state, so examples may share it
    checks = [HealthCheck.function_scoped_fixture]
    return settings(deadline=None, max_examples=60, suppress_health_check=checks)(test)


@properties
@given(data=fitted_and_new(), seed=st.randoms(use_true_random=False))
def test_the_order_of_scored_rows_does_not_matter(small, data, seed):
    rows, new = data
    order = seed.sample(range(len(new)), len(new))
    forest = small().fit(rows)
    assert forest.codisp(new[order]).tobytes() == forest.codisp(new)[order].tobytes()


@properties
@given(data=fitted_and_new())
def test_a_row_alone_has_the_bits_it_has_in_a_batch(small, data):
    rows, new = data
    forest = small().fit(rows)
    alone = [forest.codisp(row.reshape(1, -1))[0] for row in new]
    assert np.array(alone).tobytes() == forest.codisp(new).tobytes()


def test_a_row_alone_has_the_bits_it_has_in_a_batch_of_many_columns(small):
    # numpy adds 8 and more cells in another order than fewer, and rows beyond 2**53 units do round
    rng = np.random.default_rng(0)
    forest = small(max_samples=64).fit(rng.normal(size=(64, 70)))
    new = rng.normal(size=(700, 70)) * 10.0 ** rng.integers(0, 20, size=(700, 1))
    batch = forest.codisp(new)
    alone = np.array([forest.codisp(new[k : k + 1])[0] for k in range(0, 700, 7)])
    assert alone.tobytes() == batch[::7].tobytes()


@properties
@given(data=fitted_and_new(), constant=CELLS, more=st.integers(1, 9), place=st.integers(0, 3))
def test_added_constant_columns_change_nothing(small, data, constant, more, place):
    rows, new = data
    place = min(place, rows.shape[1])
    wide = [np.insert(x, [place] * more, constant, axis=1) for x in data]
    assert small().fit(wide[0]).codisp(wide[1]).tobytes() == small().fit(rows).codisp(new).tobytes()


@properties
@given(data=fitted_and_new())
def test_scores_lie_between_zero_and_the_sample_size(small, data):
    rows, new = data
    forest = small().fit(rows)
    scores = forest.codisp(new)
    assert (scores >= 0).all()
    assert (scores <= forest.max_samples_).all()


@pytest.mark.parametrize("height", [2, 20])
def test_equal_rows_score_zero_and_are_no_outliers(small, height):
    rows = np.tile([3.0, -1.5, 1e30], (height, 1))
    for contamination in ("auto", 0.1):
        forest = small(contamination=contamination).fit(rows)
        assert not forest.codisp(rows).any()
        assert (forest.predict(rows) == 1).all()


def test_a_row_unlike_equal_rows_scores_their_number(small):
    forest = small().fit(np.full((5, 2), 3.0))
    assert forest.codisp([[3.0, 3.5]]).tolist() == [5.0]


def test_a_planted_row_is_the_strangest(small):
    rows = np.random.default_rng(1).normal(size=(100, 8))
    rows[17, 3] = 9.0
    assert small(n_estimators=30, max_samples=256).fit(rows).codisp(rows).argmax() == 17


@properties
@given(data=fitted_and_new(), exponent=st.integers(-60, 60))
def test_scaling_by_a_power_of_two_changes_no_bit(small, data, exponent):
    rows, new = data
    scaled = [np.ldexp(x, exponent) for x in data]
    assume(max(np.abs(x).max() for x in scaled) <= 1e30)
    assume(all((np.ldexp(x, -exponent) == y).all() for x, y in zip(scaled, data, strict=True)))
    assert small().fit(scaled[0]).codisp(scaled[1]).tobytes() == small().fit(rows).codisp(new).tobytes()


@properties
@given(data=fitted_and_new(cells=[COUNTS]), shift=st.integers(-40, 40).map(lambda k: 2.0**k))
def test_shifting_by_a_power_of_two_changes_no_bit(small, data, shift):
    rows, new = data
    assert small().fit(rows + shift).codisp(new + shift).tobytes() == small().fit(rows).codisp(new).tobytes()


def test_codisp_does_not_depend_on_unit_or_origin(small):
    rows = np.random.default_rng(1).normal(size=(40, 3))
    moved = rows * 1e-9 + [0.0, 1e-3, -1e-6]
    # shifted cells lose some of their bits
    np.testing.assert_allclose(small().fit(moved).codisp(moved), small().fit(rows).codisp(rows), rtol=1e-5)


def test_same_seed_same_bits_and_another_seed_other_bits(small, shape):
    rows, new = shape
    first = small().fit(rows).codisp(new)
    assert small().fit(rows).codisp(new).tobytes() == first.tobytes()
    # rrcf ignores a numpy integer as a seed
    assert small(random_state=np.int64(0)).fit(rows).codisp(new).tobytes() == first.tobytes()
    assert small(random_state=1).fit(rows).codisp(new).tobytes() != first.tobytes()


def test_the_first_trees_of_a_larger_forest_are_those_of_a_smaller(small):
    rows = np.random.default_rng(2).normal(size=(30, 3))
    few, many = small(n_estimators=2).fit(rows), small(n_estimators=5).fit(rows)
    for one, other in zip(few.trees_, many.trees_, strict=False):
        assert one.cut.tobytes() == other.cut.tobytes()
        assert one.dim.tobytes() == other.dim.tobytes()


def test_threads_that_fit_and_score_at_once_find_the_same_bits(small, shape):
    rows, new = shape
    expected = small().fit(rows).codisp(new).tobytes()
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: small().fit(rows).codisp(new).tobytes(), range(8)))
    assert found == [expected] * 8


@pytest.mark.parametrize("n_jobs", [2, 3, -1, -2])
def test_the_number_of_threads_changes_no_bit(small, n_jobs):
    rows = np.random.default_rng(0).normal(size=(300, 30))
    rows[:, 7] = 1.0
    one, more = (small(n_estimators=20, n_jobs=jobs).fit(rows) for jobs in (None, n_jobs))
    new = rows + 0.25
    for method in ("codisp", "aws_score", "attribute"):
        assert getattr(more, method)(new).tobytes() == getattr(one, method)(new).tobytes()
    assert more.training_codisp_.tobytes() == one.training_codisp_.tobytes()
    assert more.offset_ == one.offset_


@pytest.mark.parametrize("engine", ENGINES)
def test_check_estimator_finds_nothing(engine):
    results = check_estimator(RandomCutForest(n_estimators=10, engine=engine, random_state=0), on_skip=None)
    # needs SCIPY_ARRAY_API in the environment before scipy is imported
    skipped = {r["check_name"] for r in results if r["status"] != "passed"}
    assert skipped <= {"check_array_api_input"}
    assert len(results) > 40


def test_a_share_of_contamination_is_the_share_of_outliers(small):
    rows = np.random.default_rng(4).normal(size=(200, 4))
    forest = small(contamination=0.05)
    assert (forest.fit_predict(rows) == -1).sum() == 10
    assert (forest.fit_predict(rows) == forest.fit(rows).predict(rows)).all()


def test_auto_contamination_calls_out_what_lies_beyond_the_outer_fence(small):
    rows = np.random.default_rng(4).normal(size=(200, 4))
    forest = small(max_samples=100).fit(rows)
    new = np.vstack([rows, np.full((1, 4), 50.0)])
    first, third = np.nanpercentile(forest.training_codisp_, [25, 75])
    assert ((forest.predict(new) == -1) == (forest.codisp(new) > third + 3 * (third - first))).all()
    assert forest.predict(new)[-1] == -1
    assert (forest.decision_function(new) == forest.score_samples(new) - forest.offset_).all()


BAD = [
    *({"n_estimators": bad} for bad in (0, -1, 2.0, True, "10", None)),
    *({"max_samples": bad} for bad in (0, 1, 0.5, "auto", None)),
    *({"n_jobs": bad} for bad in (0, 1.0, "all", True)),
    *({"engine": bad} for bad in ("numba", None, 1)),
    *({"contamination": bad} for bad in (0.0, 0.51, -0.1, float("nan"), "legacy", None, True)),
]


@pytest.mark.parametrize("changes", BAD, ids=str)
def test_a_parameter_out_of_range_is_named(small, changes):
    with pytest.raises(ValueError, match=f"{next(iter(changes))}: found .*; expected"):
        small(**changes).fit(np.eye(3))


def test_a_forest_that_was_not_fitted_says_so(small):
    for ask in ("codisp", "score_samples", "aws_score", "attribute", "decision_function", "predict"):
        with pytest.raises(NotFittedError, match="not fitted yet"):
            getattr(small(), ask)(np.eye(3))
    with pytest.raises(NotFittedError, match="not fitted yet"):
        small().counterfactual(np.eye(3), 0, {0: 1.0})
    with pytest.raises(NotFittedError, match="not fitted yet"):
        small().to_rrcf()


def test_a_clone_has_the_parameters_and_nothing_else(small):
    forest = small().fit(np.eye(3))
    twin = clone(forest)
    assert twin.get_params() == forest.get_params()
    assert not hasattr(twin, "trees_")


def test_training_codisp_is_the_mean_over_the_trees_that_drew_the_row(small):
    # what rrcf's documentation calls batch mode
    rows = np.random.default_rng(5).integers(0, 4, size=(30, 2)).astype(float)
    forest = small(n_estimators=12).fit(rows)
    found = [[] for _ in rows]
    for tree in forest.to_rrcf():
        drawn = {tuple(leaf.x): tree.codisp(label) for label, leaf in tree.leaves.items()}
        for row, values in zip(rows, found, strict=True):
            if tuple(row) in drawn:
                values.append(drawn[tuple(row)])
    distinct = [k for k, row in enumerate(rows) if (rows == row).all(axis=1).sum() == 1]
    assert distinct
    for k in distinct:
        np.testing.assert_allclose(forest.training_codisp_[k], np.mean(found[k]) if found[k] else np.nan, rtol=1e-12)


def test_a_row_that_no_tree_drew_has_no_training_codisp(small):
    forest = small(n_estimators=1).fit(np.random.default_rng(0).normal(size=(50, 2)))
    assert np.isfinite(forest.training_codisp_).sum() == 8


def test_the_aws_score_of_usual_rows_is_below_one_and_of_a_far_row_higher(small):
    rows = np.random.default_rng(6).normal(size=(300, 4))
    forest = small(n_estimators=40, max_samples=128).fit(rows)
    assert 0.5 < np.median(forest.aws_score(rows)) < 1
    assert forest.aws_score(np.full((1, 4), 30.0))[0] > 2 * np.percentile(forest.aws_score(rows), 99)


def test_the_aws_score_of_the_simplest_trees_is_as_worked_by_hand(small):
    forest = small(n_estimators=1).fit(np.array([[0.0], [2.0]]))
    # two leaves at depth 1. A stored point: (1 - 1/4) / (1 + 1). Beyond the end by 1: cut off above the root
    # (depth 0) with chance 1/3, else above the leaf at depth 1.
    expected = np.array([3 / 8, 1 / 3 + 2 / 3 / 2]) * np.log2(3)
    np.testing.assert_allclose(forest.aws_score([[2.0], [3.0]]), expected, rtol=1e-6)


def test_a_forest_is_walked_by_the_engine_that_grew_it(small):
    rows = np.random.default_rng(0).normal(size=(30, 9))
    forest = small().fit(rows)
    expected = forest.codisp(rows).tobytes()
    other = next(name for name in ENGINES if name != forest.engine)
    assert forest.set_params(engine=other).codisp(rows).tobytes() == expected


def test_many_rows_score_as_each_stretch_of_them_does():
    # more than are placed, scored and attributed at once
    rng = np.random.default_rng(0)
    forest = RandomCutForest(3, 64, random_state=0).fit(rng.normal(size=(200, 3)))
    new = rng.normal(size=(17_000, 3))
    for ask in (forest.codisp, forest.aws_score, forest.attribute):
        stretches = [ask(new[start : start + 700]) for start in range(0, len(new), 700)]
        assert ask(new).tobytes() == np.concatenate(stretches).tobytes()


def test_a_fit_that_is_broken_off_leaves_the_forest_as_it_was(small, monkeypatch):
    rows = np.random.default_rng(0).normal(size=(30, 9))
    forest = small().fit(pd.DataFrame(rows, columns=[f"f{k}" for k in range(9)]))
    before = dict(vars(forest))
    other = pd.DataFrame(rows[:, :2], columns=["a", "b"])
    with pytest.raises(ValueError, match="NaN"):
        forest.fit(other.mask(other > 0))
    assert vars(forest) == before

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(engine(forest.engine), "grow", interrupted)
    with pytest.raises(KeyboardInterrupt):
        forest.fit(other)
    assert vars(forest) == before


def test_a_forest_whose_first_fit_failed_is_not_fitted(small):
    forest = small()
    with pytest.raises(ValueError, match="NaN"):
        forest.fit([[np.nan], [1.0]])
    with pytest.raises(NotFittedError, match="not fitted yet"):
        forest.codisp([[1.0]])


def test_a_share_of_contamination_can_be_fitted_to_a_frame(small):
    frame = pd.DataFrame(np.random.default_rng(4).normal(size=(200, 2)), columns=["a", "b"])
    assert (small(contamination=0.05).fit_predict(frame) == -1).sum() == 10


def test_read_only_trees_as_a_worker_process_gets_them_need_no_other_code():
    rows = np.random.default_rng(0).normal(size=(30, 3))
    forest = RandomCutForest(3, 8, random_state=0).fit(rows)
    expected = forest.codisp(rows).tobytes()
    before = len(score.signatures)
    for array in vars(forest.trees_).values():
        array.flags.writeable = False
    assert forest.codisp(rows).tobytes() == expected
    assert len(score.signatures) == before
