"""docs/forest.md: its snippet runs, its picture is the one its script draws."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/forest.md").read_text()


def test_the_snippet_runs_and_says_what_the_text_promises(capsys):
    snippets = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert len(snippets) == 1
    exec(snippets[0], {})  # noqa: S102
    score, share, calmer = re.fullmatch(
        r"([0-9.]+), ([0-9]+)% of it from reading many secrets; with 2: ([0-9.]+)\n", capsys.readouterr().out
    ).groups()
    assert float(score) > 4 * float(calmer)
    assert int(share) > 90


def test_the_picture_is_the_one_that_its_script_draws():
    drawn = subprocess.run(
        [sys.executable, ROOT / "docs/forest_picture.py"],
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert drawn == (ROOT / "docs/forest.svg").read_text()


def test_the_figures_that_the_text_reads_off_the_picture_stand_in_it():
    picture = (ROOT / "docs/forest.svg").read_text()
    for figure in ("0: 0.203 x 26", "CoDisp 14.78", "98 %"):
        assert figure in picture
    for figure in ("0.203", "26 rows", "14.78", "98 %"):
        assert figure in PAGE
