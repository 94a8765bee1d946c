"""One measured run of the ingest or of its rival, in a process of its own.

`python -m benchmarks.ingest_once KIND SOURCE TARGET` prints what it cost as JSON. Imports are not part of it, nor is
waiting for the disk: the CPU is that of all threads, user and system."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import date
from hashlib import sha256
from pathlib import Path

from benchmarks import row_loop
from benchmarks.corpus import NIGHT
from benchmarks.cost import Cost, measured, tell
from pipelines.archive import Archive
from pipelines.config import ParseConfig
from pipelines.engine import engine
from pipelines.sources.files import select
from pipelines.stages.export import export
from pipelines.store import open_store


def lane(source: Path, target: Path) -> int:
    """Rows of the night after the export stage, as shipped, into a folder."""
    night = date.fromisoformat(NIGHT.decode())
    with engine(ParseConfig()) as connection:
        archive = Archive(open_store(str(target)), "benchmark")
        done = export(archive, connection, select(str(source)), [night], [], lambda _what, _share: None)
    commit = done.commits[night]
    return sum(part.rows for part in commit.parts) if commit else 0


def marks(source: Path, _target: Path) -> int:
    """Lines whose length and hash were taken, and nothing else: what `bytes` and `content_hash` cost."""
    with source.open("rb") as lines:
        found = [(len(text), sha256(text).hexdigest()[:32]) for text in (line.rstrip(b"\r\n") for line in lines)]
    return len(found)


def passing(source: Path, _target: Path) -> int:
    """Lines read and passed over: what is left of `marks` without the two."""
    with source.open("rb") as lines:
        found = [line.rstrip(b"\r\n") for line in lines]
    return len(found)


KINDS: dict[str, Callable[[Path, Path], int]] = {
    "lane": lane,
    "loop": row_loop.write,
    "marks": marks,
    "passing": passing,
}


def cost(kind: str, source: Path, target: Path) -> Cost:
    """What the run cost, in a fresh process."""
    return measured("benchmarks.ingest_once", kind, source, target)


def main() -> None:
    """Command line."""
    kind, source, target = sys.argv[1:]
    tell(lambda: KINDS[kind](Path(source), Path(target)))


if __name__ == "__main__":
    main()
