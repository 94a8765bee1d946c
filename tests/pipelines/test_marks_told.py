"""What commands say of marks: ranges, what became of each, which reports change, and who contradicts whom."""

from __future__ import annotations

from datetime import timedelta

import pytest
from mark_builders import EVE, NIGHT, mark, named

from pipelines.marking.holding import holding, standing_of, statuses
from pipelines.marking.record import CONFIRMED, EXPECTED, INVESTIGATING, NONE, Range, written
from pipelines.marking.telling import changes, contradiction, ranges

NEXT = NIGHT + timedelta(days=1)
LATER = NIGHT + timedelta(days=11)
NIGHTS = [NIGHT - timedelta(days=1), NIGHT, NEXT]


def kept(*marks):
    return [written(one)[0] for one in marks]


def test_a_mark_as_expected_is_told_with_its_ranges_and_any_other_with_the_features_it_names():
    both = (Range("gets", 1_050, named=False), Range("secret_reads", 41, named=False))
    assert ranges(mark(features=both)) == ["gets 0 to 1,050", "secret_reads 0 to 41"]
    for state in (CONFIRMED, INVESTIGATING, NONE):
        assert ranges(mark(state, features=both)) == []
        assert ranges(mark(state, features=(*both, *named("deletes")))) == ["deletes"]


def test_of_each_mark_it_is_told_what_has_become_of_it():
    gets, lists = named("gets"), named("lists")
    ended, old, new = mark(until=NIGHT), mark(minute=1, features=gets), mark(INVESTIGATING, 2, features=gets)
    gone, none, later = mark(minute=3, features=lists), mark(NONE, 4, features=lists), mark(minute=5, night=LATER)
    every = kept(ended, old, new, gone, none, later)
    found = statuses(every, NEXT)
    assert [found[one.id] for one in every] == ["ended", "superseded", "holds", "taken back", "takes back", "later"]
    assert {m.id for m in every if found[m.id] == "holds"} == {m.id for m in holding(every, NEXT)[EVE].marks}


def test_what_stands_on_its_own_night_is_found_though_a_later_night_took_it_back():
    first, back = kept(mark(CONFIRMED), mark(NONE, 1, night=NEXT))
    assert standing_of([first, back], EVE) == [first]
    assert standing_of(kept(mark(), mark(NONE, 1)), EVE) == []
    assert standing_of([first], "bob") == []


@pytest.mark.parametrize(
    ("marks", "nights", "said"),
    [
        (
            [mark()],
            [NIGHT, NEXT],
            "each of 2 from 2026-11-22 to 2026-11-23 shows it apart as expected, until now without a mark",
        ),
        ([mark(), mark(NONE, 1)], [NIGHT, NEXT], "without a mark, until now apart as expected"),
        ([mark(), mark(CONFIRMED, 1, night=NEXT)], [NEXT], "that of 2026-11-23 shows it as confirmed, until now apart"),
        ([mark(), mark(NONE, 1, night=NEXT)], [NEXT], "that of 2026-11-23 shows it without a mark"),
        ([mark(until=NIGHT), mark(NONE, 1, night=NEXT)], [NEXT], "without a mark, until now with a mark that ended"),
        ([mark(night=LATER)], [], ""),
        (
            [mark(INVESTIGATING), mark(INVESTIGATING, 1, because="ticket 4712")],
            [NIGHT, NEXT],
            "shows it as investigated, as until now but by other marks",
        ),
        ([mark(), mark(principal="bob", minute=1)], [NIGHT, NEXT], "shows it apart as expected"),
    ],
)
def test_it_is_told_which_reports_a_mark_changes_and_how(marks, nights, said):
    every = kept(*marks)
    found = changes(every, every[-1], NIGHTS)
    assert found.nights == tuple(nights)
    assert said in found.said


def test_a_mark_that_changes_nights_differently_tells_of_each():
    every = kept(mark(night=NIGHT), mark(INVESTIGATING, 1, night=NEXT), mark(NONE, 2, features=()))
    assert (
        changes(every, every[-1], NIGHTS).said
        == "that of 2026-11-22 shows it without a mark, until now apart as expected"
    )
    more = kept(mark(night=NEXT), mark(CONFIRMED, 1))
    assert changes(more, more[-1], NIGHTS).said == (
        "that of 2026-11-22 shows it as confirmed, until now without a mark; "
        "that of 2026-11-23 shows it as confirmed, until now apart as expected"
    )


def test_marks_that_agree_contradict_nobody():
    assert contradiction(holding(kept(mark(), mark(INVESTIGATING, 1)), NIGHT)[EVE]) is None
    told = contradiction(holding(kept(mark(), mark(CONFIRMED, 1)), NIGHT)[EVE])
    assert told is not None
    assert told.startswith(f"Marks of {EVE} contradict each other: {EXPECTED} for 2026-11-22")
