"""What cannot be done ends with its exit code and one clear line; nothing is half-committed, the run is on record."""

from __future__ import annotations

import functools
import gzip
import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from e2e.job import FEW_TREES, Ended, auditforest, everything, nightly, object_of, process, ranking_of, records
from e2e.world import CLUSTER, LAST, NIGHTS, ordinary, written

from pipelines.aws import session
from pipelines.errors import Exit
from pipelines.parquet import decode, encode

FIRST, SECOND = NIGHTS[:2]


def refused(ended: Ended, code: Exit, *said: str) -> str:
    """The one line a failure ends with, after all that must be true of any failure."""
    assert ended.code == code, ended.err
    assert ended.out == ""
    (line,) = ended.complaints
    assert line.startswith("auditforest: ")
    for words in said:
        assert words in line
    return line.removeprefix("auditforest: ")


def nothing_committed(archive: Path) -> bool:
    """Whether no reader can find anything of any night."""
    return not any((archive / table).exists() for table in ("events", "items", "principal_days", "ranking", "reports"))


@pytest.fixture(scope="session")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A source of the first night alone. Not to be changed."""
    return written(tmp_path_factory.mktemp("night"), {FIRST: ordinary(FIRST)})


@pytest.fixture(scope="session")
def ranked(night: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive of the first night. Not to be changed."""
    folder = tmp_path_factory.mktemp("ranked") / "archive"
    assert nightly(night, folder, FIRST).code == 0
    return folder


def command(*more: object, cluster: str = CLUSTER, **given: object) -> list[object]:
    """nightly with a source, an archive and a date where the test gives them; None leaves one out."""
    asked: dict[str, object] = {"source": "source", "archive": "archive", "date": FIRST} | given
    flags = [part for name, value in asked.items() if value is not None for part in (f"--{name}", value)]
    return ["nightly", "--cluster", cluster, *flags, *FEW_TREES, *more]


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


def _lines(folder: Path, body: bytes, name: str = "audit.ndjson") -> Path:
    folder.mkdir()
    (folder / name).write_bytes(body)
    return folder


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
    source = _lines(tmp_path / "source", body, name)
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


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def _flipped(path: Path) -> None:
    body = bytearray(path.read_bytes())
    body[len(body) // 2] ^= 0xFF
    path.write_bytes(body)


def _emptied(path: Path) -> None:
    path.write_bytes(b"")


def _replaced(path: Path) -> None:
    path.write_bytes(b'{"format": 1}')


def _part(root: Path) -> Path:
    return next((root / "events").rglob("part-*.parquet"))


def _commit(root: Path) -> Path:
    return object_of(root, "events", FIRST, "_commit-1.json")


def _table(name: str) -> Callable[[Path], Path]:
    return lambda root: object_of(root, name, FIRST, f"{name}.parquet")


DAMAGE: dict[str, tuple[Callable[[Path], Path], Callable[[Path], None]]] = {
    "part missing": (_part, Path.unlink),
    "part cut": (_part, _cut),
    "part changed": (_part, _flipped),
    "commit cut": (_commit, _cut),
    "commit empty": (_commit, _emptied),
    "commit of another kind": (_commit, _replaced),
    "principal days cut": (_table("principal_days"), _cut),
    "items cut": (_table("items"), _cut),
    "ranking cut": (_table("ranking"), _cut),
    "ranking changed": (_table("ranking"), _flipped),
}


@pytest.mark.parametrize(("which", "damage"), DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_archive_is_left_alone_and_named(
    ranked: Path, night: Path, tmp_path: Path, which: Callable[[Path], Path], damage: Callable[[Path], None]
) -> None:
    archive = shutil.copytree(ranked, tmp_path / "archive")
    broken = which(archive)
    damage(broken)
    before = everything(archive)
    refused(nightly(night, archive, FIRST), Exit.DATA, str(broken))
    assert everything(archive) == before


@pytest.mark.parametrize(("which", "damage"), DAMAGE.values(), ids=DAMAGE)
def test_what_the_message_advises_mends_a_damaged_archive(
    ranked: Path, night: Path, tmp_path: Path, which: Callable[[Path], Path], damage: Callable[[Path], None]
) -> None:
    archive = shutil.copytree(ranked, tmp_path / "archive")
    broken = which(archive)
    damage(broken)
    if "events" in broken.relative_to(archive).parts:
        shutil.rmtree(broken.parent)
    else:
        broken.unlink()
    assert nightly(night, archive, FIRST).code == 0
    assert everything(archive) == everything(ranked)


def test_parts_that_no_commit_names_are_never_read(ranked: Path, night: Path, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    left = archive / _part(ranked).relative_to(ranked)
    left.parent.mkdir(parents=True)
    shutil.copy(_part(ranked), left)
    stray = left.with_name("part-0123456789abcdef.parquet")
    stray.write_bytes(b"half of a")
    assert nightly(night, archive, FIRST).code == 0
    after = everything(archive)
    assert after.pop(stray.relative_to(archive).as_posix()) == b"half of a"
    assert after == everything(ranked)


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


def advised(message: str) -> Ended:
    """How the command ends that a message tells the user to run, typed as it stands."""
    return auditforest(*shlex.split(message.rpartition("run 'auditforest ")[2].removesuffix("'")))


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
    path = _table("ranking")(archive)
    rows, meta = decode(path.read_bytes(), "ranking")
    old = [
        row | {"reasons": [{**reason, "feature": "renamed"} for reason in row["reasons"]]} for row in rows.to_pylist()
    ]
    path.write_bytes(encode(pa.Table.from_pylist(old, rows.schema), meta))
    ended = auditforest("report", "--cluster", CLUSTER, "--archive", archive, "--date", FIRST)
    assert advised(refused(ended, Exit.USAGE, "another version", "renamed")).code == 0


def test_a_source_mistyped_for_an_archive_that_is_there_is_on_record(ranked: Path, tmp_path: Path) -> None:
    archive = shutil.copytree(ranked, tmp_path / "archive")
    line = refused(nightly(Path("nowhere"), archive, FIRST), Exit.USAGE, "--source nowhere: no such file")
    assert records(archive)[-1]["error"] == line
    assert [path for path in archive.iterdir() if path.name.startswith(".")] == []


def test_an_archive_with_a_file_for_a_table_is_refused(night: Path, tmp_path: Path) -> None:
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive" / "events").write_text("a file")
    refused(nightly(night, tmp_path / "archive", FIRST), Exit.TRANSIENT, str(tmp_path / "archive" / "events"))
    assert (tmp_path / "archive" / "events").read_text() == "a file"


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


@pytest.mark.parametrize("night", ["0001-01-01", "0001-01-02"])
def test_the_first_nights_of_the_calendar_are_empty_ones(night: str, world: Path) -> None:
    refused(auditforest(*command(source=world, date=night)), Exit.EMPTY, night)


def test_a_source_of_blank_lines_is_an_empty_night(tmp_path: Path) -> None:
    source = _lines(tmp_path / "source", b"\n \n\n")
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
    assert ("report: " in ended.out) == (empty == SECOND), "the last night asked for is shown in full"


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
