"""What of all marks holds on a night, and which nights are confirmed attacks."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations

import pytest
from mark_builders import EVE, NIGHT, mark, named

from pipelines.marking.holding import confirmed, holding
from pipelines.marking.record import CONFIRMED, EXPECTED, INVESTIGATING, NONE, STATES, written

NEXT = NIGHT + timedelta(days=1)
LATER = NIGHT + timedelta(days=11)


def held(*marks, on=NIGHT):
    """What holds of Eve, in whichever order the marks are read."""
    each = [holding([written(one)[0] for one in order], on).get(EVE) for order in permutations(marks)]
    assert all(one == each[0] for one in each)
    return each[0]


def test_a_mark_holds_from_its_night_to_its_last():
    nights = {on: held(mark(), on=NIGHT + timedelta(days=on)) for on in (-1, 0, 10, 11)}
    assert nights[-1] is None
    assert [nights[on].ended for on in (0, 10, 11)] == [False, False, True]


@pytest.mark.parametrize("state", [INVESTIGATING, CONFIRMED])
def test_of_what_never_stood_apart_no_end_is_told(state):
    assert held(mark(state), on=LATER) is None


def test_a_later_mark_of_the_same_scope_takes_the_place_of_an_earlier_one():
    found = held(mark(features=named("gets")), mark(INVESTIGATING, 1, features=named("gets")))
    assert [one.state for one in found.marks] == [INVESTIGATING]
    other = held(mark(features=named("gets")), mark(INVESTIGATING, 1, features=named("lists")))
    assert [one.state for one in other.marks] == [EXPECTED, INVESTIGATING]
    assert (other.mark.state, other.expected) == (INVESTIGATING, ())


def test_a_mark_that_was_superseded_does_not_return_when_the_later_one_ends():
    assert held(mark(until=LATER), mark(INVESTIGATING, 1), on=LATER) is None


def test_a_mark_is_taken_back_by_none_and_so_is_only_its_scope():
    assert held(mark(), mark(CONFIRMED, 1), mark(NONE, 2)) is None
    assert held(mark(), mark(NONE, 1), mark(INVESTIGATING, 2)).mark.state == INVESTIGATING
    kept = held(
        mark(features=named("gets")), mark(minute=1, features=named("lists")), mark(NONE, 2, features=named("gets"))
    )
    assert [one.scope for one in kept.marks] == [{"lists"}]


def test_what_is_taken_back_on_a_later_night_holds_on_the_earlier_ones():
    marks = (mark(), mark(NONE, 1, night=NEXT))
    assert held(*marks).mark.state == EXPECTED
    assert held(*marks, on=NEXT) is None


def test_of_marks_made_at_one_moment_the_more_careful_counts():
    assert held(*(mark(state) for state in STATES)).mark.state == CONFIRMED
    assert STATES == (NONE, EXPECTED, INVESTIGATING, CONFIRMED)


def test_expected_and_confirmed_contradict_each_other_and_the_later_counts():
    for first, second in permutations((EXPECTED, CONFIRMED)):
        found = held(mark(first), mark(second, 1))
        assert (found.mark.state, [one.state for one in found.contrary]) == (second, [first, second])
        assert held(mark(first), mark(second, 1, features=named("gets"))).mark.state == second


def test_to_investigate_contradicts_nothing_nor_does_what_ended_or_was_taken_back():
    assert held(mark(), mark(INVESTIGATING, 1)).contrary == ()
    assert held(mark(CONFIRMED), mark(minute=1, until=LATER), on=LATER).contrary == ()
    assert held(mark(CONFIRMED), mark(NONE, 1), mark(minute=2)).contrary == ()


# Confirmed nights


def confirmed_of(*marks):
    return {on: set(who) for on, who in confirmed([written(one)[0] for one in marks]).items()}


def test_a_confirmed_night_is_known_by_its_latest_mark_whatever_became_of_later_nights():
    assert confirmed_of(mark(CONFIRMED)) == {NIGHT: {EVE}}
    assert confirmed_of(mark(CONFIRMED), mark(minute=1, night=NEXT)) == {NIGHT: {EVE}}
    assert confirmed_of(mark(CONFIRMED), mark(minute=1)) == {}
    assert confirmed_of(mark(CONFIRMED), mark(NONE, 1, night=NEXT)) == {}
    assert confirmed_of(mark(), mark(INVESTIGATING, principal="bob")) == {}
