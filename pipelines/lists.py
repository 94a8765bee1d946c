"""Lists on one line, an EventList or a plain array, taken apart into the bytes of their events.

The bytes stay as they were written, so an event has the same hash in a list and on a line of its own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from json.decoder import scanstring  # type: ignore[attr-defined]

MAX_EVENTS = 1_000_000
"""A line that lists more is quarantined whole; its positions alone would fill the memory."""

_DECODER = json.JSONDecoder(strict=False)
_SPACE = re.compile(r"[ \t\n\r]*")


def events_in(line: bytes) -> list[tuple[int, bytes]] | None:
    """Where each object of the list starts in the line, and its bytes; None for a line that is no list of any."""
    # one character a byte: JSON's own signs are ASCII, and only they matter here
    text = line.decode("latin-1")
    try:
        start = _array(text)
        if start is None:
            return None
        found: list[tuple[int, bytes]] = []
        for low, high in _elements(text, start):
            if text[low] != "{" or len(found) == MAX_EVENTS:
                return None
            found.append((low, line[low:high]))
    except (ValueError, IndexError, RecursionError):
        return None
    return found or None


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _array(text: str) -> int | None:
    """Where the list starts, or None."""
    at = _skip(text, 0)
    if text[at] == "[":
        return at
    if text[at] != "{" or '"EventList"' not in text:
        return None
    at = _skip(text, at + 1)
    while text[at] != "}":
        name, at = scanstring(text, at + 1, False)
        at = _skip(text, _skip(text, at) + 1)
        if name == "items":
            return at if text[at] == "[" else None
        _, at = _DECODER.raw_decode(text, at)
        at = _skip(text, at)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return None


def _elements(text: str, start: int) -> Iterator[tuple[int, int]]:
    at = _skip(text, start + 1)
    while text[at] != "]":
        _, end = _DECODER.raw_decode(text, at)
        yield at, end
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)
        elif text[at] != "]":
            raise ValueError("neither a comma nor the end of the list")
