"""Earlier nights as a report looks back on them: who stood where, and how high each one's peers scored.

Imports nothing of ours. Tested in tests/report/test_earlier.py.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

LOOK_BACK = 14
"""Nights that are looked back on, at most: two weeks show what comes every week."""


@dataclass(frozen=True)
class Standing:
    """One principal on one night."""

    rank: int
    score: float


@dataclass(frozen=True)
class EarlierNight:
    """What a report shows of a night before its own."""

    date: dt.date
    generation: int
    standings: Mapping[str, Standing]  # by principal, of those that the report shows
    peers: Mapping[str, tuple[float, float]]  # by peer group: four of five of its scores lie between

    @classmethod
    def of(
        cls,
        night: dt.date,
        generation: int,
        rows: Iterable[tuple[str, str, int, float]],
        shown: Collection[str],
    ) -> EarlierNight:
        """Of rows of principal, peer group, rank and score, and the principals whose standings are kept."""
        known = list(rows)
        standings = {p: Standing(rank, score) for p, _, rank, score in known if p in shown}
        return cls(night, generation, standings, spans((group, score) for _, group, _, score in known))


def spans(scores: Iterable[tuple[str, float]]) -> dict[str, tuple[float, float]]:
    """By peer group the two scores that four of five of its members lie between."""
    grouped: dict[str, list[float]] = defaultdict(list)
    for group, score in scores:
        grouped[group].append(score)
    return {group: _middle(sorted(found)) for group, found in grouped.items()}


def _middle(ascending: Sequence[float]) -> tuple[float, float]:
    last = len(ascending) - 1
    return ascending[round(0.1 * last)], ascending[round(0.9 * last)]
