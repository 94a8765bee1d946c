"""The body facts by hand, on parsed JSON: half of the row loop that benchmarks/row_loop.py is.

Imports nothing of the parser but lists of resources, limits and patterns.
tests/test_benchmark_ingest.py compares each value."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from benchmarks.row_uris import redacted_path
from features.predicates import WORKLOADS
from pipelines.parsing.body_facts import ADDRESS, EVERYBODY, IMAGE, MAX_LIST, MAX_TEXT

_ADDRESS, _IMAGE = re.compile(ADDRESS), re.compile(IMAGE)
_IDENTITY = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:(?:role|user|root)[A-Za-z0-9_+=,.@/-]*")
_POD_PATHS = (
    ("spec",),
    ("spec", "template", "spec"),
    ("template", "spec"),
    ("spec", "jobTemplate", "spec", "template", "spec"),
)
_EXEC = {"pods/exec", "pods/attach", "pods/portforward", "pods/ephemeralcontainers", "pods/*", "*/exec"}
_REVIEWS = {"selfsubjectaccessreviews", "subjectaccessreviews", "localsubjectaccessreviews"}
_WEBHOOKS = {"validatingwebhookconfigurations", "mutatingwebhookconfigurations"}


def facts(event: dict[str, Any]) -> dict[str, Any] | None:
    """The facts of an event that has a body and a resource; None where no fact reads it."""
    ref = event["objectRef"]
    verb, resource, sub = event.get("verb"), ref.get("resource"), ref.get("subresource") or None
    rbac = ref.get("apiGroup") == "rbac.authorization.k8s.io"
    write = verb in ("create", "update", "patch")
    body = event["requestObject"]
    found: dict[str, Any] | None = None
    if write and resource in WORKLOADS and (sub is None or (resource == "pods" and sub == "ephemeralcontainers")):
        found = _workload(_objects(body))
    elif write and rbac and resource in ("roles", "clusterroles"):
        found = _role(_objects(body))
    elif write and rbac and resource in ("rolebindings", "clusterrolebindings"):
        found = _binding(_objects(body), event.get("user") or {})
    elif verb == "create" and resource in _REVIEWS:
        found = {"asked_permission": _asked(next(iter(_objects(body)), {}))}
    elif write and resource in _WEBHOOKS:
        found = {"webhook_targets": _texts(_targets(_objects(body))), "webhook_outside": _outside(_objects(body))}
    elif verb == "create" and resource == "serviceaccounts" and sub == "token":
        seconds = _at(next(iter(_objects(body)), {}), "spec", "expirationSeconds")
        found = {"token_expiration_s": None if seconds is None else int(seconds)}
    elif write and resource == "configmaps" and (ref.get("namespace"), ref.get("name")) == ("kube-system", "aws-auth"):
        maps = (_text(_at(o, "data", name)) for o in _objects(body) for name in ("mapRoles", "mapUsers"))
        found = {"aws_auth_identities": _texts(i for m in maps if m for i in _IDENTITY.findall(m))}
    return found


def _objects(body: Any) -> list[Any]:
    """The body, or each operation of a JSON patch, its value nested as its path says."""
    if isinstance(body, dict):
        return [body]
    return [
        _nested(one)
        for one in (body if isinstance(body, list) else [])
        if one.get("op") in ("add", "replace") and "value" in one
    ]


def _nested(operation: dict[str, Any]) -> Any:
    value = operation["value"]
    for key in reversed([s for s in operation["path"].split("/") if s]):
        value = [value] if key == "-" or key.isdecimal() else {key: value}
    return value


def _at(value: Any, *path: str) -> Any:
    for key in path:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def _entries(value: Any, *path: str) -> list[Any]:
    found = _at(value, *path)
    return found if isinstance(found, list) else []


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else orjson.dumps(value).decode()


def _texts(found: Iterable[str | None]) -> list[str]:
    return [t[:MAX_TEXT] for t in sorted({t for t in found if t})[:MAX_LIST]]


def _joined(sign: str, *parts: str | None) -> str:
    return sign.join(p for p in parts if p is not None)


def _workload(bodies: list[Any]) -> dict[str, Any]:
    pods = [pod for path in _POD_PATHS for body in bodies if isinstance(pod := _at(body, *path), dict)]
    kinds = ("containers", "initContainers", "ephemeralContainers")
    containers = [c for pod in pods for kind in kinds for c in _entries(pod, kind)]
    volumes = [v for pod in pods for v in _entries(pod, "volumes")]
    return {
        "privileged": any(_at(c, "securityContext", "privileged") is True for c in containers),
        "host_pid": any(pod.get("hostPID") is True for pod in pods),
        "host_network": any(pod.get("hostNetwork") is True for pod in pods),
        "host_ipc": any(pod.get("hostIPC") is True for pod in pods),
        "host_path": any(isinstance(_at(v, "hostPath"), dict) for v in volumes),
        "owner": _owner(bodies),
        "images": _texts(i[1] for c in containers if (i := _IMAGE.match(_text(_at(c, "image")) or ""))),
    }


def _owner(bodies: list[Any]) -> str | None:
    for owner in (o for body in bodies for o in _entries(body, "metadata", "ownerReferences")):
        if _at(owner, "controller") is True:
            kind, name = _text(_at(owner, "kind")), _text(_at(owner, "name"))
            return None if kind is None or name is None else f"{kind.lower()}s/{name}"[:MAX_TEXT]
    return None


def _role(bodies: list[Any]) -> dict[str, Any]:
    rules = [rule for body in bodies for rule in _entries(body, "rules")]
    verbs = {v for rule in rules for v in _entries(rule, "verbs")}
    resources = {r for rule in rules for r in _entries(rule, "resources")}
    return {
        "rule_wildcard": "*" in verbs or not resources.isdisjoint(("*", "*/*")),
        "rule_secrets": not resources.isdisjoint(("secrets", "*")),
        "rule_exec": not resources.isdisjoint(_EXEC),
        "rule_escalate": not verbs.isdisjoint(("escalate", "*")),
        "rule_bind": not verbs.isdisjoint(("bind", "*")),
        "rule_impersonate": not verbs.isdisjoint(("impersonate", "*")),
    }


def _binding(bodies: list[Any], user: dict[str, Any]) -> dict[str, Any]:
    roles = [[_text(_at(b, "roleRef", name)) for b in bodies if _at(b, "roleRef", name)] for name in ("kind", "name")]
    subjects = [
        _joined("/", _text(_at(s, "kind")), _text(_at(s, "namespace")) or None, _text(_at(s, "name")))
        for body in bodies
        for s in _entries(body, "subjects")
    ]
    return {
        "binding_role": _joined("/", *(found[0] if found else None for found in roles))[:MAX_TEXT],
        "binding_subjects": _texts(subjects),
        "binds_self": not set(subjects).isdisjoint(_writer(user)),
        "binds_everybody": not set(subjects).isdisjoint(EVERYBODY),
    }


def _writer(user: dict[str, Any]) -> Iterator[str]:
    """Whom a binding would name to name its writer."""
    name, account = user.get("username") or "", "system:serviceaccount:"
    yield f"User/{name}"
    if name.startswith(account):
        yield f"ServiceAccount/{name.removeprefix(account).replace(':', '/')}"
    yield from (f"Group/{group}" for group in user.get("groups") or ())


def _asked(body: Any) -> str:
    url = _at(body, "spec", "nonResourceAttributes")
    if isinstance(url, dict):
        return _joined(" ", _text(url.get("verb")), redacted_path(_text(url.get("path"))))[:MAX_TEXT]
    asked = _at(body, "spec", "resourceAttributes") or {}
    what = asked.get("resource") or "*"
    for sign, name in ((".", "group"), ("/", "subresource")):
        what += sign + asked[name] if asked.get(name) else ""
    return f"{asked.get('verb') or '*'} {what} {asked.get('namespace') or '*'}"[:MAX_TEXT]


def _targets(bodies: list[Any]) -> Iterator[str]:
    for hook in (h for body in bodies for h in _entries(body, "webhooks")):
        url, service = _at(hook, "clientConfig", "url"), _at(hook, "clientConfig", "service")
        if isinstance(url, str):
            found = _ADDRESS.match(url)
            yield found[1] + found[2] if found else ""
        if isinstance(service, dict):
            yield _joined("/", "service", _text(service.get("namespace")), _text(service.get("name")))


def _outside(bodies: list[Any]) -> bool:
    urls = (_at(hook, "clientConfig", "url") for body in bodies for hook in _entries(body, "webhooks"))
    return any(url for url in urls)
