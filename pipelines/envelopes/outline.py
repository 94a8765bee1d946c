"""JSON values of which no more is made than tells what they are, where all of them would take too much memory.

The json module makes of each `[]` of a text an object of 64 bytes or more. tests/pipelines/test_envelopes_memory.py."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from pipelines.parsing.brackets import end_of, members

_ROOMY = 5_000_000
"""A text of fewer signs may hold whatever it likes."""
_VALUES = 500_000
_TELLING = frozenset(("auditID", "items", "logEvents", "messageType"))
"""Members of an object by which a record, a list and an event are told apart."""

scan_once: Callable[[str, int], tuple[Any, int]] = json.JSONDecoder(  # type: ignore[attr-defined]
    strict=False, parse_int=float
).scan_once
"""The value that begins here and where it ends; StopIteration where none does."""


def is_crowded(text: str) -> bool:
    """Would all values of the text take several times its memory?"""
    return len(text) > _ROOMY and sum(str.count(text, sign) for sign in ",[{") > _VALUES


def outline(text: str, at: int) -> tuple[Any, int]:
    """The value that begins here, and where it ends; of an object only what it is told by, with no more of a list or an
    object in it than that it is one.

    Raises:
        StopIteration, json.JSONDecodeError: no value begins here.
        CutError: it does not end, or is damaged between its members.
    """
    first = text[at : at + 1]
    if first == "[":
        return [], end_of(text, at)
    if first != "{":
        return scan_once(text, at)
    found, end = dict[str, Any](), at
    for key, _, value, after in members(text, at):
        end = after
        if key in _TELLING:
            found[key] = [] if text[value] == "[" else {} if text[value] == "{" else scan_once(text, value)[0]
    return found, end
