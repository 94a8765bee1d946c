"""Lines with only what is read of them: those so long, or of so many JSON values, that the engine could not hold them,
and those that are damaged elsewhere.

The engine takes up to a kilobyte of memory for a value, however short, and copies a line some thirty times, so both
are bounded. Pure; tests/pipelines/test_long_events.py and tests/e2e/test_bounds.py hold the memory."""

from __future__ import annotations

import json
from typing import Any

from pipelines.parsing.brackets import STRING, CutError, members
from pipelines.parsing.events import EVENT

MAX_VALUES = 100_000
"""JSON values of a line that the engine is handed."""

MAX_BYTES = 1_000_000
"""Of a line that the engine is handed as it is."""
READ_BYTES = 3_000_000
"""Of what is read of a longer line. No API server takes a larger request."""

SIGNS = ",[{"
"""What begins or parts JSON values."""

BODY, LINE = "body", "line"
"""What was not read of a line: its request body, or all of it; the engine is never handed the latter."""

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
    """Is the line longer than MAX_BYTES, or does it hold more than MAX_VALUES?"""
    return len(line) > MAX_BYTES or (len(line) > MAX_VALUES and values(line.decode("latin-1")) > MAX_VALUES)


def lightened(line: bytes, *, cut: bool = False) -> tuple[bytes, bool] | None:
    """A heavy line, one object, with only what is read of it; and whether its body had to go, too.

    None if it is no single object, or holds too much where it is read.

    Args:
        cut: does the object end in the middle? What stands whole before its end comes back then.
    """
    for body in (True, False):
        found = pared(line, body=body, cut=cut)
        if found is not None and values(found[0].decode("latin-1")) <= MAX_VALUES:
            return found
    return None


def pared(line: bytes, *, body: bool, cut: bool = False) -> tuple[bytes, bool] | None:
    """A line, one object, with only what is read of it; and whether it lacks a body that it had.

    None if it is no single object, or if more than READ_BYTES of it are read.

    Args:
        body: does a request body stay?
        cut: does the object end in the middle?
    """
    text = line.decode("latin-1").strip(" \t\r\n")
    read = _READ if body else {key: within for key, within in _READ.items() if key != _BODY}
    try:
        kept, without_body, end = _pared(text, read)
    except _TooLongError:
        return None
    if (end == len(text)) is cut:
        return None
    return ("{" + ",".join(kept) + "}").encode("latin-1"), without_body


class _TooLongError(Exception):
    """More than READ_BYTES are read of a line."""


def _pared(text: str, read: dict[str, Any]) -> tuple[list[str], bool, int]:
    """The members that are read, whether a body is among the others, and where the object ends; -1 if it does not."""
    kept: list[str] = []
    without_body = False
    room = READ_BYTES
    try:
        for key, start, value, end in members(text, 0):
            if not key and text[start] == "}":
                return kept, without_body, end
            if key not in read:
                without_body = without_body or key == _BODY
                continue
            if not isinstance(read[key], dict) and end - start > room:
                raise _TooLongError
            kept.append(text[start:value] + _pared_within(text[value:end], read[key]))
            room -= len(kept[-1])
            if room < 0:
                raise _TooLongError
    except CutError:
        pass
    return kept, without_body, -1


def _pared_within(value: str, read: object) -> str:
    if not isinstance(read, dict) or value[:1] != "{":
        return value
    kept, _, end = _pared(value, read)
    return value if end < 0 else "{" + ",".join(kept) + "}"
