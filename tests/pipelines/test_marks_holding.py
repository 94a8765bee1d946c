"""What of all marks holds on a night, and which nights are confirmed attacks."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import permutations

import pytest
from mark_builders import EVE, MADE, NIGHT, mark, named

from pipelines.marking.holding import confirmed, holding, moment, taken_back
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


def test_that_what_stood_apart_ended_is_told_for_a_week():
    told = [held(mark(), on=NIGHT + timedelta(days=on)) is not None for on in range(11, 19)]
    assert told == [True] * 7 + [False]


@pytest.mark.parametrize("state", [EXPECTED, INVESTIGATING])
def test_of_several_that_ended_the_last_to_end_is_told(state):
    found = held(mark(), mark(state, 1, features=named("gets"), until=NIGHT), on=LATER)
    assert [one.until for one in found.marks] == [NIGHT + timedelta(days=10)]


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


def test_to_take_back_an_earlier_night_takes_nothing_of_a_later_one():
    assert held(mark(night=NEXT), mark(NONE, 1), on=NEXT).mark.state == EXPECTED


def test_what_was_taken_back_is_told_from_what_was_not():
    early, other, later = mark(CONFIRMED), mark(minute=1, features=named("gets")), mark(minute=2, night=LATER)
    again = mark(NONE, 4)
    gone, of_gets = mark(NONE, 3, night=NEXT), mark(NONE, 3, features=named("gets"))
    assert taken_back([early, other, later, gone], gone) == [early, other]
    assert taken_back([early, other, later, of_gets], of_gets) == [other]
    assert taken_back([early, gone, again], again) == [early], "on its own night it still stood"
    assert taken_back([early, mark(NONE, 1), mark(minute=9), mark(minute=2, principal="bob"), gone], gone) == []


def test_of_marks_made_at_one_moment_the_more_careful_counts():
    assert held(*(mark(state) for state in STATES)).mark.state == CONFIRMED
    assert STATES == (NONE, EXPECTED, INVESTIGATING, CONFIRMED)


def test_expected_and_confirmed_contradict_each_other_and_the_later_counts():
    for first, second in permutations((EXPECTED, CONFIRMED)):
        found = held(mark(first), mark(second, 1))
        assert (found.mark.state, [one.state for one in found.contrary]) == (second, [first, second])
        apart = held(mark(first), mark(second, 1, features=named("gets")))
        assert (apart.mark.state, [one.state for one in apart.contrary]) == (second, [first, second])


def test_an_attack_on_one_night_does_not_contradict_what_is_expected_of_another():
    found = held(mark(CONFIRMED), mark(minute=1, night=NEXT), on=NEXT)
    assert (found.mark.state, found.contrary) == (EXPECTED, ())
    both = held(mark(CONFIRMED), mark(minute=1), mark(minute=2, night=NEXT), on=NEXT)
    assert [one.night for one in both.contrary] == [NIGHT, NIGHT]


def test_to_investigate_contradicts_nothing_nor_does_what_ended_or_was_taken_back():
    assert held(mark(), mark(INVESTIGATING, 1)).contrary == ()
    assert held(mark(CONFIRMED), mark(minute=1, until=LATER), on=LATER).contrary == ()
    assert held(mark(CONFIRMED), mark(NONE, 1), mark(minute=2)).contrary == ()


# Confirmed nights


def confirmed_of(*marks):
    return {on: set(who) for on, who in confirmed([written(one)[0] for one in marks]).items()}


def test_a_confirmed_night_is_one_whatever_is_said_of_other_nights():
    assert confirmed_of(mark(CONFIRMED)) == {NIGHT: {EVE}}
    for state in STATES[:-1]:
        assert confirmed_of(mark(CONFIRMED), mark(state, 1, night=NEXT)) == {NIGHT: {EVE}}
        assert confirmed_of(mark(CONFIRMED), mark(state, 1, night=NIGHT - timedelta(days=1))) == {NIGHT: {EVE}}
    assert confirmed_of(mark(), mark(INVESTIGATING, principal="bob")) == {}


def test_a_night_stays_confirmed_until_its_own_mark_of_as_much_is_taken_back_or_called_expected():
    whole, gets, lists = mark(CONFIRMED), named("gets"), named("lists")
    assert confirmed_of(whole, mark(INVESTIGATING, 1)) == {NIGHT: {EVE}}
    for state in (NONE, EXPECTED):
        assert confirmed_of(whole, mark(state, 1)) == {}
        assert confirmed_of(whole, mark(state, 1, features=gets)) == {NIGHT: {EVE}}
        assert confirmed_of(mark(CONFIRMED, features=gets), mark(state, 1, features=lists)) == {NIGHT: {EVE}}
        assert confirmed_of(mark(CONFIRMED, features=gets), mark(state, 1, features=gets)) == {}
        assert confirmed_of(mark(CONFIRMED, features=gets), mark(state, 1)) == {}
        assert confirmed_of(mark(state), mark(CONFIRMED, 1)) == {NIGHT: {EVE}}


def test_the_baseline_and_the_nights_own_report_agree_on_what_was_taken_back():
    for gone in (mark(NONE, 1), mark(NONE, 1, night=NEXT)):
        badge = held(mark(CONFIRMED), gone)
        assert bool(confirmed_of(mark(CONFIRMED), gone)) == (badge is not None)


def test_what_a_clock_that_ran_ahead_marked_is_taken_back():
    ahead = mark(minute=60 * 24 * 365)
    assert moment(MADE, []) == MADE
    assert moment(MADE, [mark(minute=-1)]) == MADE
    none = replace(mark(NONE), made_at=moment(MADE, [mark(), ahead]))
    assert held(ahead, none) is None
    assert taken_back([ahead, none], none) == [ahead]
