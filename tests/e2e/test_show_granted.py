"""`auditforest show` where little was done: permissions used, roles made of them, one of several principals meant."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from builders import event
from e2e.job import Ended, auditforest, nightly
from e2e.showing import BEFORE, show, told
from e2e.world import ATTACKER, LAST, written

from pipelines.errors import Exit

_BY_ROLE = 'RBAC: allowed by RoleBinding "deployers/shop" of Role "deployer" to User "ci"'
_BY_CLUSTER_ROLE = 'RBAC: allowed by ClusterRoleBinding "viewers" of ClusterRole "view" to Group "dev"'


def allowed(reason: str, decision: str = "allow", **more: Any) -> dict[str, Any]:
    kept = {"authorization.k8s.io/decision": decision, "authorization.k8s.io/reason": reason}
    return event(user="ci", at=f"{LAST}T12:00:00Z", annotations=kept, **more)


@pytest.fixture(scope="module")
def granted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A night of bob alone, then one of an account whose requests were allowed, refused, and both."""
    rbac = {"group": "rbac.authorization.k8s.io"}
    events = [
        allowed(_BY_ROLE, verb="patch", resource="deployments", group="apps", name="cart"),
        allowed(_BY_ROLE, verb="patch", resource="deployments", group="apps", subresource="scale", name="cart"),
        allowed(_BY_CLUSTER_ROLE, verb="patch", resource="deployments", group="apps", name="other"),
        allowed(_BY_CLUSTER_ROLE, verb="list", resource="nodes", namespace=None),
        allowed(_BY_CLUSTER_ROLE, verb="get", resource=None, namespace=None, uri="/metrics?x=1"),
        allowed(_BY_CLUSTER_ROLE, verb="get", resource="configmaps", name="gone", code=404),
        allowed("", verb="get", resource="leases", group="coordination.k8s.io", name="lock"),
        allowed("", "forbid", verb="get", resource="secrets", name="own", code=403),
        allowed(_BY_ROLE, verb="create", resource="pods", code=403),
        allowed(_BY_ROLE, verb="delete", resource="roles", impersonates="root", **rbac),
        allowed(_BY_ROLE, verb="get", resource="*", name="x", code=404),
        *(event(user=name, verb="delete", resource="pods", at=f"{LAST}T12:00:00Z") for name in ("eve", "steve")),
        *(
            event(user=f"system:node:n-{n}", resource="nodes", namespace=None, at=f"{LAST}T12:00:00Z")
            for n in range(60)
        ),
    ]
    before = [event(user="bob", at=f"{BEFORE}T12:00:00Z")]
    folder = tmp_path_factory.mktemp("granted")
    source = written(folder / "source", {BEFORE: before, LAST: events})
    assert nightly(source, folder / "archive", BEFORE, LAST).code == 0
    return folder / "archive"


def test_a_permission_used_names_each_binding_that_allowed_it(granted: Path) -> None:
    used = {(u["verb"], u["resource"], u["subresource"], u["path"]): u for u in told(granted, "ci")["used"]}
    patch = used["patch", "deployments", "", None]
    assert patch["requests"] == 2
    assert patch["grants"] == [
        {"binding": "deployers/shop", "role": "deployer"},
        {"binding": "viewers", "role": "view"},
    ]
    assert used["get", "leases", "", None]["grants"] == [{"binding": "", "role": ""}]
    assert used["get", "", "", "/metrics"]["namespace"] is None
    assert used["delete", "roles", "", None]["as_other"]


def test_what_was_refused_before_or_after_it_was_allowed_is_no_permission_used(granted: Path) -> None:
    things = {(u["verb"], u["resource"]) for u in told(granted, "ci")["used"]}
    assert not things & {("get", "secrets"), ("create", "pods"), ("delete", "pods")}
    assert ("get", "configmaps") in things


def test_the_role_holds_exactly_what_was_used(granted: Path) -> None:
    ended = show(granted, "ci", "--role")
    assert (ended.code, ended.err) == (0, "")
    cluster, role = yaml.safe_load_all(ended.out)
    assert cluster == {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "used-by-ci-1b158839f8aa"},
        "rules": [
            {"apiGroups": [""], "resources": ["nodes"], "verbs": ["list"]},
            {"nonResourceURLs": ["/metrics"], "verbs": ["get"]},
        ],
    }
    assert (role["kind"], role["metadata"]) == ("Role", {"name": "used-by-ci-1b158839f8aa", "namespace": "shop"})
    assert role["rules"] == [
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]},
        {"apiGroups": ["apps"], "resources": ["deployments", "deployments/scale"], "verbs": ["patch"]},
        {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get"]},
    ]
    assert len(re.findall("^# left out, ", ended.out, re.MULTILINE)) == 2
    comment = "# patch deployments.apps in shop: 2 requests, the last 2026-09-15T12:00:00.000000Z, by "
    assert f"{comment}deployers/shop of deployer; viewers of view\n" in ended.out


def test_a_principal_of_more_user_names_than_are_kept_is_shown_whole(granted: Path) -> None:
    assert [u["requests"] for u in told(granted, "node-group")["used"]] == [60]


def test_a_part_that_several_have_lists_them_and_a_whole_name_wins(built: tuple[Path, Ended], granted: Path) -> None:
    ended = show(built[0], "shop")
    assert ended.code == Exit.USAGE
    assert ended.out.splitlines() == [ATTACKER, "system:serviceaccount:shop:payment"]
    assert ended.complaints == [
        f"auditforest: 'shop': 2 principals of {LAST} have this in their names, one expected; "
        "give more of one of the names printed"
    ]
    assert told(granted, "eve")["ranking"]["principal"] == "eve"
    assert told(granted, "steve")["ranking"]["principal"] == "steve"


def test_a_night_without_a_request_is_compared_as_nothing(granted: Path) -> None:
    for nights, side in (((BEFORE, LAST), "before"), ((LAST, BEFORE), "after")):
        ended = auditforest("compare", "eve", *nights, "--archive", granted, "--format", "json")
        found = json.loads(ended.out)
        assert found[side] == {**dict.fromkeys(found[side]), "night": str(BEFORE), "principals": 1}
        assert {count[side] for count in found["counts"]} == {None}
        assert "no request" in auditforest("compare", "eve", *nights, "--archive", granted).out
