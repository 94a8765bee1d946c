"""docs/ is a site that builds without a network or a warning, and its generated pages are what is declared."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from subprocess import run

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
_spec = importlib.util.spec_from_file_location("docs_pages", DOCS / "pages.py")
pages = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(pages)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    made = tmp_path_factory.mktemp("site")
    # what `make docs` runs
    ended = run(
        [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", DOCS, made],
        capture_output=True,
        text=True,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    return made


def test_every_page_is_built_and_none_leads_to_another_host_for_what_it_shows(site):
    built = {page.stem for page in site.glob("*.html")}
    assert {page.stem for page in DOCS.glob("*.md")} <= built
    shown = re.compile(r'<(?:script|img|iframe)[^>]* src="([^"]*)"|<link[^>]* rel="stylesheet"[^>]* href="([^"]*)"')
    fetched = {a or b for page in site.glob("*.html") for a, b in shown.findall(page.read_text())}
    assert fetched
    assert not [where for where in fetched if "//" in where]


@pytest.mark.parametrize("name", sorted(pages.PAGES))
def test_a_generated_page_is_what_is_declared(name):
    assert (DOCS / name).read_text() == pages.PAGES[name](), "run `make golden`, then read what changed"


def test_what_is_promised_is_tested_by_what_the_page_names():
    named = re.findall(r"`((?:tests/|make )[^`]+)`", (DOCS / "limits.md").read_text())
    targets = re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert len(named) > 5
    assert not [n for n in named if not ((ROOT / n).exists() or n.removeprefix("make ") in targets)]
