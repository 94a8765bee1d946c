"""The forest as a detector: same seed same bits, no row sees another, scikit-learn's contract."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.utils.estimator_checks import check_estimator

from models.reference import ReferenceForest

COUNTS = st.integers(-3, 3).map(float)
CELLS = COUNTS | st.floats(-1e30, 1e30)


@st.composite
def fitted_and_new(draw):
    width = draw(st.integers(1, 3))
    heights = draw(st.tuples(st.integers(1, 12), st.integers(1, 6)))
    cells = draw(st.sampled_from([COUNTS, CELLS]))
    return tuple(draw(arrays(np.float64, (n, width), elements=cells)) for n in heights)


def small(**changes):
    return ReferenceForest(**{"n_estimators": 4, "max_samples": 8, "random_state": 0, **changes})


@settings(deadline=None, max_examples=60)
@given(data=fitted_and_new(), seed=st.randoms(use_true_random=False))
def test_the_order_of_scored_rows_does_not_matter(data, seed):
    rows, new = data
    order = seed.sample(range(len(new)), len(new))
    forest = small().fit(rows)
    assert forest.codisp(new[order]).tobytes() == forest.codisp(new)[order].tobytes()


@settings(deadline=None, max_examples=60)
@given(data=fitted_and_new())
def test_a_row_alone_has_the_bits_it_has_in_a_batch(data):
    rows, new = data
    forest = small().fit(rows)
    alone = [forest.codisp(row.reshape(1, -1))[0] for row in new]
    assert np.array(alone).tobytes() == forest.codisp(new).tobytes()


def test_a_row_alone_has_the_bits_it_has_in_a_batch_of_many_columns():
    # numpy adds 8 and more cells in another order than fewer, and rows beyond 2**53 units do round
    rng = np.random.default_rng(0)
    forest = small(max_samples=64).fit(rng.normal(size=(64, 70)))
    new = rng.normal(size=(700, 70)) * 10.0 ** rng.integers(0, 20, size=(700, 1))
    batch = forest.codisp(new)
    alone = np.array([forest.codisp(new[k : k + 1])[0] for k in range(0, 700, 7)])
    assert alone.tobytes() == batch[::7].tobytes()


@settings(deadline=None, max_examples=60)
@given(data=fitted_and_new(), constant=CELLS, more=st.integers(1, 9), place=st.integers(0, 3))
def test_added_constant_columns_change_nothing(data, constant, more, place):
    rows, new = data
    place = min(place, rows.shape[1])
    wide = [np.insert(x, [place] * more, constant, axis=1) for x in data]
    assert small().fit(wide[0]).codisp(wide[1]).tobytes() == small().fit(rows).codisp(new).tobytes()


@settings(deadline=None, max_examples=60)
@given(data=fitted_and_new())
def test_scores_lie_between_zero_and_the_sample_size(data):
    rows, new = data
    forest = small().fit(rows)
    scores = forest.codisp(new)
    assert (scores >= 0).all()
    assert (scores <= forest.max_samples_).all()


@pytest.mark.parametrize("height", [1, 2, 20])
def test_equal_rows_score_zero_and_are_no_outliers(height):
    rows = np.tile([3.0, -1.5, 1e30], (height, 1))
    for contamination in ("auto", 0.1):
        forest = small(contamination=contamination).fit(rows)
        assert not forest.codisp(rows).any()
        assert (forest.predict(rows) == 1).all()


def test_a_row_unlike_equal_rows_scores_their_number():
    forest = small().fit(np.full((5, 2), 3.0))
    assert forest.codisp([[3.0, 3.5]]).tolist() == [5.0]


def test_a_planted_row_is_the_strangest():
    rows = np.random.default_rng(1).normal(size=(100, 8))
    rows[17, 3] = 9.0
    assert ReferenceForest(n_estimators=30, random_state=0).fit(rows).codisp(rows).argmax() == 17


def test_codisp_does_not_depend_on_unit_or_origin():
    rows = np.random.default_rng(1).normal(size=(40, 3))
    moved = rows * 1e-9 + [0.0, 1e-3, -1e-6]
    np.testing.assert_allclose(small().fit(moved).codisp(moved), small().fit(rows).codisp(rows), rtol=1e-6)


def test_same_seed_same_bits_and_another_seed_other_bits(shape):
    rows, new = shape
    first = small().fit(rows).codisp(new)
    assert small().fit(rows).codisp(new).tobytes() == first.tobytes()
    # rrcf ignores a numpy integer as a seed
    assert small(random_state=np.int64(0)).fit(rows).codisp(new).tobytes() == first.tobytes()
    assert small(random_state=1).fit(rows).codisp(new).tobytes() != first.tobytes()


def test_the_first_trees_of_a_larger_forest_are_those_of_a_smaller():
    rows = np.random.default_rng(2).normal(size=(30, 3))
    few, many = small(n_estimators=2).fit(rows), small(n_estimators=5).fit(rows)
    for one, other in zip(few.trees_, many.trees_, strict=False):
        assert one.cut.tobytes() == other.cut.tobytes()


def test_threads_that_fit_and_score_at_once_find_the_same_bits(shape):
    rows, new = shape
    expected = small().fit(rows).codisp(new).tobytes()
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: small().fit(rows).codisp(new).tobytes(), range(8)))
    assert found == [expected] * 8


def test_the_number_of_threads_allowed_changes_no_bit():
    program = (
        "import numpy as np; from models.reference import ReferenceForest as F\n"
        "x = np.random.default_rng(0).normal(size=(300, 30))\n"
        "print(F(n_estimators=5, random_state=0).fit(x).codisp(x).tobytes().hex())"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads},
            capture_output=True,
            check=True,
        ).stdout
        for threads in ("1", "2")
    }
    assert len(found) == 1


def test_check_estimator_finds_nothing():
    results = check_estimator(ReferenceForest(n_estimators=10, random_state=0), on_skip=None)
    # needs SCIPY_ARRAY_API in the environment before scipy is imported
    skipped = {r["check_name"] for r in results if r["status"] != "passed"}
    assert skipped <= {"check_array_api_input"}
    assert len(results) > 40


def test_a_share_of_contamination_is_the_share_of_outliers():
    rows = np.random.default_rng(4).normal(size=(200, 4))
    forest = small(contamination=0.05)
    assert (forest.fit_predict(rows) == -1).sum() == 10
    assert (forest.fit_predict(rows) == forest.fit(rows).predict(rows)).all()


def test_auto_contamination_calls_out_what_lies_beyond_the_outer_fence():
    rows = np.random.default_rng(4).normal(size=(200, 4))
    forest = small(max_samples=100).fit(rows)
    new = np.vstack([rows, np.full((1, 4), 50.0)])
    first, third = np.percentile(forest.codisp(rows), [25, 75])
    assert ((forest.predict(new) == -1) == (forest.codisp(new) > third + 3 * (third - first))).all()
    assert forest.predict(new)[-1] == -1
    assert (forest.decision_function(new) == forest.score_samples(new) - forest.offset_).all()


BAD = [
    *({"n_estimators": bad} for bad in (0, -1, 2.0, True, "10", None)),
    *({"max_samples": bad} for bad in (0, 1, 0.5, "auto", None)),
    *({"contamination": bad} for bad in (0.0, 0.51, -0.1, float("nan"), "legacy", None, True)),
]


@pytest.mark.parametrize("changes", BAD, ids=str)
def test_a_parameter_out_of_range_is_named(changes):
    with pytest.raises(ValueError, match=f"{next(iter(changes))}: found .*; expected"):
        small(**changes).fit(np.eye(3))
