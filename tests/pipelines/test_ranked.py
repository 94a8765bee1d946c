"""What a report reads of the nights before its own."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa

from pipelines.archive import RANKING, Archive
from pipelines.report.earlier import LOOK_BACK, Standing
from pipelines.stages.ranked import ranked_before
from pipelines.store import LocalStore

NIGHT = date(2026, 11, 22)


def test_of_earlier_rankings_four_columns_are_read_and_the_standings_of_those_shown_kept(tmp_path: Path) -> None:
    archive = Archive(LocalStore(tmp_path), "c")
    # no other column is there to be read
    rows = {"score": [9.0, 1.0], "rank": [1, 2], "peer_group": ["person", "person"], "principal": ["eve", "bob"]}
    for back in (0, 1, LOOK_BACK, LOOK_BACK + 1):
        archive.replace(RANKING, NIGHT - timedelta(days=back), pa.table(rows), {"generation": back})
    last, yesterday = ranked_before(archive, NIGHT, {"eve"})
    assert (last.date, last.generation) == (NIGHT - timedelta(days=LOOK_BACK), LOOK_BACK)
    assert yesterday.standings == {"eve": Standing(1, 9.0)}
    assert yesterday.peers == {"person": (1.0, 9.0)}
