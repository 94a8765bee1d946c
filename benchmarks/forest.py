"""The forest beside others: `python -m benchmarks.forest` prints the tables that docs/benchmarks.md holds.

Forests take turns (A B C A B C), and each figure is the median of its runs; a run longer than half a second is
not repeated. Progress goes to stderr."""

from __future__ import annotations

import argparse

from benchmarks import exactness, grid, memory, night
from benchmarks.asked import Seen, answers
from benchmarks.forest_data import COUNTS, draw
from benchmarks.markdown import number, table
from benchmarks.rivals import available
from benchmarks.timing import machine, timed
from models import RandomCutForest

PARTS = (*grid.OPERATIONS, "memory", "exactness", "night")

NOTES = (
    "Each cell is the figure, and in brackets how many times ours it is. Counts are log1p of Poisson draws with skewed "
    "rates, Gauss is standard normal. Trees hold 256 rows.",
    "The slow are spared some of the work. rrcf grows 5 trees and is asked about 50 rows; its times are scaled to the "
    "trees named. krcf is asked about 300 rows and built from at most 10,000, jrcf about 100 and from 500, each once; "
    "with more rows their build is a lower bound (>). The others are built from all rows and score them all, and ours "
    "attributes up to 8,192. krcf and jrcf run without their recency bias.",
    "A model's bytes are those of its arrays (ours, scikit-learn, rrcf) or of its saved form (isotree, krcf: binary; "
    "jrcf: JSON). rrcf uses one thread; it and the isolation forests attribute nothing.",
)


def warm() -> float:
    """Seconds on the clock until every kernel has run once."""
    x = draw(COUNTS, 300, 24)

    def run() -> None:
        forest = RandomCutForest(2, random_state=0).fit(x)
        forest.codisp(x)
        forest.aws_score(x)
        forest.attribute(x)

    return timed(run).wall_s


def run(parts: set[str], *, quick: bool) -> None:
    """Prints each part's tables once they are complete, then what was asked and seen."""
    seen = Seen(quick=quick)
    first = warm()
    operations = parts & set(grid.OPERATIONS)
    rivals, missing = available() if operations else ([], [])
    names = [r.name for r in rivals if r.name in ("isotree", "krcf", "jrcf", "rrcf")]
    print(machine(["numpy", "numba", "scikit-learn", *names]), "\n")
    print("\n\n".join([f"Kernels were loaded in {number(first)} s, before any figure.", *missing]), "\n")
    if operations:
        print("\n\n".join(NOTES), "\n", flush=True)
        seen.figures = grid.measure(grid.QUICK if quick else grid.FULL, rivals, operations, rounds=3 if quick else 5)
        print("\n".join(grid.tables(seen.figures)))
    if "exactness" in parts:
        seen.off = {case: exactness.measure(*case) for case in exactness.CASES[: 1 if quick else None]}
        print(exactness.shown(seen.off))
    if "memory" in parts:
        seen.extra = {(n, d): memory.extra(n, d) for n, d in memory.SIZES[: 1 if quick else None]}
        print(memory.shown(seen.extra))
    if "night" in parts:
        seeds = 4 if quick else 20
        seen.nights = {n: night.measure(n, seeds, rounds=3) for n in ((100,) if quick else (100, 20_000))}
        print(night.shown(seen.nights, seeds))
    print(table("Asked and seen", ["figure", "asked", "seen", "met"], answers(seen)))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small sizes, about a minute")
    parser.add_argument(
        "--only", default=",".join(PARTS), metavar="PARTS", help="comma-separated; default: %(default)s"
    )
    given = parser.parse_args()
    parts = set(given.only.split(","))
    if parts - set(PARTS):
        parser.error(f"--only: found {', '.join(sorted(parts - set(PARTS)))}; expected some of {', '.join(PARTS)}")
    run(parts, quick=given.quick)


if __name__ == "__main__":
    main()
