"""One night ranked and reported, in a process of its own: `python -m benchmarks.ranking_once STAGE ARCHIVE CLUSTER`.

Prints what it cost as JSON; imports, and what the compiler keeps on disk, are no part of it."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout, suppress
from datetime import date
from pathlib import Path

from benchmarks.corpus import NIGHT
from benchmarks.cost import Cost, measured, tell
from models import warm
from pipelines.archive import RANKING, Archive
from pipelines.commits import folder
from pipelines.config import Config
from pipelines.engine import engine
from pipelines.stages.report import report
from pipelines.stages.score import score
from pipelines.store import open_store

_NIGHT = date.fromisoformat(NIGHT.decode())


def ranked(archive: Archive) -> int:
    """The score stage, as shipped; rows of the ranking."""
    config = Config()
    with engine(config.parse) as connection:
        made = score(archive, connection, _NIGHT, config.history.nights, config.history.nights, config.forest)
    return int(made.table.num_rows)


def reported(archive: Archive) -> int:
    """The report stage, as shipped; rows of the ranking."""
    return len(report(archive, _NIGHT).night.ranked)


STAGES = {"score": ranked, "report": reported}


def cost(stage: str, root: Path, cluster: str) -> Cost:
    """What the stage costs in a fresh process; the night is not ranked when `score` begins."""
    if stage == "score":
        with suppress(FileNotFoundError):
            (root / folder(RANKING, cluster, _NIGHT) / f"{RANKING}.parquet").unlink()
    return measured("benchmarks.ranking_once", stage, root, cluster)


def main() -> None:
    """Command line."""
    stage, root, cluster = sys.argv[1:]
    with redirect_stdout(sys.stderr):
        warm.main()
    archive = Archive(open_store(root), cluster)
    tell(lambda: STAGES[stage](archive))


if __name__ == "__main__":
    main()
