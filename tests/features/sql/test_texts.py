"""The checked-in texts are those that would be generated now."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlglot

from features.sql import DIALECTS, STATEMENTS, text
from features.sql.generate import HERE, generated


def test_the_texts_are_as_make_sql_writes_them() -> None:
    stale = [path.relative_to(HERE) for path, content in generated().items() if path.read_text("utf-8") != content]
    assert not stale, f"run 'make sql' and read the difference: {stale}"


def test_no_text_is_left_over() -> None:
    assert set(HERE.rglob("*.sql")) == set(generated())


@pytest.mark.parametrize("name", STATEMENTS)
@pytest.mark.parametrize("folder", DIALECTS)
def test_a_text_is_one_statement_of_its_dialect(folder: str, name: str) -> None:
    (statement,) = sqlglot.parse(text(folder, name), read=DIALECTS[folder])
    assert statement is not None
    assert statement.find(sqlglot.exp.Select)


def test_a_text_is_found_wherever_the_command_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "DISTINCT" in text("spark", "days")
