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
class First:
    """The first forest, and what it makes of a night's rows."""

    rows: Floats
    before: Floats
    """Rows of earlier nights; none without a history."""
    training: Floats
    config: ForestConfig
    detector: Detector

    @cached_property
    def codisp(self) -> Floats:
        """How alone each row stands."""
        return self.detector.codisp(self.rows)

    @cached_property
    def norm(self) -> Floats:
        """Length of each row."""
        return _norm(self.rows)

    @cached_property
    def score(self) -> Floats:
        """Scores of the rows, by this forest alone."""
        return self.codisp * self.norm

    @cached_property
    def aws(self) -> Floats:
        """The second opinion."""
        return self.detector.aws_score(self.rows)

    @cached_property
    def shares(self) -> Floats:
        """Where each row's score comes from: the shares of its features, (n, features)."""
        return product_shares(self.detector.attribute(self.rows).sum(axis=2), self.rows)

    def of(self, rows: Floats) -> Floats:
        """Scores of any rows."""
        return self.detector.codisp(rows) * _norm(rows)

    @property
    def one_in(self) -> Floats:
        """In how many principal-nights of the history a score as high is met once; NaN without a history."""
        if not len(self.before):
            return np.full(len(self.rows), np.nan)
        history = np.sort(self.of(self.before[:: -(-len(self.before) // _MOST_ROWS)]))
        as_high = len(history) - np.searchsorted(history, self.score, side="left")
        rarity: Floats = (len(history) + 1) / (as_high + 1)
        return rarity


@dataclass(frozen=True)
class Scores:
    """What all forests make of rows: (n,) each, higher is stranger; `score` ranks."""

    score: Floats
    codisp: Floats
    """Median over the forests."""
    low: Whole
    """Best rank over the forests."""
    high: Whole
    further: Floats
    """Scores of the further rows that were asked about."""


def first(rows: Floats, before: Floats | None, config: ForestConfig) -> First:
    """The first forest, grown on the earlier nights' rows.

    Args:
        rows: (n, features).
        before: (m, features); None without an earlier night, then the forests are grown on `rows` themselves.
    """
    training = rows if before is None else before
    if len(training) == 1:
        # a forest needs two rows, and equal ones make the tree of one
        training = np.repeat(training, 2, axis=0)
    known = np.empty((0, rows.shape[1])) if before is None else before
    return First(rows, known, training, config, _forest(config, config.seed).fit(training))


def judge(one: First, further: Floats | None = None) -> Scores:
    """The night's rows scored by every forest; a row's score depends on no other row asked for.

    Args:
        further: (k, features), rows of which the score is wanted, too, and no rank.
    """
    n, config = len(one.rows), one.config
    asked = one.rows if further is None else np.vstack([one.rows, further])

    def grown(number: int) -> Floats:
        # one forest after the other is let go: twenty of them would take as much memory as the history
        seed = (config.seed + number) % _LARGEST_SEED
        return (_forest(config, seed).fit(one.training) if number else one.detector).codisp(asked)

    # forests beside each other: one forest's rows are too few for several threads
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        each = np.array(list(pool.map(grown, range(config.seeds))))
    codisp: Floats = np.median(each, axis=0)
    places = np.array([ranks(found * one.norm) for found in each[:, :n]])
    return Scores(
        score=codisp[:n] * one.norm,
        codisp=codisp[:n],
        low=places.min(axis=0),
        high=places.max(axis=0),
        further=codisp[n:] * _norm(asked[n:]),
    )


def _norm(rows: Floats) -> Floats:
    norm: Floats = np.sqrt(np.square(rows).sum(axis=1))
    return norm


def _forest(config: ForestConfig, seed: int) -> Detector:
    """The detector a configuration asks for, on one thread."""
    # a night that need not be scored again need not wait a second for these imports
    from models.forest import RandomCutForest

    return RandomCutForest(config.trees, config.sample_size, engine=config.engine, random_state=seed, n_jobs=1)
