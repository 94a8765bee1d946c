"""A principal's night in whole numbers: one row each, in the same columns on every night."""

from __future__ import annotations

import importlib

import pyarrow as pa
import pytest
from builders import event

from features.catalogue import NAMES
from features.days import MAX_USERNAMES
from features.feature import REPEATS

CART = "system:serviceaccount:shop:cart"
TOKENS = ("credentials_per_pod", "addresses_per_credential")
"""Blind where no service account's token has an id."""


def test_columns_are_the_features_in_their_order_and_whole_numbers(night, busy):
    days = night(*busy).counted.days
    assert days.column_names == ["principal", "type", "peer_group", "usernames", "distinct_usernames", *NAMES]
    assert {days.schema.field(name).type for name in NAMES} == {pa.int64()}
    assert [days[name].null_count for name in NAMES] == [0] * len(NAMES)


def test_there_is_one_row_a_principal_in_the_order_of_names(night, busy):
    principals = night(*busy).counted.days["principal"].to_pylist()
    assert principals == sorted(set(principals))


def test_a_night_of_nothing_but_what_is_left_out_is_a_row_of_zeros(night):
    found = night(event(resource="leases", group="coordination.k8s.io"))
    assert found.counted.left_out == 1
    assert found.counted.blind == TOKENS
    assert {name: n for name, n in found.days[CART].items() if name in NAMES and n} == {}


def test_raw_user_names_are_kept_in_order_up_to_a_limit_and_all_are_counted(night):
    nodes = [f"system:node:n{n:03}" for n in range(MAX_USERNAMES + 5)]
    day = night(*(event(user=n) for n in reversed(nodes))).days["node-group:without-iam-role"]
    assert day["usernames"] == nodes[:MAX_USERNAMES]
    assert day["distinct_usernames"] == len(nodes)


def test_no_user_name_is_the_empty_one(night):
    day = night(event(user=None), event(user="system:anonymous")).days["unauthenticated"]
    assert (day["usernames"], day["distinct_usernames"]) == (["", "system:anonymous"], 2)


def test_null_values_are_not_told_apart(night):
    day = night(event(namespace=None), event(sourceIPs=None), event()).days[CART]
    assert (day["distinct_namespaces"], day["distinct_addresses"], day["distinct_networks"]) == (1, 1, 1)


def test_a_night_without_events_has_no_rows(night):
    found = night()
    assert (found.counted.days.num_rows, found.counted.items.num_rows, found.counted.blind) == (0, 0, ())


def test_the_hash_names_how_things_are_counted_and_not_what_they_weigh():
    import features.catalogue
    import features.crowds
    import features.days
    import features.items

    before = features.days.HASH
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(features.catalogue.WEIGHTS, "time", 0.1)
        assert before == importlib.reload(features.days).HASH
    for module, name in ((features.items, "ITEMS"), (features.crowds, "CROWDED_TALLIES")):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, name, f"{getattr(module, name)} ")
            assert before != importlib.reload(features.days).HASH
    assert before == importlib.reload(features.days).HASH


def test_a_failure_that_is_repeated_counts_a_few_times_and_different_ones_each(night):
    loop = [event(code=403, name="same", audit_id=f"l{n}") for n in range(40)]
    search = [event(user="eve", code=403, name=f"other-{n}") for n in range(40)]
    found = night(*loop, *search).days
    assert (found[CART]["forbidden"], found["eve"]["forbidden"]) == (REPEATS, 40)


def test_reasons_of_no_known_form_are_counted_among_the_authorized(night):
    reasons = [
        'RBAC: allowed by ClusterRoleBinding "b" of ClusterRole "r" to User "u"',
        "",
        "a webhook said so",
    ]
    told = [{"authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": reason} for reason in reasons]
    refused = {"authorization.k8s.io/decision": "forbid", "authorization.k8s.io/reason": "no relationship found"}
    found = night(*(event(annotations=a) for a in told), event(code=403, annotations=refused)).counted
    assert (found.allowed, found.unparsed) == (3, 1)


def test_usernames_without_order_or_number_are_the_first_fifty(night, busy):
    days = night(*busy).days
    assert all(day["usernames"] == sorted(set(day["usernames"])) for day in days.values())
    assert all(len(day["usernames"]) == day["distinct_usernames"] for day in days.values())
