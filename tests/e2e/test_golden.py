"""One tiny input and the ranking it must give; `make golden` rewrites the ranking after a meant change.

Numbers may differ in their last digits between processors, and the forest is of single precision, so they are
compared to six; all else is exact. The
version is left out, or every release would rewrite the files."""

from __future__ import annotations

import csv
import io
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from e2e.job import nightly, object_of

GOLDEN = Path(__file__).parent / "golden"
NIGHTS = (date(2026, 9, 13), date(2026, 9, 15))


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the last night's reports, made from the golden input."""
    archive = tmp_path_factory.mktemp("golden") / "archive"
    ended = nightly(GOLDEN / "audit.ndjson", archive, *NIGHTS)
    assert (ended.code, ended.complaints) == (0, [])
    return object_of(archive, "reports", NIGHTS[-1], "ranking.csv").parent


def plain_json(body: str) -> Any:
    """The document without the version."""
    document = json.loads(body)
    assert document.pop("version")
    return document


def plain_csv(body: str) -> Any:
    """Rows of cells: numbers as numbers, lists as lists, text as text."""
    return [[_cell(cell) for cell in row] for row in csv.reader(io.StringIO(body, newline=""))]


def _cell(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def same(one: Any, other: Any) -> bool:
    """Equal, floats to six digits."""
    if isinstance(one, float) and isinstance(other, float):
        return one == pytest.approx(other, rel=1e-6, abs=1e-9)
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other and type(one) is type(other))


@pytest.mark.parametrize(
    ("name", "plain"), [("ranking.csv", plain_csv), ("ranking.json", plain_json)], ids=["csv", "json"]
)
def test_the_ranking_is_the_golden_one(reports: Path, rewrite_golden: bool, name: str, plain: Any) -> None:
    found = (reports / name).read_text(encoding="utf-8")
    if rewrite_golden:
        (GOLDEN / name).write_text(found, encoding="utf-8")
    golden = plain((GOLDEN / name).read_text(encoding="utf-8"))
    assert same(plain(found), golden), f"{name} differs; if that was meant: make golden, and look at the difference"


def test_a_golden_file_tells_numbers_apart() -> None:
    assert same([1.0, {"a": 0.3}], [1.0 + 1e-12, {"a": 0.1 + 0.2}])
    for other in ([1.0, {"a": 0.3001}], [1.0, {"b": 0.3}], [1.0], [1, {"a": 0.3}], [1.0, {"a": None}]):
        assert not same([1.0, {"a": 0.3}], other)
