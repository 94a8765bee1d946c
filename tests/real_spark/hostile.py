"""Events such as no API server writes: each column drawn from what an attacker or a broken source could put there."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pyarrow as pa

from features.predicates import REVIEWS, WORKLOADS
from pipelines.parsing.events import SCHEMA

TEXTS = (
    "", " ", "\0", "a\0b", "\n", "a\nb", "a\r\nb", "\u2028", "\u0085", "'", "''", '"', "\\", "\\1", "\\n", "$1", "${x}",
    "%", "_", "a/b", "a:b", ":", "/", ".", "^a$", "Ä", "ä", "A\u0308", "ß", "İ", "\u0131", "Σ", "ΑΣ", "\u017f",
    "\u212a", "\u202egnp.exe", "\u200b", "\ufeff", "\ufffd", "\ufdd0", "\uffff", "👩\u200d💻", "\U0001d4b6",
    "\U0010ffff", "é" * 300, "x" * 20_000, "-" * 5_000, "a-" * 5_000, "null", "NULL", "true", "0", "-1", "1e9",
    "::ffff:", "::", "\uff11\uff12",
)  # fmt: skip
"""Values to be read alike by every engine: tricks of Unicode, quotes, line ends, escapes, what looks like a pattern."""

_ARNS = (
    "arn:aws:iam::111122223333:role/SRE", "arn:aws:iam::111122223333:role/a/b/SRE", "arn:aws:iam::1:role/SRE",
    "arn:aws:iam::111122223333:user/ops/eve", "arn:aws:iam::111122223333:role/", "arn:aws:iam::111122223333:role/x\ny",
)  # fmt: skip
_USERS = (
    "system:anonymous", "system:node:n", "system:node:", "eks:x", "system:kube-scheduler", "system:apiserver",
    "system:serviceaccount:kube-system:job-controller", "system:serviceaccount:shop:cart", "system:serviceaccount:",
    "system:serviceaccount:pr-123:ci", "system:serviceaccount:build-7f9c2d4e81:ci", "system:serviceaccount:a-1\n:b",
    "system:serviceaccount:x-1:y\n", "unauthenticated", "user:x", "node-group:x", "iam-role:1:x", "unauthenticated\n",
    "arn:aws:sts::111122223333:assumed-role/SRE/maria", "arn:aws:sts::111122223333:assumed-role/SRE/i-0abc",
    "arn:aws:sts::111122223333:assumed-role/SRE/i-0abc\n", "arn:aws:sts::111122223333:assumed-role/SRE/a\nb",
    "arn:aws:sts::111122223333:assumed-role/SRE/\U0001d4b6", "system:unknown", "eve",
)  # fmt: skip
_SESSIONS = ("maria", "EKSGetTokenAuth", "EKSGetTokenAuth\n", "i-0abc", "1690000000", "16900\n", "botocore-session-1")
_ADDRESSES = (
    "10.0.0.7", "::ffff:10.0.0.7", "::FFFF:203.0.113.9", "203.0.113.9", "203.0.113.9\n", "256.1.1.1", "1.2.3", "::1",
    "fe80::1", "2001:db8::1", "203.0.113.009", "203.0.113.9 ",
)  # fmt: skip
_AGENTS = ("curl/8.0", "kubectl/v1.33.1 (linux)", "KubeCTL", "agent-1.2.3", "1.2.3", "ΣΑΣ/1", "İ/2", "a\nb/c", "/")
_GROUPS = (None, "apps", "rbac.authorization.k8s.io", "coordination.k8s.io", "certificates.k8s.io")
_RESOURCES = (
    *WORKLOADS, *REVIEWS, "secrets", "leases", "nodes", "configmaps", "serviceaccounts", "clusterrolebindings",
    "certificatesigningrequests", "apiservices", "mutatingwebhookconfigurations",
)  # fmt: skip
_VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "Get", "impersonate")
_LIKELY: dict[str, Sequence[Any]] = {
    "stage": ("ResponseComplete", "ResponseStarted", "RequestReceived", "Panic"),
    "level": ("Metadata", "Request", "RequestResponse", "None"),
    "verb": _VERBS,
    "username": _USERS,
    "iam_role_arn": _ARNS,
    "session_name": _SESSIONS,
    "user_agent": _AGENTS,
    "api_group": _GROUPS,
    "resource": _RESOURCES,
    "subresource": (None, "exec", "token", "proxy", "status", "ephemeralcontainers"),
    "namespace": ("shop", "kube-system", "pay"),
    "name": ("aws-auth", "db", "cart-0"),
    "request_uri": ("/healthz", "/healthz?x", "/healthzz", "/livez/\n", "/readyz\n", "/api"),
    "code": (200, 201, 400, 401, 403, 404, 500, 0, -1, 2**31 - 1),
    "truncated": (None, "bodies", "text"),
    "binding_role": ("ClusterRole/cluster-admin", "Role/x/cluster-admin", "/cluster-admin\n"),
    "binding_subjects": (["Group/system:masters"], [None], ["Group/system:masters", None], [None, "User/x"]),
}


def hostile(night: date, rows: int, seed: int, nulls: float = 0.2) -> pa.Table:
    """Events of a night: likely values and hostile ones mixed, this share of every column null."""
    draw = random.Random(seed)
    columns = {f.name: [_value(draw, f, night, nulls) for _ in range(rows)] for f in SCHEMA}
    # many stages of few requests, some of them logged at the same microsecond
    columns["audit_id"] = [draw.choice((f"id-{draw.randrange(rows)}", draw.choice(TEXTS))) for _ in range(rows)]
    columns["content_hash"] = [f"{n:032x}" for n in draw.sample(range(10 * rows), rows)]
    return pa.table(columns, schema=SCHEMA)


def _value(draw: random.Random, field: pa.Field, night: date, nulls: float) -> Any:
    if field.name != "stage_ts" and draw.random() < nulls:
        return None
    likely = _LIKELY.get(field.name)
    if likely is not None and draw.random() < 0.8:
        return draw.choice(likely)
    return _MADE[str(field.type)](draw, night)


def _stamp(draw: random.Random, night: date) -> datetime:
    start = datetime.combine(night, time(tzinfo=UTC))
    return start + timedelta(microseconds=draw.choice((0, 1, 86_399_999_999, draw.randrange(86_400_000_000))))


def _texts(draw: random.Random, _night: date) -> list[str | None]:
    return [draw.choice((*_ADDRESSES, *TEXTS, None)) for _ in range(draw.randrange(4))]


_MADE: dict[str, Callable[[random.Random, date], Any]] = {
    "string": lambda draw, _night: draw.choice(TEXTS),
    "bool": lambda draw, _night: draw.random() < 0.5,
    "int32": lambda draw, _night: draw.choice((0, 1, -1, 2**31 - 1)),
    "int64": lambda draw, _night: draw.choice((0, 1, -1, 2**63 - 1)),
    "timestamp[us, tz=UTC]": _stamp,
    "list<item: string>": _texts,
}
