"""Lines of so many JSON values that the engine could not hold them: they are counted, and what is not needed left out.

The engine takes up to a kilobyte of memory for a value, however short, so bytes alone bound nothing. Pure;
tests/pipelines/test_long_events.py holds the memory."""

from __future__ import annotations

import json

from pipelines.events import EVENT
from pipelines.lists import STRING, CutError, members

MAX_VALUES = 100_000
"""JSON values that the engine is handed at once, as a line or as a record batch. 2 MB of ordinary lines hold 60,000."""

BODY, LINE = "body", "line"
"""What was not read, as it holds more JSON values than the engine is handed: the request body, or all of the line."""

_BODY = "requestObject"
_NEEDED = json.loads(EVENT).keys() - {_BODY} | {"kind", "items", "log", "message"}
"""Members that a column is read from, or that hold events; the others are never looked at."""


def values(text: str) -> int:
    """About how many JSON values there are: signs that begin or part them, outside strings."""
    if _signs(text) <= MAX_VALUES:
        return _signs(text)
    return _signs(STRING.sub("0", text))


def _signs(text: str) -> int:
    return text.count(",") + text.count("[") + text.count("{")


def heavy(line: bytes) -> bool:
    """Does the line hold more than MAX_VALUES?"""
    return len(line) > MAX_VALUES and values(line.decode("latin-1")) > MAX_VALUES


def lightened(line: bytes, *, cut: bool = False) -> tuple[bytes, bool] | None:
    """A heavy line, one object, without members that nothing is read from; and whether its body had to go, too.

    None if it is no single object, or holds too many values where they are needed.

    Args:
        cut: does the object end in the middle? What stands whole before its end comes back then.
    """
    text = line.decode("latin-1").strip(" \t\r\n")
    kept: list[str] = []
    bodies: list[tuple[int, str]] = []
    whole = False
    try:
        for key, start, _, end in members(text, 0):
            if not key and text[start] == "}":
                whole = end == len(text)
            elif key in _NEEDED:
                kept.append(text[start:end])
            elif key == _BODY:
                bodies.append((len(kept), text[start:end]))
    except CutError:
        pass
    if whole is cut or values(",".join(kept)) > MAX_VALUES:
        return None
    fits = values(",".join(kept + [body for _, body in bodies])) <= MAX_VALUES
    for at, body in reversed(bodies) if fits else ():
        kept.insert(at, body)
    return ("{" + ",".join(kept) + "}").encode("latin-1"), bool(bodies) and not fits
