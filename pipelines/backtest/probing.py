"""Attacks that look and knock: listing, probing with and without a credential."""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.backtest.credentials import ANYBODY, NO_NODE
from pipelines.backtest.kinds import Call, Kind
from pipelines.backtest.scene import Scene

_WANTED = (
    ("pods", None), ("secrets", None), ("configmaps", None), ("nodes", None), ("serviceaccounts", None),
    ("deployments", "apps"), ("clusterroles", "rbac.authorization.k8s.io"), ("cronjobs", "batch"),
    ("rolebindings", "rbac.authorization.k8s.io"), ("networkpolicies", "networking.k8s.io"),
)  # fmt: skip
_VERBS = ("get", "list", "create", "delete", "patch")
_PATHS = ("/api", "/version/", "/apis", "/.env", "/metrics", "/api/v1/namespaces", "/api/v1/secrets", "/swagger.json")


def _quiet_listing(scene: Scene) -> Iterator[Call]:
    listed = scene.some(_WANTED, 6, 9, "resource")
    namespaces = scene.namespaces(4, 10)
    asked = [(what, place) for what in listed for place in (None, *namespaces) if scene.chance.random() < 0.6]
    for at, ((resource, group), place) in zip(scene.times(len(asked), 55), asked, strict=True):
        yield Call(at, "list", resource, group, None if resource in ("nodes", "clusterroles") else place)


def _denied_probing(scene: Scene) -> Iterator[Call]:
    namespaces = scene.namespaces(3, 8)
    for at in scene.times(scene.chance.randint(20, 60), 12):
        resource, group = scene.chance.choice(_WANTED)
        verb = scene.chance.choice(_VERBS)
        name = None if verb in ("list", "create") else scene.word()
        yield Call(at, verb, resource, group, scene.chance.choice(namespaces), name, code=403)


def _anonymous_probing(scene: Scene) -> Iterator[Call]:
    address = scene.foreign_address()
    agent = scene.chance.choice(("Mozilla/5.0 zgrab/0.x", "masscan/1.3", "kube-hunter", "Go-http-client/1.1"))
    namespaces = scene.namespaces(2, 5)
    for at in scene.times(scene.chance.randint(80, 200), 40):
        code = scene.chance.choice((401, 403))
        if scene.chance.random() < 0.5:
            yield Call(at, "get", uri=scene.chance.choice(_PATHS), code=code, address=address, agent=agent)
        else:
            resource, group = scene.chance.choice(_WANTED)
            place = scene.chance.choice(namespaces)
            yield Call(at, "list", resource, group, place, code=code, address=address, agent=agent)


KINDS = (
    Kind(
        "quiet-listing", "T1613", "What a cluster holds, listed kind by kind and place by place, with permission.",
        NO_NODE, _quiet_listing, ("lists",),
    ),
    Kind(
        "denied-probing", "T1069", "Many different actions tried and refused within minutes.",
        ANYBODY, _denied_probing, ("forbidden",),
    ),
    Kind(
        "anonymous-probing", "T1595", "Requests without a valid credential from one foreign address.",
        ("unauthenticated",), _anonymous_probing, ("unauthorized", "forbidden"),
    ),
)  # fmt: skip
