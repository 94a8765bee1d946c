"""The features stage beside pandas: `python -m benchmarks.features` prints the tables that docs/benchmarks.md holds.

Nights of several sizes are made from the sample's rows and counted under a memory limit, each run in a process of its
own. On the smallest size the product and pandas take turns, and what they counted is compared; a figure is the median
of the runs. Larger sizes and longer histories run once or a few times. Progress goes to stderr."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from benchmarks import corpus, events
from benchmarks.cost import Cost, answer, median, say
from benchmarks.features_once import MEMORY_LIMIT, cost
from benchmarks.markdown import number, table
from benchmarks.timing import machine
from features.catalogue import NAMES
from pipelines.archive import EVENTS, ITEMS, PRINCIPAL_DAYS, Archive
from pipelines.config import ParseConfig
from pipelines.decoded import Derived
from pipelines.engine import engine
from pipelines.sources.files import select
from pipelines.stages.export import export
from pipelines.stages.features import features
from pipelines.store import open_store

CLUSTER = "benchmark"
NIGHT = date.fromisoformat(corpus.NIGHT.decode())
NIGHTS = 28
"""Of history, beside every night that is counted; ten times as many where it says so."""
EVERYBODY = "system:serviceaccount:shop:busy"
_LIMIT = 10**9
_SLOW_S = 120
"""A longer run is not repeated."""


@dataclass
class Found:
    """What was measured."""

    columns: int = 0
    turns: dict[str, Cost] = field(default_factory=dict)
    sizes: dict[int, Cost] = field(default_factory=dict)
    history: dict[tuple[int, int], Cost] = field(default_factory=dict)
    alone: tuple[int, Cost] | None = None


def recorded(folder: Path) -> Archive:
    """An archive of the sample's nights, those before the last counted."""
    archive = Archive(open_store(str(folder / "recorded")), CLUSTER)
    nights = [NIGHT - timedelta(days=back) for back in range(7, -1, -1)]
    with engine(ParseConfig()) as connection:
        export(archive, connection, select(str(corpus.SAMPLE)), nights, [], lambda _what, _share: None)
        for night in nights[:-1]:
            features(archive, connection, night, NIGHTS)
    return archive


def remember(archive: Archive, sample: Archive, nights: int) -> None:
    """Give the archive so many earlier nights, those of the sample again and again."""
    for back in range(1, nights + 1):
        night, like = NIGHT - timedelta(days=back), NIGHT - timedelta(days=1 + (back - 1) % 7)
        for name in (PRINCIPAL_DAYS, ITEMS):
            found = _derived(sample, name, like)
            archive.replace(name, night, found.table, found.meta | {"night": night.isoformat()})


def _derived(archive: Archive, name: str, night: date) -> Derived:
    found = archive.derived(name, night)
    if found is None:
        raise RuntimeError(f"{archive.store.url}: no {name} of {night}")
    return found


def night_of(folder: Path, sample: Archive, count: int, nights: int = NIGHTS, everybody: str | None = None) -> Path:
    """The root of an archive with a night of about `count` events and so many nights before it."""
    root = folder / f"night-{count}{'-alone' if everybody else ''}"
    archive = Archive(open_store(str(root)), CLUSTER)
    made = events.archived(archive, sample, count, everybody)
    remember(archive, sample, nights)
    say(f"a night of {made:,} events is made")
    return root


def compare(root: Path, rounds: int, found: Found) -> None:
    """Fills `turns`.

    Raises:
        RuntimeError: the two did not count the same.
    """
    runs: dict[str, list[Cost]] = {"stage": [], "count": [], "pandas": []}
    for k in range(rounds):
        for kind, of in runs.items():
            of.append(cost(kind, root, CLUSTER, NIGHTS))
            say(f"round {k + 1} of {rounds}: {kind}, {number(of[-1].cpu_s)} CPU s")
    found.columns = same(root)
    found.turns = {kind: median(of) for kind, of in runs.items()}


def same(root: Path) -> int:
    """How many columns of principal_days both counted, all cells equal, and so are the items of kinds that both know.

    Raises:
        RuntimeError: they are not.
    """
    archive = Archive(open_store(str(root)), CLUSTER)
    theirs = [pd.read_parquet(root.with_suffix(".pandas") / f"{name}.parquet") for name in (PRINCIPAL_DAYS, ITEMS)]
    ours = [_derived(archive, name, NIGHT).table.to_pandas() for name in (PRINCIPAL_DAYS, ITEMS)]
    days = ours[0].set_index("principal").loc[theirs[0].index, list(theirs[0])]
    # the kinds of items that only people read are not counted there
    ours[1] = ours[1][ours[1]["kind"].isin(theirs[1]["kind"].unique())]
    key = ["principal", "kind", "item"]
    a, b = (items.sort_values(key, ignore_index=True)[list(ours[1])] for items in (theirs[1], ours[1]))
    if not days.equals(theirs[0].astype("int64")) or not (a.astype(str) == b.astype(str)).all(axis=None):
        raise RuntimeError(f"{root}: pandas counted other numbers; equal ones expected")
    return len(theirs[0].columns)


def _several(root: Path, length: int, rounds: int) -> Cost:
    runs: list[Cost] = []
    while len(runs) < rounds and (not runs or runs[0].wall_s < _SLOW_S):
        runs.append(cost("stage", root, CLUSTER, length))
    say(f"{root.name}, {length} nights: {number(runs[0].cpu_s)} CPU s, {number(runs[0].peak / 1e6)} MB")
    return median(runs)


def answers(found: Found) -> Iterator[list[str]]:
    """Rows of the table: figure, asked, found, met."""
    ours, theirs = found.turns["stage"], found.turns["pandas"]
    counting = found.turns["count"]
    yield answer("CPU, pandas / the counting", "at least", 2.5, theirs.cpu_s / counting.cpu_s)
    yield answer("CPU, pandas / the whole stage", "at least", 2.5, theirs.cpu_s / ours.cpu_s)
    yield answer("peak of memory, the whole stage / pandas", "at most", 0.4, ours.peak / theirs.peak)
    small, *large = sorted(found.sizes)
    for size in large:
        times, bound = size / small, 1.5 * size / small
        yield answer(f"CPU, {times:g} times the events", "at most", bound, found.sizes[size].cpu_s / ours.cpu_s)
    for size, of in sorted(found.sizes.items()):
        yield answer(f"peak of memory, {size:,} events, of the limit", "at most", 1.15, of.peak / _LIMIT)
    for size in sorted({size for size, _ in found.history}):
        short, long = (found.history[size, n].cpu_s for n in (NIGHTS, 10 * NIGHTS))
        yield answer(f"CPU, ten times the history, {size:,} events", "at most", 3, long / short)
    if found.alone:
        yield answer(
            f"peak, {found.alone[0]:,} requests of one principal", "at most", 1.15, found.alone[1].peak / _LIMIT
        )


def shown(found: Found) -> str:
    """All tables."""
    small = min(found.sizes)
    notes = (
        f"About {small:,} events; both counted the same {found.columns} of {len(NAMES)} features of "
        f"{found.turns['pandas'].rows} principals, and the same items. `count` is the part of the stage that pandas "
        f"does too, for all features; `stage` also reads the rows of {NIGHTS} nights, judges by them, and commits.",
    )
    head = ["CPU s", "clock s", "peak MB", "principals"]
    each = [[f"{size:,}", f"{NIGHTS}", *_cells(of)] for size, of in sorted(found.sizes.items())]
    each += [[f"{size:,}", f"{nights}", *_cells(of)] for (size, nights), of in sorted(found.history.items())]
    if found.alone:
        each.append([f"{found.alone[0]:,}, all of one principal", f"{NIGHTS}", *_cells(found.alone[1])])
    return "\n".join(
        [
            table("A night beside pandas", ["way", *head], [[k, *_cells(of)] for k, of in found.turns.items()], notes),
            table(f"The stage by size, memory_limit {MEMORY_LIMIT}", ["events", "history nights", *head], each),
            table("Asked and found", ["figure", "asked", "found", "met"], answers(found)),
        ]
    )


def _cells(c: Cost) -> list[str]:
    return [number(c.cpu_s), number(c.wall_s), number(c.peak / 1e6), f"{c.rows:,}"]


def run(sizes: Sequence[int], alone: int, folder: Path, rounds: int) -> None:
    """Prints the tables once all is measured."""
    found = Found()
    sample = recorded(folder)
    print(machine(["duckdb", "pandas", "pyarrow", "numpy"]), "\n")
    make = partial(night_of, folder, sample)
    small = min(sizes)
    compare(make(small), rounds, found)
    for size in sorted(sizes):
        found.sizes[size] = found.turns["stage"] if size == small else _several(make(size), NIGHTS, 1)
    newest = sample.newest(EVENTS, NIGHT)
    last = newest.counts.archived if newest else 0
    for size, root in ((last, Path(str(folder / "recorded"))), (small, make(small, 10 * NIGHTS))):
        remember(Archive(open_store(str(root)), CLUSTER), sample, 10 * NIGHTS)
        for nights in (NIGHTS, 10 * NIGHTS):
            found.history[size, nights] = _several(root, nights, rounds)
    if alone:
        found.alone = alone, _several(make(alone, everybody=EVERYBODY), NIGHTS, 1)
    print(shown(found))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", default="1600000,16000000", help="sizes of the night; default: %(default)s")
    parser.add_argument("--alone", type=int, default=10_000_000, help="requests of one principal; default: %(default)s")
    parser.add_argument("--folder", type=Path, help="keeps the archives made; default: a temporary one")
    parser.add_argument("--rounds", type=int, default=3, help="runs of the smallest size; default: %(default)s")
    given = parser.parse_args()
    sizes = [int(text) for text in given.events.split(",")]
    with TemporaryDirectory(prefix="auditforest-benchmark-") as scratch:
        folder = given.folder or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        run(sizes, given.alone, folder, given.rounds)


if __name__ == "__main__":
    main()
