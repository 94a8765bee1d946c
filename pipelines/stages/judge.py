"""How rows become scores: the one function that ranks a night, in the score stage and in a back-test."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.base import Detector
from models.explain import product_shares
from pipelines.config import ForestConfig

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Scores:
    """What a forest makes of rows: (n,) each, higher is stranger; `score` ranks."""

    score: Floats
    codisp: Floats
    norm: Floats
    aws: Floats
    rows: Floats
    detector: Detector

    def shares(self) -> Floats:
        """Where each row's score comes from: the shares of its features, (n, features)."""
        return product_shares(self.detector.attribute(self.rows).sum(axis=2), self.rows)


def judge(rows: Floats, before: Floats | None, config: ForestConfig) -> Scores:
    """Rows scored by a forest grown on the earlier nights' rows; a row's score depends on no other row asked for.

    Args:
        rows: (n, features).
        before: (m, features); None without an earlier night, then the forest is grown on `rows` themselves.
    """
    training = rows if before is None else before
    if len(training) == 1:
        # a forest needs two rows, and equal ones make the tree of one
        training = np.repeat(training, 2, axis=0)
    detector = _forest(config).fit(training)
    codisp, aws = detector.codisp(rows), detector.aws_score(rows)
    norm: Floats = np.sqrt(np.square(rows).sum(axis=1))
    return Scores(codisp * norm, codisp, norm, aws, rows, detector)


def _forest(config: ForestConfig) -> Detector:
    """The detector a configuration asks for, on all processors."""
    # a night that need not be scored again need not wait a second for these imports
    from models.forest import RandomCutForest

    return RandomCutForest(
        config.trees, config.sample_size, engine=config.engine, random_state=config.seed, n_jobs=-1
    )  # fmt: skip
