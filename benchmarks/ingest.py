"""The ingest beside a row loop: `python -m benchmarks.ingest` prints the tables that docs/benchmarks.md holds.

A night's log is made from the sample in several sizes and archived in a local folder. All that is compared on the
smallest size takes turns (A B C A B C), each run in a process of its own; a figure is the median of its runs. The
larger sizes run once. Progress goes to stderr."""

from __future__ import annotations

import argparse
import itertools
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import corpus
from benchmarks.cost import Cost, answer, median, say
from benchmarks.ingest_once import cost
from benchmarks.markdown import number, table
from benchmarks.timing import machine

SMALL_BYTES = 100_000
LANE, LOOP, GZ, ZST, AGAIN, MANY = "lane", "orjson row loop", "lane, .gz", "lane, .zst", "lane, run again", "lane, many"
_SLOW_S = 60
"""A longer run is not repeated."""
_STEADY = 10**9
"""Below it the peak is still rising."""


@dataclass
class Found:
    """What was measured; costs by what ran, of the smallest size and of each."""

    sizes: dict[int, int] = field(default_factory=dict)
    small: dict[str, Cost] = field(default_factory=dict)
    each: dict[int, Cost] = field(default_factory=dict)
    parquet: dict[int, int] = field(default_factory=dict)
    files: int = 0


def compare(plain: Path, rounds: int, found: Found) -> None:
    """Fills `small`: lane, loop, packed input, many files, a re-run, and the two marks alone."""
    folder = plain.with_suffix(".files")
    found.files = len(corpus.scattered(plain, folder, SMALL_BYTES))
    sources = {
        LANE: ("lane", plain),
        AGAIN: ("lane", plain),
        LOOP: ("loop", plain),
        GZ: ("lane", corpus.packed(plain, ".gz")),
        ZST: ("lane", corpus.packed(plain, ".zst")),
        MANY: ("lane", folder),
        "passing": ("passing", plain),
        "marks": ("marks", plain),
    }
    runs: dict[str, list[Cost]] = {name: [] for name in sources}
    archive = plain.with_suffix(".archive")
    for k in range(rounds):
        for name, (kind, source) in sources.items():
            if k and runs[name][0].wall_s > _SLOW_S:
                continue
            if name != AGAIN:
                shutil.rmtree(archive, ignore_errors=True)
            target = archive if kind == "lane" else plain.with_suffix(".parquet")
            runs[name].append(cost(kind, source, target))
            say(f"round {k + 1} of {rounds}: {name}, {number(runs[name][-1].cpu_s)} CPU s")
    rows = {name: of[0].rows for name, of in runs.items()}
    if len(set(rows.values())) != 1:
        raise RuntimeError(f"{plain}: different rows found: {rows}; the same expected of every way")
    shutil.rmtree(folder)
    found.small = {name: median(of) for name, of in runs.items()}


def grow(plain: Path, asked: int, found: Found) -> None:
    """Fills what is measured of each size."""
    archive = plain.with_suffix(".archive")
    shutil.rmtree(archive, ignore_errors=True)
    found.sizes[asked] = plain.stat().st_size
    found.each[asked] = cost("lane", plain, archive)
    found.parquet[asked] = sum(path.stat().st_size for path in archive.glob("events/*/*/part-*.parquet"))
    say(f"{asked / 1e6:,.0f} MB: {number(found.each[asked].cpu_s)} CPU s")
    shutil.rmtree(archive)


def answers(found: Found) -> Iterator[list[str]]:
    """Rows of the table: figure, asked, found, met."""
    cpu = {name: c.cpu_s for name, c in found.small.items()}
    yield answer("MB per CPU second, lane / row loop", "at least", 3, cpu[LOOP] / cpu[LANE])
    yield answer("CPU of .gz / plain", "at most", 1.3, cpu[GZ] / cpu[LANE])
    yield answer("CPU of .zst / plain", "at most", 1.3, cpu[ZST] / cpu[LANE])
    sizes = sorted(found.each)
    for a, b in itertools.pairwise(s for s in sizes if s >= _STEADY):
        ratio = found.each[b].peak / found.each[a].peak
        yield answer(f"peak of memory, {_named(b)} / {_named(a)}", "at most", 1.1, ratio)
    for s in sizes:
        yield answer(f"peak of memory, {_named(s)}, MB", "below", 1000, found.each[s].peak / 1e6)
    for s in sizes:
        yield answer(f"raw / Parquet, {_named(s)}", "at least", 35, found.sizes[s] / found.parquet[s])
    first, again = found.small[LANE], found.small[AGAIN]
    yield answer("a committed night run again / its first run, clock", "at most", 0.5, again.wall_s / first.wall_s)
    yield answer("the same, CPU", "at most", 0.5, again.cpu_s / first.cpu_s)
    # no figure was asked of many small files
    yield [f"CPU of {found.files:,} files / one file", "", number(cpu[MANY] / cpu[LANE]), ""]


def shown(found: Found) -> str:
    """All tables."""
    smallest = min(found.sizes)
    ways = [name for name in found.small if name not in ("marks", "passing")]
    raw = found.sizes[smallest]
    marks = max(0.0, found.small["marks"].cpu_s - found.small["passing"].cpu_s)
    rows = found.small[LANE].rows
    notes = (
        f"{rows:,} lines, {raw / rows:,.0f} bytes each. Every way ends in the same rows, sorted, as Parquet "
        f"with zstd 3; many: {found.files:,} files of {SMALL_BYTES // 1000} KB.",
        f"Length and hash of each line (bytes, content_hash), taken alone: {number(marks)} CPU s, "
        f"{marks / found.small[LANE].cpu_s:.0%} of the lane's.",
    )
    costs = [_cells(name, raw, found.small[name]) for name in ways]
    each = [
        [*_cells(_named(s), found.sizes[s], found.each[s]), number(found.parquet[s] / 1e6)] for s in sorted(found.each)
    ]
    head = ["CPU s", "clock s", "MB / CPU s", "peak MB"]
    return "\n".join(
        [
            table(f"A night of {_named(smallest)}", ["way", *head], costs, notes),
            table("The lane by size", ["raw", *head, "Parquet MB"], each),
            table("Asked and found", ["figure", "asked", "found", "met"], answers(found)),
        ]
    )


def _cells(name: str, raw: int, c: Cost) -> list[str]:
    return [name, number(c.cpu_s), number(c.wall_s), number(raw / 1e6 / c.cpu_s), number(c.peak / 1e6)]


def _named(bytes_: int) -> str:
    return f"{bytes_ / 1e9:g} GB" if bytes_ >= 10**9 else f"{bytes_ / 1e6:g} MB"


def run(sizes: list[int], folder: Path, rounds: int) -> None:
    """Prints the tables once all is measured."""
    found = Found()
    nights = corpus.sample()
    say("the sample is read")
    print(machine(["duckdb", "pyarrow", "orjson"]), "\n")
    ratios = [corpus.gzip_ratio(n.data.tobytes() for n in nights)]
    for asked in sorted(sizes):
        plain = folder / f"night-{asked}.ndjson"
        corpus.write(plain, asked, nights)
        if asked == min(sizes):
            compare(plain, rounds, found)
            gz = corpus.packed(plain, ".gz")
            ratios.append(plain.stat().st_size / gz.stat().st_size)
        grow(plain, asked, found)
    print(
        f"gzip makes the recorded sample {ratios[0]:.1f} times smaller, the log made from it {ratios[1]:.1f} times.\n"
    )
    print(shown(found))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="200MB,2GB,10GB", help="of the raw log; default: %(default)s")
    parser.add_argument("--folder", type=Path, help="keeps the logs made; default: a temporary one")
    parser.add_argument("--rounds", type=int, default=3, help="runs of the smallest size; default: %(default)s")
    given = parser.parse_args()
    try:
        sizes = [corpus.size(text) for text in given.sizes.split(",")]
    except ValueError as error:
        parser.error(str(error))
    with TemporaryDirectory(prefix="auditforest-benchmark-") as scratch:
        folder = given.folder or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        run(sizes, folder, given.rounds)


if __name__ == "__main__":
    main()
