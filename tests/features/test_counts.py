"""What the past learns: a strange night is no habit until it has come often enough."""

from __future__ import annotations

import numpy as np
import pytest

from features.counts import HABIT, STRANGE, YOUNG, Counts, Groups, learnt
from features.history import surprises


def _past(values, least, judged_by=YOUNG, principal="eve"):
    rows = len(values)
    return Counts(
        np.array([principal] * rows, dtype=object),
        np.array(["person"] * rows, dtype=object),
        np.array(values, dtype=float)[:, None],
        np.array(least, dtype=float)[:, None],
        np.full(rows, judged_by),
    )


def test_a_strange_count_is_not_learnt():
    found = learnt(_past([1, 2, 40], [0, 0, STRANGE]))
    assert found.values[:2, 0].tolist() == [1, 2]
    assert np.isnan(found.values[2, 0])


def test_a_count_below_the_line_is_learnt():
    assert learnt(_past([40], [STRANGE - 0.01])).values.tolist() == [[40]]


def test_what_a_young_history_found_strange_is_learnt():
    assert learnt(_past([40], [30], judged_by=YOUNG - 1)).values.tolist() == [[40]]


def test_a_week_of_strange_nights_is_a_habit():
    past = _past([40] * HABIT, [5] * HABIT)
    assert learnt(past).values[:, 0].tolist() == [40] * HABIT
    assert np.isnan(learnt(_past([40] * (HABIT - 1), [5] * (HABIT - 1))).values).all()


def test_the_habit_of_one_is_not_that_of_another():
    one, other = _past([40] * HABIT, [5] * HABIT), _past([40], [5], principal="bob")
    both = Counts(
        *(np.concatenate([getattr(one, name), getattr(other, name)]) for name in ("principals", "types", "values")),
        np.concatenate([one.least, other.least]),
        np.concatenate([one.judged_by, other.judged_by]),
    )
    assert np.isnan(learnt(both).values[:, 0]).tolist() == [False] * HABIT + [True]


def test_counts_without_judgement_are_learnt_as_they_are():
    past = Counts(np.array(["eve"], dtype=object), np.array(["person"], dtype=object), np.array([[7.0]]))
    assert learnt(past) is past


def test_the_third_day_of_a_slow_reader_is_as_strange_as_the_first():
    quiet, loud = [2.0] * 10, [30.0] * 2
    tonight = _past([30], [0])
    first = surprises(tonight, _past(quiet, [0] * 10)).least[0, 0]
    third = surprises(tonight, _past(quiet + loud, [0] * 10 + [first] * 2)).least[0, 0]
    learnt_at_once = surprises(tonight, _past(quiet + loud, [0] * 12)).least[0, 0]
    assert first > 3
    assert third == pytest.approx(first, rel=0.01)
    assert learnt_at_once < 1.5


def test_the_usual_is_what_was_learnt():
    assert surprises(_past([30], [0]), _past([2, 2, 30], [0, 0, 9])).usual.tolist() == [[2]]


def test_groups_sum_rows_in_any_order_and_find_their_places():
    groups = Groups.of(np.array(["b", "a", "b", "c"], dtype=object))
    assert groups.sums(np.array([[1.0], [2.0], [4.0], [8.0]])).tolist() == [[2], [5], [8]]
    assert groups.find(["c", "a", "nobody"]).tolist() == [2, 0, -1]
    assert Groups.of(np.empty(0, dtype=object)).sums(np.empty((0, 3))).shape == (0, 3)
