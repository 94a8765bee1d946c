"""The features stage on DuckDB and on a local Spark: generated nights, the same bytes, and what each engine takes.

`PYTHONPATH=build/real-spark/packages python -m benchmarks.engines EVENTS...` after `make test-spark`; the sample's
nights are the history. Imports pipelines/ and benchmarks/."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from benchmarks.events import archived
from benchmarks.markdown import number, table
from benchmarks.timing import machine
from pipelines.archive import ITEMS, PRINCIPAL_DAYS, Archive
from pipelines.store import LocalStore

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "data" / "sample"
CLUSTER = "prod-usw2"
FIRST, EVE, NIGHT = "2026-09-08", "2026-09-14", date(2026, 9, 15)
ENGINES = ("duckdb", "spark")

_POLL_S = 0.2
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Taken:
    """Of one run: seconds on the clock and of CPU, and the most memory held at once, by all its processes."""

    wall_s: float
    cpu_s: float
    peak_bytes: int


def night_of(events: int, folder: Path) -> int:
    """How many events the last night of a new archive has; the sample's nights before it are counted, it is not."""
    recorded, archive = (Archive(LocalStore(path), CLUSTER) for path in (folder / "recorded", folder / ENGINES[0]))
    export = ("export", "--source", str(SAMPLE))
    _auditforest(*export, "--from", FIRST, "--to", NIGHT.isoformat(), "--archive", recorded.store.url)
    for stage in (export, ("features",)):
        _auditforest(*stage, "--from", FIRST, "--to", EVE, "--archive", archive.store.url)
    return archived(archive, recorded, events)


def _auditforest(*words: str) -> None:
    command = [sys.executable, "-m", "pipelines", *words, "--cluster", CLUSTER]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)


def counted(folder: Path, engine: str) -> Taken:
    """What counting the generated night takes."""
    words = ("features", "--cluster", CLUSTER, "--date", NIGHT.isoformat(), "--archive", str(folder), "--sql", engine)
    started, cpu, peak = time.monotonic(), dict[int, float](), 0
    command = [sys.executable, "-m", "pipelines", *words]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, cwd=ROOT, start_new_session=True, stdout=quiet, stderr=quiet) as run:
        while run.poll() is None:
            found = list(_processes(run.pid))
            cpu.update((pid, seconds) for pid, seconds, _ in found)
            peak = max(peak, sum(held for *_, held in found))
            time.sleep(_POLL_S)
    if run.returncode:
        raise subprocess.CalledProcessError(run.returncode, command)
    return Taken(time.monotonic() - started, sum(cpu.values()), peak)


def _processes(session: int) -> Iterator[tuple[int, float, int]]:
    """Process, CPU seconds and resident bytes of all of a session: Java is a child of ours."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended meanwhile
        if int(fields[3]) == session:
            ticks = int(fields[11]) + int(fields[12])
            yield int(stat.parent.name), ticks * _TICK_S, int(fields[21]) * os.sysconf("SC_PAGE_SIZE")


def compared(folder: Path) -> dict[str, Taken]:
    """What each engine takes for the uncounted night.

    Raises:
        ValueError: they wrote other bytes.
    """
    shutil.copytree(folder / ENGINES[0], folder / ENGINES[1])
    found = {engine: counted(folder / engine, engine) for engine in ENGINES}
    for name in (ITEMS, PRINCIPAL_DAYS):
        one, other = (Archive(LocalStore(folder / e), CLUSTER).derived(name, NIGHT) for e in ENGINES)
        if one is None or other is None or one.sha256 != other.sha256:
            raise ValueError(f"{name} differs between {' and '.join(ENGINES)}; see {folder}")
    return found


def main() -> None:
    """Command line."""
    rows = []
    for asked in map(int, sys.argv[1:]):
        folder = ROOT / "build" / "engines" / str(asked)
        shutil.rmtree(folder, ignore_errors=True)
        events = night_of(asked, folder)
        for engine, taken in compared(folder).items():
            spent = (number(taken.wall_s), number(taken.cpu_s), f"{taken.peak_bytes / 1e6:,.0f}")
            rows.append([f"{events:,}", engine, *spent])
    header = ["events", "engine", "clock s", "CPU s", "memory MB"]
    notes = [machine(["duckdb", "pyarrow", "pyspark"]), "Every table was the same bytes on both engines."]
    print(table("The features stage of one night", header, rows, notes))


if __name__ == "__main__":
    main()
