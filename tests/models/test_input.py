"""Unusable cells are named by column and row; columns must be the fitted ones."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models.reference import ReferenceForest

METHODS = ["fit", "fit_predict", "codisp", "score_samples", "decision_function", "predict"]
BAD = {"NaN": np.nan, "inf": np.inf, "-inf": -np.inf, "1e+308": 1e308, "-1e+308": -1e308, "1.1e+30": 1.1e30}
NAMES = ["secret_reads", "pods_deleted", "distinct_verbs"]


def frame(rows=12):
    return pd.DataFrame(np.random.default_rng(0).normal(size=(rows, 3)), columns=NAMES)


@pytest.fixture
def forest():
    return ReferenceForest(n_estimators=3, random_state=0).fit(frame())


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
        ReferenceForest().fit(x)


def test_the_largest_allowed_cells_give_finite_scores():
    x = np.vstack([frame().to_numpy() * 1e29, [[1e30, -1e30, 1e30]]])
    forest = ReferenceForest(n_estimators=3, random_state=0).fit(x)
    assert np.isfinite(forest.codisp(-x)).all()


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
    bare = ReferenceForest(n_estimators=3, random_state=0).fit(frame().to_numpy())
    assert bare.codisp(frame().to_numpy()).tobytes() == forest.codisp(frame()).tobytes()
