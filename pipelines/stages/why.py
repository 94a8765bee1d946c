"""Why a principal ranks where it does: reasons, what would be without them, how long it has been so.

Imports no AWS, no disk. tests/pipelines/test_why.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.catalogue import FOREST
from features.counts import STRANGE, Counts, Floats, Whole
from features.history import surprises
from features.matrix import counts_of, weighted
from features.usual import Usual
from pipelines.stages.features import NO_PAST
from pipelines.stages.judge import First, Scores

MAX_REASONS = 5
OTHERWISE = 1_000
"""Principals of whom it is told what rank they would have without their reasons: the first by the first forest."""

Record = dict[str, Any]


class Why:
    """The reasons of one night's principals, asked for by row."""

    def __init__(self, days: pa.Table, before: pa.Table | None, first: First, seen: pa.Table | None = None) -> None:
        """Judge the night once more, to tell what was expected.

        Args:
            days: principal_days of the night; before: of the earlier nights; first: the forest that read the same rows.
            seen: of all earlier nights, where `before` leaves confirmed attacks out.
        """
        self._tonight = counts_of(days)
        self._past = NO_PAST if before is None else counts_of(before)
        self._judged = surprises(self._tonight, self._past)
        self._shares = first.shares
        self._chosen = [self._choose(i) for i in range(days.num_rows)]
        by_first = np.argsort(-first.score, kind="stable")[:OTHERWISE]
        self._asked: Whole = np.array([i for i in by_first if len(self._chosen[i])], dtype=np.int64)
        self._usual = [self._instead(i) for i in self._asked]
        known = self._past if seen is None else counts_of(seen)
        self.nights = self._judged.nights if seen is None else known.groups.rows_of(self._tonight.principals)
        """Earlier nights of each principal."""
        self._runs = _strange_runs(known)

    def _choose(self, i: int) -> npt.NDArray[np.intp]:
        """Columns that the score comes from most: largest shares, earlier declared first on a tie.

        A count at or below the principal's usual one is no reason, whatever its peers do.
        """
        share, judged = self._shares[i], self._judged
        above = ~(self._tonight.values[i] <= judged.usual[i]) & (share > 0) & (judged.least[i] > 0)
        order = np.argsort(-share, kind="stable")
        chosen: npt.NDArray[np.intp] = order[above[order]][:MAX_REASONS]
        return chosen

    def reasons(self, i: int) -> list[Record]:
        """Up to five reasons of a row, the weightiest first."""
        return [self._reason(i, at) for at in self._chosen[i]]

    def _reason(self, i: int, at: int) -> Record:
        own, peers = _cells(self._judged.own_usual, i, at), _cells(self._judged.peers_usual, i, at)
        return {
            "feature": FOREST[at].name,
            "value": int(self._tonight.values[i, at]),
            "expected": float(self._judged.expected[i, at]),
            "usual": _known(self._judged.usual[i, at]),
            "usual_low": own[0],
            "usual_high": own[1],
            "peers_low": peers[0],
            "peers_high": peers[1],
            "surprise": float(self._judged.least[i, at]),
            "share": float(self._shares[i, at]),
        }

    @property
    def otherwise(self) -> Floats:
        """Rows as they would be with the first reason, and then with all reasons, at their usual counts."""
        counts = np.repeat(self._tonight.values[self._asked], 2, axis=0)
        for k, i in enumerate(self._asked):
            at, usual = self._chosen[i], self._usual[k]
            counts[2 * k, at[0]] = usual[0]
            counts[2 * k + 1, at] = usual
        return weighted(self._judged.together_of(counts, np.repeat(self._asked, 2)))

    def counterfactuals(self, scores: Scores) -> dict[int, Record]:
        """By row what rank and score it would have with its first reason's count, and with all its reasons', as usual.

        Args:
            scores: of the night, and of the rows of `otherwise`.
        """
        higher = np.sort(scores.score)
        found = {}
        for k, i in enumerate(self._asked):
            without = scores.further[2 * k : 2 * k + 2]
            above = len(higher) - np.searchsorted(higher, without, side="right") - (scores.score[i] > without)
            first = self._chosen[i][0]
            found[int(i)] = {
                "feature": FOREST[first].name,
                "value": int(self._tonight.values[i, first]),
                "instead": int(self._usual[k][0]),
                "rank": 1 + int(above[0]),
                "rank_without_all": 1 + int(above[1]),
                "score_without_all": float(without[1]),
            }
        return found

    def strange_nights(self, i: int) -> int:
        """Own nights in a row, tonight the last, on which the first reason was strange; 0 where it is not tonight."""
        if not len(self._chosen[i]) or self._judged.least[i, self._chosen[i][0]] < STRANGE:
            return 0
        return 1 + self._runs(self._tonight.principals[i], int(self._chosen[i][0]))

    def _instead(self, i: int) -> Floats:
        """Usual counts in place of the reasons': the principal's own median, else its peers', else none."""
        at = self._chosen[i]
        own, peers = self._judged.usual[i, at], self._judged.peers_usual.median[i, at]
        usual = np.where(np.isnan(own), np.where(np.isnan(peers), 0.0, peers), own)
        instead: Floats = np.minimum(np.floor(usual), self._tonight.values[i, at])
        return instead


def _cells(usual: Usual, i: int, at: int) -> tuple[float | None, float | None]:
    return _known(usual.low[i, at]), _known(usual.high[i, at])


def _known(cell: float) -> float | None:
    return None if np.isnan(cell) else float(cell)


def _strange_runs(past: Counts) -> Callable[[str, int], int]:
    """Of a principal and a column: on how many of its last nights in a row the column was strange."""
    groups = past.groups

    def run(principal: str, at: int) -> int:
        place = groups.places.get(principal)
        if place is None or past.least is None:
            return 0
        start = groups.starts[place]
        # rows stand night after night, and the order within a principal keeps that
        strange = past.least[groups.order[start : start + groups.sizes[place]], at] >= STRANGE
        calm = np.flatnonzero(~strange)
        return int(len(strange) - 1 - calm[-1]) if len(calm) else len(strange)

    return run
