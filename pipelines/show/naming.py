"""Which principal a name means: whole names first, then parts of one. tests/e2e/test_show.py."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date

import pyarrow as pa

from pipelines.errors import ConfigError
from pipelines.report.text import shown_name, visible
from pipelines.words import nearest, quoted

_NAME = 200
_ALIKE = 0.75
"""One letter of four may be another."""
_COMPARED = 20_000
"""Names, the first ranked first: clients may invent any number of them."""
_PARTS = re.compile("([:/@])")


class AmbiguousError(ConfigError):
    """A part of a name that several principals have in common; `names` are theirs."""

    def __init__(self, names: Sequence[str], said: str) -> None:
        super().__init__(said)
        self.names = names


def meant(asked: str, tables: Iterable[pa.Table], nights: Sequence[date]) -> str:
    """The one principal that the name means, in the rankings of some nights.

    A principal of that name, else one with that user name, else one whose name or user name is printed so, else one
    with this part in either, as it is or as it is printed, whatever its case.
    Raises:
        AmbiguousError: several have it.
        ConfigError: nobody has.
    """
    names = [name for table in tables for name in _names(table)]
    found: set[str] = set()
    for fits in (
        lambda principal, _: principal == asked,
        lambda _, users: asked in users,
        # no shell passes a NUL on, and nobody types what cannot be seen
        lambda principal, users: any(asked in _printed(name) for name in (principal, *users)),
        lambda principal, users: any(
            asked.lower() in said.lower() for name in (principal, *users) for said in (name, visible(name))
        ),
    ):
        found = found or {principal for principal, users in names if asked and fits(principal, users)}
    when = " or ".join(map(str, dict.fromkeys(nights)))
    if not found:
        raise ConfigError(
            f"{quoted(asked)}: no principal that was ranked on {when} has this in its name or its user names"
            f"{_like(asked, names)}; expected a name, or a part of one, as the report of the night lists it"
        )
    if len(found) > 1:
        said = f"{quoted(asked)}: {len(found)} principals of {when} have this in their names, one expected; give more"
        raise AmbiguousError(sorted(found), f"{said} of one of the names printed")
    return found.pop()


def listed(error: AmbiguousError) -> Iterator[str]:
    """A line for each principal that is meant, perhaps."""
    return (shown_name(name, _NAME) for name in error.names)


def _printed(name: str) -> tuple[str, ...]:
    """How reports and messages show the name: whole, or clipped and perhaps in quotes."""
    return visible(name), shown_name(name, len(name)), shown_name(name, _NAME)


def _like(asked: str, names: Iterable[tuple[str, Sequence[str]]]) -> str:
    """Whose name ends in as many parts, of which only the last is another, and much like that asked for."""
    *before, last = _PARTS.split(asked.lower())
    ends: dict[str, str] = {}
    for principal, users in names:
        for name in (principal, *users):
            # a name that is longer than one shows is no slip of anybody's finger
            parts = _PARTS.split(name.lower())[-len(before) - 1 :] if len(name) <= _NAME else []
            if parts[:-1] == before and parts and len(ends) < _COMPARED:
                ends.setdefault(parts[-1], principal)
    near = nearest(last, ends, _ALIKE)
    return f"; the nearest is {shown_name(ends[near], _NAME)}" if near is not None else ""


def _names(table: pa.Table) -> Iterator[tuple[str, list[str]]]:
    return zip(table["principal"].to_pylist(), table["usernames"].to_pylist(), strict=True)
