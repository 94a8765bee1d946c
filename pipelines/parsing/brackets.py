"""JSON told by its brackets alone: where a value ends, and the members of an object.

Nothing recurses, no number is read and no value is made: depth, digits and numbers of values are the writer's choice.
tests/pipelines/test_lists.py holds the truth."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

SPACE = re.compile(r"[ \t\r\n]*+")
STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_SIGN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[{]++|[\]}]++|"', re.DOTALL)
"""A string, or brackets in a row: of ten thousand that open at once each alone would take its time."""
_LITERAL = re.compile(r"[^\s,\[\]{}\"]++")


class CutError(Exception):
    """The text ends, or is damaged, inside a value."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at = at
        """Where that is seen."""
        self.member: tuple[str, int, int] | None = None
        """Of an object of which a member's value is cut: its key, where it and where the value begin."""


def skip(text: str, at: int, signs: re.Pattern[str] = SPACE) -> int:
    """The next position behind the signs, which may be none."""
    found = signs.match(text, at)
    return found.end() if found else at


def expect(text: str, at: int, signs: str) -> str:
    """The sign at this position.

    Raises:
        json.JSONDecodeError: it is none of the expected ones.
    """
    if text[at : at + 1] not in signs or at >= len(text):
        raise json.JSONDecodeError("another sign expected", text, at)
    return text[at]


def end_of(text: str, at: int) -> int:
    """Where the value that begins here ends, told by its brackets alone.

    Raises:
        CutError: it does not end, or is no value.
    """
    if text[at : at + 1] not in ("{", "["):
        found = STRING.match(text, at) or _LITERAL.match(text, at)
        if found is None:
            raise CutError(len(text) if text[at : at + 1] == '"' else at)
        return found.end()
    depth = 0
    for sign in _SIGN.finditer(text, at):
        start, end = sign.span()
        first = text[start]
        if first in "{[":
            depth += end - start
        elif first in "}]":
            if depth <= end - start:
                return start + depth
            depth -= end - start
        elif end - start == 1:
            break
    raise CutError(len(text))


def members(text: str, at: int) -> Iterator[tuple[str, int, int, int]]:
    """Each member of the object that begins here: its key, where the member, its value and what follows begin.

    After the last one comes a key of no text: where the object's last brace stands, and where it ends.

    Raises:
        CutError: the object does not end, or is damaged between its members.
    """
    if text[at : at + 1] != "{":
        raise CutError(at)
    at = skip(text, at + 1)
    while text[at : at + 1] == '"':
        start, end = at, end_of(text, at)
        colon = skip(text, end)
        if text[colon : colon + 1] != ":":
            raise CutError(colon)
        value = skip(text, colon + 1)
        key = _key(text[start:end])
        try:
            at = end_of(text, value)
        except CutError as cut:
            cut.member = key, start, value
            raise
        yield key, start, value, at
        at = skip(text, at)
        if text[at : at + 1] == ",":
            at = skip(text, at + 1)
        elif text[at : at + 1] != "}":
            raise CutError(at)
    if text[at : at + 1] != "}":
        raise CutError(at)
    yield "", at, at, at + 1


def _key(text: str) -> str:
    # an escape may spell any key
    try:
        return str(json.loads(text)) if "\\" in text else text[1:-1]
    except ValueError:
        return text[1:-1]
