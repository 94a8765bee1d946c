"""What one line holds besides one event: the entries of a list, values side by side, what is left behind them.

The bytes stay as they were written, so an event has the same hash in a list and on a line of its own. Nothing recurses
and no number is read: depth and digits are the writer's choice."""

from __future__ import annotations

import json
from collections.abc import Iterator

from pipelines.envelopes.scan import EVENT_HEAD, SCANNER, Text, break_before, trusted
from pipelines.parsing.brackets import CutError, end_of, skip

MAX_EVENTS = 1_000_000
"""A line that lists more is quarantined whole; its positions alone would fill the memory."""

_MOST_TORN = 1000
"""A line that breaks off more often is not looked at further: each time costs as much as the line is long."""

Parts = list[tuple[int, int]]
"""Where each part of a line begins and ends."""


def apart(line: bytes) -> Iterator[tuple[int, bytes]] | None:
    """Where each part of the line starts, and its bytes; None for a line that is one object, or lists none.

    Parts are the entries of lists (of an EventList: of all its `items`), objects one behind the other, and whatever
    follows: together they hold all that is no sign of a list.
    """
    # one character a byte: JSON's own signs are ASCII, and only they matter here
    text = Text(line.decode("latin-1"))
    parts: Parts = []
    at, listed, tears = skip(text, 0), False, 0
    if text[at : at + 1] not in ("{", "["):
        return None
    while at < len(text) and len(parts) <= MAX_EVENTS:
        before = len(parts)
        try:
            if text[at] == "[":
                listed = True
                at = _entries(text, at, parts)
            elif text[at] == "{":
                torn = _torn(text, at) if tears < _MOST_TORN else None
                if torn is not None:
                    parts.append((at, torn))
                    tears += 1
                    at = torn
                    continue
                at = _object(text, at, parts)
                listed = listed or parts[before:] != [(parts[-1][0], at)]
            else:
                raise CutError(at)
        except CutError:
            # of a list the entries before the cut are whole
            listed = listed or len(parts) > before
            parts.append((_behind_comma(text, parts[-1][1] if len(parts) > before else at), len(text)))
            break
        at = skip(text, at)
    if len(parts) > MAX_EVENTS or not any(text[a : a + 1] == "{" for a, _ in parts) or (len(parts) < 2 and not listed):
        return None
    # one after the other: there may be a million
    return ((a, line[a:b].rstrip()) for a, b in parts if line[a:b].strip())


def _behind_comma(text: str, at: int) -> int:
    at = skip(text, at)
    return skip(text, at + 1) if text[at : at + 1] in (",", "[") else at


def _torn(text: str, at: int) -> int | None:
    """Where the next event begins within one that broke off there, as of a writer that was killed and began anew."""
    try:
        SCANNER.raw_decode(text, at)
    except json.JSONDecodeError as error:
        for found in EVENT_HEAD.finditer(text, at + 1):
            if trusted(text, at, break_before(text, error.pos), found.start()):
                return found.start()
    except RecursionError:
        pass
    return None


def _entries(text: str, at: int, parts: Parts) -> int:
    """Adds the entries of the list that begins here; where it ends comes back."""
    at = skip(text, at + 1)
    while text[at : at + 1] != "]":
        end = end_of(text, at)
        parts.append((at, end))
        if len(parts) > MAX_EVENTS:
            return len(text)
        at = skip(text, end)
        if text[at : at + 1] == ",":
            at = skip(text, at + 1)
        elif text[at : at + 1] != "]":
            raise CutError(at)
    return at + 1


def _object(text: str, start: int, parts: Parts) -> int:
    """Adds the object that begins here, or if it is a list of events all its items; where it ends comes back."""
    before, at = len(parts), skip(text, start + 1)
    while text[at : at + 1] == '"':
        end = end_of(text, at)
        key, at = text[at:end], skip(text, end)
        if text[at : at + 1] != ":":
            raise CutError(at)
        at = skip(text, at + 1)
        if key == '"auditID"':
            # an event, whatever else it holds
            del parts[before:]
            break
        is_list = key == '"items"' and text[at : at + 1] == "[" and '"EventList"' in text
        at = skip(text, _entries(text, at, parts) if is_list else end_of(text, at))
        if text[at : at + 1] == ",":
            at = skip(text, at + 1)
    if len(parts) > before and text[at : at + 1] == "}":
        return at + 1
    end = end_of(text, start)
    if len(parts) > before:
        raise CutError(at)
    parts.append((start, end))
    return end
