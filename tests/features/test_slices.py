"""A night counted in slices is the night counted at once, whatever names and times its events have."""

from __future__ import annotations

import pytest
from builders import NIGHT, event

from features.catalogue import feature
from features.crowds import MOST_SESSIONS
from features.evidence import evidence
from features.slices import slices

ROLE = "arn:aws:sts::111122223333:assumed-role/SRE/"
ARN = "arn:aws:iam::111122223333:role/SRE"
HOSTILE = ("o'brien", "';--", "\\", "é", "\N{GRINNING FACE}", "\N{RIGHT-TO-LEFT OVERRIDE}eve", "a\x00b", "")
ONE_MINUTE = f"{NIGHT}T11:30:00Z"


@pytest.fixture(scope="module")
def events(busy):
    return [
        *busy,
        *(event(user=name, at=ONE_MINUTE) for name in HOSTILE),
        event(user=None, code=401),
        # one principal by two names, in turns within a minute, and in the next
        *(event(user=f"{ROLE}i-0abc{n}", arn=ARN, session="i-0abc", at=f"{NIGHT}T{at}Z")
          for n, at in ((0, "11:30:05"), (1, "11:30:20"), (0, "11:30:40"), (1, "11:31:10"))),
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


def test_a_slice_holds_not_much_more_than_it_may_but_for_an_hour_of_one_user(engine, archived):
    hours = [f"{NIGHT}T{hour:02}:00:00Z" for hour in range(12)]
    archived([event(user=user, at=at) for user in ("a", "b", "c") for at in hours] + [event(user="d")] * 9)
    numbers = [engine.sql(f"SELECT count(*) FROM events WHERE {fits}").fetchall()[0][0] for fits in slices(engine, 4)]
    assert sum(numbers) == 45
    assert max(numbers[:-1]) <= 6
    assert numbers[-1] == 9


@pytest.mark.parametrize(("most", "keep_requests"), [(7, True), (20, False)])
def test_a_night_in_slices_is_counted_as_at_once(night, events, most, keep_requests, tmp_path):
    past = [("eve", "person", "agent", "cart"), ("bob", "person", "namespace", "shop")]
    whole = night(*events, past=past)
    sliced = night(*events, past=past, most_events=most, keep_requests=keep_requests, folder=tmp_path)
    assert any(tmp_path.iterdir()) == keep_requests
    assert (sliced.counted, sliced.new_items, sliced.requests) == (whole.counted, whole.new_items, whole.requests)
    assert sliced.days["iam-role:111122223333:SRE"]["peak_minute"] == 3


def test_evidence_of_a_night_in_slices_is_that_of_one_counted_at_once(night, events, tmp_path):
    def proof(found):
        of = [feature(name) for name in ("requests", "distinct_secrets", "peak_minute", "new_namespaces")]
        return [evidence(found.engine, one, sorted(found.days)) for one in of]

    assert proof(night(*events)) == proof(night(*events, most_events=7, folder=tmp_path))


def test_a_crowd_of_several_slices_is_one(night, tmp_path):
    crowd = [event(user=f"{ROLE}x{n}") for n in range(MOST_SESSIONS + 1)]
    whole, sliced = night(*crowd), night(*crowd, most_events=400, folder=tmp_path)
    assert (sliced.counted, sliced.requests) == (whole.counted, whole.requests)
    assert [day["crowd_members"] for day in sliced.days.values()] == [len(crowd)]
