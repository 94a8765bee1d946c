"""docs/features.md is what the catalogue declares, and so is the list on the terminal."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from e2e.job import auditforest

from features import listing
from features.catalogue import NAMES
from features.derived import DERIVED

PAGE = Path(__file__).parents[2] / "docs" / "features.md"


def _table(head, rows):
    lines = [f"| {' | '.join(row)} |" for row in (head, *rows)]
    return "\n".join([lines[0], "|" + "-|" * len(head), *lines[1:]])


def _shown():
    """What each marker of the page must be followed by."""
    quoted = [(f"`{name}`", *rest) for name, *rest in listing.features()]
    made = [
        (f"`{name}`", unit, ", ".join(f"`{n}`" for n in of.split(", ")), said)
        for name, unit, of, said in listing.derived()
    ]
    return {"features": _table(listing.HEAD, quoted), "derived": _table(listing.DERIVED_HEAD, made)}


@pytest.mark.parametrize("name", ["features", "derived"])
def test_the_page_shows_what_is_declared(name, rewrite_golden):
    page, declared = PAGE.read_text(), _shown()[name]
    at = re.search(rf"^<!-- {name} -->\n+((?:\|.*\n?)*)", page, re.MULTILINE)
    if rewrite_golden:
        PAGE.write_text(f"{page[: at.start()]}<!-- {name} -->\n\n{declared}\n{page[at.end() :]}")
        return
    assert at[1].strip() == declared, "run `make golden`, then read what changed"


def test_no_cell_breaks_a_table():
    assert not any("|" in cell or "\n" in cell for row in (*listing.features(), *listing.derived()) for cell in row)


def test_the_command_prints_every_number_and_counts_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ended = auditforest("features", "--list")
    assert (ended.code, ended.complaints) == (0, [])
    first = [line.split()[0] for line in ended.out.splitlines() if line]
    assert first == ["feature", *NAMES, "number", *(d.name for d in DERIVED)]
    assert list(tmp_path.iterdir()) == []
