"""Both engines on the same trees: by hand, against each other, and against rrcf's own insertions."""

from __future__ import annotations

import numpy as np
import pytest
from trees_by_hand import BESIDE, BY_HAND, asked, five

from models import RandomCutForest
from models.engines import ENGINES, engine
from models.placement import Placement
from models.reference.grow import CutState, rrcf

KIND = {"compiled": np.float32, "rrcf": np.float64}


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize(("row", "outside", "codisp", "shares", "away"), BY_HAND.values(), ids=BY_HAND)
def test_the_tree_of_five_points_is_as_worked_by_hand(name, row, outside, codisp, shares, away):
    made_by, kind = engine(name), KIND[name]
    exact = {"rel": 1e-15 if name == "rrcf" else 1e-7, "abs": 1e-7}
    placed = asked(row, outside, kind)
    assert made_by.codisp(five(kind), placed, 1)[0] == pytest.approx(float(codisp), **exact)
    found = made_by.attribute(five(kind), placed, 1)
    assert found[0, :2].ravel().tolist() == pytest.approx([float(share) for share in shares], **exact)
    assert found[0, BESIDE, 1] == pytest.approx(float(away), **exact)
    assert found[0, BESIDE, 0] == 0
    assert not found[0, BESIDE + 1 :].any()


def test_the_compiled_walk_says_what_the_plain_walk_says_of_the_same_trees(shape):
    rows, new = shape
    forest = RandomCutForest(20, 64, random_state=0).fit(rows)
    placed = forest.placement_.place(np.vstack([rows, new, 10 * new]))
    compiled, plain = engine("compiled"), engine("rrcf")
    for method in ("codisp", "aws_score"):
        found, expected = (getattr(made_by, method)(forest.trees_, placed, 1) for made_by in (compiled, plain))
        np.testing.assert_allclose(found, expected, rtol=1e-6)
    found, expected = (made_by.attribute(forest.trees_, placed, 1) for made_by in (compiled, plain))
    apart = np.abs(found - expected).sum(axis=(1, 2))
    assert (apart <= 1e-5 * np.maximum(compiled.codisp(forest.trees_, placed, 1), 1)).all()


def test_both_engines_grow_trees_of_one_distribution():
    rows = np.random.default_rng(8).exponential(size=(120, 5))
    new = np.vstack([rows[:30], 3 * np.random.default_rng(9).exponential(size=(30, 5))])
    found = [RandomCutForest(200, 64, engine=name, random_state=1).fit(rows).codisp(new) for name in ENGINES]
    apart = found[0] / found[1] - 1
    assert abs(apart.mean()) < 0.02
    assert np.abs(apart).max() < 0.35


def _inserted(tree, x, times):
    """CoDisp of x after each of many insertions, the tree left as it was."""
    found = np.empty(times)
    for k in range(times):
        tree.insert_point(x, index="new")
        found[k] = tree.codisp("new")
        tree.forget_point("new")
    return found


@pytest.mark.parametrize("name", ENGINES)
def test_the_expectation_is_the_mean_of_rrcf_insertions(shape, name):
    rows, new = shape
    # rrcf does not round what it is asked about, so it is given what the engine makes of the rows
    made_by = engine(name)
    placement = Placement.of(rows, whole=made_by.WHOLE)
    rows, new = (placement.take_back(placement.place(x)) for x in (rows, new))
    new[:, placement.constant] += np.random.default_rng(0).integers(0, 2, size=(len(new), len(placement.constant)))
    for seed in (0, 1):
        tree = rrcf.RCTree(rows, index_labels=np.arange(len(rows)), precision=15, random_state=CutState(seed))
        expected = RandomCutForest.from_rrcf([tree], engine=name).codisp(new)
        for x, value in zip(new, expected, strict=True):
            drawn = _inserted(tree, x, 500)
            error = drawn.std(ddof=1) / np.sqrt(len(drawn))
            # 64 means are compared, and a rare outcome may be missing from the draws: hence 5, and a floor
            assert abs(drawn.mean() - value) <= 5 * error + 0.02 * value


def test_an_unknown_engine_is_named():
    with pytest.raises(ValueError, match="engine: found 'numba'; expected one of 'compiled', 'rrcf'"):
        engine("numba")
