"""Roles in YAML: what Kubernetes takes, no more than was used, whatever callers wrote into names."""

import re

import pytest
import yaml
from report.shown_builders import BEFORE, NIGHT, shown, used
from report_builders import HOSTILE, night, ranked

from pipelines.report.role import role_yaml
from pipelines.report.shown import Grant


def path(text, **more):
    return used(resource="", namespace=None, path=text, **more)


def role(*permissions, principal="system:serviceaccount:shop:cart"):
    return role_yaml(shown(night=night(ranked(principal=principal)), used=permissions, used_nights=(BEFORE, NIGHT)))


def documents(*permissions, **more):
    """The documents, each checked as Kubernetes checks rules (ValidatePolicyRule)."""
    found = list(yaml.safe_load_all(role(*permissions, **more)))
    for document in found:
        assert document["apiVersion"] == "rbac.authorization.k8s.io/v1"
        assert (document["kind"] == "ClusterRole") == ("namespace" not in document["metadata"])
        assert re.fullmatch("[a-z0-9-]{1,63}", document["metadata"]["name"])
        assert document["rules"]
        for rule in document["rules"]:
            assert rule["verbs"]
            if "nonResourceURLs" in rule:
                assert document["kind"] == "ClusterRole"
                assert rule.keys() == {"nonResourceURLs", "verbs"}
            else:
                assert rule.keys() == {"apiGroups", "resources", "verbs"}
                assert rule["apiGroups"]
                assert rule["resources"]
            texts = [text for of in rule.values() for text in of]
            assert all(isinstance(text, str) and "*" not in text for text in texts)
    return found


def rules(*permissions):
    return [rule for document in documents(*permissions) for rule in document["rules"]]


def test_a_namespace_has_a_role_and_what_is_without_one_a_cluster_role_before_it():
    found = documents(used(), used(namespace="search"), used("list", "nodes", namespace=None))
    places = [(d["kind"], d["metadata"].get("namespace")) for d in found]
    assert places == [("ClusterRole", None), ("Role", "search"), ("Role", "shop")]
    assert {d["metadata"]["name"] for d in found} == {"used-by-system-serviceaccount-shop-cart-54beea9ea05e"}


def test_principals_whose_names_read_alike_have_roles_of_their_own():
    alike = ("a:b-c", "a-b:c", "A:B-C", "a" * 80, "a" * 81, "\ud800")
    names = [documents(used(), principal=name)[0]["metadata"]["name"] for name in alike]
    assert len(set(names)) == len(alike)


def test_resources_with_the_same_verbs_share_a_rule_and_no_verb_is_lent_to_another():
    found = rules(
        used("get"), used("list"), used("get", "configmaps"), used("list", "configmaps"), used("get", "secrets")
    )
    assert found == [
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["configmaps", "pods"], "verbs": ["get", "list"]},
    ]


def test_groups_are_kept_apart_and_a_subresource_stands_behind_its_resource():
    found = rules(
        used("patch", "deployments", api_group="apps", subresource="scale"), used("create", "pods", subresource="exec")
    )
    assert found == [
        {"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["create"]},
        {"apiGroups": ["apps"], "resources": ["deployments/scale"], "verbs": ["patch"]},
    ]


def test_a_path_is_a_url_of_the_cluster_role():
    found = documents(path("/version"), path("/apis/apps/v1"), path("/metrics", verb="post"))
    assert [d["kind"] for d in found] == ["ClusterRole"]
    assert found[0]["rules"] == [
        {"nonResourceURLs": ["/apis/apps/v1", "/version"], "verbs": ["get"]},
        {"nonResourceURLs": ["/metrics"], "verbs": ["post"]},
    ]


def test_before_a_rule_stands_what_it_rests_on():
    text = role(used())
    line = "# get pods in shop: 41 requests, the last 2026-11-22T03:12:00.000000Z, by readers/shop of reader\n"
    assert line + "- apiGroups:" in text
    assert "2026-11-21 to 2026-11-22" in text


@pytest.mark.parametrize(
    "one",
    [
        used(resource="*"), used(verb="*"), used(api_group="*"), used(subresource="*"), used(namespace="*"),
        path("/*"), path("/metrics*"), path("/a\nrules: x"), path(""), used(verb=""), used(resource="Pods"),
        used(namespace="shop: {}"), used(resource="pods/exec", subresource=""), used(as_other=True),
        used(resource="a" * 300), path("/" + "a" * 2000),
    ],
    ids=lambda one: f"{one.verb} {one.what} {one.namespace}"[:40],
)  # fmt: skip
def test_what_no_rule_can_say_exactly_is_left_out_and_told(one):
    text = role(one, used("list"))
    assert documents(one, used("list"))[0]["rules"] == [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]
    assert len(documents(one, used("list"))) == 1
    assert text.count("# left out, ") == 1


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_text_changes_no_rule_and_sends_no_control_byte(text):
    hostile = [
        used(verb=text), used(resource=text), used(api_group=text), used(subresource=text), used(namespace=text),
        path(text), used("list", grants=(Grant(text, text),)),
    ]  # fmt: skip
    found = role(*hostile, principal=text or "x")
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]", found)
    for document in documents(*hostile, principal=text or "x"):
        for rule in document["rules"]:
            assert set(rule["verbs"]) <= {"get", "list", text}


@pytest.mark.parametrize("text", ["no", "1e3", "0x1", "true", "null", "123", "1-1"])
def test_a_name_that_yaml_would_take_for_something_else_is_quoted(text):
    found = documents(used(resource=text, namespace=text))
    assert found[0]["metadata"]["namespace"] == text
    assert found[0]["rules"][0]["resources"] == [text]
    assert role(used(resource=text, namespace=text)).count(f'"{text}"') == 2


def test_of_nothing_used_there_is_no_role_but_a_word():
    assert documents() == []
    assert role().startswith("# What system:serviceaccount:shop:cart of ")
