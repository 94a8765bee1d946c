"""Cases: which principal acts which kind on which night, drawn by a seed alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from random import Random
from typing import Any

import duckdb

from pipelines.backtest.cluster import Actor, Cluster, actors_of
from pipelines.backtest.events import rows_of
from pipelines.backtest.kinds import Kind
from pipelines.backtest.scene import LackingError, Scene

_CANDIDATES = 40
"""Principals of a type that may be drawn on one night."""


@dataclass(frozen=True)
class Case:
    """One kind acted by one principal, judged on one night."""

    kind: Kind
    type: str
    actor: Actor
    night: date
    seed: str

    def events(self, night: date, cluster: Cluster) -> list[dict[str, Any]]:
        """Rows of the events table that this night of the case adds.

        Raises:
            LackingError: the cluster lacks a name that the kind needs.
        """
        scene = Scene(Random(f"{self.seed} {night}"), night, cluster, self.actor)
        rows = rows_of(scene, self.kind.acts(scene))
        if not rows:
            raise LackingError("the cluster gives such an actor nothing to do")
        return rows


@dataclass(frozen=True)
class Impossible:
    """A case that could not be: its kind and the reason."""

    kind: str
    type: str
    night: date
    reason: str


def candidates(
    engine: duckdb.DuckDBPyConnection, types: Mapping[str, str], seed: str, excluded: Collection[str]
) -> dict[str, list[Actor]]:
    """By type the principals of the loaded night that may act, in an order of chance; bounded.

    Args:
        types: of each principal of the night.
    """
    by_type: dict[str, list[str]] = {}
    for principal in sorted(types):
        if principal not in excluded:
            by_type.setdefault(types[principal], []).append(principal)
    drawn = {
        kind: Random(f"{seed} {kind}").sample(names, min(_CANDIDATES, len(names))) for kind, names in by_type.items()
    }
    known = actors_of(engine, [name for names in drawn.values() for name in names])
    return {kind: [known[name] for name in names if name in known] for kind, names in drawn.items()}


@dataclass(frozen=True)
class Cast:
    """A loaded night: what may be named in it and who may act."""

    night: date
    cluster: Cluster
    actors: Mapping[str, Sequence[Actor]]
    """By type."""


def draw(kind: Kind, number: int, judged: date, cast: Cast, seed: str) -> list[Case | Impossible]:
    """Cases of a kind that are judged on one night and begin on the loaded one.

    The types take turns, from night to night too, so that each has its share of any number of nights.
    """
    turn = judged.toordinal() * number
    types = [kind.actors[(turn + i) % len(kind.actors)] for i in range(number)]
    return [
        _case(kind, type_, judged, cast, f"{seed} {judged} {kind.name} {type_} {i}") for i, type_ in enumerate(types)
    ]


def _case(kind: Kind, acting: str, judged: date, cast: Cast, seed: str) -> Case | Impossible:
    """The first actor in an order of chance who can act it."""
    reason = f"no principal of this type in the night of {cast.night}"
    there = cast.actors.get(acting, ())
    for actor in Random(seed).sample(there, len(there)):
        case = Case(kind, acting, actor, judged, seed)
        try:
            case.events(cast.night, cast.cluster)
        except LackingError as lacking:
            reason = str(lacking)
        else:
            return case
    return Impossible(kind.name, acting, judged, reason)
