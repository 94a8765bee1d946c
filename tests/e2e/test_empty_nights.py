"""A night without an event is refused, named with what the source covers, and hides no other."""

from __future__ import annotations

import gzip
from datetime import date
from pathlib import Path

import pytest
from builders import lines
from e2e.job import auditforest, nightly, object_of, ranking_of, records
from e2e.refusals import FIRST, SECOND, command, nothing_committed, one_log, refused
from e2e.world import CLUSTER, LAST, NIGHTS, ordinary, written

from pipelines.errors import Exit


def test_an_empty_night_is_refused_and_the_days_the_source_covers_are_named(world: Path, tmp_path: Path) -> None:
    ended = nightly(world, tmp_path / "archive", date(2026, 9, 1))
    why = "without --date or --to yesterday is meant"
    line = refused(ended, Exit.EMPTY, "2026-09-01", f"{NIGHTS[0]} to {LAST}", why)
    assert nothing_committed(tmp_path / "archive")
    (record,) = records(tmp_path / "archive")
    assert (record["exit_code"], record["error"]) == (Exit.EMPTY, line)
    assert record["export"]["counts"]["outside"] == record["export"]["counts"]["read"] > 0


def test_files_passed_over_are_named_by_an_empty_night_and_beside_the_results(tmp_path: Path) -> None:
    source = written(tmp_path / "source", {FIRST: ordinary(FIRST), SECOND: ordinary(SECOND)})
    (source / f"audit-{SECOND}.ndjson").rename(source / "audit.log.1")
    (source / "b.txt").write_text("")
    why = "audit.log.1, b.txt passed over: of a folder, files that end in .ndjson, .jsonl"
    refused(nightly(source, tmp_path / "archive", SECOND), Exit.EMPTY, why)
    ended = nightly(source, tmp_path / "archive", FIRST)
    assert ended.code == 0
    assert ended.out.splitlines()[-2].startswith(why)
    # a glob reads what it matches
    assert "passed over" not in nightly(Path(f"{source}/audit*"), tmp_path / "archive", FIRST).out


@pytest.mark.parametrize("stage", ["export", "nightly"])
def test_a_source_of_nothing_to_read_is_an_empty_night(stage: str, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "aws-logs-write-test").write_text("Permission Check Successful")
    asked = ("--cluster", CLUSTER, "--source", f"{tmp_path}/source/*", "--archive", tmp_path / "archive")
    ended = auditforest(stage, *asked, "--date", FIRST)
    (line,) = ended.complaints
    assert ended.code == Exit.EMPTY
    assert "covers no event" in line
    assert "aws-logs-write-test passed over" in line


def test_lines_of_other_logs_are_told_by_an_empty_night_and_beside_the_results(tmp_path: Path) -> None:
    def stream(name: str, body: bytes) -> None:
        (tmp_path / "task" / name).mkdir(parents=True)
        (tmp_path / "task" / name / "000000.gz").write_bytes(gzip.compress(body))

    stream("kube-apiserver-0123", b"no audit event\n" * 30)
    told = "30 lines of other logs or of the delivery itself skipped"
    refused(nightly(tmp_path / "task", tmp_path / "archive", FIRST), Exit.EMPTY, told)
    stream("kube-apiserver-audit-0123", lines(ordinary(FIRST)))
    ended = nightly(tmp_path / "task", tmp_path / "archive", FIRST)
    assert ended.code == 0, ended.err
    assert told in ended.out.splitlines()


@pytest.mark.parametrize("night", ["0001-01-01", "0001-01-02"])
def test_the_first_nights_of_the_calendar_are_empty_ones(night: str, world: Path) -> None:
    refused(auditforest(*command(source=world, date=night)), Exit.EMPTY, night)


def test_a_source_of_blank_lines_is_an_empty_night(tmp_path: Path) -> None:
    source = one_log(tmp_path / "source", b"\n \n\n")
    refused(nightly(source, tmp_path / "archive", FIRST), Exit.EMPTY, "no event")
    assert nothing_committed(tmp_path / "archive")


@pytest.mark.parametrize("empty", [SECOND, NIGHTS[2]], ids=["in the middle", "at the end"])
def test_an_empty_night_of_a_back_fill_hides_no_other(empty: date, tmp_path: Path) -> None:
    nights = [night for night in NIGHTS[:3] if night != empty]
    source = written(tmp_path / "source", {night: ordinary(night) for night in nights})
    ended = nightly(source, tmp_path / "archive", FIRST, NIGHTS[2])
    assert ended.code == Exit.EMPTY
    (line,) = ended.complaints
    assert str(empty) in line
    for night in nights:
        assert str(night) in ended.out
        assert len(ranking_of(tmp_path / "archive", night)["ranking"]) == 12
    assert not object_of(tmp_path / "archive", "events", empty, "_commit-1.json").exists()
    assert ended.out.count("this run: ") == 1
    assert ("report: " in ended.out) == (empty == SECOND), "the last night asked for is shown in full"
