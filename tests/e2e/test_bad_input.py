"""What cannot be done ends with its exit code and one clear line; nothing is half-committed, the run is on record."""

from __future__ import annotations

import functools
import gzip
import json
import os
import shutil
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from e2e.job import FEW_TREES, auditforest, nightly, process, ranking_of, records
from e2e.refusals import FIRST, SECOND, command, nothing_committed, one_log, refused
from e2e.world import CLUSTER, LAST, ordinary, written

from pipelines.aws import session
from pipelines.errors import Exit

TOMORROW = datetime.now(UTC).date() + timedelta(days=1)
USAGE: dict[str, tuple[list[object], tuple[str, ...]]] = {
    "missing source": (command(source="nowhere"), ("nowhere", "no such file or folder")),
    "no source": (command(source=None), ("no source for prod", "--source")),
    "glob without match": (command(source="no*.json"), ("no*.json", "matches no file; check it")),
    "folder without logs": (command(source="."), ("none of its",)),
    "folder without files": (command(source="hollow"), ("--source hollow: holds no file",)),
    "no archive": (command(archive=None), ("no archive for prod", "--archive")),
    "empty archive": (command(archive=""), ("no archive for prod",)),
    "archive elsewhere": (command(archive="ftp://host/folder"), ("ftp",)),
    "archive in no bucket": (command(archive="s3://UPPER/x"), ("--archive", "UPPER")),
    "archive that is a file": (command(archive="notes.txt"), ("--archive notes.txt: ", "notes.txt is no folder")),
    "archive below a file": (command(archive="notes.txt/a"), ("--archive notes.txt/a: ", "notes.txt is no folder")),
    "archive that cannot be made": (
        command(archive="/proc/x"),
        ("--archive /proc/x: nothing can be written in",),
    ),
    "archive of the file": (
        command("--config", "clusters.toml", cluster="a", archive=None),
        ("clusters.a.archive notes.txt: ", "notes.txt is no folder"),
    ),
    "file to check": (["archive", "check", "--archive", "notes.txt"], ("--archive notes.txt: ", "is no folder")),
    "source in no bucket": (
        command(source="s3://my_Audit/logs"),
        ("--source s3://my_Audit/logs: expected s3://BUCKET",),
    ),
    "source without a bucket": (command(source="s3://"), ("--source s3://: expected s3://BUCKET/PREFIX",)),
    "source of a nameless bucket": (command(source="s3:///x"), ("--source s3:///x: expected s3://BUCKET/PREFIX",)),
    "future date": (command(date=TOMORROW), (str(TOMORROW), "future")),
    "no date": (command(date="yesterday"), ("yesterday", "YYYY-MM-DD")),
    "no such day": (command(date="2026-02-30"), ("--date '2026-02-30': no day of the calendar",)),
    "date and range": (command("--from", FIRST), ("--date", "--from")),
    "range backwards": (command("--from", SECOND, "--to", FIRST, date=None), (str(FIRST), str(SECOND))),
    "end without start": (command("--to", FIRST, date=None), ("--to", "--from")),
    "unknown flag": (command("--tree-count", 3), ("--tree-count", "auditforest nightly --help")),
    "misspelt flag": (command("--sorce", "x"), ("no such option --sorce; nearest known option: --source; see",)),
    "two mistakes": (
        command("--config", "mistakes.toml"),
        ("2 mistakes: (1) mistakes.toml: forest.trees: found 0,", "(2) mistakes.toml: aws.regoin: unknown key"),
    ),
    "no number": (command("--seed", "lucky"), ("--seed", "lucky")),
    "number out of range": (command("--trees", 0), ("--trees", "0")),
    "a scheme cut short": (command(source="s3:/logs"), ("s3:/logs", "s3://BUCKET/PREFIX or cloudwatch")),
    "a word in capitals": (command(source="CloudWatch"), ("CloudWatch", "s3://BUCKET/PREFIX or cloudwatch")),
    "a name not declared": (
        command("--config", "clusters.toml", cluster="zz", archive=None),
        ("no archive for zz", "the clusters declared are a, b"),
    ),
    "a source of the file": (
        command("--config", "clusters.toml", cluster="b", source=None),
        ("clusters.b.source nowhere: no such file",),
    ),
    "no cluster": (["nightly"], ("--cluster",)),
    "no command": ([], ("command", "auditforest --help")),
    "unknown command": (["nihgtly"], ("nihgtly",)),
    "unknown key": (command("--config", "unknown.toml"), ("unknown.toml", "forest.tres", "forest.trees")),
    "no toml": (command("--config", "broken.toml"), ("broken.toml", "line 1")),
    "no config": (command("--config", "absent.toml"), ("absent.toml", "no such file")),
    "endpoint elsewhere": (
        command("--config", "endpoint.toml", archive="s3://bucket/x"),
        ("aws.endpoint", "loopback"),
    ),
}


@pytest.mark.parametrize(("arguments", "said"), USAGE.values(), ids=USAGE)
def test_usage_and_configuration_are_refused(arguments: list[object], said: tuple[str, ...]) -> None:
    Path("unknown.toml").write_text("[forest]\ntres = 3\n")
    Path("broken.toml").write_text("forest = = 3\n")
    Path("endpoint.toml").write_text('[aws]\nendpoint = "http://192.0.2.1:9000"\n')
    Path("clusters.toml").write_text('[clusters.b]\nsource = "nowhere"\n[clusters.a]\narchive = "notes.txt"\n')
    Path("notes.txt").write_text("no log")
    Path("mistakes.toml").write_text('[forest]\ntrees = 0\n[aws]\nregoin = "us-west-2"\n')
    Path("hollow").mkdir()
    # no region is set: what is wrong with an address is told before one is looked for
    ended = auditforest(*arguments, AWS_DEFAULT_REGION="")
    refused(ended, Exit.USAGE, *said)
    assert not Path("archive").exists()
    assert Path("notes.txt").read_text() == "no log"


@pytest.mark.parametrize("name", ["", "-prod", "_prod", "../prod", "prod usw2", "prod/x", "p" * 101, "prod\n", "pröd"])
def test_a_name_that_is_no_clusters_is_refused(name: str) -> None:
    refused(auditforest(*command(cluster=name)), Exit.USAGE, "cluster name")
    assert not Path("archive").exists()


def test_a_word_with_a_control_character_is_refused_on_one_line() -> None:
    ended = auditforest(*command(source="no\x1b[31m\nsuch\u202e"))
    line = refused(ended, Exit.USAGE, r"no\u001b[31m\u000asuch\u202e")
    assert line.isprintable()


def _packed(kind: str) -> bytes:
    body = b"".join(json.dumps(e).encode() + b"\n" for e in ordinary(FIRST))
    return gzip.compress(body) if kind == "gz" else bytes(pa.compress(body, "zstd", asbytes=True))


@pytest.mark.parametrize(
    ("body", "name", "said"),
    [
        (b"Sep 6 12:00:01 host sshd[1]: Accepted\n" * 9, "audit.log", "none of 9 lines"),
        (b'{"level": "info", "msg": "no audit event"}\n', "app.json", "none of 1 lines"),
        (bytes(range(256)) * 40, "audit.json", "none of"),
        (_packed("gz")[:-200], "audit.ndjson.gz", "cut or damaged"),
        (_packed("zst")[:-200], "audit.ndjson.zst", "cut or damaged"),
        (_packed("gz")[:300] + b"x" * 300 + _packed("gz")[600:], "audit.ndjson.gz", "cut or damaged"),
    ],
    ids=["syslog", "another json log", "no text", "cut gz", "cut zst", "damaged gz"],
)
def test_what_is_no_audit_log_is_refused(body: bytes, name: str, said: str, tmp_path: Path) -> None:
    source = one_log(tmp_path / "source", body, name)
    ended = nightly(source, tmp_path / "archive", FIRST)
    line = refused(ended, Exit.DATA, said)
    assert nothing_committed(tmp_path / "archive")
    (record,) = records(tmp_path / "archive")
    assert (record["exit_code"], record["error"]) == (Exit.DATA, line)


def test_a_cut_file_keeps_the_whole_files_beside_it_from_being_committed(tmp_path: Path) -> None:
    source = written(tmp_path / "source", {FIRST: ordinary(FIRST)})
    (source / "second.ndjson.gz").write_bytes(_packed("gz")[:-200])
    refused(nightly(source, tmp_path / "archive", FIRST), Exit.DATA, "second.ndjson.gz")
    assert nothing_committed(tmp_path / "archive")


def test_a_cluster_that_joins_others_is_told_for_its_name_may_be_mistyped(
    ranked: Path, night: Path, tmp_path: Path
) -> None:
    archive = shutil.copytree(ranked, tmp_path / "archive")
    told = f"prd is new to this archive, which holds {CLUSTER}"
    options = ("--source", night, "--archive", archive, "--date", FIRST)
    for stage, said in (("export", True), ("export", False), ("nightly", False)):
        ended = auditforest(stage, "--cluster", "prd", *options)
        assert ended.code == 0
        assert (told in ended.out.splitlines()) == said
    assert [r["export"]["notices"] for r in records(archive)[-3:]] == [[told], [], []]
    assert "is new to" not in nightly(night, archive, FIRST).out


def test_a_glob_that_the_shell_took_apart_is_told_to_be_quoted(night: Path) -> None:
    log = night / f"audit-{FIRST}.ndjson"
    refused(auditforest(*command(source=log), log), Exit.USAGE, str(log), "quote a glob")


def test_a_source_mistyped_for_an_archive_that_is_there_is_on_record(ranked: Path, tmp_path: Path) -> None:
    archive = shutil.copytree(ranked, tmp_path / "archive")
    line = refused(nightly(Path("nowhere"), archive, FIRST), Exit.USAGE, "--source nowhere: no such file")
    assert records(archive)[-1]["error"] == line
    assert [path for path in archive.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize(
    ("set_", "said"),
    [
        ({"AWS_DEFAULT_REGION": ""}, "no region found; set region under [aws] or [clusters.NAME]"),
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "Unable to locate credentials; give this job a role"),
        ({"AWS_PROFILE": "nobody"}, "The config profile (nobody) could not be found; correct AWS_PROFILE, or mend"),
    ],
    ids=["region", "credentials", "profile"],
)
@pytest.mark.parametrize("source", ["cloudwatch", "s3://acme-audit/logs"])
def test_what_aws_lacks_is_told_with_the_option_and_the_cluster(
    source: str, set_: dict[str, str], said: str, tmp_path: Path
) -> None:
    asked = command(source=source, archive=tmp_path / "archive")
    line = refused(auditforest(*asked, **set_), Exit.USAGE, f"--source {source} of {CLUSTER}: {said}")
    assert "and a region" not in line


def test_an_s3_that_does_not_answer_is_worth_a_retry(night: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # the product itself asks for about a minute
    monkeypatch.setattr(session, "client", functools.partial(session.client, attempts=1))
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{closed.getsockname()[1]}"
        ended = nightly(night, "s3://bucket/audit", FIRST, AUDITFOREST_AWS__ENDPOINT=endpoint)
    refused(ended, Exit.TRANSIENT, "s3://bucket/audit", "run again")


def test_too_little_memory_is_said_in_one_line_and_on_record(tmp_path: Path) -> None:
    many = written(tmp_path / "source", {FIRST: ordinary(FIRST) * 40})
    ended = nightly(many, tmp_path / "archive", FIRST, AUDITFOREST_PARSE__MEMORY_LIMIT="8MB")
    line = refused(ended, Exit.TRANSIENT, "out of memory", "memory_limit")
    (record,) = records(tmp_path / "archive")
    assert (record["exit_code"], record["error"]) == (Exit.TRANSIENT, line)
    assert nothing_committed(tmp_path / "archive")


PROCESSES: dict[Exit, list[object]] = {
    Exit.OK: ["nightly", "--help"],
    Exit.USAGE: command(source="nowhere"),
    Exit.DATA: command(source="log.json"),
    Exit.TRANSIENT: command(archive="torn", source="night.ndjson"),
    Exit.EMPTY: command(source="night.ndjson", date=LAST),
}


@pytest.mark.parametrize("code", PROCESSES, ids=lambda code: code.name.lower())
def test_the_process_ends_with_the_exit_code(code: Exit, night: Path, tmp_path: Path) -> None:
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "events").write_text("")
    (tmp_path / "log.json").write_text('{"level": "info"}\n')
    shutil.copy(night / f"audit-{FIRST}.ndjson", tmp_path / "night.ndjson")
    ended = process(*PROCESSES[code], cwd=tmp_path)
    assert ended.code == code, ended.err
    if code is not Exit.OK:
        refused(ended, code)


def test_every_exit_code_of_today_was_tried() -> None:
    assert set(PROCESSES) == set(Exit)


def test_a_mistake_of_ours_is_on_record_by_its_type_alone(
    night: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mistaken(*_: Any) -> None:
        raise KeyError("a name from the log")

    monkeypatch.setattr("pipelines.nightly.score", mistaken)
    with pytest.raises(KeyError):
        nightly(night, tmp_path / "archive", FIRST)
    (record,) = records(tmp_path / "archive")
    assert (record["exit_code"], record["error"]) == (1, "KeyError")
    assert record["export"]["counts"]["archived"] == len(ordinary(FIRST))
    assert "a name from the log" not in json.dumps(record)


@pytest.mark.parametrize("how", [KeyboardInterrupt(), RuntimeError("Query interrupted")], ids=["python", "duckdb"])
def test_ctrl_c_ends_with_one_line_and_a_record(
    night: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: BaseException
) -> None:
    def interrupted(*_: Any) -> None:
        raise how

    monkeypatch.setattr("pipelines.nightly.score", interrupted)
    ended = nightly(night, tmp_path / "archive", FIRST)
    assert ended.code == 130
    assert [line for line in ended.complaints if line] == [
        "auditforest: interrupted; what was committed is whole, run again for the rest"
    ]
    assert records(tmp_path / "archive")[0]["exit_code"] == 130
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    assert nightly(night, tmp_path / "archive", FIRST).code == 0


def test_a_reader_who_leaves_early_stops_no_night(tmp_path: Path) -> None:
    source = written(tmp_path / "source", {night: ordinary(night) for night in (FIRST, SECOND)})
    span = ["--source", source, "--archive", tmp_path / "archive", "--from", FIRST, "--to", SECOND, *FEW_TREES]
    ours, theirs = os.pipe()
    os.close(ours)
    words = [sys.executable, "-m", "pipelines", "nightly", "--cluster", CLUSTER, *map(str, span)]
    try:
        done = subprocess.run(words, stdout=theirs, stderr=subprocess.PIPE, timeout=120, check=False)
    finally:
        os.close(theirs)
    assert (done.returncode, b"Traceback" in done.stderr, b"Broken" in done.stderr) == (0, False, False)
    assert len(ranking_of(tmp_path / "archive", SECOND)["ranking"]) == 12
    assert records(tmp_path / "archive")[0]["exit_code"] == 0


def test_a_terminal_of_another_encoding_stops_no_night(tmp_path: Path) -> None:
    events = [{**e, "user": {"username": "\u5c71\u7530"}} for e in ordinary(FIRST)[:20]]
    source = written(tmp_path / "source", {FIRST: events})
    span = ("--source", source, "--archive", tmp_path / "archive", "--date", FIRST, *FEW_TREES)
    ended = process("nightly", "--cluster", CLUSTER, *span, PYTHONIOENCODING="latin-1")
    assert (ended.code, ended.complaints) == (0, [])
    assert r"\u5c71\u7530" in ended.out
