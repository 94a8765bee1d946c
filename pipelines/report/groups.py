"""Principals that moved together, as one group with its cause in words. tests/report/test_groups.py."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pipelines.report.model import RankedPrincipal, Together

_CAUSES = {
    "agent": (
        "with a client that the cluster had not seen before, {}",
        "a rollout or an upgrade of that client, or one tool with many credentials",
    ),
    "address": (
        "from an address that the cluster had not seen before, {}",
        "a new egress address such as a NAT gateway, VPN or office, or one machine with many credentials",
    ),
    "network": (
        "from a network that the cluster had not seen before, {}",
        "a new subnet or egress range, or one place with many credentials",
    ),
    "authz_role": ("by a role that had allowed nothing before, {}", "rights were changed for all of them"),
    "namespace": ("in a namespace that had not been there before, {}", "a rollout or a new team"),
    "action": (
        "something that nobody had done before, {}",
        "a rollout or an upgrade that brought a new kind of object, or one script in many hands",
    ),
}
"""What several principals began to do, and what commonly is behind it."""


@dataclass(frozen=True)
class Member:
    """One principal of a group."""

    rank: int
    principal: str


@dataclass(frozen=True)
class Group:
    """Principals that began the same on one night; told once, each with its own rank."""

    id: str
    """`group-1` holds the highest rank among groups."""
    kind: str
    item: str
    cause: str
    """One sentence."""
    members: tuple[Member, ...]


def groups(ranked: Iterable[RankedPrincipal]) -> tuple[Group, ...]:
    """The groups of a night, in the order of their highest ranks.

    Who moved with others in several ways is a member of the largest move, so a group may be smaller than its move.
    """
    members: dict[Together, list[Member]] = {}
    for row in ranked:
        if row.together is not None:
            members.setdefault(row.together, []).append(Member(row.rank, row.principal))
    return tuple(
        Group(f"group-{number}", move.kind, move.item, cause(move), tuple(found))
        for number, (move, found) in enumerate(members.items(), 1)
    )


def cause(move: Together) -> str:
    """`9 principals worked from an address that the cluster had not seen before, 203.0.113.7: a new egress ...`"""
    what, behind = _CAUSES[move.kind]
    done = "did" if move.kind == "action" else "worked"
    return f"{move.principals:,} principals {done} {what.format(move.item)}: {behind}"
