"""One OCSF API Activity record of Amazon Security Lake as the audit event it was made from, as far as it says.

The mapping is that of OCSF 1.1.0, 1.2.0 and 1.5.0, which differ in units, places and spellings. A field of another type
than promised counts as absent; no record raises. tests/pipelines/test_security_lake.py has an entry for each field."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from pipelines.parsing.caps import NAME, capped_text
from pipelines.parsing.tokens import masked_texts

API_ACTIVITY = 6003
_MICROSECONDS = 10**14
"""A time above is in microseconds (OCSF 1.2.0), below in milliseconds."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ANNOTATIONS = "annotations"


def event_line(record: Mapping[str, Any]) -> bytes:
    """The event as a canonical JSON line: sorted keys, no white space, UTF-8."""
    text = json.dumps(event(record), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    # half a surrogate pair can come in by JSON text; one bad annotation must not cost the event
    return text.encode("utf-8", "replace")


def event(record: Mapping[str, Any]) -> dict[str, Any]:
    """The audit.k8s.io Event of a record; bodies are never in it."""
    path = _text(record, "http_request", "url", "path")
    unmapped = _pairs(record.get("unmapped"))
    return _filled(
        {
            "kind": "Event",
            "apiVersion": _text(record, "metadata", "product", "version") or "audit.k8s.io/v1",
            "level": _text(record, "metadata", "log_level"),
            "auditID": _text(record, "api", "request", "uid"),
            "stage": _text(record, "message"),
            "requestURI": path,
            "verb": _text(record, "api", "operation"),
            "user": _user(record),
            "sourceIPs": _addresses(record, unmapped),
            "userAgent": _agent(_text(record, "http_request", "user_agent") or ""),
            "objectRef": _object(record, path or ""),
            "responseStatus": _filled({"code": _number(_at(record, "api", "response", "code"))}),
            "requestReceivedTimestamp": _stamp(record.get("start_time_dt"), record.get("start_time")),
            "stageTimestamp": _stamp(record.get("time"), record.get("time_dt")),
            "annotations": _annotations(unmapped),
        }
    )


def _agent(text: str) -> str:
    """The agent as it is archived where it is long: thousands of requests may share one of 1 MB."""
    if len(text) <= NAME:
        return text
    (masked,) = masked_texts(pa.array([text.encode("utf-8", "replace").decode()])).to_pylist()
    return capped_text(masked, NAME)


def _user(record: Mapping[str, Any]) -> dict[str, Any]:
    account = _text(record, "cloud", "account", "uid") or ""
    extra = {
        "accessKeyId": _text(record, "actor", "session", "credential_uid"),
        "canonicalArn": _text(record, "actor", "session", "issuer"),
        "sessionName": _text(record, "actor", "session", "uid"),
        # the whole ARN of the caller stands where the account's id should
        "arn": account if account.startswith("arn:") else None,
    }
    groups = _at(record, "actor", "user", "groups")
    names = [_text(group, "name") for group in groups if isinstance(group, dict)] if isinstance(groups, list) else []
    return _filled(
        {
            "username": _text(record, "actor", "user", "name"),
            "uid": _text(record, "actor", "user", "uid"),
            "groups": [name for name in names if name],
            "extra": {key: [value] for key, value in extra.items() if value},
        }
    )


def _addresses(record: Mapping[str, Any], unmapped: Mapping[str, Any]) -> list[str]:
    for key in ("sourceIPs", "sourceIPs[]"):
        listed = unmapped.get(key)
        if isinstance(listed, str):
            # JSON text, or the addresses joined by commas
            listed = _json(listed) if listed.lstrip().startswith("[") else listed.split(",")
        if isinstance(listed, list) and (found := [a.strip() for a in listed if isinstance(a, str) and a.strip()]):
            return found
    first = _text(record, "src_endpoint", "ip")
    return [first] if first else []


def _object(record: Mapping[str, Any], path: str) -> dict[str, Any]:
    resources = record.get("resources")
    first = resources[0] if isinstance(resources, list) and resources and isinstance(resources[0], dict) else {}
    kind = _text(first, "type")
    if not kind:
        return {}
    group, resource, subresource = of_path(path)
    named = resource == kind.partition("/")[0]
    return _filled(
        {
            "resource": kind.partition("/")[0],
            "subresource": kind.partition("/")[2] or (subresource if named else None),
            "namespace": _text(first, "namespace"),
            "name": _text(first, "name"),
            "apiGroup": group if named else None,
            "apiVersion": _text(record, "api", "version"),
        }
    )


def of_path(path: str) -> tuple[str, str, str]:
    """API group, resource and subresource of a request's path, "" for what it has not; as the API server reads it."""
    parts = [part for part in path.partition("?")[0].split("/") if part]
    group, rest = "", parts[2:]
    if parts[:1] == ["apis"]:
        group, rest = "".join(parts[1:2]), parts[3:]
    elif parts[:1] != ["api"]:
        return "", "", ""
    if rest[:1] in (["watch"], ["proxy"]):
        rest = rest[1:]
    # a namespace has two subresources of its own; all else behind it lies in the namespace
    if rest[:1] == ["namespaces"] and len(rest) > 2 and rest[2] not in ("status", "finalize"):
        rest = rest[2:]
    resource, _, subresource = [*rest, "", "", ""][:3]
    return group, resource, subresource


def _annotations(unmapped: Mapping[str, Any]) -> dict[str, str]:
    prefix = f"{_ANNOTATIONS}."
    flat = {key.removeprefix(prefix): value for key, value in unmapped.items() if key.startswith(prefix)}
    return {key: value for key, value in (flat | _pairs(unmapped.get(_ANNOTATIONS))).items() if isinstance(value, str)}


def _pairs(value: object) -> dict[str, Any]:
    """An object in any of its forms: struct, map (pairs) or JSON text."""
    found = _json(value) if isinstance(value, str) else value
    if isinstance(found, list):
        found = dict(pair for pair in found if isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], str))
    return {key: v for key, v in found.items() if isinstance(key, str)} if isinstance(found, dict) else {}


def _json(text: str) -> object:
    try:
        found: object = json.loads(text, parse_int=float)
    except (ValueError, RecursionError):
        return None
    return found


def _stamp(*candidates: object) -> str | None:
    """The first of the times that can be read, as the API server writes it."""
    for found in candidates:
        try:
            moment = _moment(found)
        except (ValueError, OverflowError):
            continue
        if moment is not None:
            return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return None


def _moment(value: object) -> datetime | None:
    if isinstance(value, str):
        # older versions write a space for the T
        value = datetime.fromisoformat(value.strip().replace(" ", "T", 1))
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    number = _number(value)
    if not number or number < 0:
        return None
    return _EPOCH + timedelta(microseconds=number if number > _MICROSECONDS else number * 1000)


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _at(record: object, *path: str) -> object:
    for name in path:
        if not isinstance(record, dict):
            return None
        record = record.get(name)
    return record


def _text(record: object, *path: str) -> str | None:
    found = _at(record, *path)
    return found if isinstance(found, str) and found else None


def _filled(members: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in members.items() if not _is_empty(value)}


def _is_empty(value: object) -> bool:
    return value is None or (isinstance(value, (dict, list, str)) and not value)
