"""Each fact set, cleared and left out; bodies as objects and as JSON patches; nothing else leaves a body."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from time import process_time
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from builders import event, line, lines
from hypothesis import given, settings
from hypothesis import strategies as st
from parsing import parse

from features.levels import Level
from pipelines.config import ParseConfig
from pipelines.engine import engine
from pipelines.parsing.body_facts import FACTS, MAX_LIST, MAX_TEXT, reads_body
from pipelines.parsing.events import NAMES
from pipelines.sources.base import Batch

SECRET = "hunter2-canary"
RBAC = "rbac.authorization.k8s.io"
POD = {"verb": "create", "resource": "pods"}
DEPLOYMENT = {"verb": "patch", "resource": "deployments", "group": "apps"}
ROLE = {"verb": "update", "resource": "clusterroles", "group": RBAC}
BINDING = {"verb": "create", "resource": "rolebindings", "group": RBAC}
TOKEN = {"verb": "create", "resource": "serviceaccounts", "subresource": "token"}
REVIEW = {"verb": "create", "resource": "selfsubjectaccessreviews", "group": "authorization.k8s.io"}
AWS_AUTH = {"verb": "update", "resource": "configmaps", "namespace": "kube-system", "name": "aws-auth"}
WEBHOOK = {"verb": "create", "resource": "mutatingwebhookconfigurations", "group": "admissionregistration.k8s.io"}
KINDS = (POD, DEPLOYMENT, ROLE, BINDING, TOKEN, REVIEW, AWS_AUTH, WEBHOOK)
MAP_ROLES = "- rolearn: arn:aws:iam::123456789012:role/Admin\n  username: root\n  groups: [system:masters]\n"


def owned(*references: Mapping[str, Any]) -> dict[str, Any]:
    return pod() | {"metadata": {"ownerReferences": [{"kind": "Service", "name": "no"}, *references]}}


def pod(**spec: Any) -> dict[str, Any]:
    return {"kind": "Pod", "metadata": {"name": "x"}, "spec": {"containers": [{"name": "c"}]} | spec}


def container(**settings: Any) -> dict[str, Any]:
    return pod(containers=[{"name": "c"} | settings])


def rule(**granted: Any) -> dict[str, Any]:
    return {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]} | granted]}


def asked(**attributes: Any) -> dict[str, Any]:
    return {"spec": {"resourceAttributes": attributes}}


def hook(**client: Any) -> dict[str, Any]:
    return {"webhooks": [{"name": "w", "clientConfig": client}]}


@dataclass(frozen=True)
class Example:
    """A request, a body that sets the fact and what it then says, one that does not and what it says then."""

    request: Mapping[str, Any]
    body: Any
    value: Any
    other: Any
    cleared: Any


EXAMPLES = {
    "privileged": Example(
        POD,
        container(securityContext={"privileged": True}),
        True,
        container(securityContext={"privileged": False}),
        False,
    ),
    "host_pid": Example(POD, pod(hostPID=True), True, pod(hostPID=False), False),
    "host_network": Example(POD, pod(hostNetwork=True), True, pod(), False),
    "host_ipc": Example(POD, pod(hostIPC=True), True, pod(hostIPC=None), False),
    "host_path": Example(
        POD,
        pod(volumes=[{"name": "a", "emptyDir": {}}, {"name": "b", "hostPath": {"path": "/"}}]),
        True,
        pod(volumes=[{"name": "a", "hostPath": None}]),
        False,
    ),
    "images": Example(
        POD, pod(containers=[{"image": "b:2"}, {"image": "a:1"}, {"image": "b:2"}]), ["a:1", "b:2"], pod(), []
    ),
    "owner": Example(
        POD, owned({"kind": "ReplicaSet", "name": "web", "controller": True}), "replicasets/web", owned(), None
    ),
    "token_expiration_s": Example(
        TOKEN, {"spec": {"expirationSeconds": 3600}}, 3600, {"spec": {"audiences": []}}, None
    ),
    "asked_permission": Example(
        REVIEW, asked(verb="get", resource="pods", namespace="shop"), "get pods shop", {"spec": {}}, "* * *"
    ),
    "binding_role": Example(
        BINDING, {"roleRef": {"kind": "ClusterRole", "name": "admin"}}, "ClusterRole/admin", {}, ""
    ),
    "binding_subjects": Example(
        BINDING,
        {
            "subjects": [
                {"kind": "User", "name": "eve"},
                {"kind": "ServiceAccount", "namespace": "shop", "name": "cart"},
            ]
        },
        ["ServiceAccount/shop/cart", "User/eve"],
        {"subjects": []},
        [],
    ),
    "binds_self": Example(
        BINDING,
        {"subjects": [{"kind": "ServiceAccount", "namespace": "shop", "name": "cart"}]},
        True,
        {"subjects": [{"kind": "ServiceAccount", "namespace": "shop", "name": "pay"}]},
        False,
    ),
    "binds_everybody": Example(
        BINDING,
        {"subjects": [{"kind": "Group", "name": "system:unauthenticated"}]},
        True,
        {"subjects": [{"kind": "Group", "name": "system:nodes"}]},
        False,
    ),
    "rule_wildcard": Example(ROLE, rule(verbs=["get", "*"]), True, rule(), False),
    "rule_secrets": Example(ROLE, rule(resources=["pods", "secrets"]), True, rule(), False),
    "rule_exec": Example(ROLE, rule(resources=["pods/exec"]), True, rule(resources=["pods/log"]), False),
    "rule_escalate": Example(ROLE, rule(verbs=["escalate"]), True, rule(), False),
    "rule_bind": Example(ROLE, rule(verbs=["bind"]), True, rule(), False),
    "rule_impersonate": Example(ROLE, rule(verbs=["impersonate"]), True, rule(), False),
    "aws_auth_identities": Example(
        AWS_AUTH,
        {"data": {"mapRoles": MAP_ROLES, "mapUsers": "- userarn: arn:aws:iam::123456789012:user/eve"}},
        ["arn:aws:iam::123456789012:role/Admin", "arn:aws:iam::123456789012:user/eve"],
        {"data": {"other": MAP_ROLES}},
        [],
    ),
    "webhook_targets": Example(
        WEBHOOK,
        {
            "webhooks": [
                *hook(service={"namespace": "kube-system", "name": "w"})["webhooks"],
                *hook(url="https://e/x")["webhooks"],
            ]
        },
        ["https://e", "service/kube-system/w"],
        hook(service=None),
        [],
    ),
    "webhook_outside": Example(
        WEBHOOK,
        {"webhooks": [{"clientConfig": {"url": "https://hooks.example.com/x"}}]},
        True,
        {"webhooks": [{"clientConfig": {"service": {"namespace": "kyverno", "name": "hook"}}}]},
        False,
    ),
}
NAMED = [f.name for f in FACTS]

Read = Callable[[bytes], pa.Table]
Facts = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def read() -> Iterator[Read]:
    with engine(ParseConfig()) as made:

        def rows(data: bytes) -> pa.Table:
            parsed = parse(made, Batch("a", 0, data))
            assert parsed.rows.num_rows == data.count(b"\n")
            return parsed.rows

        yield rows


@pytest.fixture(scope="module")
def facts(read: Read) -> Facts:
    """The facts of one request that are not null."""

    def of(body: Any, **request: Any) -> dict[str, Any]:
        found = read(line(event(level="Request", body=body, **request))).select(NAMED).to_pylist()[0]
        return {name: value for name, value in found.items() if value is not None}

    return of


CASES: dict[str, Callable[[Example], dict[str, Any]]] = {
    "set": lambda e: event(level="Request", body=e.body, **e.request),
    "cleared": lambda e: event(level="Request", body=e.other, **e.request),
    "without-body": lambda e: event(level="Metadata", **e.request),
    "null-body": lambda e: event(level="Request", **e.request) | {"requestObject": None},
    "read-only": lambda e: event(level="Request", body=e.body, **dict(e.request) | {"verb": "get"}),
    "other-resource": lambda e: event(level="Request", body=e.body, **dict(e.request) | {"resource": "widgets"}),
    "other-subresource": lambda e: event(level="Request", body=e.body, **dict(e.request) | {"subresource": "status"}),
}


@pytest.fixture(scope="module")
def table(read: Read) -> dict[tuple[str, str], dict[str, Any]]:
    keys = [(name, case) for name in EXAMPLES for case in CASES]
    rows = read(lines(CASES[case](EXAMPLES[name]) for name, case in keys)).to_pylist()
    return dict(zip(keys, rows, strict=True))


def test_every_fact_has_an_example() -> None:
    assert list(EXAMPLES) == NAMED


@pytest.mark.parametrize("name", NAMED)
def test_a_fact_is_read_from_a_body_that_sets_it(table: dict[tuple[str, str], dict[str, Any]], name: str) -> None:
    assert table[name, "set"][name] == EXAMPLES[name].value


@pytest.mark.parametrize("name", NAMED)
def test_a_fact_is_false_or_empty_where_a_body_does_not_set_it(
    table: dict[tuple[str, str], dict[str, Any]], name: str
) -> None:
    assert table[name, "cleared"][name] == EXAMPLES[name].cleared


@pytest.mark.parametrize("case", ["without-body", "null-body", "read-only", "other-resource"])
@pytest.mark.parametrize("name", NAMED)
def test_a_fact_is_null_without_a_body_or_where_it_does_not_apply(
    table: dict[tuple[str, str], dict[str, Any]], name: str, case: str
) -> None:
    assert table[name, case][name] is None


@pytest.mark.parametrize("name", [n for n in NAMED if EXAMPLES[n].request is POD])
def test_a_status_write_asks_for_nothing(table: dict[tuple[str, str], dict[str, Any]], name: str) -> None:
    assert table[name, "other-subresource"][name] is None


def test_only_the_facts_of_its_request_are_read(table: dict[tuple[str, str], dict[str, Any]]) -> None:
    for name, example in EXAMPLES.items():
        kin = {n for n, e in EXAMPLES.items() if e.request is example.request}
        assert [n for n in NAMED if table[name, "set"][n] is not None and n not in kin] == []


@pytest.mark.parametrize("fact", FACTS, ids=NAMED)
def test_a_fact_is_blind_below_the_level_that_logs_bodies(fact: Any) -> None:
    assert fact.needs == Level.REQUEST
    assert fact.meaning.endswith(".")


def test_the_maker_of_the_sample_keeps_each_body_a_fact_reads() -> None:
    ref = {"api_group": None, "subresource": None, "namespace": None, "name": None}
    for example in EXAMPLES.values():
        request = {"api_group" if k == "group" else k: v for k, v in example.request.items()}
        columns = {k: pa.array([v], pa.string()) for k, v in (ref | request).items()}
        with duckdb.connect() as connection:
            connection.register("events", pa.table(columns))
            assert connection.sql(f"SELECT {reads_body()} FROM events").fetchall() == [(True,)]


PLACES: dict[str, tuple[dict[str, Any], Callable[[dict[str, Any]], dict[str, Any]]]] = {
    "pod": (POD, lambda spec: {"spec": spec}),
    "deployment": (DEPLOYMENT, lambda spec: {"spec": {"template": {"spec": spec}}}),
    "job": (POD | {"resource": "jobs", "group": "batch"}, lambda spec: {"spec": {"template": {"spec": spec}}}),
    "cronjob": (
        POD | {"resource": "cronjobs", "group": "batch"},
        lambda spec: {"spec": {"jobTemplate": {"spec": {"template": {"spec": spec}}}}},
    ),
    "podtemplate": (POD | {"resource": "podtemplates"}, lambda spec: {"template": {"spec": spec}}),
    "debug": (POD | {"verb": "patch", "subresource": "ephemeralcontainers"}, lambda spec: {"spec": spec}),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_pod_is_read_wherever_it_is_nested(read: Read, place: str) -> None:
    request, nested = PLACES[place]
    one = {"image": "evil:1", "securityContext": {"privileged": True}}
    specs = [{kind: [{"name": "a"}, one]} for kind in ("containers", "initContainers", "ephemeralContainers")]
    specs.append({"hostPID": True, "hostNetwork": True, "hostIPC": True, "volumes": [{"hostPath": {"path": "/"}}]})
    rows = read(lines(event(level="Request", body=nested(spec), **request) for spec in specs)).to_pylist()
    assert [(r["privileged"], r["images"]) for r in rows] == [(True, ["evil:1"])] * 3 + [(False, [])]
    assert [rows[3][n] for n in ("host_pid", "host_network", "host_ipc", "host_path")] == [True] * 4


POD_SPEC = "/spec/template/spec"
ADMIN = {"kind": "User", "name": "eve"}


@pytest.mark.parametrize(
    ("request_", "operation", "fact", "expected"),
    [
        (DEPLOYMENT, {"path": f"{POD_SPEC}/hostPID", "value": True}, "host_pid", True),
        (DEPLOYMENT, {"path": f"{POD_SPEC}/hostPID", "value": False}, "host_pid", False),
        (DEPLOYMENT, {"op": "remove", "path": f"{POD_SPEC}/hostPID"}, "host_pid", False),
        (DEPLOYMENT, {"op": "test", "path": f"{POD_SPEC}/hostPID", "value": True}, "host_pid", False),
        (DEPLOYMENT, {"path": POD_SPEC, "value": {"hostNetwork": True}}, "host_network", True),
        (
            DEPLOYMENT,
            {"path": f"{POD_SPEC}/containers/0/securityContext/privileged", "value": True},
            "privileged",
            True,
        ),
        (
            DEPLOYMENT,
            {"path": f"{POD_SPEC}/containers/0/securityContext", "value": {"privileged": True}},
            "privileged",
            True,
        ),
        (DEPLOYMENT, {"path": f"{POD_SPEC}/containers/-", "value": {"image": "evil:1"}}, "images", ["evil:1"]),
        (DEPLOYMENT, {"path": f"{POD_SPEC}/containers/0/image", "value": "evil:1"}, "images", ["evil:1"]),
        (DEPLOYMENT, {"path": f"{POD_SPEC}/volumes/-", "value": {"hostPath": {"path": "/"}}}, "host_path", True),
        (DEPLOYMENT, {"path": "", "value": {"spec": {"template": {"spec": {"hostIPC": True}}}}}, "host_ipc", True),
        (ROLE, {"path": "/rules/0/verbs/-", "value": "*"}, "rule_wildcard", True),
        (ROLE, {"path": "/rules/-", "value": {"resources": ["secrets"]}}, "rule_secrets", True),
        (ROLE, {"path": "/rules/0/verbs", "value": ["bind"]}, "rule_bind", True),
        (BINDING | {"verb": "patch"}, {"path": "/subjects/-", "value": ADMIN}, "binding_subjects", ["User/eve"]),
        (BINDING | {"verb": "patch"}, {"path": "/subjects", "value": [ADMIN]}, "binding_subjects", ["User/eve"]),
        (
            AWS_AUTH | {"verb": "patch"},
            {"path": "/data/mapRoles", "value": MAP_ROLES},
            "aws_auth_identities",
            ["arn:aws:iam::123456789012:role/Admin"],
        ),
        (
            WEBHOOK | {"verb": "patch"},
            {"path": "/webhooks/0/clientConfig/url", "value": "https://evil/x"},
            "webhook_targets",
            ["https://evil"],
        ),
    ],
    ids=lambda v: v["path"] if isinstance(v, dict) and "path" in v else None,
)
def test_a_json_patch_is_read_as_the_object_it_makes(
    facts: Facts, request_: dict[str, Any], operation: dict[str, Any], fact: str, expected: Any
) -> None:
    patch = [{"op": "test", "path": "/kind", "value": "x"}, {"op": "add"} | operation]
    assert facts(patch, **request_ | {"verb": "patch"})[fact] == expected


def test_text_and_labels_that_look_like_settings_set_no_fact(facts: Facts) -> None:
    applied = json.dumps(container(image="evil:1", securityContext={"privileged": True}) | pod(hostPID=True))
    words = {
        "hostPID": "true",
        "hostNetwork": "true",
        "hostIPC": "true",
        "hostPath": "x",
        "image": "x",
        "privileged": "true",
    }
    meta = {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": applied} | words, "labels": words}
    settings = ("privileged", "host_pid", "host_network", "host_ipc", "host_path")
    assert facts(pod() | {"metadata": meta, "status": words}, **POD) == dict.fromkeys(settings, False) | {"images": []}


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://hooks.example.com", "https://hooks.example.com"),
        ("https://hooks.example.com/services/T0/B0/hunter2", "https://hooks.example.com"),
        ("https://eve:hunter2@hooks.example.com/validate", "https://hooks.example.com"),
        ("https://eve:hunt@er2@hooks.example.com/validate", "https://hooks.example.com"),
        ("https://eve:hunt/er2@hooks.example.com/validate", "https://hooks.example.com"),
        ("https://hooks.example.com?token=hunter2#x", "https://hooks.example.com"),
        ("https://hooks.example.com:8443/v?to=a@b", "https://hooks.example.com:8443"),
        ("HTTPS://eve:hunter2@hooks.example.com/", "HTTPS://hooks.example.com"),
        ("https://eve:hunter2@[fd00::7]:8443/v", "https://[fd00::7]:8443"),
        # the API server calls the host before the first slash
        ("https://evil.example/v@hooks.example.com", "https://evil.example"),
    ],
)
def test_of_the_address_of_a_webhook_scheme_host_and_port_stay(facts: Facts, url: str, kept: str) -> None:
    assert facts(hook(url=url), **WEBHOOK)["webhook_targets"] == [kept]


@pytest.mark.parametrize("url", ["hunter2", "", "eve:hunter2@hooks.example.com", "https://", "https://eve:hunter2 @ x"])
def test_what_is_no_address_is_no_target(facts: Facts, url: str) -> None:
    assert facts(hook(url=url), **WEBHOOK)["webhook_targets"] == []


@pytest.mark.parametrize(
    ("image", "kept"),
    [
        ("registry.example:5000/shop/cart:1", "registry.example:5000/shop/cart:1"),
        ("https://eve:hunter2@registry.example/cart:1", "registry.example/cart:1"),
        ("eve:hunt@er2@registry.example/cart:1", "registry.example/cart:1"),
        ("registry.example/cart:1@sha256:0a1b", "registry.example/cart:1@sha256:0a1b"),
        ("oci://eve:hunter2@registry.example/cart@sha256:0a1b", "registry.example/cart@sha256:0a1b"),
    ],
)
def test_an_image_loses_scheme_and_user(facts: Facts, image: str, kept: str) -> None:
    assert facts(pod(containers=[{"image": image}]), **POD)["images"] == [kept]


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("/x?token=hunter2", "/x?REDACTED"),
        ("/x;hunter2", "/x;REDACTED"),
        ("/x#hunter2", "/x#REDACTED"),
        ("/x%3ftoken=hunter2", "/x%3fREDACTED"),
        ("/api/v1/nodes/n/proxy/run/hunter2", "/api/v1/nodes/n/proxy/run/REDACTED"),
        ("/x/eyJhbGciOiJSUzI1NiJ9.hunter2", "/x/REDACTED"),
    ],
)
def test_the_path_that_a_review_asks_about_is_redacted(facts: Facts, path: str, kept: str) -> None:
    spec = {"spec": {"nonResourceAttributes": {"verb": "get", "path": path}}}
    assert facts(spec, **REVIEW) == {"asked_permission": f"get {kept}"}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (
            asked(verb="get", resource="pods", group="apps", subresource="log", namespace="shop"),
            "get pods.apps/log shop",
        ),
        (asked(verb="*", resource="*"), "* * *"),
        ({"spec": {"nonResourceAttributes": {"verb": "get", "path": "/metrics"}}}, "get /metrics"),
        (asked(verb="get", resource="pods") | {"nonResourceAttributes": None}, "get pods *"),
        ({"spec": {"nonResourceAttributes": None, "resourceAttributes": {"verb": "list"}}}, "list * *"),
    ],
    ids=["full", "all", "path", "null-outside", "null-path"],
)
def test_an_access_review_says_what_was_asked(facts: Facts, spec: dict[str, Any], expected: str) -> None:
    assert facts(spec, **REVIEW) == {"asked_permission": expected}


def test_a_body_of_thousands_fills_a_list_up_to_its_limit(facts: Facts) -> None:
    found = facts(pod(containers=[{"image": f"{i:05}" + "x" * 600} for i in range(3000)]), **POD)["images"]
    assert len(found) == MAX_LIST
    assert {len(image) for image in found} == {MAX_TEXT}


DEEP = {
    "spec": (b'{"spec":', b"}"),
    "template": (b'{"spec":{"template":', b"}}"),
    "containers": (b'{"spec":{"containers":[', b"]}}"),
    "hostPID": (b'{"hostPID":', b"}"),
    "array": (b"[", b"]"),
}


@pytest.mark.parametrize(
    ("name", "left_out"),
    [("spec", False), ("template", True), ("containers", True), ("hostPID", False), ("array", False)],
)
def test_a_deep_body_costs_no_memory(read: Read, name: str, left_out: bool) -> None:
    opened, closed = DEEP[name]
    data = line(event(level="Request", body=1, **DEPLOYMENT))
    deep = opened * 50_000 + b"1" + closed * 50_000
    found = read(data.replace(b'"requestObject":1', b'"requestObject":' + deep))
    # one of more values than are read is left out, and says so
    expected = {"truncated": "bodies", "host_pid": None} if left_out else {"truncated": None, "host_pid": False}
    assert found.select(list(expected)).to_pylist() == [expected]


def test_a_patch_with_an_endless_path_is_passed_over(facts: Facts) -> None:
    long, before = {"op": "add", "path": "/spec" * 100_000, "value": {"hostPID": True}}, process_time()
    assert facts([long, {"op": "add", "path": f"{POD_SPEC}/hostPID", "value": True}], **DEPLOYMENT)["host_pid"] is True
    assert process_time() - before < 5


def planted(value: Any) -> Any:
    """The body with a secret in every place that no fact declares."""
    if isinstance(value, list):
        return [planted(v) for v in value]
    if not isinstance(value, dict):
        return value
    secret = {"metadata": {"annotations": {"a": SECRET}, "labels": {"image": SECRET, "hostPath": SECRET}}}
    secret |= {"env": [{"name": "PASSWORD", "value": SECRET}], "args": [SECRET], "command": [SECRET], "token": SECRET}
    secret |= {
        "caBundle": SECRET,
        "stringData": {"k": SECRET},
        "managedFields": [SECRET],
    }
    return secret | {"config": json.dumps({"image": SECRET})} | {k: planted(v) for k, v in value.items()}


def test_a_secret_in_a_body_reaches_no_column(read: Read) -> None:
    bodies = [planted(e.body) for e in EXAMPLES.values()]
    bodies[NAMED.index("aws_auth_identities")]["data"]["password"] = SECRET
    bodies[NAMED.index("webhook_targets")]["webhooks"][1]["clientConfig"]["url"] = f"https://u:{SECRET}@e/x?{SECRET}"
    patches = [
        [{"op": "add", "path": "", "value": body}, {"op": "add", "path": "/data/x", "value": SECRET}] for body in bodies
    ]
    both = [(e.request, b) for e, b in zip(EXAMPLES.values(), bodies, strict=True)]
    both += [(dict(e.request) | {"verb": "patch"}, b) for e, b in zip(EXAMPLES.values(), patches, strict=True)]
    rows = read(lines(event(level="Request", body=b, responseObject=planted({}), **r) for r, b in both))
    assert SECRET in repr(both)
    assert set(rows.column_names) == {"pos", *NAMES}
    assert SECRET not in repr(rows.to_pylist())
    assert [r[n] for r, n in zip(rows.to_pylist(), NAMED, strict=False)] == [e.value for e in EXAMPLES.values()]


FIELDS = st.sampled_from(
    (
        "spec", "template", "jobTemplate", "containers", "initContainers", "securityContext", "privileged", "image",
        "hostPID", "volumes", "hostPath", "rules", "verbs", "resources", "roleRef", "kind", "name", "subjects", "data",
        "mapRoles", "webhooks", "clientConfig", "url", "service", "expirationSeconds", "resourceAttributes",
        "nonResourceAttributes", "verb", "op", "path", "value",
    )
)  # fmt: skip
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["add", "/spec/0/-", "*"])
)
BODIES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=4), max_leaves=25
)


@settings(max_examples=20, deadline=None)
@given(st.lists(BODIES, min_size=1, max_size=6))
def test_no_body_stops_the_parser(read: Read, bodies: list[Any]) -> None:
    events = [
        event(level="Request", **dict(kind) | {"verb": verb}) | {"requestObject": body}
        for body in bodies
        for kind in KINDS
        for verb in ("create", "patch")
    ]
    assert read(lines(events)).num_rows == len(events)


@pytest.mark.parametrize("value", [None, True, 5, "x", [], [[]], {}, [{}], {"a": 1}, [None, 5, "x"]], ids=json.dumps)
def test_a_wrong_type_anywhere_in_a_body_costs_no_row(read: Read, value: Any) -> None:
    def broken(body: Any) -> Iterator[Any]:
        yield value
        if isinstance(body, dict):
            for key in body:
                yield from (body | {key: inner} for inner in broken(body[key]))
        elif isinstance(body, list):
            for i, one in enumerate(body):
                yield from ([*body[:i], inner, *body[i + 1 :]] for inner in broken(one))

    assert read(
        lines(
            event(level="Request", **e.request) | {"requestObject": body}
            for e in EXAMPLES.values()
            for body in broken(e.body)
        )
    )
