"""The texts for the other engines, written beside this file: python -m features.sql.generate (make sql)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from features.sql import DIALECTS, STATEMENTS
from features.sql.rules import translated

HERE = Path(__file__).parent


def generated() -> Mapping[Path, str]:
    """What each file must hold."""
    return {
        HERE / folder / f"{name}.sql": (
            f"-- {name}, for {folder}: made by 'make sql' from features/; a change here is lost\n"
            f"{translated(sql, dialect)}\n"
        )
        for folder, dialect in DIALECTS.items()
        for name, sql in STATEMENTS.items()
    }


if __name__ == "__main__":
    for path, content in generated().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(content, encoding="utf-8")
