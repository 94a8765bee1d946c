"""What a run costs in a process of its own, and how far that is from what was asked.

Imports of the measured are no part of the CPU, which is that of all threads, user and system."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.markdown import number
from pipelines.peak import peak_bytes


@dataclass(frozen=True)
class Cost:
    """Seconds, bytes at the peak of memory, and the rows it ended with."""

    cpu_s: float
    wall_s: float
    peak: int
    rows: int


def measured(module: str, *words: object) -> Cost:
    """What `python -m MODULE WORDS` says of its run, by `tell`."""
    command = [sys.executable, "-m", module, *map(str, words)]
    ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=Path(__file__).parents[1])
    return Cost(**json.loads(ran.stdout))


def tell(run: Callable[[], int]) -> None:
    """Run it and print its cost as JSON; it returns its rows."""
    wall, cpu = time.perf_counter(), time.process_time()
    rows = run()
    print(json.dumps(asdict(Cost(time.process_time() - cpu, time.perf_counter() - wall, peak_bytes(), rows))))


def median(runs: Sequence[Cost]) -> Cost:
    """Median seconds of several runs, and their highest peak."""
    return Cost(
        statistics.median(r.cpu_s for r in runs),
        statistics.median(r.wall_s for r in runs),
        max(r.peak for r in runs),
        runs[0].rows,
    )


def answer(figure: str, bound: str, limit: float, value: float) -> list[str]:
    """A row of the table of what was asked: figure, bound, what was found, whether that is met."""
    met = value >= limit if bound == "at least" else value <= limit
    return [figure, f"{bound} {limit:,g}", number(value), "yes" if met else "no"]


def say(text: str) -> None:
    """Tell on stderr how far a benchmark is."""
    print(text, file=sys.stderr, flush=True)
