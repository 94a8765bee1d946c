"""What used to fail, acted out one by one: how many innocents stand above now. docs/ranking.md names what still may."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from backtest.conftest import CONFIG
from e2e.world import ATTACKER, CLUSTER, LAST

from pipelines.archive import Archive
from pipelines.backtest.cluster import IDENTITY
from pipelines.backtest.evaluate import Asked, evaluate
from pipelines.backtest.everything import KINDS
from pipelines.backtest.kinds import Call, Kind
from pipelines.backtest.scene import Scene
from pipelines.store import LocalStore


def _handful(scene: Scene) -> Iterator[Call]:
    """A stolen token, used three to six times."""
    address, agent = scene.foreign_address(), scene.agent()
    for at in scene.times(scene.chance.randint(3, 6), 4):
        place = scene.chance.choice(scene.cluster.namespaces)
        yield Call(at, "list", "secrets", None, place, code=403, address=address, agent=agent)


def _follows(scene: Scene) -> Iterator[Call]:
    """A person begins something, and the controller that acts carries it out, privileges and all."""
    author = next(name for name in scene.cluster.people if ":assumed-role/" in name)
    account, role, session = author.split(":")[4], *author.split("/")[1:]
    arn = f"arn:aws:iam::{account}:role/{role}"
    identity = dict.fromkeys(IDENTITY) | {"username": author, "iam_role_arn": arn, "session_name": session}
    facts = {"privileged": True, "host_path": True, "host_pid": False, "host_network": False, "host_ipc": False}
    first, *rest = scene.times(4, 20)
    yield Call(first, "create", "daemonsets", "apps", "ops", "agent", code=201, facts=facts, identity=identity)
    yield Call(first, "create", "pods", None, "ops", "agent-0", code=201, facts=facts, identity=identity)
    for nth, at in enumerate(rest):
        yield Call(at, "create", "pods", None, "ops", f"agent-{nth}", code=201, facts=facts)


def _curious(scene: Scene) -> Iterator[Call]:
    """A person who asks once what is allowed, and is refused once."""
    asked, refused = scene.times(2, 5)
    yield Call(asked, "create", "selfsubjectaccessreviews", "authorization.k8s.io", code=201)
    yield Call(refused, "list", "nodes", code=403)


def _of(name: str, *actors: str) -> list[Kind]:
    declared = next(kind for kind in KINDS if kind.name == name)
    return [replace(declared, name=f"{name}-by-{actor.replace(' ', '-')}", actors=(actor,)) for actor in actors]


ATTACKS = (
    *_of("slow-secret-read", "person", "workload"),
    *_of("off-hours-administrator", "person"),
    *_of("token-minting", "node", "control plane"),
    Kind("author-and-controller", "T1610", "A privileged daemon set.", ("control plane",), _follows, ("creates",)),
    Kind("handful-of-requests", "T1528", "A stolen token, hardly used.", ("workload",), _handful, ("new_addresses",)),
)
INNOCENT = Kind("curious-person", None, "One question, one refusal.", ("person",), _curious, ("self_reviews",))
PER_KIND = 2


@pytest.fixture(scope="module")
def found(built, connection):
    """Standings by kind; the night's own thief is neither actor nor innocent."""
    archive = Archive(LocalStore(built), CLUSTER)
    asked = Asked([LAST], PER_KIND, 0, CONFIG, (*ATTACKS, INNOCENT), lambda _: {ATTACKER})
    evaluated = evaluate(archive, connection, asked)
    assert evaluated.impossible == []
    return {
        kind.name: [o.standing for o in evaluated.outcomes if o.case.kind.name == kind.name]
        for kind in (*ATTACKS, INNOCENT)
    }


@pytest.mark.parametrize("kind", ATTACKS, ids=lambda kind: kind.name)
def test_an_attack_that_used_to_hide_has_no_innocent_above(kind, found):
    assert [standing.above for standing in found[kind.name]] == [0] * PER_KIND
    # nobody would stand above, either, where all scores are alike
    assert all(standing.rank <= PER_KIND + 1 and standing.score > 10 for standing in found[kind.name])


def test_of_what_a_controller_carries_out_the_author_stands_first(found):
    assert {standing.principal.partition(":")[0] for standing in found["author-and-controller"]} == {"iam-role"}


def test_a_single_question_and_refusal_of_a_person_stay_below_every_attack(found):
    weakest = min(standing.score for attack in ATTACKS for standing in found[attack.name])
    assert max(standing.score for standing in found[INNOCENT.name]) < weakest
