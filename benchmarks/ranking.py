"""What a ranking costs: `python -m benchmarks.ranking` prints the tables that docs/benchmarks.md holds.

A night is made of the sample's events, every copy another team's, so that many principals do what the recorded ones
did. Each of its earlier nights is the night again: counts and surprises drawn anew around its own, and a fiftieth of
the items not met yet. It is ranked, explained and reported by default settings, each run in a process of its own; a
figure is the median of the runs. Progress goes to stderr."""

from __future__ import annotations

import argparse
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks import events
from benchmarks.corpus import NIGHT
from benchmarks.cost import Cost, answer, median, say
from benchmarks.features import CLUSTER, recorded
from benchmarks.markdown import number, table
from benchmarks.ranking_once import STAGES, cost
from benchmarks.timing import machine
from features.catalogue import FOREST_NAMES, NAMES
from features.items import ITEMS as COUNT_ITEMS
from features.matrix import SUFFIXES
from features.requests import REQUESTS
from features.tallies import TALLIES
from pipelines.archive import ITEMS, PRINCIPAL_DAYS, Archive
from pipelines.config import Config
from pipelines.decoded import Derived
from pipelines.engine import engine
from pipelines.stages.features import events_of, features, requests_of
from pipelines.stages.history import History
from pipelines.store import open_store

_NIGHT = date.fromisoformat(NIGHT.decode())
_HISTORY = Config().history.nights
_NOT_MET = 50
"""One item in so many is new."""
SIZES = {(100, 8): 3.0, (100, 28): 3.0, (2_000, 8): 60.0, (20_000, 8): 60.0, (20_000, 28): 60.0}
"""Seconds that a night may take, by principals and earlier nights."""
_EVENTS = {100: (58_000, 1_000_000), 2_000: (30_000, 4), 20_000: (340_000, 4)}
"""Events of a night of so many principals, and how many of them are of one user at most."""


def night_of(root: Path, sample: Archive, principals: int, nights: int) -> Archive:
    """An archive of at least so many principals and of earlier nights, counted and not yet ranked.

    Raises:
        RuntimeError: the events made are of fewer principals.
    """
    archive = Archive(open_store(str(root)), CLUSTER)
    count, each = _EVENTS[principals]
    events.archived(archive, sample, count, each=each)
    with engine(Config().parse) as connection:
        with requests_of(archive, connection, events_of(archive, _NIGHT), History((), ()), keep=False):
            # not as the night would be counted now: who is in no earlier night is one of a crowd. Requests and tallies
            # are made anew, by each one's own name
            connection.execute(f"CREATE OR REPLACE TEMP VIEW requests AS {REQUESTS}")
            connection.execute(f"CREATE OR REPLACE TEMP TABLE tallies AS {TALLIES}")
            items = connection.sql(COUNT_ITEMS).to_arrow_table()
        like = _derived(sample, PRINCIPAL_DAYS), _derived(sample, ITEMS)
        _remember(archive, 1, like[0].table.slice(0, 0), items.cast(like[1].table.schema), like[0].meta)
        days = features(archive, connection, _NIGHT, _HISTORY).table
        for back in range(1, nights + 1):
            _remember(archive, back, _drawn(days, back), _met(items).cast(like[1].table.schema), like[0].meta)
        made = features(archive, connection, _NIGHT, _HISTORY)
    if made.table.num_rows < principals:
        raise RuntimeError(f"{archive.store.url}: {made.table.num_rows:,} principals made, {principals:,} asked for")
    say(f"a night of {made.table.num_rows:,} principals after {nights} others is made")
    return archive


def _derived(archive: Archive, name: str) -> Derived:
    found = archive.derived(name, _NIGHT - timedelta(days=1))
    if found is None:
        raise RuntimeError(f"{archive.store.url}: no {name}")
    return found


def _remember(archive: Archive, back: int, days: pa.Table, items: pa.Table, like: dict[str, Any]) -> None:
    night = _NIGHT - timedelta(days=back)
    meta = like | {"night": night.isoformat(), "cluster": archive.cluster, "history_nights": _HISTORY}
    archive.replace(PRINCIPAL_DAYS, night, days, meta | {"table": PRINCIPAL_DAYS})
    archive.replace(ITEMS, night, items, meta | {"table": ITEMS})


def _drawn(days: pa.Table, seed: int) -> pa.Table:
    """The rows with other counts and surprises around theirs."""
    dice = np.random.default_rng(seed)
    for name in NAMES:
        if days[name].null_count == 0:
            counts = dice.poisson(np.maximum(days[name].to_numpy(), 0))
            days = days.set_column(days.schema.get_field_index(name), name, pa.array(counts, pa.int64()))
    for name in (f"{f}_{suffix}" for f in FOREST_NAMES for suffix in SUFFIXES.values()):
        decades = days[name].to_numpy() * dice.uniform(0.0, 1.0, days.num_rows)
        days = days.set_column(days.schema.get_field_index(name), name, pa.array(decades, pa.float64()))
    return days


def _met(items: pa.Table) -> pa.Table:
    """The items without those that are new, the same on every night; nobody loses his hours."""
    new = np.random.default_rng(0).integers(_NOT_MET, size=items.num_rows) == 0
    new &= np.asarray(pc.not_equal(items["kind"], "hour"))
    return items.filter(pa.array(~new))


def measured(folder: Path, rounds: int, largest: int) -> dict[tuple[int, int], dict[str, Cost]]:
    """Cost of each stage, by principals and earlier nights."""
    sample = recorded(folder)
    found = {}
    for principals, nights in (size for size in SIZES if size[0] <= largest):
        root = folder / f"night-{principals}-{nights}"
        night_of(root, sample, principals, nights)
        runs: dict[str, list[Cost]] = {stage: [] for stage in STAGES}
        for _ in range(rounds):
            for stage, of in runs.items():
                of.append(cost(stage, root, CLUSTER))
                say(f"{stage}: {number(of[-1].wall_s)} s, {number(of[-1].cpu_s)} CPU s")
        found[principals, nights] = {stage: median(of) for stage, of in runs.items()}
    return found


def shown(found: dict[tuple[int, int], dict[str, Cost]]) -> str:
    """Both tables."""
    each = [
        [f"{of.rows:,}", f"{nights}", stage, *map(number, (of.wall_s, of.cpu_s, of.peak / 1e6))]
        for (_, nights), costs in found.items()
        for stage, of in costs.items()
    ]
    answers = [
        answer(f"{principals:,} principals, {nights} earlier nights, s", "at most", SIZES[principals, nights], wall)
        for (principals, nights), costs in found.items()
        for wall in (sum(of.wall_s for of in costs.values()),)
    ]
    head = ["principals", "earlier nights", "stage", "clock s", "CPU s", "peak MB"]
    return "\n".join(
        [table("A night ranked and reported", head, each), table("Asked and found", ["", "", "found", "met"], answers)]
    )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--largest", type=int, default=20_000, help="nights of more principals are left out")
    parser.add_argument("--folder", type=Path, help="keeps the archives made; default: a temporary one")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each stage; default: %(default)s")
    given = parser.parse_args()
    with TemporaryDirectory(prefix="auditforest-benchmark-") as scratch:
        folder = given.folder or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        print(machine(["duckdb", "numpy", "numba", "pyarrow"]), "\n")
        print(shown(measured(folder, given.rounds, given.largest)))


if __name__ == "__main__":
    main()
