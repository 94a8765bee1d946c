"""Rows with anomalies planted among them, and where each sticks out.

Imports benchmarks/ alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.forest_data import COUNTS, Doubles, draw

GROUP = 8


@dataclass(frozen=True)
class Planted:
    """Rows, which of them were planted, and in which columns.

    Attributes:
        x: (n_rows, n_columns), columns of mean 0 and deviation 1 before the planting.
        odd: (n_rows,).
        where: (n_rows, n_columns), columns that were moved.
    """

    x: Doubles
    odd: NDArray[np.bool_]
    where: NDArray[np.bool_]


Move = Callable[[np.random.Generator, Doubles, NDArray[np.intp]], NDArray[np.bool_]]


def plant(move: Move, share: float, n_rows: int, n_columns: int, seed: int) -> Planted:
    """Standardised counts of which a share of the rows, drawn at random, was moved."""
    rng = np.random.default_rng(seed)
    x = draw(COUNTS, n_rows, n_columns, seed)
    deviation = x.std(axis=0)
    x = (x - x.mean(axis=0)) / np.where(deviation > 0, deviation, 1.0)
    rows = rng.permutation(n_rows)[: max(1, round(share * n_rows))]
    odd, where = np.zeros(n_rows, dtype=np.bool_), np.zeros(x.shape, dtype=np.bool_)
    odd[rows] = True
    where[rows] = move(rng, x, rows)
    return Planted(x, odd, where)


def shifted(n_moved: int, group: int = 1) -> Move:
    """Rows raised by 4 to 7 deviations in so many columns; those of a group in the same ones, by about as much."""

    def move(rng: np.random.Generator, x: Doubles, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
        where = np.zeros((len(rows), x.shape[1]), dtype=np.bool_)
        for start in range(0, len(rows), group):
            columns = rng.permutation(x.shape[1])[:n_moved]
            by = rng.uniform(4.0, 7.0, size=n_moved)
            for k in range(start, min(start + group, len(rows))):
                where[k, columns] = True
                x[rows[k], columns] += by + (rng.normal(scale=0.1, size=n_moved) if group > 1 else 0.0)
        return where

    return move


def raised(by: float) -> Move:
    """Rows a little higher in every column."""

    def move(rng: np.random.Generator, x: Doubles, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
        x[rows] += by + rng.normal(scale=0.1, size=(len(rows), x.shape[1]))
        return np.ones((len(rows), x.shape[1]), dtype=np.bool_)

    return move


def mixed(rng: np.random.Generator, x: Doubles, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Rows with each cell of another row: every column as usual, all together not."""
    for column in range(x.shape[1]):
        x[rows, column] = rng.choice(x[:, column], size=len(rows))
    return np.ones((len(rows), x.shape[1]), dtype=np.bool_)


def scattered(rng: np.random.Generator, x: Doubles, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Rows anywhere between the lowest and the highest cell of every column."""
    x[rows] = rng.uniform(x.min(axis=0), x.max(axis=0), size=(len(rows), x.shape[1]))
    return np.ones((len(rows), x.shape[1]), dtype=np.bool_)
