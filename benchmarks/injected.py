"""The back-test over the judged nights of a labelled recording, labelled attackers apart."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection
from datetime import date

from rich.console import Console
from rich.table import Table

from benchmarks.recording import Recording
from pipelines.archive import Archive
from pipelines.backtest.evaluate import Asked, Evaluated, evaluate
from pipelines.config import Config
from pipelines.engine import engine

_SHOWN = (0, 4)


def injected(archive: Archive, recording: Recording, per_kind: int, seed: int, console: Console) -> Evaluated:
    """Every kind acted on every judged night, printed overall and by kind and type."""
    guilty = {n.night: n.guilty for n in recording.nights}
    config = Config()

    def attackers(night: date) -> Collection[str]:
        return guilty.get(night, frozenset())

    with engine(config.parse) as connection:
        nights = [n.night for n in recording.after_warm_up]
        asked = Asked(nights, per_kind, seed, config, guilty=attackers)
        found = evaluate(archive, connection, asked, lambda night: recording.pasts[night])
    show(found, console)
    return found


def show(found: Evaluated, console: Console) -> None:
    """The shares by kind and type, attacks first, then the innocent kinds."""
    for malicious in (True, False):
        cells: dict[tuple[str, str], list[int]] = defaultdict(list)
        for outcome in found.outcomes:
            case = outcome.case
            if case.kind.malicious == malicious:
                cells[case.kind.name, case.type].append(outcome.standing.above)
        every = [above for cell in cells.values() for above in cell]
        what = "attacks" if malicious else "innocent kinds"
        if not every:
            continue
        table = Table(f"Injected {what}", "Type", "Cases", *(f"<= {n} above" for n in _SHOWN), "Innocents above")
        for (kind, type_), cell in sorted(cells.items(), key=lambda item: sum(a <= 4 for a in item[1]) / len(item[1])):
            told = " ".join(map(str, sorted(cell)))
            table.add_row(kind, type_, f"{len(cell)}", *(f"{_share(cell, n):.2f}" for n in _SHOWN), told)
        table.add_row("all", "", f"{len(every)}", *(f"{_share(every, n):.3f}" for n in _SHOWN))
        console.print(table)
    for (kind, type_), number in Counter((failed.kind, failed.type) for failed in found.impossible).items():
        reason = next(f.reason for f in found.impossible if (f.kind, f.type) == (kind, type_))
        console.print(f"{kind} by {type_}: not possible {number} times, such as: {reason}")


def _share(above: list[int], most: int) -> float:
    return sum(a <= most for a in above) / len(above)
