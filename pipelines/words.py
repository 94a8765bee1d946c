"""Values in error messages: one line, shortened, without credentials."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

_NAMED = 5
"""So many of a list are named in a message."""


def shown(text: str) -> str:
    """The text on one line, shortened; quoted when anything in it does not print."""
    text = text if text.isprintable() else repr(text)
    return text if len(text) <= 120 else f"{text[:117]}..."


def quoted(value: object) -> str:
    """A refused value for a message; what an address may carry of credentials is left out."""
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else "a list"
    if isinstance(value, int) and value.bit_length() > 128:
        return f"a number of {value.bit_length()} bits"
    if isinstance(value, str):
        value = re.sub(r"\?.*", "?...", re.sub(r"//.*@", "//...@", value, flags=re.DOTALL), flags=re.DOTALL)
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def holdings(nights: Sequence[date], clusters: Sequence[str]) -> str:
    """What an archive holds of a cluster, else of others, where what was asked for is not there."""
    if nights:
        return f"only nights from {nights[0]} to {nights[-1]}"
    return f"only events of {listed(clusters)}" if clusters else "there is no archive yet"


def listed(things: Sequence[object]) -> str:
    """The first few of them, and how many more there are."""
    named = ", ".join(map(str, things[:_NAMED]))
    return named if len(things) <= _NAMED else f"{named} and {len(things) - _NAMED} more"
