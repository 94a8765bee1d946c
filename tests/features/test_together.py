"""Principals that begin the same thing on one night are told with their common cause."""

from __future__ import annotations

from builders import event

from pipelines.stages.together import MOST_ALIKE, together

PAST = [("system:serviceaccount:shop:old", "workload", "hour", "12")]


def _events(*users, **more):
    return [event(user=f"system:serviceaccount:shop:{user}", **more) for user in users]


def test_many_that_start_one_thing_are_named_with_it(night):
    movers = [f"w{n}" for n in range(MOST_ALIKE)]
    alone = _events("alone", agent="own/1", ip="10.7.0.1", namespace="own", verb="watch")
    found = together(night(*_events(*movers, agent="helm/3", ip="10.0.0.9"), *alone, past=PAST).engine)
    assert set(found) == {f"system:serviceaccount:shop:{name}" for name in movers}
    assert {(f["kind"], f["item"], f["principals"]) for f in found.values()} == {("agent", "helm", MOST_ALIKE)}


def test_the_cause_that_most_share_is_named(night):
    wide = [f"w{n}" for n in range(MOST_ALIKE + 1)]
    found = together(night(*_events(*wide[:-1], agent="helm/3"), *_events(wide[-1], agent="own"), past=PAST).engine)
    assert {f["principals"] for f in found.values()} == {MOST_ALIKE + 1}
    assert {f["kind"] for f in found.values()} == {"address"}


def test_fewer_are_no_move(night):
    assert together(night(*_events(*(f"w{n}" for n in range(MOST_ALIKE - 1))), past=PAST).engine) == {}


def test_on_a_first_night_nobody_moved(night):
    events = _events(*(f"w{n}" for n in range(MOST_ALIKE)))
    assert together(night(*events, past=PAST).engine)
    assert together(night(*events).engine) == {}


def test_what_they_had_before_is_no_move(night):
    events = _events(*(f"w{n}" for n in range(MOST_ALIKE)))
    assert together(night(*events, past=night(*events).items).engine) == {}
