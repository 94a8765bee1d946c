"""A night counted in slices is the night counted at once, whatever names and times its events have."""

from __future__ import annotations

import pytest
from builders import NIGHT, event

from features.slices import slices

ROLE = "arn:aws:sts::111122223333:assumed-role/SRE/"
HOSTILE = ("o'brien", "';--", "\\", "é", "\N{GRINNING FACE}", "\N{RIGHT-TO-LEFT OVERRIDE}eve", "a\x00b", "")
ONE_MINUTE = f"{NIGHT}T11:30:00Z"


@pytest.fixture(scope="module")
def events(busy):
    return [
        *busy,
        *(event(user=name, at=ONE_MINUTE) for name in HOSTILE),
        event(user=None, code=401),
        # one principal by two names in one minute
        *(event(user=f"{ROLE}i-0abc{n}", arn="arn:aws:iam::111122223333:role/SRE", session="i-0abc", at=ONE_MINUTE)
          for n in range(2)),
        *(event(user="eve", audit_id="watched", stage=stage) for stage in ("RequestReceived", "ResponseComplete")),
        # a source that does not say when a request was received
        *(event(user="eve", requestReceivedTimestamp=None, at=f"{NIGHT}T{hour}:00:00Z") for hour in (10, 23)),
    ]  # fmt: skip


@pytest.mark.parametrize("most", [1, 60])
def test_each_event_is_in_exactly_one_slice(events, engine, archived, most):
    archived(events)
    parts = slices(engine, most)
    assert len(parts) > 2
    numbers = [engine.sql(f"SELECT count(*) FROM events WHERE {fits}").fetchall()[0][0] for fits in parts]
    assert sum(numbers) == len(events)
    assert all(numbers)
    met = " + ".join(f"CAST(coalesce({fits}, false) AS INTEGER)" for fits in parts)
    assert engine.sql(f"SELECT DISTINCT {met} FROM events").fetchall() == [(1,)]


def test_a_slice_holds_no_more_than_it_may_but_for_an_hour_of_one_user(engine, archived):
    hours = [f"{NIGHT}T{hour:02}:00:00Z" for hour in range(12)]
    archived([event(user=user, at=at) for user in ("a", "b", "c") for at in hours] + [event(user="d")] * 5)
    numbers = [engine.sql(f"SELECT count(*) FROM events WHERE {fits}").fetchall()[0][0] for fits in slices(engine, 4)]
    assert numbers == [4] * 9 + [5]


@pytest.mark.parametrize(("most", "keep_requests"), [(7, True), (20, False)])
def test_a_night_in_slices_is_counted_as_at_once(night, events, most, keep_requests, tmp_path):
    whole = night(*events)
    sliced = night(*events, most_events=most, keep_requests=keep_requests, folder=tmp_path)
    assert any(tmp_path.iterdir()) == keep_requests
    assert (sliced.counted, sliced.new_items, sliced.requests) == (whole.counted, whole.new_items, whole.requests)
    # two names of a principal in one minute, each in a slice of its own
    assert sliced.days["iam-role:111122223333:SRE"]["peak_minute"] == 2
