"""Seconds of several tasks run in turns, and the machine they ran on.

Imports nothing of ours."""

from __future__ import annotations

import gc
import os
import platform
import statistics
import time
from collections.abc import Callable, Container, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

# a run of so many seconds is long enough to be believed alone
SLOW_S = 0.5


class Timed(NamedTuple):
    """Median seconds of one task, CPU of all its threads and on the clock; and what its last run returned."""

    cpu_s: float
    wall_s: float
    result: Any


def timed(task: Callable[[], Any]) -> Timed:
    """Seconds of one run; the garbage of others is not collected in it."""
    gc.disable()
    try:
        wall, cpu = time.perf_counter(), time.process_time()
        result = task()
        return Timed(time.process_time() - cpu, time.perf_counter() - wall, result)
    finally:
        gc.enable()


def interleaved(tasks: Mapping[str, Callable[[], Any]], rounds: int, once: Container[str] = ()) -> dict[str, Timed]:
    """Medians over rounds of A B C A B C; what takes longer than SLOW_S, or is in once, runs in the first only."""
    runs: dict[str, list[Timed]] = {name: [] for name in tasks}
    gc.collect()
    for k in range(rounds):
        for name, task in tasks.items():
            if k == 0 or (name not in once and runs[name][0].wall_s < SLOW_S):
                runs[name] = [run._replace(result=None) for run in runs[name]] + [timed(task)]
    return {
        name: Timed(
            statistics.median(run.cpu_s for run in of), statistics.median(run.wall_s for run in of), of[-1].result
        )
        for name, of in runs.items()
    }


def cores() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0))


def machine(packages: list[str]) -> str:
    """One line: processor, cores, Python, versions of packages."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    return f"{model or platform.machine()}, {cores()} cores; Python {platform.python_version()}, {versions}."
