"""Values in error messages: one line, shortened, without credentials."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from datetime import date

_NAMED = 5
"""So many of a list are named in a message."""
_LONGEST = 200
"""Characters of a name that is compared with others."""


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


def nearest(asked: str, known: Iterable[str], alike: float = 0.6) -> str | None:
    """The known name that is most like the one asked for, which may be mistyped; None where none is much like it.

    Args:
        alike: share of the letters of both that the two must have in common.
    """
    near = difflib.get_close_matches(asked[:_LONGEST], [name for name in known if len(name) <= _LONGEST], 1, alike)
    return near[0] if near else None


def nearest_told(asked: str, known: Iterable[str]) -> str:
    """`; nearest known: secret_reads`, or nothing."""
    near = nearest(asked, known)
    return "" if near is None else f"; nearest known: {near}"


def listed(things: Sequence[object]) -> str:
    """The first few of them, and how many more there are."""
    named = ", ".join(map(str, things[:_NAMED]))
    return named if len(things) <= _NAMED else f"{named} and {len(things) - _NAMED} more"
