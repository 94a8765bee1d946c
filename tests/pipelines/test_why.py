"""Reasons beside the numbers they come from: what would be without them, and since when."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from report_builders import ranked, reason

from features.catalogue import FOREST_NAMES
from features.counts import STRANGE
from features.history import surprises
from features.matrix import JUDGED_BY, SUFFIXES, counts_of, rows_of, with_surprises
from models.rank import ranks
from pipelines.config import ForestConfig
from pipelines.report.model import Counterfactual
from pipelines.report.sentences import FIRST, otherwise
from pipelines.stages.features import NO_PAST
from pipelines.stages.judge import First, Scores, first, judge
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


class Judged(NamedTuple):
    first: First
    scores: Scores
    why: Why
    otherwise: dict[int, Any]


def _night(counts, past, config=CONFIG):
    before = pa.concat_tables(past) if past else None
    plain = _days(counts)
    days = with_surprises(plain, surprises(counts_of(plain), NO_PAST if before is None else counts_of(before)))
    one = first(rows_of(days), None if before is None else rows_of(before), config)
    why = Why(days, before, one)
    scores = judge(one, why.otherwise)
    return Judged(one, scores, why, why.counterfactuals(scores))


@pytest.fixture(scope="module")
def theft():
    return _night(THEFT, QUIET)


AT = PEOPLE.index(EVE)


def test_the_thief_ranks_first_for_reading_secrets(theft):
    assert theft.scores.score.argmax() == AT
    assert {reason["feature"] for reason in theft.why.reasons(AT)[:2]} == {"secret_reads", "distinct_secrets"}


def test_shares_of_a_row_sum_to_one_and_reasons_hold_the_largest(theft):
    shares, reasons = theft.first.shares[AT], theft.why.reasons(AT)
    assert shares.sum() == pytest.approx(1)
    assert [r["share"] for r in reasons] == sorted((r["share"] for r in reasons), reverse=True)
    assert len(reasons) <= MAX_REASONS


def test_without_its_reasons_the_thief_falls_or_it_is_said_that_it_does_not(theft):
    found = theft.otherwise[AT]
    assert (found["value"], found["instead"]) in {(41, 0), (40, 0)}
    assert found["rank_without_all"] > 10
    assert found["rank"] <= found["rank_without_all"]


def _anew(counts, past, who, reasons, config):
    """Score of a principal on the night with its reasons' counts as usual, judged from the beginning."""
    plain, before = _days(counts), pa.concat_tables(past)
    judged = surprises(counts_of(plain), counts_of(before))
    at, usual = PEOPLE.index(who), dict(counts[who])
    for told in reasons:
        column = FOREST_NAMES.index(told["feature"])
        middle = [judged.usual[at, column], judged.peers_usual.median[at, column], 0.0]
        known = next(m for m in middle if not np.isnan(m))
        usual[told["feature"]] = min(int(known), told["value"])
    other = _days(counts | {who: usual})
    days = with_surprises(other, surprises(counts_of(other), counts_of(before)))
    scores = judge(first(rows_of(days), rows_of(before), config)).score
    return scores[at]


def _sentences_hold(counts, past, config):
    """Of everybody among the first ten: without its reasons it falls out of them, or the report says where it stays."""
    night = _night(counts, past, config)
    place = ranks(night.scores.score)
    found = surprises(counts_of(_days(counts)), counts_of(pa.concat_tables(past)))
    three = (found.own, found.peers, found.cluster)
    for at in np.flatnonzero(place <= FIRST):
        reasons = night.why.reasons(at)
        if not reasons:
            # nothing of it is above what is usual, and the page says that no feature stands out
            assert at not in night.otherwise
            continue
        assert all(r["usual"] is None or r["value"] > r["usual"] for r in reasons)
        of_three = [FOREST_NAMES.index(r["feature"]) for r in reasons]
        assert [r["surprise"] for r in reasons] == np.min([each[at, of_three] for each in three], axis=0).tolist()
        score = _anew(counts, past, PEOPLE[at], reasons, config)
        rank = 1 + int((np.delete(night.scores.score, at) > score).sum())
        instead = night.otherwise[at]
        assert (instead["rank_without_all"], instead["score_without_all"]) == (rank, score)
        row = ranked(
            score=float(night.scores.score[at]),
            reasons=tuple(reason(feature=r["feature"]) for r in reasons),
            counterfactual=Counterfactual(unit="requests", **instead),
        )
        assert f"till rank {rank}" in otherwise(row) if rank <= FIRST else f"rank {rank}." in otherwise(row)


def test_reasons_of_the_night_of_a_theft_do_not_contradict_its_numbers():
    _sentences_hold(THEFT, QUIET, CONFIG)


_STRANGE = st.dictionaries(
    st.sampled_from(PEOPLE[:12]),
    st.dictionaries(st.sampled_from(FOREST_NAMES), st.integers(1, 60), min_size=1, max_size=9),
    max_size=8,
)


@settings(max_examples=8, deadline=None)
@given(_STRANGE, st.integers(1, 6))
@example({who: dict.fromkeys(FOREST_NAMES[n :: 9 + n], 1 + n) for n, who in enumerate(PEOPLE[:6])}, 6)
def test_reasons_never_contradict_the_numbers(strange, nights):
    usual = _habits(99)
    counts = {who: usual.get(who, {}) | strange.get(who, {}) for who in PEOPLE}
    _sentences_hold(counts, QUIET[:nights], ForestConfig(trees=20, seeds=3))


def test_a_calm_principal_has_neither_reason_nor_run():
    night = _night({who: {} for who in PEOPLE}, QUIET)
    assert (night.why.reasons(0), night.otherwise, night.why.strange_nights(0)) == ([], {}, 0)


@pytest.mark.parametrize("before", [0, 1, 3])
def test_strange_nights_are_counted_back_to_the_last_calm_one(before):
    strange = {EVE: dict.fromkeys(FOREST_NAMES, STRANGE + 1)}
    calm_between = [*QUIET[:4], _days(THEFT, strange), *QUIET[4:]]
    past = [*calm_between, *[_days(THEFT, strange) for _ in range(before)]]
    assert _night(THEFT, past).why.strange_nights(AT) == before + 1


def test_the_interval_holds_the_ranks_of_all_forests_and_rarity_grows_with_the_score(theft):
    scores, one = theft.scores, theft.first
    assert (scores.low[AT], scores.high[AT]) == (1, 1)
    assert (scores.low <= scores.high).all()
    assert one.one_in[AT] == len(PEOPLE) * len(QUIET) + 1
    assert (np.diff(one.one_in[np.argsort(one.score)]) >= 0).all()


def test_more_forests_change_no_earlier_one():
    few, many = (judge(first(*_rows(), ForestConfig(trees=20, seeds=n))) for n in (1, 3))
    assert (many.low <= few.low).all()
    assert (few.high <= many.high).all()


def test_rows_that_are_asked_about_besides_change_no_score():
    one, further = first(*_rows(), CONFIG), np.random.default_rng(1).random((3, 4))
    alone, together = judge(one), judge(one, further)
    assert together.score.tolist() == alone.score.tolist()
    assert together.further.tolist() == judge(first(further, _rows()[1], CONFIG)).score.tolist()


def _rows():
    dice = np.random.default_rng(0)
    return dice.random((12, 4)), dice.random((60, 4))


def test_without_a_history_there_is_no_rarity():
    assert np.isnan(first(_rows()[0], None, CONFIG).one_in).all()


def test_the_largest_seed_has_successors():
    assert judge(first(*_rows(), ForestConfig(trees=5, seeds=3, seed=2**32 - 1))).score.shape == (12,)
