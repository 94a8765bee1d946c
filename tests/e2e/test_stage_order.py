"""A stage that lacks the one before it says which command makes it, and begins no archive."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import pyarrow as pa
import pytest
from e2e.job import FEW_TREES, auditforest, nightly, object_of
from e2e.refusals import FIRST, SECOND, advised, refused
from e2e.world import CLUSTER, ordinary, written

from pipelines.errors import Exit
from pipelines.parquet import decode, encode


def test_a_stage_asks_for_the_one_before_it(ranked: Path, tmp_path: Path) -> None:
    archive = shutil.copytree(ranked, tmp_path / "archive")
    asked = ("--cluster", CLUSTER, "--archive", archive, "--date", FIRST)
    for table, stage in (("ranking", "report"), ("principal_days", "score")):
        shutil.rmtree(archive / table)
        assert advised(refused(auditforest(stage, *asked), Exit.USAGE, "yet; run '")).code == 0
        assert auditforest(stage, *asked).code == 0
    for table in ("events", "principal_days", "ranking"):
        shutil.rmtree(archive / table)
    for stage in ("features", "score", "report"):
        said = refused(
            auditforest(stage, *asked), Exit.USAGE, "no event of prod is archived", "there is no archive yet"
        )
        assert said.endswith(f"run 'auditforest export {shlex.join(map(str, asked))} --source ...'")


@pytest.mark.parametrize("stage", ["features", "score", "report"])
def test_a_stage_says_what_an_archive_holds_that_lacks_the_night_or_the_cluster(
    stage: str, ranked: Path, tmp_path: Path
) -> None:
    where = ("--archive", shutil.copytree(ranked, tmp_path / "archive"), "--date")
    lacks = auditforest(stage, "--cluster", CLUSTER, *where, SECOND)
    refused(lacks, Exit.USAGE, f"no event of prod is archived for {SECOND}: only nights from {FIRST} to {FIRST}; run")
    mistyped = auditforest(stage, "--cluster", "prd", *where, FIRST)
    refused(mistyped, Exit.USAGE, f"no event of prd is archived for {FIRST}: only events of {CLUSTER}; run")


@pytest.mark.parametrize("stage", ["features", "score", "report"])
def test_a_stage_that_finds_no_archive_begins_none(stage: str, tmp_path: Path) -> None:
    archive = tmp_path / "mistyped"
    refused(auditforest(stage, "--cluster", CLUSTER, "--archive", archive, "--date", FIRST), Exit.USAGE, "no archive")
    assert not archive.exists()


def test_counts_of_another_history_are_not_ranked(ranked: Path, tmp_path: Path) -> None:
    archive = shutil.copytree(ranked, tmp_path / "archive")
    source = written(tmp_path / "source", {night: ordinary(night) for night in (FIRST, SECOND)})
    assert nightly(source, archive, SECOND).code == 0
    shutil.rmtree(archive / "items" / f"cluster={CLUSTER}" / f"date={FIRST}")
    ended = auditforest("score", "--cluster", CLUSTER, "--archive", archive, "--date", SECOND, *FEW_TREES)
    said = refused(ended, Exit.USAGE, "the counts are of other events, history, marks or features than stand here now")
    assert advised(said).code == 0
    assert auditforest("score", "--cluster", CLUSTER, "--archive", archive, "--date", SECOND, *FEW_TREES).code == 0


def test_a_ranking_of_another_version_is_not_reported(ranked: Path, tmp_path: Path) -> None:
    archive = shutil.copytree(ranked, tmp_path / "archive")
    path = object_of(archive, "ranking", FIRST, "ranking.parquet")
    rows, meta = decode(path.read_bytes(), "ranking")
    old = [
        row | {"reasons": [{**reason, "feature": "renamed"} for reason in row["reasons"]]} for row in rows.to_pylist()
    ]
    path.write_bytes(encode(pa.Table.from_pylist(old, rows.schema), meta))
    ended = auditforest("report", "--cluster", CLUSTER, "--archive", archive, "--date", FIRST)
    assert advised(refused(ended, Exit.USAGE, "another version", "renamed")).code == 0
