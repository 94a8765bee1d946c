"""What the forest finds and misses: `python -m benchmarks.accuracy` prints the tables docs/benchmarks.md holds.

Anomalies are planted among standardised counts, so that the truth is known. Planted rows are not attackers: the
tables compare detectors and promise nothing about a cluster. Progress goes to stderr."""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import NamedTuple

import numpy as np
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score

from benchmarks import stability
from benchmarks.forest_data import Doubles
from benchmarks.markdown import table
from benchmarks.planting import GROUP, Move, Planted, mixed, plant, raised, scattered, shifted
from benchmarks.rivals import SAMPLE, Krcf
from benchmarks.timing import cores, machine
from models import RandomCutForest

ROWS, COLUMNS = 4_000, 24
RARE = 0.002
KRCF_TREES = 100
EXPLAINED_TREES = 300


class Case(NamedTuple):
    """One way of planting, and in how much of the rows."""

    move: Move
    share: float


RARE_FEW = {
    "alone, 1 column": Case(shifted(1), RARE),
    "alone, 3 columns": Case(shifted(3), RARE),
    f"group of {GROUP}, 1 column": Case(shifted(1, GROUP), RARE),
    f"group of {GROUP}, 3 columns": Case(shifted(3, GROUP), RARE),
}
OTHERS = {
    "alone, 3 columns, 10 % of rows": Case(shifted(3), 0.1),
    "one cluster, 3 columns, 10 %": Case(shifted(3, ROWS), 0.1),
    "2 deviations up everywhere, 1 %": Case(raised(2.0), 0.01),
    "anywhere in the range, 0.2 %": Case(scattered, RARE),
    "cells of different rows, 5 %": Case(mixed, 0.05),
}


def scores(x: Doubles, all_trees: Sequence[int], seed: int) -> dict[str, Doubles]:
    """Strangeness of each row by every detector, higher is stranger."""
    found: dict[str, Doubles] = {}
    for trees in all_trees:
        forest = RandomCutForest(trees, SAMPLE, random_state=seed, n_jobs=-1).fit(x)
        new, own = forest.codisp(x), forest.training_codisp_
        found[f"codisp, {trees}"] = new
        # a row that no tree drew has no score as a member
        found[f"training_codisp_, {trees}"] = np.where(np.isnan(own), new, own)
        found[f"aws_score, {trees}"] = forest.aws_score(x)
        isolation = IsolationForest(n_estimators=trees, max_samples=SAMPLE, random_state=seed).fit(x)
        found[f"scikit-learn, {trees}"] = -isolation.score_samples(x)
    if find_spec("krcf"):
        rows = x.tolist()
        found[f"krcf, {KRCF_TREES}"] = np.array(Krcf(rows, KRCF_TREES, cores()).score(rows))
    found["largest deviation"] = np.abs(x).max(axis=1)
    return found


def precision(cases: Mapping[str, Case], all_trees: Sequence[int], data_sets: int, title: str) -> str:
    """A table of average precision, mean and standard deviation over data sets, by detector and case."""
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for name, case in cases.items():
        print(name, file=sys.stderr)
        for seed in range(data_sets):
            planted = plant(case.move, case.share, ROWS, COLUMNS, seed)
            for detector, score in scores(planted.x, all_trees, seed).items():
                found[detector][name].append(float(average_precision_score(planted.odd, score)))
    kinds = list(dict.fromkeys(_kind(detector) for detector in found))
    order = sorted(found, key=lambda detector: kinds.index(_kind(detector)))
    rows = [[detector, *(_told(found[detector][name]) for name in cases)] for detector in order]
    note = f"Mean (standard deviation) over {data_sets} data sets of {ROWS:,} rows, D={COLUMNS}."
    return table(title, ["score, trees", *cases], rows, [note])


def _kind(detector: str) -> str:
    return detector.split(",")[0]


def _told(values: Sequence[float]) -> str:
    return f"{np.mean(values):.2f} ({np.std(values):.2f})"


class Reasons(NamedTuple):
    """Of the planted rows: part of the attribution that is in planted columns, and how often one is on top."""

    share: float
    on_top: float


def reasons(planted: Planted, seed: int) -> dict[str, Reasons]:
    """Attribution of the planted rows by ours, by krcf, and by how many deviations each column is off."""
    x, where = planted.x[planted.odd], planted.where[planted.odd]
    forest = RandomCutForest(EXPLAINED_TREES, SAMPLE, random_state=seed, n_jobs=-1).fit(planted.x)
    parts = {"attribute": forest.attribute(x).sum(axis=2), "deviations": np.abs(x)}
    if find_spec("krcf"):
        sides = Krcf(planted.x.tolist(), KRCF_TREES, cores()).attribute(x.tolist())
        parts["krcf"] = np.array([np.add(side["low"], side["high"]) for side in sides])
    return {
        name: Reasons(
            float((part * where).sum() / part.sum()),
            float(where[np.arange(len(x)), part.argmax(axis=1)].mean()),
        )
        for name, part in parts.items()
    }


def explained(cases: Mapping[str, Case], data_sets: int) -> str:
    """A table of Reasons, means over data sets."""
    rows: dict[str, list[str]] = defaultdict(list)
    for case in cases.values():
        found = [reasons(plant(case.move, case.share, ROWS, COLUMNS, seed), seed) for seed in range(data_sets)]
        for name in found[0]:
            share, on_top = np.mean([f[name] for f in found], axis=0)
            rows[name].append(f"{share:.2f} ({on_top:.0%})")
    note = (
        "Part of the planted rows' attribution that lies in the planted columns, and in brackets how often one of them "
        f"comes first; {EXPLAINED_TREES} trees, krcf {KRCF_TREES}; {data_sets} data sets."
    )
    return table("Reasons", ["by", *cases], [[name, *told] for name, told in rows.items()], [note])


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two data sets and fewer trees, about a minute")
    quick = parser.parse_args().quick
    rare, other = (2, 2) if quick else (10, 4)
    trees = (100, 300) if quick else (100, 300, 1_000)
    has_krcf = find_spec("krcf") is not None
    print(machine(["numpy", "numba", "scikit-learn", *(["krcf"] if has_krcf else [])]), "\n", flush=True)
    if not has_krcf:
        print("krcf is left out: not installed", "\n")
    print(precision(RARE_FEW, trees, rare, "Average precision: 0.2 % of rows odd in a few columns"), flush=True)
    print(precision(OTHERS, trees, other, "Average precision: other oddities"), flush=True)
    print(explained(RARE_FEW, other), flush=True)
    if quick:
        print(stability.shown((300,), (50, 300), 3, 1))
    else:
        print(stability.shown((300, ROWS), (50, 100, 300, 1_000), 6, 2))


if __name__ == "__main__":
    main()
