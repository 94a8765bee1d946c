"""Reasons beside the numbers they come from: what would be without them, and since when."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from features.catalogue import FOREST_NAMES
from features.counts import STRANGE
from features.history import surprises
from features.matrix import JUDGED_BY, SUFFIXES, counts_of, rows_of, with_surprises
from pipelines.config import ForestConfig
from pipelines.stages.features import NO_PAST
from pipelines.stages.judge import judge
from pipelines.stages.why import MAX_REASONS, Why

CONFIG = ForestConfig(trees=50, seeds=5)
PEOPLE = [f"p{n:02d}" for n in range(24)]
EVE = PEOPLE[3]


def _days(counts, least=None):
    """principal_days of everybody, from a dictionary of counts by principal and feature."""
    columns = {name: [counts.get(who, {}).get(name, 0) for who in PEOPLE] for name in FOREST_NAMES}
    table = pa.table({"principal": PEOPLE, "type": ["person"] * len(PEOPLE)} | columns)
    if least is None:
        return table
    for suffix in SUFFIXES.values():
        for name in FOREST_NAMES:
            cells = [float(least.get(who, {}).get(name, 0)) for who in PEOPLE]
            table = table.append_column(f"{name}_{suffix}", pa.array(cells, pa.float64()))
    return table.append_column(JUDGED_BY, pa.array([7] * len(PEOPLE), pa.int64()))


def _habits(night):
    dice = np.random.default_rng(night)
    return {who: {"requests": 20 + int(dice.integers(9)), "gets": int(dice.integers(6))} for who in PEOPLE}


QUIET = [_days(_habits(n), {}) for n in range(10)]
THEFT = _habits(99) | {EVE: {"requests": 90, "secret_reads": 41, "distinct_secrets": 40, "gets": 44}}


def _night(counts, past):
    before = pa.concat_tables(past) if past else None
    plain = _days(counts)
    days = with_surprises(plain, surprises(counts_of(plain), NO_PAST if before is None else counts_of(before)))
    scores = judge(rows_of(days), None if before is None else rows_of(before), CONFIG)
    return scores, Why(days, before, scores)


@pytest.fixture(scope="module")
def theft():
    return _night(THEFT, QUIET)


AT = PEOPLE.index(EVE)


def test_the_thief_ranks_first_for_reading_secrets(theft):
    scores, why = theft
    assert scores.score.argmax() == AT
    assert {reason["feature"] for reason in why.reasons(AT)[:2]} == {"secret_reads", "distinct_secrets"}


def test_shares_of_a_row_sum_to_one_and_reasons_hold_the_largest(theft):
    scores, why = theft
    shares = scores.shares()[AT]
    assert shares.sum() == pytest.approx(1)
    assert [r["share"] for r in why.reasons(AT)] == sorted((r["share"] for r in why.reasons(AT)), reverse=True)
    assert len(why.reasons(AT)) <= MAX_REASONS


def test_without_its_reasons_the_thief_falls_or_it_is_said_that_it_does_not(theft):
    _, why = theft
    found = why.counterfactual(AT)
    assert (found["value"], found["instead"]) in {(41, 0), (40, 0)}
    assert found["rank_without_all"] > 10
    assert found["rank"] <= found["rank_without_all"]


def test_what_would_be_otherwise_is_what_the_night_would_have_given(theft):
    """Set the reasons' counts by hand and judge the night anew: the same rank."""
    _, why = theft
    otherwise = THEFT | {EVE: THEFT[EVE] | {r["feature"]: int(r["usual"]) for r in why.reasons(AT)}}
    plain = _days(otherwise)
    before = pa.concat_tables(QUIET)
    days = with_surprises(plain, surprises(counts_of(plain), counts_of(before)))
    first = ForestConfig(trees=50, seeds=1)
    scores = judge(rows_of(days), rows_of(before), first).score
    assert 1 + (scores > scores[AT]).sum() == why.counterfactual(AT)["rank_without_all"]


def test_a_calm_principal_has_neither_reason_nor_run():
    _, why = _night({who: {} for who in PEOPLE}, QUIET)
    assert (why.reasons(0), why.counterfactual(0), why.strange_nights(0)) == ([], None, 0)


@pytest.mark.parametrize("before", [0, 1, 3])
def test_strange_nights_are_counted_back_to_the_last_calm_one(before):
    strange = {EVE: dict.fromkeys(FOREST_NAMES, STRANGE + 1)}
    calm_between = [*QUIET[:4], _days(THEFT, strange), *QUIET[4:]]
    past = [*calm_between, *[_days(THEFT, strange) for _ in range(before)]]
    _, why = _night(THEFT, past)
    assert why.strange_nights(AT) == before + 1


def test_the_interval_holds_the_ranks_of_all_forests_and_rarity_grows_with_the_score(theft):
    scores, _ = theft
    assert (scores.low[AT], scores.high[AT]) == (1, 1)
    assert (scores.low <= scores.high).all()
    assert scores.one_in[AT] == len(PEOPLE) * len(QUIET) + 1
    order = np.argsort(scores.first(scores.rows))
    assert (np.diff(scores.one_in[order]) >= 0).all()


def test_more_forests_change_no_earlier_one():
    few, many = (judge(*_rows(), ForestConfig(trees=20, seeds=n)) for n in (1, 3))
    assert (many.low <= few.low).all()
    assert (few.high <= many.high).all()
    assert few.aws.tolist() == many.aws.tolist()


def _rows():
    dice = np.random.default_rng(0)
    return dice.random((12, 4)), dice.random((60, 4))


def test_without_a_history_there_is_no_rarity():
    assert np.isnan(judge(_rows()[0], None, CONFIG).one_in).all()


def test_the_largest_seed_has_successors():
    assert judge(*_rows(), ForestConfig(trees=5, seeds=3, seed=2**32 - 1)).score.shape == (12,)
