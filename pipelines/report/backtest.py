"""What a back-test found, as people read it: shares with their intervals, the weakest kinds first.

Stored as JSON beside the reports of its last night. Holds no name of the cluster's, only ours. Imports nothing of ours.
tests/backtest/test_result.py."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Annotated, Self

from pydantic import ConfigDict, Field, TypeAdapter

LIMITS = (0, 2, 4, 9)
"""Innocents above with which an attack still counts as found: who reads the first 1, 3, 5 or 10 names finds it."""

_FORM = ConfigDict(extra="forbid", allow_inf_nan=False)
_Z = 1.959964
"""Of the standard normal distribution, the point that leaves 2.5 % above."""


@dataclass(frozen=True)
class Share:
    """So many of so many cases; the interval is Wilson's, 95 %."""

    __pydantic_config__ = _FORM

    found: int
    cases: int
    share: float
    low: float
    high: float

    @classmethod
    def of(cls, found: int, cases: int) -> Self:
        """Of one case at least.

        Source:
            Wilson 1927, the score interval of a proportion.
        """
        p, n = found / cases, float(cases)
        middle = (p + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
        half = _Z / (1 + _Z**2 / n) * (p * (1 - p) / n + _Z**2 / (4 * n**2)) ** 0.5
        # rounding alone may push an end past the share itself
        return cls(found, cases, p, min(p, max(0.0, middle - half)), max(p, min(1.0, middle + half)))


@dataclass(frozen=True)
class Group:
    """Cases of one kind, of one type of principals, of both, or all."""

    __pydantic_config__ = _FORM

    kind: str | None
    type: str | None
    mitre: str | None
    description: str | None
    cases: int
    within: Annotated[tuple[Share, ...], Field(min_length=len(LIMITS), max_length=len(LIMITS))]
    """By LIMITS."""

    @classmethod
    def of(
        cls,
        above: list[int],
        kind: str | None = None,
        type_: str | None = None,
        mitre: str | None = None,
        description: str | None = None,
    ) -> Self:
        """Of the innocents above each case."""
        within = tuple(Share.of(sum(a <= most for a in above), len(above)) for most in LIMITS)
        return cls(kind, type_, mitre, description, len(above), within)

    @property
    def strength(self) -> tuple[float, ...]:
        """Orders groups, the weakest first: the list of an analyst is short, so five names come before one."""
        return tuple(self.within[at].share for at in (2, 1, 0, 3))


@dataclass(frozen=True)
class NotPossible:
    """Cases that could not be, and why."""

    __pydantic_config__ = _FORM

    kind: str
    type: str
    cases: int
    reason: str


@dataclass(frozen=True)
class BackTest:
    """A whole back-test."""

    __pydantic_config__ = _FORM

    cluster: str
    date: str
    generation: int
    nights: tuple[str, ...]
    per_kind: int
    seed: int
    trees: int
    version: str
    attacks: Group | None
    names_for_90_percent: int | None
    """So many names from the top must be read to meet nine attacks in ten."""
    kinds: tuple[Group, ...]
    types: tuple[Group, ...]
    cells: tuple[Group, ...]
    """By kind and type of principals."""
    innocents: tuple[Group, ...]
    not_possible: tuple[NotPossible, ...]
    notices: tuple[str, ...]

    def to_json(self) -> str:
        """Canonical JSON, ASCII only."""
        return json.dumps(asdict(self) | {"limits": LIMITS}, indent=1, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        """What to_json wrote.

        Raises:
            ValueError, RecursionError: it is no such document, or of another version, or a value in it is of a wrong
                type.
        """
        told = json.loads(text)
        if not isinstance(told, dict) or told.pop("limits", None) != list(LIMITS):
            raise ValueError("its limits are others")
        return TypeAdapter(cls).validate_python(told)


def percent(share: Share) -> str:
    """`94 % (89 to 97)`."""
    return f"{100 * share.share:.0f} % ({100 * share.low:.0f} to {100 * share.high:.0f})"


def headline(found: BackTest) -> str:
    """The result in two sentences."""
    if found.attacks is None:
        return "No attack could be acted out."
    first, third = found.attacks.within[0], found.attacks.within[2]
    return (
        f"Of {found.attacks.cases:,} attacks acted out, {percent(first)} stood above every innocent principal and "
        f"{percent(third)} had at most four above. Nine in ten are met by reading the first "
        f"{found.names_for_90_percent} names a night."
    )
