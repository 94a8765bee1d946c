"""Numbers made of stored ones when they are read: of each an example by hand, and null where there is nothing."""

from __future__ import annotations

import math
from datetime import date, datetime, timedelta

import pyarrow as pa
import pytest
from builders import NIGHT, event

from features.catalogue import NAMES
from features.derived import DERIVED, Stored, derived
from features.items import KINDS

CART = "system:serviceaccount:shop:cart"


def _stored(night, *events, past=(), nights=()):
    """The night as it is read from an archive; `past` are the earlier nights' items."""
    counted = night(*events).counted
    first = pa.array([date.fromisoformat(NIGHT) - timedelta(days=9)] * counted.days.num_rows, pa.date32())
    columns = ("principal", "kind", "item", "requests", "first_ts")
    earlier = {name: [row[i] for row in past] for i, name in enumerate(columns)}
    types = {"requests": pa.int64(), "first_ts": pa.timestamp("us", "UTC")}
    return Stored(
        date.fromisoformat(NIGHT),
        counted.days.append_column("first_seen", first),
        counted.items,
        pa.table({"principal": pa.array(nights, pa.string())}),
        pa.table({name: pa.array(values, types.get(name, pa.string())) for name, values in earlier.items()}),
    )


def _of(night, *events, **more):
    (row,) = derived(_stored(night, *events, **more)).to_pylist()
    return row


def _at(clock, **more):
    return event(at=f"{NIGHT}T{clock}Z", **more)


SHARES = {
    "write_share": {"verb": "patch"},
    "delete_share": {"verb": "delete"},
    "list_share": {"verb": "list"},
    "cluster_list_share": {"verb": "list", "namespace": None},
    "watch_share": {"verb": "watch"},
    "get_share": {"name": "cart-0"},
    "forbidden_share": {"code": 403},
    "unauthorized_share": {"code": 401},
    "not_found_share": {"code": 404},
    "trouble_share": {"code": 429},
    "public_share": {"ip": "198.51.100.7"},
    "tool_share": {"agent": "kubectl/v1"},
    "url_share": {"resource": None, "uri": "/metrics"},
    "impersonation_share": {"impersonates": "root"},
}


@pytest.fixture(scope="module")
def each(night):
    """By share the row of its own principal, of whose four requests one counts; by "" of one of whose none does."""
    users = {name: f"system:serviceaccount:shop:{name.replace('_', '-')}" for name in SHARES} | {"": CART}
    events = [event(user=user) for user in users.values() for _ in range(3)]
    events += [event(**more, user=users[name]) for name, more in SHARES.items()]
    rows = {row["principal"]: row for row in derived(_stored(night, *events)).to_pylist()}
    assert len(rows) == len(users)
    return {name: rows[user] for name, user in users.items()}


@pytest.mark.parametrize("name", SHARES)
def test_a_share_is_of_all_requests(each, name):
    assert each[name][name] == 0.25
    assert each[""][name] == 0


def test_status_writes_are_no_writes_and_discovery_no_urls_in_a_share(night):
    found = _of(night, event(verb="update", subresource="status"), event(resource=None, uri="/api"))
    assert (found["write_share"], found["url_share"]) == (0, 0)


def test_of_no_requests_there_is_no_share(night):
    found = _of(night, event(resource="leases", group="coordination.k8s.io"))
    assert {name: found[name] for name in SHARES} == dict.fromkeys(SHARES)


def test_a_blind_count_has_no_share(night):
    stored = _stored(night, event())
    at = stored.days.schema.get_field_index("impersonated_requests")
    days = stored.days.set_column(at, "impersonated_requests", pa.nulls(1, pa.int64()))
    (row,) = derived(Stored(stored.night, days, stored.items, stored.past_days, stored.past_items)).to_pylist()
    assert row["impersonation_share"] is None


@pytest.mark.parametrize("name", ["verb_entropy", "resource_entropy"])
def test_entropy_is_none_for_one_thing_and_all_for_as_many_things_as_requests(night, name):
    spread = [event(verb=v, resource=r) for v, r in (("get", "a"), ("list", "b"), ("watch", "c"), ("delete", "d"))]
    assert _of(night, *spread)[name] == 1
    assert _of(night, event(), event(), event())[name] == 0
    assert _of(night, event())[name] is None


def test_entropy_is_corrected_for_few_requests(night):
    found = _of(night, event(), event(), event(verb="list"), event(verb="list"))["verb_entropy"]
    assert found == pytest.approx((1 + 1 / (8 * math.log(2))) / 2)


def _acted(action, requests):
    return (CART, "action", action, requests, datetime.fromisoformat(f"{NIGHT}T00:00:00Z"))


def test_the_profile_is_near_for_what_was_done_before_and_far_for_what_was_not(night):
    gets = [event() for _ in range(100)]
    near = _of(night, *gets, past=[_acted("get pods", 100)])["profile_distance"]
    far = _of(night, *gets, past=[_acted("list secrets", 100)])["profile_distance"]
    assert near == 0
    assert 0.9 < far < 1
    assert _of(night, *gets)["profile_distance"] is None


def test_an_hour_of_the_week_without_a_past_request_is_more_surprising(night):
    week_ago = datetime.fromisoformat(f"{NIGHT}T12:00:00Z") - timedelta(days=7)
    past = [(CART, "hour", "12", 832, week_ago)]
    usual = _of(night, _at("12:00:00"), past=past)["hour_surprise"]
    odd = _of(night, _at("03:00:00"), past=past)["hour_surprise"]
    assert usual == pytest.approx(-math.log10(833 / 1000))
    assert odd == pytest.approx(3)
    assert _of(night, _at("03:00:00"))["hour_surprise"] is None


def test_a_burst_is_the_busiest_minute_to_the_middle_one(night):
    burst = [_at("12:00:00") for _ in range(6)] + [_at("12:05:00") for _ in range(2)] + [_at("12:09:00")]
    assert _of(night, *burst)["burst"] == 3


def test_a_clock_is_regular_and_bursts_are_not(night):
    clock = _of(night, *(_at(f"12:{minute:02}:00") for minute in range(10)))["irregularity"]
    bursts = _of(night, *(_at(f"{hour}:00:{s:02}") for hour in (10, 14) for s in range(10)))["irregularity"]
    assert clock == 0
    assert bursts > 3
    assert _of(night, event())["irregularity"] is None


def test_the_age_of_a_principal_is_in_days_and_in_nights_that_it_was_there(night):
    found = _of(night, event(), nights=[CART, CART, "eve"])
    assert (found["days_known"], found["active_nights"]) == (9, 2)


@pytest.mark.parametrize("d", DERIVED, ids=lambda d: d.name)
def test_what_a_number_is_made_of_is_stored(d):
    assert set(d.of) <= {*NAMES, "principal", "first_seen", *(kind.name for kind in KINDS)}
    assert d.of
    assert d.meaning.endswith(".")


def test_names_are_told_apart_from_those_of_counts():
    names = [d.name for d in DERIVED]
    assert len(set(names)) == len(names)
    assert not set(names) & set(NAMES)


def test_rows_are_in_the_order_of_the_nights(night, busy):
    stored = _stored(night, *busy)
    assert derived(stored)["principal"].to_pylist() == stored.days["principal"].to_pylist()
