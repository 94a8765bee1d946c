"""Where attacks and look-alikes of a labelled recording rank: `python -m benchmarks.detection RECORDING`.

Every night of the recording is counted in order; the labelled requests are found by audit id. A principal belongs to a
scenario's night with MIN_REQUESTS or more of its requests; the best ranked one gives the scenario's rank, and
"above" counts principals without any attack that night that stand higher. Average precision is over all
(principal, night) from the night with WARM_UP earlier dates on. The same is told of every baseline, on the same rows.

`--injected K` acts every kind of the back-test K times on each of those nights, `--earlier N` with no more than N
nights of history. `--archive DIR` keeps the counts: a change of surprises or scores is then judged in seconds."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from benchmarks.baselines import BASELINES, product, scored
from benchmarks.injected import injected, injected_after
from benchmarks.recording import JudgedNight, Recording, counted, judged, labels_of, nights_of
from models.rank import ranks
from pipelines.archive import Archive
from pipelines.store import LocalStore

Floats = npt.NDArray[np.float64]

HITS = (0, 1, 4, 5, 9, 10)
"""Innocents above an attack with which it still counts as found."""

TOP = 10
"""Ranks whose interval is told."""


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

    def found(self, most: int) -> tuple[int, int]:
        """Attacks that have at most so many innocents above on every one of their nights, and nights that have."""
        nights = [p for p in self.places if p.malicious]
        missed = {p.scenario for p in nights if p.above > most}
        return len({p.scenario for p in nights} - missed), sum(p.above <= most for p in nights)


def judge(archive: Archive, nights: list[date], labels: Path) -> Result:
    """Places of every scenario on every night after the warm-up, of an archive that holds the nights' counts."""
    return ranked(judged(archive, nights, labels), product)


def ranked(recording: Recording, score: Callable[[JudgedNight], Floats]) -> Result:
    """Places by one way of scoring a night's rows."""
    places: list[Place] = []
    scores: list[float] = []
    attacks: list[bool] = []
    for night in recording.after_warm_up:
        found = score(night)
        scores += found.tolist()
        attacks += [p in night.guilty for p in night.principals]
        places += _places(night, dict(zip(night.principals, found.tolist(), strict=True)))
    return Result(tuple(places), tuple(scores), tuple(attacks))


def _places(night: JudgedNight, scores: Mapping[str, float]) -> list[Place]:
    places = []
    for scenario, malicious in sorted(night.scenarios):
        who = night.members((scenario, malicious))
        if not who:
            continue
        best = max(sorted(who), key=lambda p: scores[p])
        higher = [p for p, score in scores.items() if score > scores[best]]
        above = sum(p not in night.guilty for p in higher)
        places.append(Place(night.night, scenario, malicious, best, len(higher) + 1, len(scores), above))
    return places


def widths(recording: Recording) -> list[int]:
    """Of everybody in a judged night's first ten, how far the best and the worst rank by any forest lie apart."""
    found: list[int] = []
    for night in recording.after_warm_up:
        scores = scored(night)
        found += (scores.high - scores.low)[ranks(scores.score) <= TOP].tolist()
    return found


def show(result: Result, console: Console, apart: Sequence[int] = ()) -> None:
    """The table, and the numbers below it."""
    table = Table("Night", "Scenario", "Attack", "Best ranked principal", "Rank", "Of", "Innocents above")
    for p in result.places:
        attack = "yes" if p.malicious else "no"
        table.add_row(f"{p.night}", p.scenario, attack, p.principal, f"{p.rank}", f"{p.of}", f"{p.above}")
    console.print(table)
    nights = [p for p in result.places if p.malicious]
    hits = ", ".join(f"at most {n}: {result.found(n)[1]}" for n in HITS)
    console.print(f"attacks: {len({p.scenario for p in nights})}, their nights: {len(nights)}; innocents above: {hits}")
    console.print(f"average precision: {result.average_precision:.3f}")
    if apart:
        told = f"median {np.median(apart):g}, 90th percentile {np.percentile(apart, 90):g}"
        console.print(f"width of the rank interval in the first {TOP}: {told}")


def compare(recording: Recording, console: Console) -> None:
    """The baselines in two tables: what each finds, and the innocents above each scenario and night by each of them."""
    results = {name: ranked(recording, score) for name, score in BASELINES.items()}
    title = "Attacks (their nights) with so many innocents above"
    table = Table("", "Scored by", "AP", *(f"<= {n}" for n in HITS), title=title)
    for number, (name, result) in enumerate(results.items(), 1):
        found = [result.found(n) for n in HITS]
        table.add_row(f"{number}", name, f"{result.average_precision:.3f}", *(f"{a} ({n})" for a, n in found))
    console.print(table)
    numbers = [f"{number}" for number in range(1, len(results) + 1)]
    each = Table("Night", "Scenario", "Attack", *numbers, title="Innocents above, scored by each")
    for places in zip(*(result.places for result in results.values()), strict=True):
        attack = "yes" if places[0].malicious else "no"
        each.add_row(f"{places[0].night}", places[0].scenario, attack, *(f"{place.above}" for place in places))
    console.print(each)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recording", type=Path)
    parser.add_argument("--archive", type=Path, default=Path("build/detection"), help="default: build/detection")
    parser.add_argument("--injected", type=int, metavar="K", help="act every kind of the back-test K times a night")
    parser.add_argument("--seed", type=int, default=0, help="of the injected cases (default: 0)")
    parser.add_argument("--earlier", type=int, metavar="N", help="nights of history they have (default: all)")
    parser.add_argument("--only", action="store_true", help="without the baselines")
    given = parser.parse_args()
    cluster, nights = nights_of(given.recording)
    archive, console = Archive(LocalStore(given.archive), cluster), Console(width=150)
    counted(given.recording, archive)
    recording = judged(archive, nights, labels_of(given.recording))
    show(ranked(recording, product), console, widths(recording))
    if not given.only:
        compare(recording, console)
    if given.injected and given.earlier is None:
        injected(archive, recording, given.injected, given.seed, console)
    elif given.injected:
        injected_after(archive, recording, given.earlier, given.injected, given.seed, console)


if __name__ == "__main__":
    main()
