"""A small cluster: ten nights of a dozen principals, a few hundred events each, and an attack for the last.

Made from seeds alone, so that every run of the tests reads the same bytes."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from builders import event, lines

CLUSTER = "prod"
NIGHTS = tuple(date(2026, 9, 6) + timedelta(days=n) for n in range(10))
LAST = NIGHTS[-1]
ATTACKER = "system:serviceaccount:shop:cart"
PUBLIC = "203.0.113.9"


@dataclass(frozen=True)
class Actor:
    """A principal's habits: whom it says it is, from where, and what it asks for, in turn."""

    user: str | None
    agent: str
    ip: str
    requests: int
    asks: tuple[Mapping[str, Any], ...]
    more: Mapping[str, Any]


def _actor(user: str | None, agent: str, ip: str, requests: int, *asks: Mapping[str, Any], **more: Any) -> Actor:
    return Actor(user, agent, ip, requests, asks, more)


def _person(name: str, role: str, ip: str, requests: int, *asks: Mapping[str, Any]) -> Actor:
    arn = f"arn:aws:iam::111122223333:role/{role}"
    user = f"arn:aws:sts::111122223333:assumed-role/{role}/{name}"
    return _actor(user, "kubectl/v1.33.1 (linux/amd64)", ip, requests, *asks, arn=arn, session=name)


_PODS = {"resource": "pods", "verb": "list"}
_LOGS = {"resource": "pods", "subresource": "log", "name": "cart-0"}
_CONFIG = {"resource": "configmaps", "name": "settings"}
_OWN_SECRET = {"resource": "secrets", "name": "own"}
_DEPLOY = {"resource": "deployments", "group": "apps", "verb": "patch", "name": "cart"}
_NODE = {"resource": "nodes", "name": "ip-10-0-0-1", "namespace": None}
_ANYWHERE = {"resource": "pods", "verb": "list", "namespace": None}
_VERSION = {"resource": None}
_REFUSED = {"resource": None, "code": 401, "stage": "ResponseStarted", "uri": "/api"}

ACTORS = (
    _actor(ATTACKER, "cart/v1.0 (linux/amd64)", "10.0.0.7", 40, _CONFIG, _OWN_SECRET, _PODS),
    _actor("system:serviceaccount:shop:payment", "payment/v2.1", "10.0.0.8", 40, _CONFIG, _PODS),
    _actor("system:serviceaccount:search:index", "index/v0.9", "10.0.0.9", 30, _CONFIG, namespace="search"),
    _actor("system:serviceaccount:kube-system:aws-node", "aws-node/v1.19", "10.0.0.2", 30, _NODE, _ANYWHERE),
    _actor("system:serviceaccount:kube-system:job-controller", "kube-controller-manager/v1.33", "10.1.0.1", 20, _PODS),
    _actor("system:kube-scheduler", "kube-scheduler/v1.33", "10.1.0.1", 30, _ANYWHERE, _NODE),
    _actor("system:node:ip-10-0-0-1", "kubelet/v1.33", "10.0.0.1", 30, _NODE, _CONFIG),
    _actor("eks:node-manager", "eks/v1", "10.1.0.2", 10, _NODE),
    _actor(None, "curl/8.9", "198.51.100.4", 10, _REFUSED, level="Request"),
    _person("maria", "SRE", "10.9.0.1", 25, _PODS, _LOGS, _VERSION),
    _person("nikhil", "Dev", "10.9.0.2", 20, _PODS, _LOGS),
    _person("GitHubActions", "Deploy", "10.9.0.3", 15, _DEPLOY, _CONFIG),
)


def audit_id(dice: random.Random) -> str:
    """An id that depends on the dice alone."""
    return str(UUID(int=dice.getrandbits(128)))


def ordinary(night: date) -> list[dict[str, Any]]:
    """What everybody does on any night, a few hundred events in every hour of the day."""
    dice = random.Random(night.toordinal())
    made = []
    for actor in ACTORS:
        for nth in range(round(actor.requests * dice.uniform(0.8, 1.2))):
            second = (nth * 3607 + dice.randrange(600)) % 86_399
            at = f"{night}T{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}.000000Z"
            ask = {"user": actor.user, "agent": actor.agent, "ip": actor.ip, "at": at, "audit_id": audit_id(dice)}
            made.append(event(**(ask | dict(actor.more) | dict(actor.asks[nth % len(actor.asks)]))))
    return made


def theft(night: date, secrets: int = 60) -> list[dict[str, Any]]:
    """A workload's token reads every secret from an address on the internet."""
    dice = random.Random(f"theft {night}")
    return [
        event(
            user=ATTACKER,
            resource="secrets",
            name=f"credential-{nth}",
            namespace=("shop", "search", "kube-system")[nth % 3],
            agent="python-requests/2.32",
            ip=PUBLIC,
            at=f"{night}T03:{nth % 60:02d}:00.000000Z",
            audit_id=audit_id(dice),
        )
        for nth in range(secrets)
    ]


def written(folder: Path, nights: Mapping[date, Sequence[Mapping[str, Any]]]) -> Path:
    """A source: one file a night."""
    folder.mkdir(parents=True, exist_ok=True)
    for night, events in nights.items():
        (folder / f"audit-{night}.ndjson").write_bytes(lines(events))
    return folder
