"""What docs/first-minutes.md tells a new user to type works on the demo's archive, and shows what it says."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest
from e2e.job import auditforest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "first-minutes.md").read_text()
OWN = "build/mine"


@pytest.fixture
def demo_copy(demo: tuple[Path, list[str], str], tmp_path: Path) -> str:
    return str(shutil.copytree(demo[0], tmp_path / "demo"))


def test_its_commands_run_on_the_demo_and_show_what_is_said(demo_copy: str) -> None:
    typed = [line for line in re.findall(r"^    auditforest (.+)$", PAGE, re.MULTILINE) if OWN not in line]
    assert [line.split()[0] for line in typed] == ["show", "mark"]
    for line in typed:
        ended = auditforest(*shlex.split(line.replace("build/demo", demo_copy)))
        assert (ended.code, ended.complaints) == (0, []), line
        assert "etl-runner" in ended.out
    shown = auditforest(*shlex.split(typed[0].replace("build/demo", demo_copy))).out
    assert "239 secrets" in shown
    assert "confirmed" in shown


def test_its_snippet_finds_the_binding_that_allowed_the_request(
    demo: tuple[Path, list[str], str], capfd: pytest.CaptureFixture[str]
) -> None:
    (snippet,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    exec(snippet.replace("build/demo", str(demo[0])), {})  # noqa: S102
    assert "batch-etl-runner" in capfd.readouterr().out


def test_the_commands_for_ones_own_cluster_are_those_of_the_readme_which_run_there() -> None:
    own = [line for line in re.findall(r"^    (auditforest .+)$", PAGE, re.MULTILINE) if OWN in line]
    assert [line.split()[1] for line in own] == ["nightly", "evaluate"]
    readme = (ROOT / "README.md").read_text()
    assert [line for line in own if line not in readme] == []
