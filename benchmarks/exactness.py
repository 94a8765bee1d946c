"""Compiled scores and shares beside a walk of the same trees in double precision.

Imports models/ and benchmarks/."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from benchmarks.forest_data import COUNTS, GAUSS, Doubles, draw
from benchmarks.markdown import table
from models import RandomCutForest
from models.engines import engine

TREES = 50


class Off(NamedTuple):
    """Largest differences over the rows, as parts of the row's score in double precision.

    Attributes:
        score: of codisp.
        total: of the sum of a row's shares.
        shares: summed over a row's shares.
    """

    score: float
    total: float
    shares: float


def measure(kind: str, n_rows: int, n_columns: int) -> Off:
    """Half the rows are fitted, all are asked about; nothing is rounded on the way to the plain walk."""
    x = draw(kind, n_rows, n_columns)
    forest = RandomCutForest(TREES, random_state=0).fit(x[::2])
    trees, placed, plain = forest.trees_, forest.placement_.place(x), engine("rrcf")
    trees = replace(trees, rows=trees.rows.astype(np.float64), cut=trees.cut.astype(np.float64))
    wide = placed.astype(np.float64)
    score = plain.codisp(trees, wide, 1)
    shares = plain.attribute(trees, wide, 1)
    found: Doubles = engine("compiled").attribute(forest.trees_, placed, 1)
    return Off(
        float((np.abs(forest.codisp(x) - score) / score).max()),
        float((np.abs(forest.attribute(x).sum(axis=(1, 2)) - score) / score).max()),
        float((np.abs(found - shares).sum(axis=(1, 2)) / score).max()),
    )


def shown(found: dict[tuple[str, int, int], Off]) -> str:
    """A table of measure()'s answers, by what it was asked."""
    rows = [[kind, f"{n:,}", f"{d}", *(f"{part:.1e}" for part in off)] for (kind, n, d), off in found.items()]
    note = f"Largest difference of any row, as a part of its score; {TREES} trees, every other row fitted."
    return table(
        "Beside a walk in double precision", ["rows are", "rows", "D", "score", "sum of shares", "shares"], rows, [note]
    )


CASES = tuple((kind, 2_000, columns) for kind in (COUNTS, GAUSS) for columns in (24, 100))
