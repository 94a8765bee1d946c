"""The notebooks run from end to end on the demo's archive, and print what their words promise."""

from __future__ import annotations

import ast
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from e2e.conftest import ROOT
from nbclient import NotebookClient

FOLDER = ROOT / "notebooks"
BOOKS = sorted(path.stem for path in FOLDER.glob("*.ipynb"))
SEARCH = "system:serviceaccount:storefront:search-api"

PROMISED = {
    "01_a_morning": (
        rf"1 +{SEARCH} +workload +34\d\.",
        rf"rank 1: {SEARCH}",
        r"new_denied_actions +74 +0\.0",
        r"04:40:01 +list +secrets .* 403 .* 83df2ee2-7cc7-4ba9-bd04-2cd19f2139ce",
        r"04:43 +22 +6 +16 +3 +80\.78\.166\.32",
        rf"{SEARCH}: 84 refused and 14 allowed in 288 s, from 80\.78\.166\.32",
    ),
    "02_principal_over_time": (
        rf"{SEARCH}, workload, one of \d\d",
        r"2026-09-15 +1 +3\d\d\.",
        r"2026-09-15 +242 +13 +84 +5",
        r"profile_distance +distance ",
        r"CoDisp \d+\.\d, of which ",
        r"new_denied_actions ",
    ),
    "03_tune_the_forest": (
        r"582 rows of history, 96 tonight, 7\d features in 12 groups",
        rf"{SEARCH} +1 +1 +1 +1 ",
        r"as it is +1\.000 +10",
        r"300 trees, innocents above the actor: \{'mass-secret-read': \[\d+, \d+\], 'impersonation': \[\d+, \d+\]\}",
    ),
    "04_your_own_question": (
        r"events: 1\d{5} rows",
        r"ranking: 678 rows, ",
        rf"1 +{SEARCH} +84 +14 ",
        r"\d+ of \d+ secrets were read by more than one workload",
        r"busiest hour \(UTC\): \d+",
    ),
}
"""By notebook, patterns of what it prints."""


def book(name: str) -> nbformat.NotebookNode:
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


def test_every_notebook_has_a_promise() -> None:
    assert list(PROMISED) == BOOKS


@pytest.mark.parametrize("name", BOOKS)
def test_a_notebook_is_committed_without_what_it_printed(name: str) -> None:
    nbformat.validate(book(name))
    assert book(name).cells[0].cell_type == "markdown"
    for cell in book(name).cells:
        assert cell.metadata == {}
        if cell.cell_type == "code":
            assert (cell.outputs, cell.execution_count) == ([], None)
    raw = json.loads((FOLDER / f"{name}.ipynb").read_text())
    assert raw["metadata"].keys() == {"kernelspec", "language_info"}


@pytest.mark.parametrize("name", BOOKS)
def test_a_notebook_imports_calls_and_plots_and_defines_nothing(name: str) -> None:
    code = "\n".join(cell.source for cell in book(name).cells if cell.cell_type == "code")
    defined = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    assert not [node for node in ast.walk(ast.parse(code)) if isinstance(node, defined)]
    assert "AUDITFOREST_ARCHIVE" in code


@pytest.mark.parametrize("name", BOOKS)
def test_a_notebook_runs_and_prints_what_it_promises(
    name: str, demo: tuple[Path, list[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUDITFOREST_ARCHIVE", str(demo[0]))
    run = book(name)
    # the kernel of this environment, whatever `make kernel` has installed
    resources = {"metadata": {"path": str(FOLDER)}}
    NotebookClient(run, timeout=120, kernel_name="python3", resources=resources).execute()
    outputs = [output for cell in run.cells for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output.get("name") == "stderr"]
    printed = "".join(output.text for output in outputs if output.get("name") == "stdout")
    for promise in PROMISED[name]:
        assert re.search(promise, printed), f"{promise}\n{printed}"
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == (2 if name.startswith("02") else 1)


def test_make_kernel_installs_a_kernel_that_is_this_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = (ROOT / "Makefile").read_text().partition("\nkernel:")[2].splitlines()[1]
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path))
    command = rule.strip().lstrip("@").replace("$(BIN)/python", sys.executable)
    subprocess.run(shlex.split(command), check=True, capture_output=True)
    installed = json.loads((tmp_path / "kernels" / "auditforest" / "kernel.json").read_text())
    assert installed["argv"][0] == sys.executable
    assert {book(name).metadata.kernelspec.name for name in BOOKS} == {"auditforest"}


def test_the_snippets_of_the_page_run_on_the_demo(
    demo: tuple[Path, list[str], str], capfd: pytest.CaptureFixture[str]
) -> None:
    snippets = re.findall(
        r"^```python\n(.*?)^```", (ROOT / "docs" / "notebooks.md").read_text(), re.MULTILINE | re.DOTALL
    )
    assert len(snippets) == 2
    for snippet, said in zip(snippets, ("batch:etl-runner", "profile_distance"), strict=True):
        exec(snippet.replace("build/demo", str(demo[0])), {})  # noqa: S102
        assert said in capfd.readouterr().out
