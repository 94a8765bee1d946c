"""The outcomes of a back-test summed up: by kind, by type, overall."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import date
from importlib.metadata import version

from pipelines.backtest.cases import Impossible
from pipelines.backtest.evaluate import Asked, Evaluated, Outcome
from pipelines.report.backtest import BackTest, Group, NotPossible

_FEW = 20
"""Principals of a night below which hardly anybody can stand above anybody."""


def summed_up(found: Evaluated, asked: Asked, cluster: str, generation: int) -> BackTest:
    """The result as people read it.

    Args:
        generation: of the events of the last night.
    """
    attacks = [o for o in found.outcomes if o.case.kind.malicious]
    others = [o for o in found.outcomes if not o.case.kind.malicious]
    above = [o.standing.above for o in attacks]
    return BackTest(
        cluster=cluster,
        date=asked.nights[-1].isoformat(),
        generation=generation,
        nights=tuple(night.isoformat() for night in asked.nights),
        per_kind=asked.per_kind,
        seed=asked.seed,
        trees=asked.config.forest.trees,
        version=version("auditforest"),
        attacks=Group.of(above) if above else None,
        names_for_90_percent=sorted(above)[math.ceil(0.9 * len(above)) - 1] + 1 if above else None,
        kinds=_groups(attacks, lambda o: (o.case.kind.name, None)),
        types=_groups(attacks, lambda o: (None, o.case.type)),
        cells=_groups(attacks, lambda o: (o.case.kind.name, o.case.type)),
        innocents=_groups(others, lambda o: (o.case.kind.name, None))[::-1],
        not_possible=_not_possible(found.impossible),
        notices=(*found.notices, *_notices(found, asked.nights)),
    )


def _groups(outcomes: Iterable[Outcome], key: Callable[[Outcome], tuple[str | None, str | None]]) -> tuple[Group, ...]:
    """One group for each key, the weakest first."""
    above: dict[tuple[str | None, str | None], list[int]] = defaultdict(list)
    kinds = {}
    for outcome in outcomes:
        above[key(outcome)].append(outcome.standing.above)
        kinds[outcome.case.kind.name] = outcome.case.kind
    groups = []
    for (name, type_), found in above.items():
        kind = None if name is None else kinds[name]
        told = (None, None) if kind is None else (kind.mitre, kind.description)
        groups.append(Group.of(found, name, type_, *told))
    return tuple(sorted(groups, key=lambda g: (g.strength, g.kind or "", g.type or "")))


def _not_possible(failed: Iterable[Impossible]) -> tuple[NotPossible, ...]:
    """By kind, type and reason."""
    number: dict[tuple[str, str, str], int] = defaultdict(int)
    for one in failed:
        number[one.kind, one.type, one.reason] += 1
    return tuple(NotPossible(kind, type_, n, reason) for (kind, type_, reason), n in sorted(number.items()))


def _notices(found: Evaluated, nights: Iterable[date]) -> list[str]:
    told = []
    for night in nights:
        if not found.history_nights[night]:
            told.append(f"{night} has no earlier night to be judged by, only its own principals")
        if found.principals[night] < _FEW:
            told.append(f"{night} has {found.principals[night]} principals: hardly anybody can stand above anybody")
    return told
