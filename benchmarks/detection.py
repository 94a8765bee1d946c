"""Where labelled attacks and look-alikes of a recording rank: `python -m benchmarks.detection RECORDING`.

Runs every night of the recording in order, then finds the labelled requests by audit id. A principal belongs to a
scenario's night with MIN_REQUESTS or more of its requests; the best ranked one gives the scenario's rank, and
"above" counts principals without any attack that night that stand higher. Average precision is over all
(principal, night) from the night with WARM_UP earlier dates on."""

from __future__ import annotations

import argparse
from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
from rich.console import Console
from rich.table import Table

from features.requests import REQUESTS
from pipelines.archive import EVENTS, RANKING, Archive
from pipelines.cli import cli
from pipelines.config import ParseConfig
from pipelines.engine import engine
from pipelines.store import LocalStore

MIN_REQUESTS = 3
WARM_UP = 7


@dataclass(frozen=True)
class Place:
    """Where one scenario stood on one night."""

    night: date
    scenario: str
    malicious: bool
    principal: str
    rank: int
    of: int
    above: int


@dataclass(frozen=True)
class Result:
    """All places, and the scores and truth of every scored principal-night."""

    places: tuple[Place, ...]
    scores: tuple[float, ...]
    attacks: tuple[bool, ...]

    @property
    def average_precision(self) -> float:
        """Mean precision at each attack, 0 to 1; NaN without an attack."""
        truth = np.array(self.attacks)[np.argsort(-np.array(self.scores), kind="stable")]
        precision = np.cumsum(truth) / np.arange(1, len(truth) + 1)
        return float(precision[truth].mean()) if truth.any() else float("nan")


def nights_of(recording: Path) -> tuple[str, list[date]]:
    """Cluster and nights of a recording, from the names of its files."""
    names = sorted(p.name.removesuffix(".ndjson.zst") for p in recording.glob("audit-*.ndjson.zst"))
    if not names:
        raise SystemExit(f"{recording}: no audit-CLUSTER-DATE.ndjson.zst in it")
    return names[0][len("audit-") : -len("-2026-01-01")], [date.fromisoformat(n[-10:]) for n in names]


def labelled(
    connection: duckdb.DuckDBPyConnection, archive: Archive, night: date, labels: Path
) -> dict[tuple[str, bool], dict[str, int]]:
    """Of each scenario (and whether it is an attack): labelled requests by principal."""
    found: dict[tuple[str, bool], dict[str, int]] = defaultdict(dict)
    with archive.files(archive.newest(EVENTS, night)) as parts:
        connection.register("events", connection.read_parquet([str(p) for p in parts], hive_partitioning=False))
        rows = connection.execute(
            f"SELECT scenario, malicious, principal, count(*) FROM ({REQUESTS}) JOIN "
            "read_csv($labels, delim = chr(9), header = true, all_varchar = true) USING (audit_id) GROUP BY ALL",
            {"labels": str(labels)},
        ).fetchall()
        connection.unregister("events")
    for scenario, malicious, principal, number in rows:
        found[scenario, malicious == "true"][principal] = number
    return found


def judge(archive: Archive, nights: list[date], labels: Path) -> Result:
    """Places of every scenario on every night after the warm-up."""
    places: list[Place] = []
    scores: list[float] = []
    attacks: list[bool] = []
    with engine(ParseConfig()) as connection:
        for night in nights[WARM_UP:]:
            ranking = archive.derived(RANKING, night)
            if ranking is None:
                continue
            rows = {r["principal"]: r for r in ranking.table.to_pylist()}
            scenarios = {
                key: [p for p, n in who.items() if n >= MIN_REQUESTS]
                for key, who in labelled(connection, archive, night, labels).items()
            }
            guilty = {p for (_, malicious), who in scenarios.items() if malicious for p in who}
            scores += [r["score"] for r in rows.values()]
            attacks += [p in guilty for p in rows]
            for (scenario, malicious), who in sorted(scenarios.items()):
                if who:
                    best = min(who, key=lambda p: rows[p]["rank"])
                    above = sum(r["rank"] < rows[best]["rank"] for p, r in rows.items() if p not in guilty)
                    places.append(Place(night, scenario, malicious, best, rows[best]["rank"], len(rows), above))
    return Result(tuple(places), tuple(scores), tuple(attacks))


def show(result: Result, console: Console) -> None:
    """The table, and the three numbers below it."""
    table = Table("Night", "Scenario", "Attack", "Best ranked principal", "Rank", "Of", "Innocents above")
    for p in result.places:
        attack = "yes" if p.malicious else "no"
        table.add_row(f"{p.night}", p.scenario, attack, p.principal, f"{p.rank}", f"{p.of}", f"{p.above}")
    console.print(table)
    above = [p.above for p in result.places if p.malicious]
    hits = ", ".join(f"at most {n}: {sum(a <= n for a in above)}" for n in (0, 1, 4, 9))
    console.print(f"attack nights: {len(above)}; innocents above: {hits}")
    console.print(f"average precision: {result.average_precision:.3f}")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recording", type=Path)
    parser.add_argument("--archive", type=Path, help="default: build/detection")
    given = parser.parse_args()
    cluster, nights = nights_of(given.recording)
    archive: Path = given.archive or Path("build/detection")
    labels = next(iter(sorted(given.recording.glob("label-events*.tsv"))))
    span = ["--from", f"{nights[0]}", "--to", f"{nights[-1]}"]
    where = ["--source", str(given.recording / "audit-*.ndjson.zst"), "--archive", str(archive)]
    cli(["nightly", "--cluster", cluster, *where, *span], standalone_mode=False)
    show(judge(Archive(LocalStore(archive), cluster), nights, labels), Console(width=150))


if __name__ == "__main__":
    main()
