"""Where JSON values begin and end in text that may be damaged, found by the C code of the json module.

Text is bytes read as Latin-1, one character a byte: JSON's own signs are ASCII, and only they matter here, so a
position in the text is a position in the object. tests/pipelines/test_envelopes_damage.py holds the truth."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any

_S = "[ \\t\\r\\n]*+"
_RECORD_KEYS = "messageType|owner|logGroup|logStream|subscriptionFilters|logEvents"

SCANNER = json.JSONDecoder(strict=False, parse_int=float)
"""float, because int refuses more than 4,300 digits; no number is looked at."""
scan_once: Callable[[str, int], tuple[Any, int]] = SCANNER.scan_once  # type: ignore[attr-defined]
"""The value that begins here and where it ends; StopIteration where none does."""
SPACE = re.compile(_S)
RECORD_HEAD = re.compile(rf'\{{{_S}"(?:{_RECORD_KEYS})"{_S}:')
"""How a record of a subscription begins, whatever the order of its keys."""
STRICT = re.compile(rf'\}}{_S}\{{{_S}"[^"\\]{{1,100}}+"{_S}:')
"""An object right after an object. Inside one JSON value that cannot stand: a comma or a colon would be between,
and in a string the quotes would be escaped."""

_OBJECT = re.compile(rf'\{{{_S}"[^"\\]{{1,100}}+"{_S}:')
EVENT_HEAD = re.compile(rf'\{{{_S}"kind"{_S}:{_S}"Event"{_S},{_S}"apiVersion"{_S}:{_S}"audit\.k8s\.io/')
_NAMED = re.compile(r'(?<!\\)"(?:auditID"|audit\.k8s\.io/)')
_BODY = re.compile(r'"(?:request|response)Object"')
_LOOK_AHEAD = 4096
"""An audit event names its auditID or its apiVersion within so many bytes."""
LOOK_BACK = 2 * _LOOK_AHEAD
"""What must stay in sight of a text that is searched piece by piece, so that no beginning is missed."""
_TOKEN = 16
"""Longer than any token but a string: an error so near to the end may be only the end."""


def skip(text: str, at: int, signs: re.Pattern[str] = SPACE) -> int:
    """The next position behind the signs, which may be none."""
    found = signs.match(text, at)
    return found.end() if found else at


def string(text: str, at: int) -> tuple[str, int]:
    """The string that begins at this quote, unescaped, and where it ends."""
    if text[at : at + 1] != '"':
        raise json.JSONDecodeError("a string expected", text, at)
    found: tuple[str, int] = scanstring(text, at + 1, False)
    return found


def expect(text: str, at: int, signs: str) -> str:
    """The sign at this position.

    Raises:
        json.JSONDecodeError: it is none of the expected ones.
    """
    if text[at : at + 1] not in signs or at >= len(text):
        raise json.JSONDecodeError("another sign expected", text, at)
    return text[at]


def unended(error: Exception, text: str) -> bool:
    """Whether a value could not be read only because the text ends inside it; else it is damaged."""
    return isinstance(error, json.JSONDecodeError) and (
        error.msg.startswith("Unterminated string") or error.pos >= len(text) - _TOKEN
    )


def resumption(text: str, start: int) -> int | None:
    """Where the next record or event begins after damage, at `start` or behind it; None if none is in sight.

    Of a damaged event what is found must be `trusted`, too.

    A beginning is: a record of a subscription; an object right after an object or at the very start of a line; what
    looks like an audit event in a list; the head that the API server writes, wherever it stands."""
    for found in _OBJECT.finditer(text, start):
        at = found.start()
        if RECORD_HEAD.match(text, at) or EVENT_HEAD.match(text, at):
            return at
        before = text[max(0, at - 200) : at].rstrip(" \t\r\n")[-1:]
        if before == "}" or (text[at - 1 : at] == "\n" and before not in (",", "[", ":")):
            return at
        if before in (",", "[", "]") and _names_an_event(text, at):
            return at
    return None


def break_before(text: str, at: int) -> int:
    """Where JSON that cannot be read on at `at` may have broken: a quote left open swallows the signs of what follows,
    `{` and spaces, up to its first quote."""
    begin = max(0, at - 200)
    return begin + max(0, len(text[begin : max(begin, at - 1)].rstrip()) - 1)


def trusted(text: str, start: int, broke: int, found: int) -> bool:
    """Whether a beginning found in a damaged event that begins at `start` is one: it stands before any body, or where
    the JSON broke. What stands whole inside a body its author may have made look like an event."""
    return found >= broke or _BODY.search(text, start, found) is None


def _names_an_event(text: str, at: int) -> bool:
    if not _NAMED.search(text, at, at + _LOOK_AHEAD):
        return False
    try:
        value, _ = scan_once(text, at)
    except (ValueError, RecursionError, StopIteration):
        return True
    return "auditID" in value
