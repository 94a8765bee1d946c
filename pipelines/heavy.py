"""Lines with only what is read of them: those of so many JSON values that the engine could not hold them, and those
that are damaged elsewhere.

The engine takes up to a kilobyte of memory for a value, however short, so bytes alone bound nothing. Pure;
tests/pipelines/test_long_events.py holds the memory."""

from __future__ import annotations

import json
from typing import Any

from pipelines.brackets import STRING, CutError, members
from pipelines.events import EVENT

MAX_VALUES = 100_000
"""JSON values that the engine is handed at once, as a line or as a record batch. 2 MB of ordinary lines hold 60,000."""

SIGNS = ",[{"
"""What begins or parts JSON values."""

BODY, LINE = "body", "line"
"""What was not read of a line: its request body, or all of it."""

_BODY = "requestObject"
_READ: dict[str, Any] = json.loads(EVENT) | dict.fromkeys(("kind", "items", "log", "message"))
"""Members that a column is read from, each with those within it, or that hold events."""


def values(text: str) -> int:
    """About how many JSON values there are: signs that begin or part them, outside strings."""
    if _signs(text) <= MAX_VALUES:
        return _signs(text)
    return _signs(STRING.sub("0", text))


def _signs(text: str) -> int:
    return sum(map(text.count, SIGNS))


def heavy(line: bytes) -> bool:
    """Does the line hold more than MAX_VALUES?"""
    return len(line) > MAX_VALUES and values(line.decode("latin-1")) > MAX_VALUES


def lightened(line: bytes, *, cut: bool = False) -> tuple[bytes, bool] | None:
    """A heavy line, one object, with only what is read of it; and whether its body had to go, too.

    None if it is no single object, or holds too many values where they are read.

    Args:
        cut: does the object end in the middle? What stands whole before its end comes back then.
    """
    for body in (True, False):
        found = pared(line, body=body, cut=cut)
        if found is None or values(found[0].decode("latin-1")) <= MAX_VALUES:
            return found
    return None


def pared(line: bytes, *, body: bool, cut: bool = False) -> tuple[bytes, bool] | None:
    """A line, one object, with only what is read of it; and whether it lacks a body that it had.

    None if it is no single object.

    Args:
        body: does a request body stay?
        cut: does the object end in the middle?
    """
    text = line.decode("latin-1").strip(" \t\r\n")
    read = _READ if body else {key: within for key, within in _READ.items() if key != _BODY}
    kept, lacks_body, end = _pared(text, read)
    if (end == len(text)) is cut:
        return None
    return ("{" + ",".join(kept) + "}").encode("latin-1"), lacks_body


def _pared(text: str, read: dict[str, Any]) -> tuple[list[str], bool, int]:
    """The members that are read, whether a body is among the others, and where the object ends; -1 if it does not."""
    kept: list[str] = []
    lacks_body = False
    try:
        for key, start, value, end in members(text, 0):
            if not key and text[start] == "}":
                return kept, lacks_body, end
            if key in read:
                kept.append(text[start:value] + _pared_within(text[value:end], read[key]))
            else:
                lacks_body = lacks_body or key == _BODY
    except CutError:
        pass
    return kept, lacks_body, -1


def _pared_within(value: str, read: object) -> str:
    if not isinstance(read, dict) or value[:1] != "{":
        return value
    kept, _, end = _pared(value, read)
    return value if end < 0 else "{" + ",".join(kept) + "}"
