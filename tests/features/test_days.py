"""A principal's night in whole numbers: one row each, blind where bodies are missing, bounded against floods."""

from __future__ import annotations

import importlib

import pyarrow as pa
import pytest
from builders import event

from features.catalogue import FEATURES, NAMES, REPEATS
from features.days import MAX_USERNAMES, count, prepare
from features.levels import Level

CART = "system:serviceaccount:shop:cart"
RBAC = {"verb": "create", "resource": "roles", "group": "rbac.authorization.k8s.io"}
POD = {"verb": "create", "resource": "pods"}
READS = {"strong_rbac_writes": RBAC, "privileged_writes": POD}


def test_columns_are_the_features_in_their_order_and_whole_numbers(night, busy):
    days = night(*busy).counted.days
    assert days.column_names == ["principal", "type", "peer_group", "usernames", "distinct_usernames", *NAMES]
    assert {days.schema.field(name).type for name in NAMES} == {pa.int64()}
    assert [days[name].null_count for name in NAMES] == [0] * len(NAMES)


def test_there_is_one_row_a_principal_in_the_order_of_names(night, busy):
    principals = night(*busy).counted.days["principal"].to_pylist()
    assert principals == sorted(set(principals))


def test_every_feature_that_reads_bodies_is_tested_here():
    assert set(READS) == {f.name for f in FEATURES if f.needs is not Level.METADATA}


@pytest.mark.parametrize("name", READS)
def test_a_feature_is_null_for_all_when_its_bodies_were_not_logged(night, name):
    found = night(event(**READS[name]), event(user="eve"))
    assert found.counted.blind == (name,)
    assert [day[name] for day in found.days.values()] == [None, None]
    assert None not in [day[other] for day in found.days.values() for other in NAMES if other != name]


@pytest.mark.parametrize("name", READS)
@pytest.mark.parametrize("level", ["Request", "RequestResponse"])
def test_a_feature_sees_when_one_body_was_logged(night, name, level):
    found = night(event(**READS[name]), event(**(READS[name] | {"level": level, "body": {}})))
    assert found.counted.blind == ()
    assert found.days[CART][name] == 0


@pytest.mark.parametrize("name", READS)
def test_a_refused_or_absent_write_blinds_nothing(night, name):
    found = night(event(**(READS[name] | {"code": 403})), event())
    assert found.counted.blind == ()
    assert found.days[CART][name] == 0


def test_a_night_of_nothing_but_what_is_left_out_is_a_row_of_zeros(night):
    found = night(event(resource="leases", group="coordination.k8s.io"))
    assert found.counted.left_out == 1
    assert [found.days[CART][name] for name in NAMES] == [0] * len(NAMES)


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


def test_a_flood_of_invented_names_is_a_row_each(night, engine):
    night(event(user="x", code=403))
    flood = engine.sql(
        "SELECT * REPLACE ('x' || i AS username, 'a' || i AS audit_id) FROM events, range(20000) AS t(i)"
    )
    engine.register("events", flood.to_arrow_table().drop_columns(["i"]))
    prepare(engine)
    counted = count(engine)
    assert counted.days.num_rows == 20_000
    assert set(counted.days["requests"].to_pylist()) == {1}
    assert sum(counted.days["new_denied_actions_for_cluster"].to_pylist()) == 1


def test_the_hash_names_how_things_are_counted_and_not_what_they_weigh():
    import features.catalogue
    import features.days
    import features.items

    before = features.days.HASH
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(features.catalogue.WEIGHTS, "time", 0.1)
        assert before == importlib.reload(features.days).HASH
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(features.items, "ITEMS", features.items.ITEMS.replace("lpad", "rpad"))
        assert before != importlib.reload(features.days).HASH
    assert before == importlib.reload(features.days).HASH


@pytest.mark.parametrize(("name", "request_of"), READS.items())
def test_bodies_that_the_server_cut_off_are_not_read(night, name, request_of):
    cut = {"audit.k8s.io/truncated": "true", "authorization.k8s.io/decision": "allow"}
    assert name in night(event(level="Request", code=201, annotations=cut, **request_of)).counted.blind


def test_an_ephemeral_container_without_its_body_is_blind(night):
    patch = {"verb": "patch", "resource": "pods", "subresource": "ephemeralcontainers"}
    assert "privileged_writes" in night(event(level="Metadata", **patch)).counted.blind


def test_a_failure_that_is_repeated_counts_a_few_times_and_different_ones_each(night):
    loop = [event(code=403, name="same", audit_id=f"l{n}") for n in range(40)]
    search = [event(user="eve", code=403, name=f"other-{n}") for n in range(40)]
    found = night(*loop, *search).days
    assert (found[CART]["forbidden"], found["eve"]["forbidden"]) == (REPEATS, 40)
