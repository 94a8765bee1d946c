"""Shares sum to the score, name what was planted, and agree with counted insertions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models import RandomCutForest
from models.engines import ENGINES
from models.explain import product_shares
from models.reference.grow import rrcf

every_engine = pytest.mark.parametrize("engine", ENGINES)


@every_engine
def test_shares_are_not_negative_and_sum_to_the_score(shape, engine):
    rows, new = shape
    forest = RandomCutForest(20, 64, engine=engine, random_state=0).fit(rows)
    asked = np.vstack([rows, new, 100 * new])
    shares = forest.attribute(asked)
    assert shares.shape == (*asked.shape, 2)
    assert (shares >= 0).all()
    np.testing.assert_allclose(shares.sum(axis=(1, 2)), forest.codisp(asked), rtol=1e-5)


@every_engine
def test_a_planted_cell_has_most_of_the_score_on_its_side(engine):
    rows = np.random.default_rng(1).normal(size=(300, 12))
    forest = RandomCutForest(50, 128, engine=engine, random_state=0).fit(rows)
    usual = np.zeros((2, 12))
    usual[0, 3], usual[1, 7] = 9.0, -9.0
    shares = forest.attribute(usual)
    whole = shares.sum(axis=(1, 2))
    assert shares[0, 3, 1] > 0.8 * whole[0]
    assert shares[1, 7, 0] > 0.8 * whole[1]


@every_engine
def test_a_cell_outside_a_constant_column_has_its_share(engine):
    rows = np.random.default_rng(1).normal(size=(300, 4))
    rows[:, 2] = 5.0
    forest = RandomCutForest(50, 128, engine=engine, random_state=0).fit(rows)
    asked = np.zeros((2, 4))
    asked[:, 2] = [5.0 + 30.0, 5.0 - 30.0]
    shares = forest.attribute(asked)
    np.testing.assert_allclose(shares.sum(axis=(1, 2)), forest.codisp(asked), rtol=1e-5)
    assert shares[0, 2, 1] > 0.9 * shares[0].sum()
    assert shares[1, 2, 0] > 0.9 * shares[1].sum()


def _counted(tree, x, times, width):
    """Mean shares over rrcf's own insertions: to the new cut's column, or to the cut that decides."""
    shares = np.zeros((width, 2))
    for _ in range(times):
        leaf = tree.insert_point(x, index="new")
        node, best, deciding = leaf, -1.0, None
        while node.u is not None:
            sibling = node.u.r if node is node.u.l else node.u.l
            here = sibling.n / node.n
            # upwards: an ancestor decides over the new cut when equal, the nearest of ancestors among them
            if here > best or (here == best and deciding is leaf):
                best, deciding = here, node
            node = node.u
        shares[deciding.u.q, int(deciding is deciding.u.r)] += best
        tree.forget_point("new")
    return shares / times


@every_engine
@pytest.mark.parametrize("make", ["gaussian", "integers"])
def test_shares_are_the_mean_over_rrcf_insertions(engine, make):
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(64, 3)) if make == "gaussian" else rng.integers(0, 5, size=(64, 3)).astype(float)
    rows = np.unique(np.rint(8 * rows) / 8, axis=0)
    tree = rrcf.RCTree(rows, random_state=3)
    forest = RandomCutForest.from_rrcf([tree], engine=engine)
    for x in ([3.0, 0.0, 0.0], [4.5, -2.0, 6.0], [0.0625, 0.5625, -0.3125]):
        row = np.array(x)
        shares, counted = forest.attribute(row[None])[0], _counted(tree, row, 1500, 3)
        # a counted insertion gives all to the column it drew; the closed form shares it by the chances
        assert np.abs(shares - counted).sum() < 0.1 * shares.sum()


def frame():
    return pd.DataFrame(np.random.default_rng(0).normal(size=(60, 3)), columns=["reads", "writes", "hours"])


@every_engine
def test_a_counterfactual_is_the_score_of_the_changed_row(engine):
    x = frame()
    forest = RandomCutForest(20, 32, engine=engine, random_state=0).fit(x)
    asked = x.copy()
    asked.loc[4, ["reads", "hours"]] = [8.0, 7.0]
    back = asked.copy()
    back.loc[4, "reads"] = 0.5
    found = forest.counterfactual(asked, 4, {"reads": 0.5})
    assert found == forest.codisp(back)[4]
    assert found < forest.codisp(asked)[4]
    assert forest.counterfactual(asked, 4, {}) == forest.codisp(asked)[4]
    assert forest.counterfactual(asked, -1, {"reads": 2.0}) == forest.counterfactual(asked, 59, {"reads": 2.0})
    assert asked.loc[4, "reads"] == 8.0


def test_a_counterfactual_without_names_goes_by_position():
    x = frame().to_numpy()
    forest = RandomCutForest(20, 32, random_state=0).fit(x)
    back = x.copy()
    back[3, 2] = 1.5
    assert forest.counterfactual(x, 3, {2: 1.5}) == forest.codisp(back)[3]


@pytest.mark.parametrize(
    ("i", "changes", "said"),
    [
        (60, {}, "row: found 60; expected a position in 60 rows"),
        (-61, {}, "row: found -61"),
        (0, {"deletes": 1.0}, "changes: found feature 'deletes'; expected one of the fitted names"),
        (0, {0: 1.0}, "changes: found feature 0; expected one of the fitted names"),
        (0, {"reads": float("nan")}, "column 'reads', row 0: found NaN"),
        (0, {"reads": 1e31}, "column 'reads', row 0: found 1e"),
        (0, {"reads": 10**400}, "changes: found a number beyond any float for feature 'reads'"),
        ("r0", {}, "row: found 'r0'; expected a position"),
        (True, {}, "row: found True; expected a position"),
        (0, {"reads": "many"}, "changes: found 'many' for feature 'reads'; expected a number"),
    ],
)
def test_an_impossible_counterfactual_is_named(i, changes, said):
    forest = RandomCutForest(3, 32, random_state=0).fit(frame())
    with pytest.raises(ValueError, match=said):
        forest.counterfactual(frame(), i, changes)


def test_an_unknown_position_is_named():
    forest = RandomCutForest(3, 32, random_state=0).fit(frame().to_numpy())
    with pytest.raises(ValueError, match="changes: found feature 3; expected 0 to 2"):
        forest.counterfactual(frame().to_numpy(), 0, {3: 1.0})


@settings(deadline=None)
@given(
    arrays(np.float64, (3, 4), elements=st.integers(0, 5).map(float)),
    arrays(np.float64, (3, 4), elements=st.integers(0, 5).map(float)),
)
def test_shares_of_codisp_times_norm_sum_to_one_or_are_nothing(codisp_shares, x):
    shares = product_shares(codisp_shares, x)
    product = codisp_shares.sum(axis=1) * np.sqrt((x**2).sum(axis=1))
    np.testing.assert_allclose(shares.sum(axis=1), product > 0)
    assert (shares >= 0).all()


def test_shares_of_codisp_times_norm_are_the_mean_of_the_factors_shares():
    shares = product_shares(np.array([[1.0, 3.0, 0.0]]), np.array([[4.0, 0.0, 3.0]]))
    np.testing.assert_allclose(shares, [[(1 / 4 + 16 / 25) / 2, 3 / 4 / 2, 9 / 25 / 2]])


def test_a_row_alone_has_the_shares_it_has_in_a_batch():
    x = np.zeros((20, 30))
    x[:, 0] = np.random.default_rng(0).normal(size=20)
    forest = RandomCutForest(20, 16, random_state=0).fit(x)
    asked = 10.0 ** np.random.default_rng(1).uniform(-12, 0, size=(40, 30))
    alone = np.vstack([forest.attribute(asked[k : k + 1]) for k in range(40)])
    assert forest.attribute(asked).tobytes() == alone.tobytes()
