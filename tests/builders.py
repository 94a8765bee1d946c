"""Audit events for tests: say what matters, the rest is an ordinary request."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

NIGHT = "2026-09-15"
_NUMBERS = count(1)


def event(
    *,
    user: str | None = "system:serviceaccount:shop:cart",
    verb: str = "get",
    resource: str | None = "pods",
    namespace: str | None = "shop",
    name: str | None = None,
    subresource: str | None = None,
    group: str | None = None,
    code: int | None = 200,
    at: str = f"{NIGHT}T12:00:00.000000Z",
    stage: str = "ResponseComplete",
    ip: str = "10.0.0.7",
    agent: str = "cart/v1.0 (linux/amd64)",
    uri: str | None = None,
    level: str = "Metadata",
    audit_id: str | None = None,
    arn: str | None = None,
    session: str | None = None,
    impersonates: str | None = None,
    pod: str | None = None,
    credential: str | None = None,
    body: Any = None,
    **more: Any,
) -> dict[str, Any]:
    """One event as the API server writes it; `at` is the time received, the stage follows a millisecond later."""
    received = datetime.fromisoformat(at).astimezone(UTC)
    stamp = (received + timedelta(milliseconds=1)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    extra = {"canonicalArn": [arn]} if arn else {}
    extra |= {"sessionName": [session]} if session else {}
    extra |= {"authentication.kubernetes.io/pod-name": [pod]} if pod else {}
    extra |= {"authentication.kubernetes.io/credential-id": [credential]} if credential else {}
    who: dict[str, Any] = {} if user is None else {"username": user, "groups": ["system:authenticated"]}
    ref = {"resource": resource, "namespace": namespace, "name": name, "apiGroup": group, "subresource": subresource}
    made: dict[str, Any] = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": level,
        "auditID": audit_id or str(UUID(int=next(_NUMBERS))),
        "stage": stage,
        "requestURI": uri or _uri(ref),
        "verb": verb,
        "user": who | ({"extra": extra} if extra else {}),
        "impersonatedUser": {"username": impersonates} if impersonates else None,
        "sourceIPs": [ip],
        "userAgent": agent,
        "objectRef": {k: v for k, v in ref.items() if v is not None} if resource else None,
        "responseStatus": None if code is None else {"metadata": {}, "code": code},
        "requestObject": body,
        "requestReceivedTimestamp": received.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "stageTimestamp": stamp,
        "annotations": {"authorization.k8s.io/decision": "forbid" if code == 403 else "allow"},
    }
    return {k: v for k, v in (made | more).items() if v is not None}


def _uri(ref: Mapping[str, str | None]) -> str:
    if not ref["resource"]:
        return "/version"
    root = f"/apis/{ref['apiGroup']}/v1" if ref["apiGroup"] else "/api/v1"
    parts = [f"namespaces/{ref['namespace']}" if ref["namespace"] else None, ref["resource"], ref["name"]]
    return "/".join([root, *(p for p in (*parts, ref["subresource"]) if p)])


def line(one: Mapping[str, Any]) -> bytes:
    """One event as a line."""
    return json.dumps(one, separators=(",", ":")).encode() + b"\n"


def lines(events: Iterable[Mapping[str, Any]]) -> bytes:
    """Events as NDJSON."""
    return b"".join(line(e) for e in events)
