"""Sums of a back-test: intervals, the order of kinds, how many names to read, and the document's form."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_builders import backtest

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


@pytest.mark.parametrize("damage", ["", "{}", "[]", "nothing", '{"limits": [0, 1]}'])
def test_what_is_no_such_document_is_refused(damage):
    with pytest.raises((ValueError, KeyError, TypeError)):
        BackTest.from_json(damage.encode())


def test_a_field_too_many_is_refused():
    told = json.loads(backtest().to_json()) | {"more": 1}
    with pytest.raises(TypeError):
        BackTest.from_json(json.dumps(told).encode())


def test_the_headline_says_how_many_names_to_read():
    assert headline(backtest()) == (
        "Of 4 attacks acted out, 50 % (15 to 85) stood above every innocent principal and 100 % (51 to 100) had "
        "at most four above. Nine in ten are met by reading the first 4 names a night."
    )
    assert percent(Share.of(1, 2)) == "50 % (9 to 91)"
