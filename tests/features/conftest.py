"""Nights for the tests of features/: builder events through the real parser, counted on one connection."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from builders import NIGHT, event, lines
from parsing import parse

from features.days import Counted, count, prepare
from features.requests import REQUESTS
from pipelines.config import ParseConfig
from pipelines.engine import engine as connected
from pipelines.sources.base import Batch

KEY = ("principal", "type", "kind", "item")
Row = dict[str, Any]


@dataclass(frozen=True)
class Night:
    """A counted night; the engine holds it until the next one is made."""

    engine: duckdb.DuckDBPyConnection
    counted: Counted
    requests: list[Row]
    new_items: list[Row]

    @cached_property
    def days(self) -> dict[str, Row]:
        return {row["principal"]: row for row in self.counted.days.to_pylist()}

    @cached_property
    def items(self) -> list[tuple[str, ...]]:
        return [tuple(row[name] for name in KEY) for row in self.counted.items.to_pylist()]

    def news(self, kind: str) -> dict[str, tuple[int, int, int]]:
        """By principal: its shares of new items of this kind, in billionths, for itself, its type and the cluster."""
        shares: dict[str, tuple[int, int, int]] = {}
        for row in self.new_items:
            if row["kind"] == kind:
                old = shares.get(row["principal"], (0, 0, 0))
                new = (row["principal_share"], row["type_share"], row["cluster_share"])
                shares[row["principal"]] = (old[0] + new[0], old[1] + new[1], old[2] + new[2])
        return shares


@pytest.fixture(scope="session")
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    with connected(ParseConfig()) as connection:
        yield connection


@pytest.fixture(scope="session")
def archived(engine: duckdb.DuckDBPyConnection) -> Callable[[Iterable[Mapping[str, Any]]], None]:
    """Makes events the view `events`."""

    def make(events: Iterable[Mapping[str, Any]]) -> None:
        parsed = parse(engine, Batch("test", 0, lines(events)))
        assert not parsed.quarantine.num_rows
        engine.register("events", parsed.rows)

    return make


@pytest.fixture(scope="session")
def requests(engine: duckdb.DuckDBPyConnection, archived: Any) -> Callable[..., list[Row]]:
    """Folds events to requests; times are texts."""

    def make(*events: Mapping[str, Any]) -> list[Row]:
        archived(events)
        return engine.sql(f"SELECT * FROM ({REQUESTS}) ORDER BY ALL").to_arrow_table().to_pylist()

    return make


@pytest.fixture(scope="session")
def night(engine: duckdb.DuckDBPyConnection, archived: Any) -> Callable[..., Night]:
    """Counts a night of events against past items, given as (principal, type, kind, item); see also `prepare`."""

    def make(*events: Mapping[str, Any], past: Iterable[tuple[str, ...]] = (), **prepared: object) -> Night:
        archived(events)
        columns = list(zip(*past, strict=True)) or [()] * len(KEY)
        known = {name: pa.array(column, pa.string()) for name, column in zip(KEY, columns, strict=True)}
        # each of the same thing is of a night of its own
        seen: Counter[tuple[str, ...]] = Counter()
        times = []
        for thing in zip(*columns, strict=True):
            seen[thing] += 1
            times.append(datetime.fromisoformat(f"{NIGHT}T00:00:00Z") - timedelta(days=seen[thing]))
        first = pa.array(times, pa.timestamp("us", "UTC"))
        engine.register("past_items", pa.table(known | {"first_ts": first}))
        prepare(engine, **({"keep_requests": True} | prepared))
        return Night(
            engine,
            count(engine),
            engine.sql("SELECT * FROM requests ORDER BY ALL").to_arrow_table().to_pylist(),
            engine.sql("SELECT * FROM new_items ORDER BY ALL").to_arrow_table().to_pylist(),
        )

    return make


RBAC = "rbac.authorization.k8s.io"
_ADMIN = {"roleRef": {"kind": "ClusterRole", "name": "cluster-admin"}}
_PRIVILEGED = {"spec": {"containers": [{"image": "acme/miner:1", "securityContext": {"privileged": True}}]}}
_SELVES = [
    {"kind": "User", "name": "eve"},
    {"kind": "ServiceAccount", "namespace": "shop", "name": "cart"},
    {"kind": "Group", "name": "system:authenticated"},
]
_BOUND = {"roleRef": {"kind": "Role", "name": "r"}, "subjects": _SELVES}
_RULES = {"rules": [{"resources": ["*", "secrets", "pods/exec"], "verbs": ["bind"]}]}
_OWNED = {"metadata": {"ownerReferences": [{"kind": "DaemonSet", "name": "web", "controller": True}]}} | _PRIVILEGED
_ROLE = {"verb": "create", "resource": "roles", "group": RBAC}
_ASKED = {"verb": "create", "resource": "serviceaccounts", "subresource": "token", "name": "pay"}
_HOOK = {"verb": "create", "resource": "mutatingwebhookconfigurations", "group": "admissionregistration.k8s.io"}
_DEEDS: tuple[dict[str, Any], ...] = (
    {"name": "cart-0"},
    {"verb": "list", "namespace": None},
    {"verb": "watch"},
    {"verb": "create", "body": _PRIVILEGED},
    {"verb": "patch", "resource": "deployments", "group": "apps"},
    {"verb": "delete"},
    {"verb": "deletecollection"},
    {"resource": None, "namespace": None},
    {"resource": "pods", "subresource": "exec", "name": "cart-0"},
    {"resource": "nodes", "subresource": "proxy", "namespace": None, "name": "n"},
    {"verb": "list", "resource": "secrets"},
    {"resource": "secrets", "name": "db"},
    {"resource": "secrets", "name": "db", "code": 403},
    {"resource": "secrets", "name": "db", "code": 401, "stage": "ResponseStarted"},
    {"code": 404},
    {"code": 500},
    {"verb": "create", "resource": "clusterrolebindings", "group": RBAC, "namespace": None, "body": _ADMIN},
    {"verb": "create", "resource": "serviceaccounts", "subresource": "token", "name": "cart"},
    {"verb": "create", "resource": "selfsubjectaccessreviews", "group": "authorization.k8s.io", "namespace": None},
    {"verb": "create", "resource": "apiservices", "group": "apiregistration.k8s.io", "namespace": None},
    {"verb": "create", "resource": "certificatesigningrequests", "group": "certificates.k8s.io", "namespace": None},
    {"verb": "patch", "resource": "configmaps", "namespace": "kube-system", "name": "aws-auth"},
    {"impersonates": "root"},
    {"ip": "198.51.100.7", "agent": "curl/8.0"},
    {"namespace": "pay"},
    {"resource": "secrets", "name": "db"},
    {"pod": "cart-0", "credential": "JTI=1"},
    {"verb": "update", "subresource": "status", "name": "cart-0"},
    {"resource": None, "namespace": None, "uri": "/apis"},
    {"code": 403, "annotations": {"authorization.k8s.io/decision": "allow"}},
    {"verb": "update", "code": 409},
    {"code": 429},
    {"agent": "kubectl/v1.32"},
    {"annotations": {"authorization.k8s.io/reason": 'RBAC: allowed by RoleBinding "b/n" of Role "r" to Group "g"'}},
    {"resource": "configmaps", "namespace": "kube-system", "name": "coredns"},
    _ROLE | {"code": 403},
    _ROLE | {"body": _RULES},
    _ROLE | {"resource": "rolebindings", "body": _BOUND},
    _ASKED | {"body": {"spec": {"expirationSeconds": 90_000}}},
    _ASKED | {"code": 403},
    {"verb": "create", "resource": "selfsubjectaccessreviews", "group": "authorization.k8s.io", "namespace": None}
    | {"body": {"spec": {"resourceAttributes": {"verb": "get", "resource": "secrets"}}}},
    _HOOK | {"namespace": None, "body": {"webhooks": [{"clientConfig": {"url": "https://evil.example/x"}}]}},
    {"verb": "patch", "resource": "configmaps", "namespace": "kube-system", "name": "aws-auth"}
    | {"body": {"data": {"mapRoles": "- rolearn: arn:aws:iam::111122223333:role/evil"}}},
)


@pytest.fixture(scope="session")
def busy() -> list[dict[str, Any]]:
    """Events of a night in which some principal moves every feature."""
    users: tuple[dict[str, Any], ...] = (
        {},
        {"user": "eve"},
        {"user": "system:kube-scheduler"},
        {"user": "system:node:n", "arn": "arn:aws:iam::111122223333:role/node", "session": "i-0abc"},
    )
    # what all of them start is a quarter new to each: one thing must be new to one alone
    alone = {"resource": "secrets", "name": "root", "namespace": "vault", "ip": "203.0.113.9", "agent": "nmap/7"}
    eve = {"user": "eve", "level": "Request", "at": f"{NIGHT}T10:58:00Z"}
    image = {"spec": {"containers": [{"image": "evil.example/miner"}]}}
    mapped = {"data": {"mapUsers": "- userarn: arn:aws:iam::111122223333:user/eve"}}
    aws_auth = {"resource": "configmaps", "namespace": "kube-system", "name": "aws-auth"}
    reason = 'RBAC: allowed by ClusterRoleBinding "all" of ClusterRole "all" to User "eve"'
    node = {"user": "system:node:m", "arn": "arn:aws:iam::111122223333:role/ghost", "session": "bob"}
    return [
        event(user="eve", code=403, level="Request", at=f"{NIGHT}T10:59:00Z", **alone),
        event(**eve, verb="create", body=image),
        event(**eve, verb="create", resource="daemonsets", name="web"),
        event(
            user="system:serviceaccount:kube-system:daemon-set-controller", verb="create", level="Request", body=_OWNED
        ),
        event(**eve, verb="update", body=mapped, **aws_auth),
        event(**eve, verb="get", subresource="exec", name="web-0", namespace="pay"),
        event(**eve, **(_ASKED | {"name": "vault"})),
        event(**eve, annotations={"authorization.k8s.io/reason": reason}, pod="web-0", credential="JTI=2"),
        event(**node, at=f"{NIGHT}T03:00:00Z"),
        *_everyone(users),
    ]


def _everyone(users: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        event(**(user | {"level": "Request", "at": f"{NIGHT}T{hour:02}:{minute:02}:00Z"} | deed))
        for hour, user in enumerate(users, 9)
        for minute, deed in enumerate(_DEEDS)
        for _ in range(1 + minute % 3)
    ]
