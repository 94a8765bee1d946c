"""A night as the product runs it: many seeds, each fitted on the history, asked about tonight's principals.

Imports models/ and benchmarks/."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from benchmarks.forest_data import COUNTS, Doubles, draw
from benchmarks.markdown import number, table
from benchmarks.timing import cores, interleaved
from models import RandomCutForest

HISTORY, COLUMNS, TREES, SAMPLE = 2_500, 70, 300, 256
WITHIN, BESIDE = "threads within each forest", "forests beside each other"


def _one(history: Doubles, tonight: Doubles, seed: int, n_jobs: int) -> None:
    forest = RandomCutForest(TREES, SAMPLE, random_state=seed, n_jobs=n_jobs).fit(history)
    forest.codisp(tonight)
    forest.attribute(tonight)


def _within(history: Doubles, tonight: Doubles, seeds: int) -> None:
    for seed in range(seeds):
        _one(history, tonight, seed, -1)


def _beside(history: Doubles, tonight: Doubles, seeds: int) -> None:
    with ThreadPoolExecutor(cores()) as pool:
        list(pool.map(lambda seed: _one(history, tonight, seed, 1), range(seeds)))


WAYS: dict[str, Callable[[Doubles, Doubles, int], None]] = {WITHIN: _within, BESIDE: _beside}


def measure(principals: int, seeds: int, rounds: int) -> dict[str, float]:
    """Seconds on the clock for each way to use all cores."""
    rows = draw(COUNTS, HISTORY + principals, COLUMNS)
    runs = interleaved({way: partial(run, rows[:HISTORY], rows[HISTORY:], seeds) for way, run in WAYS.items()}, rounds)
    return {way: run.wall_s for way, run in runs.items()}


def shown(found: dict[int, dict[str, float]], seeds: int) -> str:
    """A table of measure()'s answers, by principals."""
    rows = [[f"{principals:,}", *(number(seconds[way]) for way in WAYS)] for principals, seconds in found.items()]
    note = (
        f"Fit, score and attribution of {seeds} seeds, {TREES} trees x {SAMPLE} rows of {HISTORY:,} rows of history, "
        f"D={COLUMNS}, on {cores()} cores, kernels loaded."
    )
    return table("A night, seconds on the clock", ["principals", *WAYS], rows, [note])


def better(seconds: dict[str, float]) -> tuple[str, float]:
    """The quicker way, and its seconds."""
    way = min(seconds, key=lambda name: seconds[name])
    return way, seconds[way]
