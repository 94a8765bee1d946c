"""Confirmed attacks are known, but no part of what later nights are compared with."""

from __future__ import annotations

from datetime import date, timedelta

import pyarrow as pa

from features.counts import STRANGE
from features.history import surprises
from features.matrix import JUDGED_BY, counts_of, rows_of, with_surprises
from pipelines.decoded import Derived
from pipelines.stages.history import History, PastNight
from pipelines.stages.judge import first, judge
from pipelines.stages.why import Why
from tests.pipelines.test_why import AT, CONFIG, EVE, PEOPLE, QUIET, THEFT, _days

FIRST = date(2026, 9, 6)
STOLEN = _days(THEFT, {EVE: {"secret_reads": STRANGE + 1}})


def _history(*tables: pa.Table, confirmed: dict[int, dict[str, str]]) -> History:
    """Nights of these rows, some of them confirmed as attacks, each with one item a principal."""
    items = pa.table({"principal": PEOPLE, "item": [f"secret of {who}" for who in PEOPLE]})
    return History(
        tuple(
            PastNight(
                FIRST + timedelta(days=nth),
                Derived(table.drop_columns([JUDGED_BY]), {"history_nights": 2}, f"days {nth}"),
                Derived(items, {}, f"items {nth}"),
                confirmed.get(nth, {}),
            )
            for nth, table in enumerate(tables)
        ),
        (),
    )


def test_a_confirmed_night_of_a_principal_is_no_row_and_no_item_of_the_baseline():
    past = _history(STOLEN, QUIET[0], confirmed={0: {EVE: "mark 1"}})
    assert past.days.num_rows == past.items.num_rows == past.seen.num_rows - 1 == 2 * len(PEOPLE) - 1
    assert past.days["principal"].to_pylist().count(EVE) == past.items["principal"].to_pylist().count(EVE) == 1
    assert past.days["secret_reads"].to_pylist().count(41) == 0
    assert past.confirmed == ["mark 1"]
    assert past.origin == _history(STOLEN, QUIET[0], confirmed={}).origin


def test_without_a_mark_the_baseline_is_all_that_was_seen():
    past = _history(STOLEN, QUIET[0], confirmed={})
    assert past.days.equals(past.seen)
    assert past.confirmed == []


def test_where_every_row_of_the_past_is_a_confirmed_attack_there_is_no_past():
    past = _history(STOLEN, confirmed={0: dict.fromkeys(PEOPLE, "mark")})
    assert (past.days, past.items) == (None, None)
    assert past.seen.num_rows == len(PEOPLE)


def _scored(confirmed: dict[int, dict[str, str]]) -> tuple[float, Why]:
    """Eve's score and everybody's reasons on the second night of her theft; the first was learnt: judged by two."""
    past = _history(*QUIET[:3], STOLEN, confirmed=confirmed)
    plain = _days(THEFT)
    days = with_surprises(plain, surprises(counts_of(plain), counts_of(past.days)))
    one = first(rows_of(days), rows_of(past.days), CONFIG)
    why = Why(days, past.days, one, past.seen if past.confirmed else None)
    return float(judge(one, why.otherwise).score[AT]), why


def test_what_was_confirmed_is_as_strange_again_and_known_to_have_been_there():
    learnt, before = _scored({})
    unlearnt, why = _scored({3: {EVE: "mark"}})
    assert unlearnt > 1.2 * learnt
    usual = {r["feature"]: r["usual_high"] for r in why.reasons(AT)}
    assert usual["secret_reads"] == 0
    assert {r["feature"]: r["usual_high"] for r in before.reasons(AT)}["secret_reads"] == 41
    assert why.nights.tolist() == before.nights.tolist() == [4] * len(PEOPLE)
    assert why.strange_nights(AT) == 2


def test_confirmed_rows_of_one_principal_change_what_others_are_compared_with():
    """Its peers and the cluster have not seen 41 secrets either."""
    days = _days({**THEFT, PEOPLE[0]: {"secret_reads": 2}})
    found = {
        name: surprises(counts_of(days), counts_of(_history(*QUIET[:3], STOLEN, confirmed=marks).days))
        for name, marks in (("learnt", {}), ("confirmed", {3: {EVE: "mark"}}))
    }
    at = list(days.column_names).index("secret_reads") - 2
    for part in ("own", "peers", "cluster"):
        assert getattr(found["confirmed"], part)[0, at] > getattr(found["learnt"], part)[0, at]
