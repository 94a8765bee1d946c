"""The statements that count a night, and their texts for other engines, generated from the one in DuckDB's dialect.

`make sql` writes them; tests/features/sql/ holds the files to it, and the engines to one another."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files

from features.crowds import CROWDED_TALLIES
from features.days import AFTER_CROWDS, BEFORE_CROWDS, DAYS, NIGHT
from features.requests import REQUESTS

STATEMENTS: Mapping[str, str] = {
    "requests": REQUESTS,
    **BEFORE_CROWDS,
    "crowded_tallies": CROWDED_TALLIES,
    **AFTER_CROWDS,
    "days": DAYS,
    "night": NIGHT,
}
"""SQL in DuckDB's dialect by the name of the table it makes, in the order in which they are made.

They read `events` and `past_items`, and each other; where there is a crowd, crowded_tallies take the place of
tallies."""

DIALECTS: Mapping[str, str] = {"spark": "spark", "athena": "trino"}
"""By the folder of its texts: what sqlglot calls an engine's dialect. Athena's is Trino's."""


def text(dialect: str, name: str) -> str:
    """The generated text of a statement, without a semicolon."""
    return files(__name__).joinpath(dialect, f"{name}.sql").read_text(encoding="utf-8")
