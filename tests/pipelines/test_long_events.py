"""Nights of long events, and of bad lines by the thousand, fit into the memory that the engine is given."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from builders import NIGHT, event, line

from pipelines.archive import Archive
from pipelines.config import ParseConfig
from pipelines.engine import engine, modest
from pipelines.sources.files import select
from pipelines.stages.export import Exported, export
from pipelines.store import LocalStore

Run = Callable[..., Exported]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def archived(body: bytes) -> Exported:
        (tmp_path / "a.log").write_bytes(body)
        with engine(ParseConfig()) as made:
            source, night = select(str(tmp_path / "a.log")), date.fromisoformat(NIGHT)
            return export(Archive(LocalStore(tmp_path / "archive"), "prod"), made, source, [night], (), lambda *_: None)

    return archived


def test_a_night_of_events_of_a_megabyte_is_archived(run: Run) -> None:
    long = [line(event(body={"data": {"x": f"{n}" * 900_000}})) for n in range(10)]
    done = run(b"".join(long * 2) + b"".join(line(event(body={"data": "y" * 900_000})) for _ in range(20)))
    assert (done.ended["a.log"].archived, done.ended["a.log"].duplicate) == (30, 10)


def test_bad_lines_by_the_thousand_are_all_filed(run: Run) -> None:
    done = run(b"".join(b"%d is no event\n" % n for n in range(30_000)) + line(event()))
    assert (done.bad, done.ended["a.log"].quarantined, done.ended["a.log"].archived) == (30_000, 30_000, 1)


@pytest.mark.parametrize(("given", "left"), [("300MB", 300), ("1GB", 500), ("8GB", 7400)])
def test_the_engine_keeps_what_the_user_gave_it_beyond_what_the_rest_needs(given: str, left: int) -> None:
    with engine(ParseConfig(memory_limit=given)) as made:
        limit = "SELECT parse_formatted_bytes(current_setting('memory_limit')) / 1e6"
        before = made.sql(limit).fetchall()
        with modest(made):
            assert made.sql(limit).fetchall()[0][0] == pytest.approx(left, rel=0.01)
        assert made.sql(limit).fetchall()[0][0] == pytest.approx(before[0][0], rel=0.02)
