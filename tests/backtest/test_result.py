"""Sums of a back-test: intervals, the order of kinds, how many names to read, and the document's form."""

from __future__ import annotations

import json

import pytest
from e2e.world import LAST
from hypothesis import given
from hypothesis import strategies as st
from report_builders import backtest

from pipelines.backtest.cases import Case, Impossible
from pipelines.backtest.cluster import Actor
from pipelines.backtest.evaluate import Asked, Evaluated, Outcome
from pipelines.backtest.everything import KINDS
from pipelines.backtest.result import summed_up
from pipelines.backtest.standing import Standing
from pipelines.config import Config
from pipelines.report.backtest import LIMITS, BackTest, Group, Share, headline, percent


@pytest.mark.parametrize(
    ("found", "cases", "low", "high"),
    # Wilson's intervals as published tables have them
    [
        (0, 10, 0.0, 0.2775),
        (5, 10, 0.2366, 0.7634),
        (8, 10, 0.4902, 0.9433),
        (10, 10, 0.7225, 1.0),
        (1, 1, 0.2065, 1.0),
    ],
)
def test_intervals_are_wilsons(found, cases, low, high):
    share = Share.of(found, cases)
    assert (share.low, share.high) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_an_interval_holds_its_share_and_stays_a_share(counts):
    share = Share.of(*counts)
    assert 0 <= share.low <= share.share <= share.high <= 1


def test_shares_count_cases_with_so_many_innocents_above():
    group = Group.of([0, 0, 1, 3, 5, 12], "shells")
    assert [share.found for share in group.within] == [2, 3, 4, 5]
    assert LIMITS == (0, 2, 4, 9)


def test_the_weaker_group_is_the_one_that_misses_more_within_five_names():
    weak, strong = Group.of([0, 0, 9], "a"), Group.of([3, 3, 3], "b")
    assert weak.strength < strong.strength


def test_a_document_reads_as_it_was_written():
    found = backtest()
    assert BackTest.from_json(found.to_json().encode()) == found
    assert found.to_json().isascii()


@pytest.mark.parametrize("damage", ["", "{}", "[]", "null", "5", "nothing", '{"limits": [0, 1]}', '{"limits": null}'])
def test_what_is_no_such_document_is_refused(damage):
    with pytest.raises(ValueError, match=r".+"):
        BackTest.from_json(damage.encode())


@pytest.mark.parametrize(
    "told",
    [
        {"more": 1},
        {"kinds": None},
        {"kinds": [5]},
        {"attacks": {}},
        {"nights": "x"},
        {"notices": [None]},
        {"names_for_90_percent": "many"},
        {"not_possible": [{"kind": 1}]},
    ],
    ids=str,
)
def test_a_field_too_many_or_of_a_wrong_type_is_refused(told):
    with pytest.raises(ValueError, match=rf"(?m)^{next(iter(told))}\b"):
        BackTest.from_json(json.dumps(json.loads(backtest().to_json()) | told).encode())


def test_a_group_without_a_share_for_each_limit_is_refused():
    told = json.loads(backtest().to_json())
    told["attacks"]["within"].pop()
    with pytest.raises(ValueError, match="within"):
        BackTest.from_json(json.dumps(told).encode())


def test_the_headline_says_how_many_names_to_read():
    assert headline(backtest()) == (
        "Of 4 attacks acted out, 50 % (15 to 85) stood above every innocent principal and 100 % (51 to 100) had "
        "at most four above. Nine in ten are met by reading the first 4 names a night."
    )
    assert percent(Share.of(1, 2)) == "50 % (9 to 91)"


def _outcome(kind: str, type_: str, above: int) -> Outcome:
    declared = next(k for k in KINDS if k.name == kind)
    case = Case(declared, type_, Actor("eve", type_, (), (), {}, ()), LAST, "0")
    return Outcome(case, Standing("eve", 1.0, above + 1, 90, above, 89))


def _sum(*outcomes: Outcome, impossible: tuple[Impossible, ...] = (), principals: int = 90) -> BackTest:
    found = Evaluated(list(outcomes), list(impossible), [], {LAST: 7}, {LAST: principals})
    return summed_up(found, Asked([LAST], 1, 0, Config()), "prod", 3)


def test_nine_attacks_in_ten_are_met_by_reading_down_to_the_ninth():
    found = _sum(*(_outcome("shells", "person", above) for above in (0, 7, 0, 0, 3, 0, 0, 0, 0, 0)))
    assert found.names_for_90_percent == 4
    assert _sum(_outcome("shells", "person", 0)).names_for_90_percent == 1


def test_the_weakest_attack_comes_first_and_so_does_the_innocent_that_stands_highest():
    found = _sum(
        _outcome("shells", "person", 0),
        _outcome("stolen-token", "person", 9),
        _outcome("stolen-token", "node", 0),
        _outcome("busy-day", "person", 50),
        _outcome("first-day", "person", 0),
    )
    assert [g.kind for g in found.kinds] == ["stolen-token", "shells"]
    assert [g.type for g in found.types] == ["person", "node"]
    assert (found.cells[0].kind, found.cells[0].type) == ("stolen-token", "person")
    assert [g.kind for g in found.innocents] == ["first-day", "busy-day"]
    assert found.attacks.cases == 3


def test_what_was_not_possible_is_summed_by_its_reason():
    one = Impossible("shells", "person", LAST, "no pod")
    found = _sum(impossible=(one, one, Impossible("shells", "node", LAST, "no node")), principals=9)
    assert [(row.type, row.cases, row.reason) for row in found.not_possible] == [
        ("node", 1, "no node"),
        ("person", 2, "no pod"),
    ]
    assert found.attacks is None
    assert found.notices == (f"{LAST} has 9 principals: hardly anybody can stand above anybody",)
