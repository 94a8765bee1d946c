"""Other ways to score the same rows: the forest has to earn its place against each of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors

from benchmarks.recording import JudgedNight
from features.catalogue import FOREST_NAMES
from features.matrix import counts_of, least_of, of_three, rows_of, weighted
from pipelines.config import ForestConfig
from pipelines.stages.judge import First, Scores, first, judge

Floats = npt.NDArray[np.float64]
Rows = Callable[[JudgedNight], tuple[Floats, Floats]]
"""Tonight's rows and those of the history."""

NEIGHBOURS = 10
PLAIN = (
    "gets", "lists", "watches", "creates", "updates", "deletes", "collection_deletes",
    "forbidden", "unauthorized", "not_found", "distinct_addresses", "distinct_networks",
)  # fmt: skip
"""Verb mix, 4xx and source addresses: what one would count without knowing attacks."""

_FOREST = ForestConfig()


def _own(night: JudgedNight) -> tuple[Floats, Floats]:
    """The product's own rows: three surprises together."""
    return _of_both(rows_of, night)


def _least(night: JudgedNight) -> tuple[Floats, Floats]:
    """The smallest of three surprises."""
    return _of_both(lambda days: weighted(least_of(days)), night)


def _of_both(rows: Callable[[pa.Table], Floats], night: JudgedNight) -> tuple[Floats, Floats]:
    tonight = rows(night.days)
    return tonight, tonight if night.before is None else rows(night.before)


def _mean(night: JudgedNight) -> tuple[Floats, Floats]:
    """The mean of three surprises."""
    return _of_both(lambda days: weighted(of_three(days, lambda *three: np.mean(three, axis=0))), night)


def _logs(names: Sequence[str], compressed: Callable[[Floats], Floats]) -> Rows:
    """Plain counts, compressed."""

    def rows(night: JudgedNight) -> tuple[Floats, Floats]:
        tonight, before = (
            compressed(np.nan_to_num(counts_of(days, names).values))
            for days in (night.days, night.days if night.before is None else night.before)
        )
        return tonight, before

    return rows


def _forest(rows: Rows, of: Callable[[First, Scores], Floats]) -> Callable[[JudgedNight], Floats]:
    def score(night: JudgedNight) -> Floats:
        one = first(*rows(night), _FOREST)
        return of(one, judge(one))

    return score


def _norm(night: JudgedNight) -> Floats:
    tonight, _ = _own(night)
    return np.asarray(np.sqrt(np.square(tonight).sum(axis=1)))


def _sum(night: JudgedNight) -> Floats:
    return np.asarray(_own(night)[0].sum(axis=1))


def _neighbours(night: JudgedNight) -> Floats:
    tonight, before = _own(night)
    near = NearestNeighbors(n_neighbors=min(NEIGHBOURS, len(before))).fit(before)
    return np.asarray(near.kneighbors(tonight)[0].mean(axis=1))


def _isolation(rows: Rows) -> Callable[[JudgedNight], Floats]:
    def score(night: JudgedNight) -> Floats:
        tonight, before = rows(night)
        sampled = min(_FOREST.sample_size, len(before))
        forest = IsolationForest(n_estimators=_FOREST.trees, max_samples=sampled, random_state=0)
        return np.asarray(-forest.fit(before).score_samples(tonight))

    return score


def _factor(night: JudgedNight) -> Floats:
    tonight, before = _mean(night)
    return np.asarray(
        -LocalOutlierFactor(n_neighbors=min(20, len(before) - 1), novelty=True).fit(before).score_samples(tonight)
    )


def ecod(tonight: Floats, before: Floats) -> Floats:
    """Of each row: the largest of three sums over the columns of -log of empirical tails, (n,).

    Source:
        Li, Zhao, Hu, Botta, Ionescu, Chen, TKDE 2022: left tails, right tails, and in each column the one that its
        skew points at.
    """
    number = len(before) + 1.0
    ordered = np.sort(before, axis=0)
    left, right = np.empty_like(tonight), np.empty_like(tonight)
    for column in range(tonight.shape[1]):
        x = tonight[:, column]
        left[:, column] = -np.log((np.searchsorted(ordered[:, column], x, side="right") + 1) / number)
        right[:, column] = -np.log((len(before) - np.searchsorted(ordered[:, column], x, side="left") + 1) / number)
    away = before - before.mean(axis=0)
    skewed: Floats = np.where(np.power(away, 3).sum(axis=0) < 0, left, right)
    return np.asarray(np.maximum.reduce([left.sum(axis=1), right.sum(axis=1), skewed.sum(axis=1)]))


def scored(night: JudgedNight) -> Scores:
    """What the product makes of a night."""
    return judge(first(*_own(night), _FOREST))


def product(night: JudgedNight) -> Floats:
    """The product's own score."""
    return scored(night).score


BASELINES: Mapping[str, Callable[[JudgedNight], Floats]] = {
    "auditforest": product,
    "CoDisp alone": _forest(_own, lambda _, found: found.codisp),
    "Euclidean norm": _norm,
    f"mean distance to {NEIGHBOURS} neighbours": _neighbours,
    "plain sum": _sum,
    "IsolationForest": _isolation(_own),
    "ECOD": lambda night: ecod(*_own(night)),
    "smallest of three surprises, CoDisp x norm": _forest(_least, lambda _, found: found.score),
    "mean of three surprises, CoDisp x norm": _forest(_mean, lambda _, found: found.score),
    "mean of three surprises, AWS score": _forest(_mean, lambda one, _: one.aws),
    "mean of three surprises, LOF": _factor,
    "all counts as weighted logs, CoDisp": _forest(_logs(FOREST_NAMES, weighted), lambda _, found: found.codisp),
    f"{len(PLAIN)} plain counts as logs, CoDisp": _forest(_logs(PLAIN, np.log1p), lambda _, found: found.codisp),
    f"{len(PLAIN)} plain counts as logs, IsolationForest": _isolation(_logs(PLAIN, np.log1p)),
}
