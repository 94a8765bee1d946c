"""Details of a principal: every counted request in its hour, the new of each kind, and the very requests asked for."""

from __future__ import annotations

from datetime import datetime

import pytest
from builders import NIGHT, event

from features.catalogue import feature
from features.detail import LONGEST, MOST_NEW, NEW_KINDS, details
from features.evidence import evidence
from features.items import KINDS

CART = "system:serviceaccount:shop:cart"
SECRETS = [f"secret-{nth:02d}" for nth in range(MOST_NEW + 3)]
BOUND = {
    "authorization.k8s.io/decision": "allow",
    "authorization.k8s.io/reason": 'RBAC: allowed by RoleBinding "edit/shop" of Role "editor" to User "eve"',
}


def at(clock):
    return datetime.fromisoformat(f"{NIGHT}T{clock}Z")


@pytest.fixture(scope="module")
def found(night):
    """The details of three principals, one of them unknown to the night."""
    made = night(
        *(
            event(resource="secrets", name=name, at=f"{NIGHT}T03:00:{nth:02d}Z", audit_id=f"secret {nth}")
            for nth, name in enumerate(SECRETS)
        ),
        event(code=403, at=f"{NIGHT}T03:10:00Z"),
        event(code=500, at=f"{NIGHT}T23:59:00Z", agent="a" * 2000, audit_id="long"),
        event(code=500, at=f"{NIGHT}T23:59:01Z", audit_id="long"),
        event(resource="leases", group="coordination.k8s.io", at=f"{NIGHT}T05:00:00Z"),
        event(user="eve", audit_id="long", impersonates="i" * 2000),
        event(user="eve", annotations=BOUND),
        past=[(CART, "workload", "secret", f"shop/{SECRETS[0]}"), ("else", "workload", "secret", f"shop/{SECRETS[1]}")],
    )
    wanted = [("secret 2", at("03:00:02")), ("long", at("23:59:00")), ("of nobody", at("12:00:00"))]
    return details(made.engine, {CART: wanted, "nobody": [], "eve": [("long", at("12:00:00"))]})


def test_every_counted_request_stands_in_its_hour_with_its_outcome(found):
    assert found[CART]["hours"] == [
        {"hour": 3, "succeeded": len(SECRETS), "refused": 1, "failed": 0},
        {"hour": 23, "succeeded": 0, "refused": 0, "failed": 2},
    ]


def test_what_is_new_is_counted_named_up_to_a_bound_and_what_is_new_to_most_comes_first(found):
    kinds = {kind["kind"]: kind for kind in found[CART]["new"]}
    assert list(kinds) == [kind for kind in NEW_KINDS if kind in kinds]
    secrets = kinds["secret"]
    assert secrets["items"] == len(SECRETS) - 1
    assert [item["item"] for item in secrets["first"]] == [f"shop/{name}" for name in SECRETS[2 : 2 + MOST_NEW]]
    assert {item["new_to"] for item in secrets["first"]} == {"cluster"}


def test_only_the_requests_asked_for_are_shown_once_each_and_cut(found):
    shown = found[CART]["requests"]
    assert [request["audit_id"] for request in shown] == ["secret 2", "long"]
    assert [request["alike"] for request in shown] == [1, 2]
    assert shown[1]["agent"] == "a" * LONGEST
    assert (shown[0]["verb"], shown[0]["object"], shown[0]["name"]) == ("get", "secrets", SECRETS[2])


def test_a_request_in_the_name_of_another_tells_whose_and_is_cut(found):
    (one,) = found["eve"]["requests"]
    assert one["impersonated_user"] == "i" * LONGEST
    assert {request["impersonated_user"] for request in found[CART]["requests"]} == {None}


def test_a_harmless_request_of_the_same_audit_id_hides_none_of_those_that_count(night):
    made = night(
        event(resource="configmaps", at=f"{NIGHT}T03:00:00Z", audit_id="chosen"),
        *(event(resource="secrets", name=n, at=f"{NIGHT}T03:00:0{n}Z", audit_id="chosen") for n in "12"),
        event(resource="configmaps", at=f"{NIGHT}T03:00:03Z", audit_id="chosen"),
    )
    (proof,) = evidence(made.engine, feature("secret_reads"), [CART]).to_pylist()
    shown = details(made.engine, {CART: list(zip(proof["audit_ids"], proof["times"], strict=True))})[CART]["requests"]
    assert [(one["object"], one["name"], one["alike"]) for one in shown] == [("secrets", "1", 4), ("secrets", "2", 4)]


def test_bindings_are_told_by_the_requests_that_they_allowed(night):
    made = night(event(user="eve", annotations=BOUND), event(user="eve", annotations=BOUND), event(user="eve"))
    (found,) = details(made.engine, dict.fromkeys(made.days, ())).values()
    assert found["bindings"] == {"items": 1, "first": [{"item": "edit/shop of editor", "requests": 2}]}


def test_a_principal_without_requests_has_nothing_to_show(found):
    assert found["nobody"] == {"hours": [], "new": [], "bindings": {"items": 0, "first": []}, "requests": []}


def test_the_kinds_shown_are_kinds_of_items():
    assert set(NEW_KINDS) <= {kind.name for kind in KINDS}
