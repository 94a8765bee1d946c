"""Build, score and attribution of every forest on every kind and size of rows, and what each model takes.

Imports benchmarks/ alone."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from benchmarks.forest_data import COUNTS, GAUSS, draw
from benchmarks.markdown import number, table
from benchmarks.rivals import OURS, SAMPLE, Rival
from benchmarks.timing import Timed, cores, interleaved

BUILD, SCORE, ATTRIBUTION, BYTES = "build", "score", "attribution", "bytes"
OPERATIONS = (BUILD, SCORE, ATTRIBUTION, BYTES)
_TITLES = {BUILD: ("Build, ms", 1e3), SCORE: ("Score, us a row", 1e6), ATTRIBUTION: ("Attribution, us a row", 1e6)}
# more rows would not change what each of them takes
_ATTRIBUTED = 8_192


@dataclass(frozen=True)
class Cell:
    """What is grown on what."""

    kind: str
    rows: int
    columns: int
    trees: int


class Key(NamedTuple):
    """What a figure is of; all_threads is seconds on the clock, else CPU seconds of one thread."""

    cell: Cell
    operation: str
    all_threads: bool
    name: str


class Figure(NamedTuple):
    """Seconds of a build or for one row, or bytes; at_least where the forest was spared a part of the work."""

    value: float
    at_least: bool


Figures = dict[Key, Figure]

FULL = tuple(
    Cell(kind, rows, columns, trees)
    for kind in (COUNTS, GAUSS)
    for rows in (2_000, 50_000)
    for columns in (12, 24, 48, 100)
    for trees in (100, 50)
)
QUICK = tuple(Cell(COUNTS, rows, columns, 100) for rows in (2_000, 10_000) for columns in (24, 48))


def measure(cells: Iterable[Cell], rivals: list[Rival], operations: set[str], rounds: int) -> Figures:
    """Figures of every cell, on one thread and on all; medians of rounds, or half as many."""
    figures: Figures = {}
    for cell in cells:
        print(f"{cell.kind}, {cell.rows} x {cell.columns}, {cell.trees} trees", file=sys.stderr)
        figures |= _measured(cell, rivals, operations, 1, rounds)
        figures |= _measured(cell, [r for r in rivals if r.threads], operations - {BYTES}, cores(), -(-rounds // 2))
    return figures


def _measured(cell: Cell, rivals: list[Rival], operations: set[str], threads: int, rounds: int) -> Figures:
    x = draw(cell.kind, cell.rows, cell.columns)
    grown = {r.name: min(cell.trees, r.most_trees) for r in rivals}
    builds = {r.name: partial(r.build, r.given(x[: r.most_rows]), grown[r.name], threads) for r in rivals}
    once = [r.name for r in rivals if r.built_once]
    built = interleaved(builds, rounds if BUILD in operations else 1, once)
    figures: Figures = {}

    def keep(operation: str, rival: Rival, value: float, at_least: bool = False) -> None:
        scale = cell.trees / grown[rival.name]
        figures[Key(cell, operation, threads > 1, rival.name)] = Figure(value * scale, at_least)

    if BUILD in operations:
        for rival in rivals:
            keep(BUILD, rival, _seconds(built[rival.name], threads), at_least=cell.rows > rival.most_rows)
    for operation in sorted({SCORE, ATTRIBUTION} & operations, reverse=True):
        asked = [r for r in rivals if r.scores and (r.explains or operation == SCORE)]
        most = cell.rows if operation == SCORE else min(cell.rows, _ATTRIBUTED)
        tasks = {}
        for rival in asked:
            model = built[rival.name].result
            ask = model.score if operation == SCORE else model.attribute
            tasks[rival.name] = partial(ask, rival.given(x[: min(most, rival.most_points)]))
        runs = interleaved(tasks, rounds)
        for rival in asked:
            keep(operation, rival, _seconds(runs[rival.name], threads) / min(most, rival.most_points))
    if BYTES in operations:
        for rival in (r for r in rivals if r.scores):
            keep(BYTES, rival, built[rival.name].result.nbytes())
    return figures


def _seconds(run: Timed, threads: int) -> float:
    return run.cpu_s if threads == 1 else run.wall_s


def tables(figures: Figures) -> Iterator[str]:
    """One table for each operation and number of threads."""
    for all_threads in (False, True):
        threads = f"{cores()} threads, on the clock" if all_threads else "one thread, CPU time"
        for operation, (title, unit) in _TITLES.items():
            yield from _table(figures, operation, all_threads, f"{title}: {threads}", unit)
    yield from _table(figures, BYTES, False, "Model, MB", 1e-6)


def _table(figures: Figures, operation: str, all_threads: bool, title: str, unit: float) -> Iterator[str]:
    kept = {key: figure for key, figure in figures.items() if key[1:3] == (operation, all_threads)}
    if not kept:
        return
    names = list(dict.fromkeys(key.name for key in kept))
    rows = []
    for cell in dict.fromkeys(key.cell for key in kept):
        found = {name: kept[Key(cell, operation, all_threads, name)] for name in names}
        about = [cell.kind, f"{cell.rows:,}", f"{cell.columns}", f"{cell.trees} x {SAMPLE}"]
        rows.append(about + [_told(name, found[name], found[OURS], unit) for name in names])
    yield table(title, ["rows are", "rows", "D", "trees", *names], rows)


def _told(name: str, figure: Figure, ours: Figure, unit: float) -> str:
    """The figure, and how many times ours it is."""
    if name == OURS:
        return number(figure.value * unit)
    least = "> " if figure.at_least else ""
    return f"{least}{number(figure.value * unit)} ({least}{number(figure.value / ours.value)})"


def ratios(figures: Figures, operation: str, name: str, columns: int, rows: int | None = None) -> list[float]:
    """How many times ours the figure of another forest is, in each cell of that width; one thread."""
    return [
        figure.value / figures[key._replace(name=OURS)].value
        for key, figure in figures.items()
        if key[1:] == (operation, False, name)
        and key.cell.columns == columns
        and (rows is None or key.cell.rows == rows)
    ]
