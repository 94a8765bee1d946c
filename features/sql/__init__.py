"""The statements that count a night, and their texts for other engines, generated from the one in DuckDB's dialect.

`make sql` writes them; tests/features/sql/ holds the files to it, and the engines to one another."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files

from features.crowds import CROWDED_TALLIES, CROWDS
from features.days import DAYS, NIGHT
from features.hours import HOURS
from features.items import ITEMS, NEW_ITEMS
from features.requests import REQUESTS
from features.tallies import TALLIES

STATEMENTS: Mapping[str, str] = {
    "requests": REQUESTS,
    "tallies": TALLIES,
    "crowds": CROWDS,
    "crowded_tallies": CROWDED_TALLIES,
    "items": ITEMS,
    "new_items": NEW_ITEMS,
    "hours": HOURS,
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
