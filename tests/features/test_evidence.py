"""The requests behind a number: every feature shows what moved it."""

from __future__ import annotations

import pytest
from builders import NIGHT, event

from features.catalogue import FEATURES, feature
from features.evidence import MAX_AUDIT_IDS, evidence
from features.principal import TYPES

CART = "system:serviceaccount:shop:cart"
SCHEDULER = "system:kube-scheduler"
# of a crowd tests/features/test_crowds.py shows the requests
SHOWN = [f for f in FEATURES if f.over != "crowds"]
CASES = pytest.mark.parametrize("f", SHOWN, ids=lambda f: f.name)


@pytest.fixture(scope="module")
def busy_night(night, busy):
    # whose hours are known is active at another time
    hours = [(f"some {kind}", kind, "hour", "20") for kind in TYPES]
    # who is known asks for tokens that only others asked for
    tokens = [(SCHEDULER, "control plane", "namespace", "shop"), ("some node", "node", "token_account", "shop/pay")]
    return night(*busy, past=[*hours, *tokens])


def _of(found, f, principals):
    return {row.pop("principal"): row for row in evidence(found.engine, f, principals).to_pylist()}


@pytest.fixture(scope="module")
def shown(busy_night):
    """By feature: the evidence of everybody and the requests that satisfy its predicate."""

    def satisfying(f):
        sql = f"SELECT audit_id, principal, ts FROM requests WHERE NOT left_out AND ({f.counts})"
        return busy_night.engine.sql(sql).to_arrow_table().to_pylist()

    return {f.name: (_of(busy_night, f, list(busy_night.days)), satisfying(f)) for f in SHOWN}


@CASES
def test_whoever_has_a_count_has_requests_to_show(busy_night, shown, f):
    have = {name for name, day in busy_night.days.items() if day[f.name]}
    assert have
    assert set(shown[f.name][0]) >= have
    # one request has no gap, although it stands among those that gaps are told by
    assert f.new is not None or f.name in ("gaps_s", "gap_squares_s") or set(shown[f.name][0]) == have


@CASES
def test_what_is_shown_exists_is_ones_own_satisfies_the_predicate_and_is_bounded(shown, f):
    rows, satisfying = shown[f.name]
    if f.over == "carried":
        # done by others
        satisfying = [r | {"principal": "eve"} for r in satisfying]
    for principal, row in rows.items():
        own = {r["audit_id"]: r["ts"] for r in satisfying if r["principal"] == principal}
        assert 0 < row["requests"] <= len(own)
        assert len(row["audit_ids"]) == len(set(row["audit_ids"])) == min(row["requests"], MAX_AUDIT_IDS)
        assert row["times"] == [own[audit_id] for audit_id in row["audit_ids"]]
        assert min(own.values()) <= row["first_ts"] <= row["last_ts"] <= max(own.values())


PLAIN = [f for f in SHOWN if f.new is None and f.distinct is None and f.aggregate is None]


@pytest.mark.parametrize("f", PLAIN, ids=lambda f: f.name)
def test_the_requests_of_a_plain_count_are_the_count(busy_night, shown, f):
    assert {p: row["requests"] for p, row in shown[f.name][0].items()} == {
        name: day[f.name] for name, day in busy_night.days.items() if day[f.name]
    }


def _at(minute):
    return f"{NIGHT}T12:{minute:02}:00Z"


def test_different_items_come_before_a_second_request_for_the_same(night):
    spaces = ["a", "a", "a", "b", "b", "c"]
    found = night(*(event(namespace=n, at=_at(m), audit_id=f"{n}{m}") for m, n in enumerate(spaces)))
    for name in ("distinct_namespaces", "new_namespaces"):
        row = _of(found, feature(name), [CART])[CART]
        assert row["audit_ids"] == ["a0", "b3", "c5", "a1", "b4", "a2"]
        assert (row["requests"], row["first_ts"].minute, row["last_ts"].minute) == (6, 0, 5)


def test_only_new_items_are_shown_for_novelty(night):
    past = [(CART, "workload", "namespace", "old"), ("eve", "person", "namespace", "half")]
    found = night(*(event(namespace=n, audit_id=n) for n in ("old", "half", "new")), past=past)
    assert _of(found, feature("new_namespaces"), [CART])[CART]["audit_ids"] == ["half", "new"]
    assert _of(found, feature("new_namespaces_for_type"), [CART])[CART]["audit_ids"] == ["half", "new"]
    assert _of(found, feature("new_namespaces_for_cluster"), [CART])[CART]["audit_ids"] == ["new"]


def test_the_busiest_minute_is_shown_the_first_of_equals(night):
    minutes = [1, 2, 2, 3, 3]
    found = night(*(event(at=_at(m), audit_id=f"{m}-{n}") for n, m in enumerate(minutes)))
    row = _of(found, feature("peak_minute"), [CART])[CART]
    assert (row["requests"], row["audit_ids"]) == (2, ["2-1", "2-2"])


def test_more_than_the_limit_is_counted_and_the_first_are_shown(night):
    found = night(*(event(at=_at(m), audit_id=f"{m:02}") for m in range(MAX_AUDIT_IDS + 5)))
    row = _of(found, feature("requests"), [CART])[CART]
    assert row["requests"] == MAX_AUDIT_IDS + 5
    assert row["audit_ids"] == [f"{m:02}" for m in range(MAX_AUDIT_IDS)]


def test_only_the_wanted_are_shown_whatever_their_names(night):
    hostile = "'; DROP TABLE requests; --"
    found = night(event(user=hostile), event(user="eve"), event(user='a"b'))
    assert set(_of(found, feature("requests"), [hostile, 'a"b', "nobody"])) == {hostile, 'a"b'}
    assert _of(found, feature("requests"), []) == {}
