"""How a command ends when it is not left alone: signals, closed streams, an archive among the logs."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from builders import event
from e2e.job import auditforest, everything, nightly, records
from e2e.world import CLUSTER, NIGHTS, ordinary, written

from pipelines import endings
from pipelines.endings import explained


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    return written(tmp_path / "logs", {NIGHTS[0]: ordinary(NIGHTS[0])})


def test_an_archive_among_the_logs_is_not_read_as_a_log(logs: Path) -> None:
    archive = logs / "archive"
    assert nightly(logs, archive, NIGHTS[0]).code == 0
    before = everything(archive)
    for source in (logs, f"{logs}/**"):
        assert nightly(source, archive, NIGHTS[0]).code == 0  # type: ignore[arg-type]
        assert everything(archive) == before
    assert {r["export"]["counts"]["quarantined"] for r in records(archive)} == {0}


def test_logs_inside_the_archive_are_refused(logs: Path, tmp_path: Path) -> None:
    shutil.copytree(logs, tmp_path / "archive" / "logs")
    ended = nightly(tmp_path / "archive" / "logs", tmp_path / "archive", NIGHTS[0])
    assert ended.code == 2
    assert "lies in the archive" in ended.complaints[0]


@pytest.mark.parametrize("empty", ["", "  "])
def test_an_empty_source_is_no_source(empty: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ended = auditforest("nightly", "--cluster", CLUSTER, "--source", empty, "--archive", "a", "--date", NIGHTS[0])
    assert ended.code == 2
    assert ended.complaints[0].startswith(f"auditforest: no source for {CLUSTER}")


def test_a_missing_commit_below_another_is_damage_and_loses_nothing(logs: Path, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    assert nightly(logs, archive, NIGHTS[0]).code == 0
    later = written(tmp_path / "later", {NIGHTS[0]: [event(at=f"{NIGHTS[0]}T12:00:00Z")]})
    assert nightly(later, archive, NIGHTS[0]).code == 0
    first = next(archive.glob("events/*/*/_commit-1.json"))
    assert first.with_name("_commit-2.json").exists()
    first.unlink()
    before = everything(archive)
    ended = nightly(logs, archive, NIGHTS[0])
    assert ended.code == 3
    assert "_commit-1.json: missing, although the next commit stands" in ended.complaints[0]
    assert everything(archive) == before


def test_sigterm_ends_with_one_line_a_record_and_nothing_left_over(tmp_path: Path) -> None:
    many = written(tmp_path / "logs", {night: ordinary(night) for night in NIGHTS})
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    span = ("--from", str(NIGHTS[0]), "--to", str(NIGHTS[-1]), "--trees", "200")
    where = ("--cluster", CLUSTER, "--source", str(many), "--archive", str(tmp_path / "archive"))
    command = [sys.executable, "-m", "pipelines", "nightly", *where, *span]
    environment = {**os.environ, "TMPDIR": str(scratch)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as running:
        assert running.stderr is not None
        for line in running.stderr:
            if '"stage": "score"' in line:
                break
        time.sleep(0.3)
        running.send_signal(signal.SIGTERM)
        rest = [line for line in running.stderr.read().splitlines() if not line.startswith("{")]
        code = running.wait(60)
    assert code == 143
    assert len(rest) == 1
    assert rest[0].startswith("auditforest: interrupted")
    assert records(tmp_path / "archive")[-1]["exit_code"] == code
    assert list(scratch.iterdir()) == []


def test_an_interruption_that_the_engine_wraps_is_still_one() -> None:
    try:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as cause:
            raise duckdb.InvalidInputException("counting the rows failed") from cause
    except duckdb.Error as error:
        found = explained(error)
    assert found is not None
    assert found[0] == 130


def by_the_engine() -> None:
    raise duckdb.IOException('Could not write file "/small/auditforest-x/1": No space left on device')


def by_arrow() -> None:
    with pa.OSFile("/dev/full", "wb") as file:
        file.write(b"x" * 10_000_000)


@pytest.mark.parametrize("made", [by_the_engine, by_arrow])
def test_a_full_folder_for_what_passes_is_named(made: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endings, "gettempdir", lambda: "/small")
    with pytest.raises((duckdb.IOException, OSError)) as caught:
        made()
    found = explained(caught.value)
    assert found is not None
    assert found[0] == 4
    assert found[1].startswith("/small, where a run keeps what it needs while it works: no space left;")


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_streams_stop_no_night(closed: str, logs: Path, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    words = ["-m", "pipelines", "nightly", "--cluster", CLUSTER, "--source", str(logs)]
    words += ["--archive", str(archive), "--date", str(NIGHTS[0]), "--trees", "5"]
    ended = subprocess.run(f"exec {sys.executable} {' '.join(words)} {closed}", shell=True, check=False)  # noqa: S602
    assert ended.returncode == 0
    assert records(archive)[0]["exit_code"] == 0


def full(logs: Path, archive: Path, stream: str) -> subprocess.CompletedProcess[str]:
    words = ["-m", "pipelines", "nightly", "--cluster", CLUSTER, "--source", str(logs), "--archive", str(archive)]
    words += ["--date", str(NIGHTS[0]), "--trees", "5"]
    command = f"exec {sys.executable} {' '.join(words)} {stream}/dev/full"
    return subprocess.run(command, shell=True, check=False, capture_output=True, text=True)  # noqa: S602


def test_a_full_device_behind_stderr_stops_no_night(logs: Path, tmp_path: Path) -> None:
    ended = full(logs, tmp_path / "archive", "2>")
    assert (ended.returncode, ended.stdout.splitlines()[-1].partition(" ")[0]) == (0, "report:")


def test_an_error_keeps_its_code_when_stderr_is_full(tmp_path: Path) -> None:
    assert full(tmp_path / "nowhere", tmp_path / "archive", "2>").returncode == 2


def test_a_full_device_behind_stdout_is_told_and_worth_a_retry(logs: Path, tmp_path: Path) -> None:
    ended = full(logs, tmp_path / "archive", ">")
    assert ended.returncode == 4, ended.stderr
    (said,) = [line for line in ended.stderr.splitlines() if not line.startswith("{")]
    assert re.match(
        r"auditforest: stdout: results could not be written \(No space left on device\), what was made", said
    )
    assert (records(tmp_path / "archive")[0]["exit_code"], len(list(tmp_path.rglob("report.html")))) == (4, 1)
