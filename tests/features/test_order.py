"""The order of the input does not matter: neither of events nor of what is remembered."""

from __future__ import annotations

from typing import Any

import pytest
from builders import NIGHT, event
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

CART = "system:serviceaccount:shop:cart"
AT = f"{NIGHT}T11:00:00Z"

_EVENTS: list[dict[str, Any]] = [
    # one request at three stages, and two that a client gave one id
    *(event(audit_id="watched", stage=s, verb="watch", at=AT) for s in ("RequestReceived", "ResponseStarted")),
    event(audit_id="watched", verb="watch", at=AT),
    *(event(audit_id="reused", name=name, at=AT) for name in ("a", "b")),
    # the same things begun by several at one moment: who is first is decided by name
    *(event(user=user, resource="secrets", name="db", code=code, at=AT, ip="203.0.113.9")
      for user in ("eve", "bob", CART, "system:node:n") for code in (200, 403)),
    *(event(user="eve", verb=verb, at=f"{NIGHT}T11:{n:02}:30Z") for n, verb in enumerate(("get", "list", "delete"))),
    *(event(user=None, code=401, stage="ResponseStarted", at=f"{NIGHT}T12:00:0{n}Z") for n in range(3)),
    event(resource="leases", group="coordination.k8s.io"),
]  # fmt: skip
_PAST = [
    (CART, "workload", "namespace", "shop"),
    (CART, "workload", "address", "203.0.113.9"),
    ("eve", "person", "action", "get secrets"),
    ("bob", "person", "secret", "shop/db"),
    ("maria", "person", "hour", "11"),
]


def _told(found):
    return found.counted.days, found.counted.items, found.counted.blind, found.counted.left_out, found.new_items


@pytest.fixture(scope="module")
def in_order(night):
    told = _told(night(*_EVENTS, past=_PAST))
    assert told[0].num_rows == 5
    return told


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.permutations(_EVENTS), st.permutations(_PAST))
def test_events_and_history_in_any_order_are_counted_the_same(night, in_order, events, past):
    assert _told(night(*events, past=past)) == in_order


@pytest.fixture(scope="module")
def busy_in_order(night, busy):
    return _told(night(*busy))


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.randoms(use_true_random=False))
def test_a_busy_night_in_any_order_is_counted_the_same(night, busy, busy_in_order, random):
    assert _told(night(*random.sample(busy, len(busy)))) == busy_in_order
