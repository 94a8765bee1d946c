"""Innocent surprises: what happens to people and machines that do their work; they should stay low."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from pipelines.backtest.kinds import Call, Kind
from pipelines.backtest.scene import LackingError, Scene

_WORKING = ("person", "workload", "system account")


def _own(scene: Scene, number: int) -> list[Call]:
    """Requests as the actor makes them, spread over its hours."""
    if not scene.actor.deeds:
        raise LackingError("no principal of this type has a request with an answer")
    made = []
    for at in scene.all_day(number):
        deed = scene.chance.choice(scene.actor.deeds)
        made.append(
            Call(
                at,
                deed["verb"],
                deed["resource"],
                deed["api_group"],
                deed["namespace"],
                deed["name"],
                deed["subresource"],
                deed["code"],
                uri=deed["request_uri"],
            )
        )
    return made


def _new_address(scene: Scene) -> Iterator[Call]:
    inside = f"10.{scene.chance.randint(0, 255)}.{scene.chance.randint(0, 255)}.{scene.chance.randint(1, 254)}"
    address = scene.foreign_address() if scene.actor.type == "person" else inside
    for call in _own(scene, 40):
        yield replace(call, address=address)


def _agent_upgrade(scene: Scene) -> Iterator[Call]:
    before = scene.actor.faces[0].agent or "client"
    family = before.split("/")[0].split(" ")[0].rstrip("0123456789.-_") or "client"
    for call in _own(scene, 40):
        yield replace(call, agent=f"{family}-next/2.0.0 (linux/amd64)")


def _busy_day(scene: Scene) -> Iterator[Call]:
    yield from _own(scene, 3 * len(scene.actor.deeds))


def _refused_loop(scene: Scene) -> Iterator[Call]:
    group, resource = scene.one(scene.cluster.listed, "resource that was listed")
    for at in scene.all_day(scene.chance.randint(200, 600)):
        yield Call(at, "list", resource, group, code=403)


def _first_day(scene: Scene) -> Iterator[Call]:
    before = scene.actor.faces[0].identity
    name = f"new-{scene.word()}"
    username = before["username"] or ""
    renamed = f"{username.rpartition('/')[0]}/{name}" if "/" in username else name
    session = name if before["session_name"] else None
    role = before["iam_role_arn"]
    # an IAM user's own name is the last part of its ARN
    if role and ":user/" in role:
        role = f"{role.rpartition('/')[0]}/{name}"
    identity = {**before, "username": renamed, "session_name": session, "iam_role_arn": role, "uid": name}
    calls = _own(scene, scene.chance.randint(40, 80))
    for call in calls:
        yield replace(call, identity=identity)
    for call in calls[:8]:
        yield replace(call, code=403, identity=identity)
    for call in calls[:3]:
        yield Call(
            call.at, "create", "selfsubjectaccessreviews", "authorization.k8s.io", code=201, identity=identity
        )  # fmt: skip


def _new_release(scene: Scene) -> Iterator[Call]:
    written = [d for d in scene.actor.deeds if d["verb"] in ("update", "patch") and d["resource"] == "deployments"]
    places = sorted({deed["namespace"] for deed in written if deed["namespace"]})
    if not places:
        raise LackingError("no principal of this type deploys anything that night")
    there: Sequence[str] = [w.name for w in scene.cluster.workloads if w.namespace in places] or ["app"]
    for at in scene.times(scene.chance.randint(20, 60), 90):
        name, place = scene.chance.choice(there), scene.chance.choice(places)
        facts = {"images": [f"registry.example/{name}:{scene.word()}"], "privileged": False, "host_path": False}
        yield Call(at, "get", "deployments", "apps", place, name)
        yield Call(at, "patch", "deployments", "apps", place, name, facts=facts)


KINDS = (
    Kind("new-address", None, "Its usual work, from an address of its own sort that is new.",
         _WORKING, _new_address, ("new_addresses",)),
    Kind("agent-upgrade", None, "Its usual work, with a client that names itself anew.",
         _WORKING, _agent_upgrade, ("new_agents",)),
    Kind("busy-day", None, "Three times its usual requests.", _WORKING, _busy_day, ("requests",)),
    Kind("refused-loop", None, "A client that repeats one refused call all night.",
         ("workload", "system account"), _refused_loop, ("forbidden",)),
    Kind("first-day", None, "A person of a known role for the first time, who tries what is not allowed.",
         ("person",), _first_day, ("self_reviews",)),
    Kind("new-release", None, "Dozens of deployments rolled forward by who deploys them.",
         ("person", "workload", "system account"), _new_release, ("updates",)),
)  # fmt: skip
