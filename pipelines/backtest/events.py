"""Calls as rows of the events table: what the API server would have logged of them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pyarrow as pa

from features.levels import Level
from pipelines.backtest.cluster import Cluster, Face
from pipelines.backtest.kinds import Call
from pipelines.backtest.scene import Scene
from pipelines.parsing.events import ARROW, COLUMNS

SCHEMA = pa.schema([(c.name, ARROW[c.type]) for c in COLUMNS])

_WRITES = ("create", "update", "patch", "delete", "deletecollection")
_SECRETIVE = {(None, "secrets"), (None, "configmaps"), ("authentication.k8s.io", "tokenreviews")}
_OWN_GROUPS = (
    None, "apps", "batch", "policy", "autoscaling", "networking.k8s.io", "storage.k8s.io", "rbac.authorization.k8s.io",
    "authorization.k8s.io", "certificates.k8s.io", "admissionregistration.k8s.io",
)  # fmt: skip
_BYTES = 1_200


def rows_of(scene: Scene, calls: Iterable[Call]) -> list[dict[str, Any]]:
    """One row a call, with one face of the actor where the call names no other identity, address or agent."""
    face = scene.chance.choice(scene.actor.faces)
    return [_row(scene, call, face) for call in calls]


def _row(scene: Scene, call: Call, face: Face) -> dict[str, Any]:
    allowed = call.code not in (401, 403)
    level = _level(scene.cluster, call)
    row: dict[str, Any] = dict.fromkeys(SCHEMA.names)
    row |= face.identity if call.identity is None else call.identity
    row |= scene.actor.authorised if allowed and call.identity is None else {}
    # a refused write is logged without its body
    row |= call.facts if level != Level.METADATA and call.code < 400 and not scene.cluster.retold else {}
    row |= {
        "audit_id": str(UUID(int=scene.chance.getrandbits(128), version=4)),
        "stage": "ResponseStarted" if call.code == 401 else "ResponseComplete",
        "received_ts": call.at,
        "stage_ts": call.at + timedelta(milliseconds=scene.chance.randint(1, 400)),
        "level": level,
        "verb": call.verb,
        "impersonated_user": call.impersonates,
        "source_ips": list(face.addresses) if call.address is None else [call.address],
        "user_agent": face.agent if call.agent is None else call.agent,
        "api_group": call.group,
        "resource": call.resource,
        "subresource": call.subresource,
        "namespace": call.namespace,
        "name": call.name,
        "request_uri": call.uri or _uri(call),
        "code": call.code,
        "decision": None if call.code == 401 else "allow" if allowed else "forbid",
        "bytes": None if scene.cluster.retold else _BYTES,
        "content_hash": f"{scene.chance.getrandbits(128):032x}",
    }
    return row


def _level(cluster: Cluster, call: Call) -> str:
    """The level at which the night logs such a request; unseen there, as the audit policy of EKS says."""
    writes = call.verb in _WRITES
    found = cluster.levels.get((writes, call.group, call.resource))
    if found is not None:
        return found
    if set(cluster.levels.values()) <= {Level.METADATA.value}:
        return Level.METADATA
    if call.resource is None or (call.group, call.resource) in _SECRETIVE or call.group not in _OWN_GROUPS:
        return Level.METADATA
    return Level.REQUEST_RESPONSE if writes else Level.REQUEST


def _uri(call: Call) -> str:
    root = f"/apis/{call.group}/v1" if call.group else "/api/v1"
    parts = [root]
    if call.namespace is not None:
        parts.append(f"namespaces/{call.namespace}")
    parts += [part for part in (call.resource, call.name, call.subresource) if part is not None]
    return "/".join(parts)
