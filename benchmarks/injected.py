"""The back-test over the judged nights of a labelled recording, labelled attackers apart."""

from __future__ import annotations

import shutil
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from benchmarks.recording import Recording
from pipelines.archive import EVENTS, Archive
from pipelines.backtest.evaluate import Asked, Evaluated, Outcome, evaluate
from pipelines.commits import folder
from pipelines.config import Config
from pipelines.engine import engine
from pipelines.stages.features import features
from pipelines.store import LocalStore

_SHOWN = (0, 4)


def injected(
    archive: Archive, recording: Recording, per_kind: int, seed: int, console: Console, config: Config | None = None
) -> None:
    """Every kind acted on every judged night, printed overall and by kind and type."""
    config = config or Config()
    nights = [n.night for n in recording.after_warm_up]
    with engine(config.parse) as connection:
        asked = _asked(recording, nights, per_kind, seed, config)
        show(evaluate(archive, connection, asked, lambda night: recording.pasts[night]), console)


def injected_after(
    archive: Archive, recording: Recording, earlier: int, per_kind: int, seed: int, console: Console
) -> None:
    """The same where each judged night has so many earlier nights and no more, counted so from the first on."""
    config, found = Config(), Evaluated()
    with engine(config.parse) as connection:
        for night in (n.night for n in recording.after_warm_up):
            with TemporaryDirectory() as root:
                short = Archive(LocalStore(Path(root)), archive.cluster)
                for day in (night - timedelta(days=back) for back in range(earlier, -1, -1)):
                    place = folder(EVENTS, archive.cluster, day)
                    if (Path(archive.store.url) / place).is_dir():
                        shutil.copytree(Path(archive.store.url) / place, Path(root) / place)
                        features(short, connection, day, config.history.nights)
                asked = _asked(recording, [night], per_kind, seed, config)
                one = evaluate(short, connection, asked)
            found.outcomes += one.outcomes
            found.impossible += one.impossible
    show(found, console)


def _asked(recording: Recording, nights: Sequence[date], per_kind: int, seed: int, config: Config) -> Asked:
    guilty = {n.night: n.guilty for n in recording.nights}

    def attackers(night: date) -> Collection[str]:
        return guilty.get(night, frozenset())

    return Asked(nights, per_kind, seed, config, guilty=attackers)


def show(found: Evaluated, console: Console) -> None:
    """The shares by kind and type, attacks first, the weakest first; then the innocent kinds."""
    for what, malicious in (("attacks", True), ("innocent kinds", False)):
        outcomes = [outcome for outcome in found.outcomes if outcome.case.kind.malicious == malicious]
        if outcomes:
            console.print(_table(what, outcomes))
    for (kind, type_), number in Counter((failed.kind, failed.type) for failed in found.impossible).items():
        reason = next(f.reason for f in found.impossible if (f.kind, f.type) == (kind, type_))
        console.print(f"{kind} by {type_}: not possible {number} times, such as: {reason}")


def _table(what: str, outcomes: Sequence[Outcome]) -> Table:
    cells: dict[tuple[str, str], list[int]] = defaultdict(list)
    for outcome in outcomes:
        cells[outcome.case.kind.name, outcome.case.type].append(outcome.standing.above)
    table = Table(f"Injected {what}", "Type", "Cases", *(f"<= {n} above" for n in _SHOWN), "Innocents above: cases")
    for (kind, type_), cell in sorted(cells.items(), key=lambda item: [_share(item[1], n) for n in (4, 0)]):
        told = ", ".join(f"{above}: {n}" for above, n in sorted(Counter(cell).items()))
        table.add_row(kind, type_, f"{len(cell)}", *(f"{_share(cell, n):.2f}" for n in _SHOWN), told)
    every = [outcome.standing.above for outcome in outcomes]
    table.add_row("all", "", f"{len(every)}", *(f"{_share(every, n):.3f}" for n in _SHOWN))
    return table


def _share(above: Sequence[int], most: int) -> float:
    return sum(a <= most for a in above) / len(above)
