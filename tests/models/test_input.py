"""Unusable cells are named by column and row; columns must be the fitted ones."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models import RandomCutForest
from models.engines import ENGINES
from models.trees import check

METHODS = ["fit", "fit_predict", "codisp", "score_samples", "aws_score", "attribute", "decision_function", "predict"]
BAD = {"NaN": np.nan, "inf": np.inf, "-inf": -np.inf, "1e+308": 1e308, "-1e+308": -1e308, "1.1e+30": 1.1e30}
NAMES = ["secret_reads", "pods_deleted", "distinct_verbs"]


def frame(rows=12):
    return pd.DataFrame(np.random.default_rng(0).normal(size=(rows, 3)), columns=NAMES)


def new(engine="compiled"):
    return RandomCutForest(n_estimators=3, engine=engine, random_state=0)


@pytest.fixture(params=ENGINES)
def forest(request):
    return new(request.param).fit(frame())


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("found", "bad"), BAD.items(), ids=BAD)
def test_an_unusable_cell_is_named_by_column_and_row(forest, method, found, bad):
    x = frame()
    x.loc[7, "pods_deleted"] = bad
    said = f"column 'pods_deleted', row 7: found {found}; expected".replace("+", r"\+")
    with pytest.raises(ValueError, match=said):
        getattr(forest, method)(x)


def test_a_column_without_a_name_is_named_by_its_position():
    x = frame().to_numpy(copy=True)
    x[7, 1] = np.nan
    with pytest.raises(ValueError, match="column 1, row 7: found NaN"):
        new().fit(x)


EXTREMES = {
    "largest": np.vstack([frame().to_numpy() * 1e29, [[1e30, -1e30, 1e30]]]),
    "denormal": frame().to_numpy() * 1e-310,
    "smallest": np.array([[0.0, 0.0], [5e-324, 0.0], [0.0, 5e-324]]),
    "far_apart": np.array([[0.0, 1.0], [1e-30, 1.0], [1e30, 1.0 + 2**-52], [-1e30, 1.0]]),
    "neighbours": 1 + 2.0**-52 * np.arange(6.0).reshape(6, 1),
    "one_far_row": np.vstack([frame().to_numpy(), [[1e12, 1e12, 1e12]]]),
    "two_equal": np.ones((2, 3)),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("x", EXTREMES.values(), ids=EXTREMES)
def test_extreme_cells_give_finite_scores_that_their_shares_sum_to(engine, x):
    forest = new(engine).fit(x)
    check(forest.trees_)
    for asked in (x, -x, np.full_like(x, 1e30), np.zeros_like(x), x + 5e-324):
        scores = forest.codisp(asked)
        assert np.isfinite(scores).all()
        assert np.isfinite(forest.aws_score(asked)).all()
        np.testing.assert_allclose(forest.attribute(asked).sum(axis=(1, 2)), scores, rtol=1e-5)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("exponent", [-20, -55, -62, -120, -130, -300, -1074])
def test_a_cell_that_is_next_to_nothing_away_has_finite_shares(engine, exponent):
    x = np.random.default_rng(0).poisson(0.4, size=(60, 3)).astype(float)
    forest = new(engine).fit(x)
    asked = np.where(x == 0, 2.0**exponent, x)
    np.testing.assert_allclose(forest.attribute(asked).sum(axis=(1, 2)), forest.codisp(asked), rtol=1e-5)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("x", "said"),
    {
        "one_row": (np.ones((1, 3)), "1 sample"),
        "no_row": (np.ones((0, 3)), "0 sample"),
        "no_column": (np.ones((3, 0)), "0 feature"),
        "one_dimension": (np.ones(3), "2D array"),
        "three_dimensions": (np.ones((3, 3, 3)), "dim 3"),
        "text": ([["a"], ["b"]], "could not convert"),
        "complex": (np.ones((3, 3)) * 1j, "Complex"),
    }.values(),
    ids=["one_row", "no_row", "no_column", "one_dimension", "three_dimensions", "text", "complex"],
)
def test_a_table_of_another_shape_is_refused(engine, x, said):
    with pytest.raises(ValueError, match=said):
        new(engine).fit(x)


@pytest.mark.parametrize("engine", ENGINES)
def test_no_finite_table_crashes_the_engine(engine):
    rng = np.random.default_rng(1)
    for _ in range(60):
        height, width = rng.integers(2, 20), rng.integers(1, 12)
        x = rng.choice([0.0, 1.0, -1.0, 1e30, 1e-320, 1 + 2**-52, 2.0**-150, rng.normal()], size=(height, width))
        forest = new(engine).fit(x)
        check(forest.trees_)
        assert np.isfinite(forest.attribute(rng.permutation(x, axis=1))).all()


def test_a_forest_takes_any_layout_and_number_type_of_a_table(forest):
    x = frame().to_numpy(copy=True)
    expected = forest.codisp(frame()).tobytes()
    frozen = x.copy()
    frozen.flags.writeable = False
    for same in (np.asfortranarray(x), frozen, x.astype(">f8"), np.repeat(x, 2, axis=0)[::2], x.astype(object)):
        bare = new(forest.engine).fit(same)
        assert bare.codisp(same).tobytes() == expected


@pytest.mark.parametrize("method", METHODS[2:])
@pytest.mark.parametrize(
    "change",
    [
        lambda x: x.rename(columns={"pods_deleted": "pods_created"}),
        lambda x: x[NAMES[::-1]],
        lambda x: x.assign(more=0.0),
        lambda x: x.drop(columns="pods_deleted"),
    ],
    ids=["renamed", "reordered", "one_more", "one_less"],
)
def test_other_columns_than_the_fitted_are_refused(forest, method, change):
    with pytest.raises(ValueError, match="feature names should match"):
        getattr(forest, method)(change(frame()))


def test_column_names_are_kept_and_change_no_score(forest):
    assert forest.feature_names_in_.tolist() == NAMES
    bare = new(forest.engine).fit(frame().to_numpy())
    assert bare.codisp(frame().to_numpy()).tobytes() == forest.codisp(frame()).tobytes()
