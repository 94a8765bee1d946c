"""What the command line says of itself, and that it is true: help, examples, options, the bar on a terminal."""

from __future__ import annotations

import os
import pty
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
from e2e.job import FEW_TREES, Ended, auditforest, process, records
from e2e.world import ATTACKER, CLUSTER, NIGHTS, ordinary, written

from pipelines.cli import cli
from pipelines.config import FLAGS
from pipelines.declared import describe
from pipelines.errors import BUG, ENDINGS, Exit

SAMPLE = Path(__file__).parents[2] / "data" / "sample" / "audit-prod-usw2-2026-09-15.ndjson.zst"
COMMANDS = ("nightly", "export", "features", "score", "report")
LOOKING_BACK = "evaluate"
"""The command that works on the nights before a date."""

MARKING = ("mark", "marks")
"""The commands by which analysts say what they found."""

LOOKING_AT = ("show", "compare")
"""Commands that print what nights wrote; test_show.py runs their examples."""

READING = ("nightly", "export")
GROWING = ("nightly", "score", LOOKING_BACK)
COUNTING = ("nightly", "features")
"""Commands that read a source, those that grow a forest, and those that count with an engine of choice."""

HAVING = {"forest": GROWING, "features": COUNTING}
"""By a section of the options, the commands that have its flags."""


def examples(of: Ended) -> list[str]:
    """The example lines of a help text."""
    return re.findall(r"^ *Example: (auditforest .+)$", of.out, re.MULTILINE)


def test_these_are_all_commands() -> None:
    assert set(cli.commands) == {*COMMANDS, LOOKING_BACK, *MARKING, *LOOKING_AT, "archive"}


def test_the_groups_help_shows_every_exit_code_and_an_example() -> None:
    ended = auditforest("--help")
    assert (ended.code, ended.err) == (0, "")
    shown = re.findall(r"^ +([0-9]+) +(.+)$", ended.out.partition("Exit codes:")[2], re.MULTILINE)
    assert [(int(code), meaning) for code, meaning in shown] == list(ENDINGS.items())
    assert set(ENDINGS) == {*Exit, BUG, 128 + signal.SIGINT, 128 + signal.SIGTERM}
    assert len(examples(ended)) == 1
    assert all(command in ended.out for command in COMMANDS)


@pytest.mark.parametrize("command", [*COMMANDS, LOOKING_BACK, *MARKING])
def test_help_shows_an_example_and_every_option_with_its_default(command: str) -> None:
    ended = auditforest(command, "-h")
    said = " ".join(ended.out.split())
    assert (ended.code, ended.err) == (0, "")
    assert len(examples(ended)) == 1
    for flag, option in FLAGS.items():
        has = command in HAVING[option.partition(".")[0]]
        assert (f" {flag} " in said) == has
        told = f"{describe(option).description} (default: {describe(option).default})"
        assert (told in said) == has
    for flag in ("--cluster", "--archive", "--date", "--config"):
        assert f" {flag} " in said
    for flag in ("--from", "--to"):
        assert (f" {flag} " in said) == (command in COMMANDS)
    assert (" --source " in said) == (command in READING)
    first = (cli.commands[command].help or "").splitlines()[0]
    assert first.endswith(".")
    assert first in said


@pytest.mark.parametrize("command", COMMANDS)
def test_an_option_without_effect_on_a_command_is_refused(command: str) -> None:
    idle = [flag for flag, option in FLAGS.items() if command not in HAVING[option.partition(".")[0]]]
    idle += ["--source"] if command not in READING else []
    for flag in idle:
        ended = auditforest(command, "--cluster", CLUSTER, "--archive", "a", flag, "7")
        assert ended.code == Exit.USAGE
        assert f"no such option {flag}" in ended.complaints[0]


def test_the_examples_of_the_help_run_as_they_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # one night of the sample is enough; `--trees` once more, for the last one wins
    (tmp_path / "data" / "sample").mkdir(parents=True)
    (tmp_path / "data" / "sample" / SAMPLE.name).symlink_to(SAMPLE)
    monkeypatch.chdir(tmp_path)
    asked = [
        auditforest("--help"),
        *(auditforest(command, "--help") for command in (*COMMANDS, LOOKING_BACK, *MARKING)),
    ]
    shown = list(dict.fromkeys(example for ended in asked for example in examples(ended)))
    assert [words.split()[1] for words in shown] == [*COMMANDS, LOOKING_BACK, *MARKING]
    for example in shown:
        words = shlex.split(example)[1:]
        ended = auditforest(*words, *(FEW_TREES if words[0] in GROWING else ()))
        assert (ended.code, ended.complaints) == (0, []), example
        assert ended.out, example
    # to list marks leaves no record
    assert [record["exit_code"] for record in records(tmp_path / "build" / "demo")] == [0] * (len(shown) - 1)


@pytest.mark.parametrize("arguments", [(), ("nightly",)], ids=["group", "nightly"])
def test_python_m_pipelines_is_auditforest(arguments: tuple[str, ...]) -> None:
    ended = process(*arguments, "--help")
    assert ended == auditforest(*arguments, "--help")
    assert ended.out.startswith("Usage: auditforest")


def test_the_version_is_the_packages() -> None:
    assert process("--version") == Ended(0, f"auditforest, version {version('auditforest')}\n", "")


@pytest.mark.parametrize(
    ("flag", "option"), [(flag, option) for flag, option in FLAGS.items()], ids=[flag.strip("-") for flag in FLAGS]
)
def test_a_flag_wins_over_the_environment(flag: str, option: str, tmp_path: Path) -> None:
    source = written(tmp_path / "source", {NIGHTS[0]: ordinary(NIGHTS[0])})
    span = ("--cluster", CLUSTER, "--source", source, "--archive", tmp_path / "archive", "--date", NIGHTS[0])
    given = {"AUDITFOREST_FOREST__TREES": "5", "AUDITFOREST_FOREST__SEED": "5"}
    if option == "features.sql":
        # of which an installation without the extra cannot make use
        given["AUDITFOREST_FEATURES__SQL"] = "spark"
    asked = {"forest.engine": "rrcf", "features.sql": "duckdb"}.get(option, "7")
    document = auditforest("nightly", *span, flag, asked, **given)
    assert document.code == 0
    record = records(tmp_path / "archive")[0]
    trees, seed = (7 if option == f"forest.{name}" else 5 for name in ("trees", "seed"))
    page = next((tmp_path / "archive" / "reports").rglob("report.html")).read_text()
    assert f"{trees} trees, seed {seed}" in page
    assert record["seed"] == seed


def _terminal(command: list[str], *, out: int | None = None) -> tuple[bytes, bytes]:
    """What a command writes to its terminal, and to stdout unless that is the terminal too."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=theirs if out is None else out, stderr=theirs, env=environment
    ) as running:
        os.close(theirs)
        seen = b"".join(_read(ours))
        rest = running.stdout.read() if running.stdout else b""
    os.close(ours)
    assert running.returncode == 0, seen
    return seen, rest


def _read(terminal: int) -> Iterator[bytes]:
    while True:
        try:
            data = os.read(terminal, 65_536)
        except OSError:  # how Linux says that the other side has closed
            return
        if not data:
            return
        yield data


def _two_nights(tmp_path: Path) -> list[str]:
    source = written(tmp_path / "source", {night: ordinary(night) for night in NIGHTS[:2]})
    span = ["--source", str(source), "--archive", str(tmp_path / "archive"), "--trees", "5"]
    nights = ["--from", str(NIGHTS[0]), "--to", str(NIGHTS[1])]
    return [sys.executable, "-m", "pipelines", "nightly", "--cluster", CLUSTER, *span, *nights]


def test_a_terminal_shows_a_bar_while_results_go_to_the_file_they_were_sent_to(tmp_path: Path) -> None:
    seen, results = _terminal(_two_nights(tmp_path), out=subprocess.PIPE)
    assert b"\x1b[" in seen
    assert all(stage.encode() in seen for stage in ("export", f"features {NIGHTS[0]}", f"score {NIGHTS[1]}"))
    assert b'"run_id"' not in seen
    assert ATTACKER.encode() not in seen
    assert results.decode().startswith(NIGHTS[0].isoformat())
    assert results.decode().splitlines()[-1].startswith("report: ")
    assert b"\x1b" not in results


def test_on_one_terminal_the_bar_is_gone_before_results_are_printed(tmp_path: Path) -> None:
    seen, _ = _terminal(_two_nights(tmp_path))
    erased = b"\x1b[2K"
    lines = seen.replace(b"\r", b"").split(b"\n")
    results = [
        line for line in lines if line.rpartition(erased)[2].startswith((str(NIGHTS[0]).encode() + b"  ", b"report: "))
    ]
    assert len(results) == 2
    assert lines.index(results[1]) >= len(lines) - 3
