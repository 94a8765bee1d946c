"""A flood of invented names is one principal, in bounded time, and stands out; who is known stays himself."""

from __future__ import annotations

import time

import pytest
from builders import event

from features.catalogue import feature
from features.crowds import MOST_NAMES, MOST_SESSIONS
from features.days import count, prepare
from features.evidence import MAX_AUDIT_IDS, evidence

ROLE = "iam-role:111122223333:SRE"
MARIA = f"{ROLE}/maria"
STS = "arn:aws:sts::111122223333:assumed-role/SRE/"
FLOOD = 100_000
# of a loaded machine; alone it takes two
SECONDS = 60


@pytest.fixture
def flooded(night, engine):
    """Counts a night of one request of each of so many names, made of a number by SQL, beside maria's and others'."""

    def make(names, sql, past=()):
        night(event(user=STS + "maria", audit_id="maria"), event(user="eve", audit_id="eve"), past=past)
        invented = f"SELECT * REPLACE ({sql} AS username, 'a' || i AS audit_id) FROM events, range({names}) AS t(i)"
        engine.register("flood", engine.sql(f"{invented} WHERE audit_id = 'eve'").to_arrow_table().drop_columns(["i"]))
        both = engine.sql("SELECT * FROM events UNION ALL BY NAME SELECT * FROM flood").to_arrow_table()
        engine.register("events", both)
        started = time.monotonic()
        prepare(engine, keep_requests=True)
        counted = count(engine)
        return {row["principal"]: row for row in counted.days.to_pylist()}, time.monotonic() - started

    return make


SESSIONS = f"'{STS}x' || i"
OTHERS = {
    "user names": "'x' || i",
    "service accounts": "'system:serviceaccount:shop:x' || i",
    "parts of the control plane": "'eks:x' || i",
}


def test_a_hundred_thousand_sessions_of_a_role_are_one_principal_that_counts_them(flooded):
    days, seconds = flooded(FLOOD, SESSIONS)
    assert set(days) == {"eve", f"crowd:{ROLE}"}
    crowd = days[f"crowd:{ROLE}"]
    assert (crowd["requests"], crowd["crowd_members"], crowd["distinct_usernames"]) == (FLOOD + 1,) * 3
    assert len(crowd["usernames"]) == 50
    assert days["eve"]["crowd_members"] == 0
    assert seconds < SECONDS


@pytest.mark.parametrize("sql", OTHERS.values(), ids=OTHERS)
def test_a_hundred_thousand_names_of_a_type_are_one_principal(flooded, sql):
    days, seconds = flooded(FLOOD, sql)
    crowd = next(row for name, row in days.items() if name.startswith("crowd:"))
    assert crowd["crowd_members"] >= FLOOD
    assert len(days) <= 3
    assert seconds < SECONDS


def test_who_is_known_stays_himself_in_a_crowd(flooded):
    days, _ = flooded(MOST_SESSIONS + 1, SESSIONS, past=[(MARIA, "person", "namespace", "shop")])
    assert days[MARIA]["requests"] == 1
    assert days[f"crowd:{ROLE}"]["crowd_members"] == MOST_SESSIONS + 1


@pytest.mark.parametrize(("most", "sql"), [(MOST_SESSIONS, SESSIONS), (MOST_NAMES, "'x' || i")], ids=["role", "type"])
def test_as_many_as_are_allowed_stay_apart(flooded, most, sql):
    # maria, or eve and maria, are newcomers, too
    days, _ = flooded(most - 2, sql)
    assert len(days) == most
    assert not any(name.startswith("crowd:") for name in days)


def test_a_crowd_is_as_one_wherever_it_is_looked_at(flooded, engine):
    flooded(MOST_SESSIONS, SESSIONS)
    items = engine.sql("SELECT DISTINCT principal FROM items ORDER BY 1").fetchall()
    assert items == [(f"crowd:{ROLE}",), ("eve",)]
    (row,) = evidence(engine, feature("crowd_members"), [f"crowd:{ROLE}"]).to_pylist()
    assert row["requests"] == MOST_SESSIONS + 1
    assert len(row["audit_ids"]) == MAX_AUDIT_IDS


def test_no_user_name_passes_for_a_crowd(night):
    assert set(night(event(user="crowd:person")).days) == {"user:crowd:person"}


def test_the_forest_reads_crowds_and_gives_them_a_group_of_their_own():
    from features.catalogue import FOREST

    assert [f.name for f in FOREST if f.group == "crowd"] == ["crowd_members"]
