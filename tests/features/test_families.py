"""Names that last for hours, and those that only look so."""

from __future__ import annotations

import duckdb
import pytest
from builders import event

from features.families import family, workload

NAMESPACES = {
    "pr-123": "pr-*",
    "preview-41": "preview-*",
    "build-7f9c2d4e81": "build-*",
    "team-abcdef1": "team-*",
    "a-b-20240917": "a-b-*",
    "shard-1": "shard-1",
    "prod-usw2": "prod-usw2",
    "team-decade": "team-decade",
    "team-defaced": "team-defaced",
    "v2": "v2",
    "123": "123",
    "pr-123-web": "pr-123-web",
    "pr-123\nx": "pr-123\nx",
    "": "",
}
PODS = {
    "cart-7d4b9c6f5d-x2k9p": "cart-*",
    "cart-68f9db5d4-zzxkq": "cart-*",
    "aws-node-4bt7k": "aws-node-*",
    "kafka-0": "kafka-*",
    "nightly-28475130-x2k9p": "nightly-*",
    "bastion": "bastion",
    "my-shell": "my-shell",
}
CART = "system:serviceaccount:shop:cart"


@pytest.mark.parametrize(("name", "expected"), NAMESPACES.items())
def test_a_namespace_that_passes_stands_under_its_family(name, expected):
    assert duckdb.execute(f"SELECT {family('n')} FROM (SELECT ?::VARCHAR AS n)", [name]).fetchall() == [(expected,)]


@pytest.mark.parametrize(("name", "expected"), PODS.items())
def test_a_pod_stands_under_its_workload(name, expected):
    assert duckdb.execute(f"SELECT {workload('n')} FROM (SELECT ?::VARCHAR AS n)", [name]).fetchall() == [(expected,)]


def _work(namespace, user=CART):
    return [
        event(user=user, namespace=namespace, verb="create"),
        event(user=user, namespace=namespace, resource="secrets", name="db"),
        event(user=user, namespace=namespace, verb="list", code=403),
        event(user=user, namespace=namespace, subresource="exec", name="web-7d4b9c6f5d-x2k9p"),
    ]


def _news(found):
    return {name: n for name, n in found.days[CART].items() if name.startswith("new_") and n}


def test_the_next_pull_requests_namespace_is_nothing_new(night):
    past = night(*_work("pr-41")).items
    assert _news(night(*_work("pr-42"), past=past)) == {}
    assert _news(night(*_work("team-b"), past=past))["new_namespaces"] == 1


def test_a_namespace_named_into_a_family_hides_its_own_newness_alone(night):
    past = night(*_work("pr-41")).items
    root = {"namespace": "pr-42", "resource": "secrets", "name": "root"}
    found = night(*_work("pr-42"), event(**root), event(verb="delete", **root), past=past)
    news = _news(found)
    assert {"new_actions", "new_secrets", "new_writes_in_namespaces"} <= news.keys()
    assert "new_namespaces" not in news


def test_so_many_namespaces_of_a_family_are_counted_one_by_one(night):
    found = night(*(event(namespace=f"pr-{n}", verb="list", code=403, resource="secrets") for n in range(10, 50)))
    day = found.days[CART]
    assert (day["distinct_namespaces"], day["distinct_secret_namespaces"], day["distinct_denied_actions"]) == (40,) * 3
    assert day["new_namespaces"] == 1
