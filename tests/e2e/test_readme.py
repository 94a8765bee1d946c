"""What the README tells a user to type works as it stands, and the demo shows what it promises."""

from __future__ import annotations

import re
import shlex
from datetime import date
from pathlib import Path

import pytest
from e2e.job import FEW_TREES, auditforest, everything

from benchmarks.detection import judge, nights_of
from pipelines.archive import Archive
from pipelines.store import LocalStore

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
SAMPLE = ROOT / "data" / "sample"


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that looks like a checkout to the commands of the README."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "sample").symlink_to(SAMPLE, target_is_directory=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def blocks(language: str) -> list[str]:
    """The README's code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def test_every_command_and_snippet_of_the_readme_runs(checkout: Path, capfd: pytest.CaptureFixture[str]) -> None:
    commands = [line for block in blocks("console") for line in block.splitlines()]
    assert len(commands) > 4
    for command in commands:
        ended = auditforest(*shlex.split(command)[1:], *FEW_TREES)
        assert (ended.code, ended.complaints) == (0, []), command
    for snippet in blocks("python"):
        assert "build/demo" in snippet
        exec(snippet.replace("build/demo", str(checkout / "build" / "mine")), {})  # noqa: S102
        assert "secrets" in capfd.readouterr().out


def test_the_demo_puts_every_attack_near_the_top_and_repeats_its_bytes(tmp_path: Path) -> None:
    cluster, nights = nights_of(SAMPLE)
    assert (cluster, nights[-1]) == ("prod-usw2", date(2026, 9, 15))
    typed = next(line for line in (ROOT / "Makefile").read_text().splitlines() if " nightly " in line)
    arguments = shlex.split(typed.partition(" nightly ")[2].replace("data/sample", str(SAMPLE)))
    arguments[arguments.index("--archive") + 1] = str(tmp_path)
    first = auditforest("nightly", *arguments, "--trees", "30")
    assert first.code == 0
    assert f"{tmp_path}/reports/cluster=prod-usw2/date=2026-09-15/report.html" in first.out
    before = everything(tmp_path)
    assert auditforest("nightly", *arguments, "--trees", "30").out == first.out
    assert everything(tmp_path) == before
    attacks = [
        p
        for p in judge(Archive(LocalStore(tmp_path), cluster), nights, SAMPLE / "label-events.tsv").places
        if p.malicious
    ]
    assert len(attacks) == 6
    assert {p.scenario: p.above for p in attacks if p.above > 4} == {}


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "data/sample/README.md"])
def test_every_file_a_page_names_is_there(page: str) -> None:
    text = (ROOT / page).read_text()
    linked = [(ROOT / page).parent / link for link in re.findall(r"\]\(([^)#:]+)\)", text)]
    named = [
        ROOT / name for name in re.findall(r"`((?:features|models|pipelines|tests|docs|benchmarks)/[^` ]*)`", text)
    ]
    assert [path for path in (*linked, *named) if not path.exists()] == []
    assert linked or named
