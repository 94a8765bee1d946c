"""How far a ranking depends on the seed, by the number of trees.

Imports models/ and benchmarks/."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest

from benchmarks.forest_data import Doubles
from benchmarks.markdown import table
from benchmarks.planting import Planted, plant, shifted
from models import RandomCutForest
from models.rank import ranks

TOP, ODD, COLUMNS = 20, 8, 24

Score = Callable[[Doubles, int, int], Doubles]


class Stability(NamedTuple):
    """Share of the top that two seeds have in common (Jaccard, mean), and ranks the worst planted row moves."""

    jaccard: float
    move: int


def _codisp(x: Doubles, trees: int, seed: int) -> Doubles:
    return RandomCutForest(trees, random_state=seed, n_jobs=-1).fit(x).codisp(x)


def _aws(x: Doubles, trees: int, seed: int) -> Doubles:
    return RandomCutForest(trees, random_state=seed, n_jobs=-1).fit(x).aws_score(x)


def _isolation(x: Doubles, trees: int, seed: int) -> Doubles:
    lower: Doubles = IsolationForest(n_estimators=trees, max_samples=256, random_state=seed).fit(x).score_samples(x)
    return -lower


SCORES: dict[str, Score] = {"codisp": _codisp, "aws_score": _aws, "scikit-learn": _isolation}


def measure(score: Score, rows: int, trees: int, seeds: int, data_sets: int) -> Stability:
    """Means over data sets; the move is the largest of all."""
    found = [_of(score, plant(shifted(3), ODD / rows, rows, COLUMNS, k), trees, seeds) for k in range(data_sets)]
    return Stability(float(np.mean([f.jaccard for f in found])), max(f.move for f in found))


def _of(score: Score, planted: Planted, trees: int, seeds: int) -> Stability:
    places: NDArray[np.int64] = np.stack([ranks(score(planted.x, trees, seed)) for seed in range(seeds)])
    tops = [set(np.flatnonzero(place <= TOP).tolist()) for place in places]
    jaccard = [len(a & b) / len(a | b) for a, b in combinations(tops, 2)]
    return Stability(float(np.mean(jaccard)), int(np.ptp(places[:, planted.odd], axis=0).max()))


def shown(all_rows: Sequence[int], all_trees: Sequence[int], seeds: int, data_sets: int) -> str:
    """A table of measure()'s answers for every score, number of rows and trees."""
    lines = [
        [name, f"{rows:,}", *(_told(measure(score, rows, trees, seeds, data_sets)) for trees in all_trees)]
        for name, score in SCORES.items()
        for rows in all_rows
    ]
    note = (
        f"Mean Jaccard index of the top {TOP} between {seeds} seeds, and in brackets how many ranks the least steady "
        f"of {ODD} planted rows moves (shifted in 3 columns of {COLUMNS}, as above); data sets: {data_sets}."
    )
    return table("Ranks between seeds", ["score", "rows", *(f"{t} trees" for t in all_trees)], lines, [note])


def _told(found: Stability) -> str:
    return f"{found.jaccard:.2f} ({found.move})"
