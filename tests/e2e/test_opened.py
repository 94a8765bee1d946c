"""An archive opened for reading: what stands in its tables, of the nights asked for, committed rows alone."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import boto3
import pandas as pd
import pyarrow.parquet as pq
import pytest
from builders import event
from e2e.job import Ended, auditforest, object_of
from e2e.world import ATTACKER, CLUSTER, LAST, NIGHTS, written
from mark_builders import mark
from s3_server import AWS_ENVIRONMENT

import pipelines
from pipelines.archive import EVENTS, Archive
from pipelines.errors import AuditForestError, ConfigError, DataError, OrderError
from pipelines.marking.record import SCHEMA as MARK_SCHEMA
from pipelines.opened import OpenArchive
from pipelines.parquet import decode
from pipelines.parsing.events import NAMES
from pipelines.store import LocalStore, open_store

# duckdb's own use of pandas, until it follows
pytestmark = pytest.mark.filterwarnings("ignore:The inplace keyword in DataFrame.drop is deprecated")

TABLES = ("events", "requests", "items", "principal_days", "ranking")


@pytest.fixture(scope="module")
def root(built: tuple[Path, Ended]) -> Path:
    """The archive of ten nights. Not to be changed."""
    return built[0]


@pytest.fixture(scope="module")
def opened(root: Path) -> Iterator[OpenArchive]:
    """The same, open."""
    with pipelines.open_archive(root) as archive:
        yield archive


def stored(root: Path, table: str, night: date) -> Any:
    return decode(object_of(root, table, night, f"{table}.parquet").read_bytes(), table)[0]


def test_clusters_and_ranked_nights_are_told(opened: OpenArchive) -> None:
    assert opened.clusters() == [CLUSTER]
    assert opened.nights() == opened.nights(CLUSTER) == list(NIGHTS)


@pytest.mark.parametrize("table", ["items", "principal_days", "ranking"])
def test_a_derived_table_is_as_it_is_stored_with_cluster_and_date(root: Path, opened: OpenArchive, table: str) -> None:
    rows = getattr(opened, table)(nights=LAST).to_arrow_table()
    kept = stored(root, table, LAST)
    assert rows.column_names == [*kept.column_names, "cluster", "date"]
    assert rows.drop_columns(["cluster", "date"]).to_pylist() == kept.to_pylist()
    assert set(rows["cluster"].to_pylist()) == {CLUSTER}
    assert set(rows["date"].to_pylist()) == {LAST}


@pytest.mark.parametrize("table", TABLES)
def test_nights_are_one_several_or_all_as_dates_or_as_text(opened: OpenArchive, table: str) -> None:
    def nights(asked: Any = None) -> list[date]:
        found = getattr(opened, table)(nights=asked).aggregate("date").fetchall()
        return sorted(row[0] for row in found)

    assert nights() == list(NIGHTS)
    assert nights(str(LAST)) == nights(LAST) == nights([LAST, str(LAST)]) == [LAST]
    assert nights(iter(NIGHTS[:2])) == list(NIGHTS[:2])


def test_marks_are_rows_as_they_were_written_with_id_cluster_and_marked_night(tmp_path: Path) -> None:
    archive = Archive(LocalStore(tmp_path), CLUSTER)
    said = mark("expected", cluster=CLUSTER, night=NIGHTS[1]), mark("none", 1, cluster=CLUSTER, night=LAST)
    made = [archive.add_mark(one) for one in said]
    with pipelines.open_archive(tmp_path) as opened:
        rows = opened.marks(CLUSTER).to_arrow_table()
        assert rows.column_names == [*MARK_SCHEMA.names, "id", "cluster", "date"]
        told = [(row["id"], row["state"], row["cluster"], row["date"]) for row in rows.to_pylist()]
        assert told == [(one.id, one.state, CLUSTER, one.night) for one in made]
        assert opened.marks(CLUSTER, LAST).project("id").fetchall() == [(made[1].id,)]
        assert opened.marks(CLUSTER, NIGHTS[2]).fetchall() == []


@pytest.mark.parametrize("table", TABLES)
def test_a_relation_is_a_pandas_frame_when_it_is_asked(opened: OpenArchive, table: str) -> None:
    frame = getattr(opened, table)(nights=LAST).df()
    assert len(frame) == getattr(opened, table)(nights=LAST).shape[0] > 10
    assert list(frame.columns) == getattr(opened, table)().columns


def test_an_event_has_every_column_and_times_in_utc(opened: OpenArchive) -> None:
    events = opened.events(nights=LAST)
    assert set(events.columns) == {*NAMES, "cluster", "date"}
    first = events.order("stage_ts").limit(1).df()
    assert str(first["stage_ts"].dt.tz) == "UTC"
    assert first["stage_ts"].dt.date.to_list() == [LAST]


def test_a_relation_answers_sql_by_the_name_of_its_variable(opened: OpenArchive) -> None:
    requests, ranking = opened.requests(nights=LAST), opened.ranking(nights=LAST)
    found = opened.connection.sql(
        "SELECT rank, count(*) FROM requests JOIN ranking USING (principal) WHERE resource = 'secrets' "
        "AND user_agent LIKE 'python-requests/%' GROUP BY rank"
    ).fetchall()
    assert found == [(1, 60)]
    assert (requests.shape[0], ranking.shape[0]) > (0, 0)


def test_a_request_told_at_two_stages_on_two_nights_is_one_on_each(tmp_path: Path) -> None:
    twice = [
        event(
            audit_id="11111111-1111-4111-8111-111111111111", at=f"{NIGHTS[0]}T23:59:59.9995Z", stage=stage, verb="watch"
        )
        for stage in ("ResponseStarted", "ResponseComplete")
    ]
    twice[0]["stageTimestamp"] = f"{NIGHTS[0]}T23:59:59.999900Z"
    source = written(tmp_path / "source", {NIGHTS[0]: twice})
    span = ("--from", NIGHTS[0], "--to", NIGHTS[1])
    ended = auditforest("export", "--cluster", CLUSTER, "--source", source, "--archive", tmp_path / "a", *span)
    assert ended.code == 0, ended.err
    with pipelines.open_archive(tmp_path / "a") as archive:
        assert sorted(archive.requests().project("date").fetchall()) == [(NIGHTS[0],), (NIGHTS[1],)]
        assert archive.events().shape[0] == 2


def test_a_part_that_no_commit_names_is_not_read(archive: Path) -> None:
    with pipelines.open_archive(archive) as opened:
        before = opened.events(nights=LAST).shape
    commit = Archive(LocalStore(archive), CLUSTER).newest(EVENTS, LAST)
    assert commit is not None
    part = object_of(archive, EVENTS, LAST, commit.parts[0].file)
    shutil.copy(part, part.with_name(f"part-{'0' * 16}.parquet"))
    orphaned = LAST + timedelta(days=1)
    object_of(archive, EVENTS, orphaned, "x").parent.mkdir()
    shutil.copy(part, object_of(archive, EVENTS, orphaned, part.name))
    with pipelines.open_archive(archive) as opened:
        assert opened.events(nights=LAST).shape == before
        assert opened.events().filter(f"date = DATE '{orphaned}'").shape[0] == 0
        with pytest.raises(OrderError, match=f"no event of {CLUSTER} is archived for {orphaned}"):
            opened.events(nights=orphaned)


def test_columns_that_an_older_part_lacks_are_null(archive: Path) -> None:
    commit = Archive(LocalStore(archive), CLUSTER).newest(EVENTS, LAST)
    assert commit is not None
    path = object_of(archive, EVENTS, LAST, commit.parts[0].file)
    older = pq.read_table(path, partitioning=None).drop_columns(["webhook_outside", "owner"])
    pq.write_table(older, path)
    with pipelines.open_archive(archive) as opened, mock.patch.object(Archive, "in_place", return_value=path):
        events = opened.events(nights=LAST)
        assert events.filter("owner IS NULL AND webhook_outside IS NULL").shape[0] == older.num_rows
        assert opened.requests(nights=LAST).shape[0] > 0


@pytest.mark.parametrize("harm", ["missing", "cut"])
def test_a_damaged_part_is_named(archive: Path, harm: str) -> None:
    commit = Archive(LocalStore(archive), CLUSTER).newest(EVENTS, LAST)
    assert commit is not None
    path = object_of(archive, EVENTS, LAST, commit.parts[0].file)
    if harm == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-1])
    with (
        pipelines.open_archive(archive) as opened,
        pytest.raises(DataError, match=f"{path.name}: .*, expected .* bytes"),
    ):
        opened.events(nights=LAST)


def test_a_bucket_is_read_as_a_folder_is_and_its_parts_are_fetched_once(root: Path, moto: str) -> None:
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    boto3.client("s3", endpoint_url=moto, region_name="us-east-1", **keys).create_bucket(Bucket="opened")
    with mock.patch.dict(os.environ, AWS_ENVIRONMENT):
        store = open_store("s3://opened/archive", endpoint=moto, region="us-east-1")
        for path in sorted(root.rglob(f"date={LAST}/*")):
            store.put(path.relative_to(root).as_posix(), path.read_bytes())
        with pipelines.open_archive(store) as there, pipelines.open_archive(root) as here:
            for table in TABLES:
                found, told = (getattr(a, table)(CLUSTER, LAST).order("ALL").df() for a in (there, here))
                pd.testing.assert_frame_equal(found, told)
            with mock.patch.object(type(store), "download", side_effect=AssertionError):
                assert there.events(nights=LAST).shape[0] > 0


@pytest.mark.parametrize(
    ("where", "asked", "error", "said"),
    [
        ("nowhere", {}, ConfigError, "no archive there, expected the root of one"),
        (None, {"cluster": "../x"}, ConfigError, "cluster name '../x': expected 1 to 100 of"),
        (None, {"nights": "yesterday"}, ConfigError, "night 'yesterday': expected a date as YYYY-MM-DD"),
        (None, {"nights": "2026-02-30"}, ConfigError, "night '2026-02-30': no day of the calendar"),
        (
            None,
            {"nights": "2027-01-01"},
            OrderError,
            f"only nights from {NIGHTS[0]} to {LAST}; name {LAST} for the last that is ranked",
        ),
        (None, {"cluster": "stage"}, OrderError, "stage has no ranking; run 'auditforest nightly"),
    ],
)
def test_what_cannot_be_read_says_what_mends_it(
    root: Path, where: str | None, asked: Any, error: type[AuditForestError], said: str
) -> None:
    with (
        pipelines.open_archive(root if where is None else where) as archive,
        pytest.raises(error, match=re.escape(said)),
    ):
        archive.ranking(**asked)


def test_a_night_that_is_not_ranked_yet_names_the_stage_to_run(archive: Path) -> None:
    object_of(archive, "ranking", LAST, "ranking.parquet").unlink()
    with pipelines.open_archive(archive) as opened:
        with pytest.raises(OrderError, match=f"has no ranking yet; run 'auditforest score .* --date {LAST}'"):
            opened.ranking(nights=LAST)
        assert opened.nights() == list(NIGHTS[:-1])
        assert opened.ranking().aggregate("max(date)").fetchall() == [(NIGHTS[-2],)]


def test_of_several_clusters_one_is_to_be_named(archive: Path) -> None:
    shutil.copytree(archive / "events" / f"cluster={CLUSTER}", archive / "events" / "cluster=stage")
    with pipelines.open_archive(archive) as opened:
        assert opened.clusters() == [CLUSTER, "stage"]
        with pytest.raises(ConfigError, match=f"holds {CLUSTER}, stage, expected the name of one"):
            opened.ranking()
        assert opened.ranking(CLUSTER).filter(f"principal = '{ATTACKER}'").shape[0] == len(NIGHTS)


def test_a_closed_archive_leaves_no_folder_and_answers_no_more(root: Path) -> None:
    archive = pipelines.open_archive(str(root))
    folder = archive._folder
    assert folder.is_dir()
    archive.close()
    assert not folder.exists()
    with pytest.raises(Exception, match="closed"):
        archive.ranking().df()


def test_a_file_is_no_archive(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="is no folder"):
        pipelines.open_archive(tmp_path / "file")
