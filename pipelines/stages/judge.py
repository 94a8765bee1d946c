"""How rows become scores: the one function that ranks a night, in the score stage and in a back-test."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from models.base import Detector
from models.explain import product_shares
from models.rank import ranks
from pipelines.config import ForestConfig

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]

_MOST_ROWS = 20_000
"""Rows of the history that a rarity is told by, evenly taken."""

_LARGEST_SEED = 2**32


@dataclass(frozen=True)
class Scores:
    """What the forests make of rows: (n,) each, higher is stranger; `score` ranks."""

    score: Floats
    codisp: Floats
    """Median over the forests."""
    norm: Floats
    low: Whole
    """Best rank over the forests."""
    high: Whole
    rows: Floats
    detector: Detector
    """The first forest."""
    before: Floats
    """Rows of earlier nights; none without a history."""

    @cached_property
    def aws(self) -> Floats:
        """The second opinion, by the first forest."""
        return self.detector.aws_score(self.rows)

    def shares(self) -> Floats:
        """Where each row's score comes from: the shares of its features, (n, features)."""
        return product_shares(self.detector.attribute(self.rows).sum(axis=2), self.rows)

    def first(self, rows: Floats) -> Floats:
        """Scores of any rows by the first forest."""
        return self.detector.codisp(rows) * _norm(rows)

    @cached_property
    def by_first(self) -> Floats:
        """Scores of the rows by the first forest."""
        return self.first(self.rows)

    @property
    def one_in(self) -> Floats:
        """In how many principal-nights of the history a score as high is met once; NaN without a history."""
        if not len(self.before):
            return np.full(len(self.score), np.nan)
        history = np.sort(self.first(self.before[:: -(-len(self.before) // _MOST_ROWS)]))
        as_high = len(history) - np.searchsorted(history, self.by_first, side="left")
        rarity: Floats = (len(history) + 1) / (as_high + 1)
        return rarity


def judge(rows: Floats, before: Floats | None, config: ForestConfig) -> Scores:
    """Rows scored by forests grown on the earlier nights' rows; a row's score depends on no other row asked for.

    Args:
        rows: (n, features).
        before: (m, features); None without an earlier night, then the forests are grown on `rows` themselves.
    """
    training = rows if before is None else before
    if len(training) == 1:
        # a forest needs two rows, and equal ones make the tree of one
        training = np.repeat(training, 2, axis=0)

    def grown(seed: int) -> tuple[Detector | None, Floats]:
        detector = _forest(config, seed).fit(training)
        return (detector if seed == config.seed else None), detector.codisp(rows)

    seeds = [(config.seed + n) % _LARGEST_SEED for n in range(config.seeds)]
    # forests beside each other: one forest's rows are too few for several threads
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        found = list(pool.map(grown, seeds))
    detector = found[0][0]
    assert detector is not None
    each = np.array([codisp for _, codisp in found])
    codisp: Floats = np.median(each, axis=0)
    norm = _norm(rows)
    places = np.array([ranks(one * norm) for one in each])
    return Scores(
        score=codisp * norm,
        codisp=codisp,
        norm=norm,
        low=places.min(axis=0),
        high=places.max(axis=0),
        rows=rows,
        detector=detector,
        before=np.empty((0, rows.shape[1])) if before is None else before,
    )


def _norm(rows: Floats) -> Floats:
    norm: Floats = np.sqrt(np.square(rows).sum(axis=1))
    return norm


def _forest(config: ForestConfig, seed: int) -> Detector:
    """The detector a configuration asks for, on one thread."""
    # a night that need not be scored again need not wait a second for these imports
    from models.forest import RandomCutForest

    return RandomCutForest(config.trees, config.sample_size, engine=config.engine, random_state=seed, n_jobs=1)
