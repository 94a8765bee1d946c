"""An event that a source without raw lines tells twice in other words is archived once; another event is not hidden."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines.archive import EVENTS, Archive
from pipelines.envelopes import security_lake
from pipelines.sources.files import select
from pipelines.stages.export import Exported, export
from pipelines.store import LocalStore
from tests.pipelines.test_security_lake import V1_1, V1_5, parquet

NIGHT = date(2026, 9, 15)
OTHERS = {
    "another audit id": V1_5 | {"api": V1_5["api"] | {"request": {"uid": "9f2d"}}},
    "another stage": V1_5 | {"message": "ResponseStarted"},
    "another path": V1_5 | {"http_request": {"url": {"path": "/api/v1/namespaces/dev/secrets/cart"}}},
    "another time": V1_5 | {"start_time_dt": "2026-09-15 12:00:00.124"},
}


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(LocalStore(tmp_path / "archive"), "c")


def told(archive: Archive, engine: duckdb.DuckDBPyConnection, folder: Path, *records: dict[str, Any]) -> Exported:
    """An export of these records, each in an object of its own."""
    folder.mkdir()
    for number, one in enumerate(records):
        (folder / f"{number}.parquet").write_bytes(parquet([one]))
    return export(archive, engine, select(str(folder)), [NIGHT], [], lambda _what, _share: None)


def counts(archive: Archive) -> tuple[int, int, int]:
    commit = archive.newest(EVENTS, NIGHT)
    assert commit is not None
    return commit.counts.read, commit.counts.archived, commit.counts.duplicate


def test_an_event_told_by_two_versions_in_one_run_is_archived_once(
    archive: Archive, engine: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    told(archive, engine, tmp_path / "lake", V1_1, V1_5, V1_5)
    assert counts(archive) == (3, 1, 2)
    with archive.files(archive.newest(EVENTS, NIGHT)) as (part,):
        (reason,) = engine.execute("SELECT reason FROM read_parquet(?)", [str(part)]).fetchall()
    # the first is kept, and the other would not have known why it was allowed
    assert reason != (None,)


def test_an_event_told_by_another_version_later_is_a_duplicate(
    archive: Archive, engine: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    told(archive, engine, tmp_path / "first", V1_5)
    found = told(archive, engine, tmp_path / "second", V1_1)
    assert counts(archive) == (1, 1, 0)
    assert [e.duplicate for e in found.ended.values()] == [1]


def test_a_change_of_what_is_read_off_a_record_makes_no_event_new(
    archive: Archive, engine: duckdb.DuckDBPyConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told(archive, engine, tmp_path / "before", V1_1, V1_5 | OTHERS["another audit id"])
    line = security_lake.event_line
    monkeypatch.setattr(security_lake, "event_line", lambda one: line(one)[:-1] + b',"new":1}')
    told(archive, engine, tmp_path / "after", V1_1, V1_5 | OTHERS["another audit id"])
    assert counts(archive)[1] == 2


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("runs", [1, 2])
def test_another_event_is_kept(
    archive: Archive, engine: duckdb.DuckDBPyConnection, tmp_path: Path, other: dict[str, Any], runs: int
) -> None:
    if runs == 1:
        told(archive, engine, tmp_path / "lake", V1_5, other)
    else:
        told(archive, engine, tmp_path / "first", V1_5)
        told(archive, engine, tmp_path / "second", other)
    assert counts(archive) == (2, 2, 0)
