"""Where JSON values begin and end in text that may be damaged, found by the C code of the json module.

Text is bytes read as Latin-1, one character a byte: JSON's own signs are ASCII, and only they matter here, so a
position in the text is a position in the object. tests/pipelines/test_envelopes_damage.py holds the truth."""

from __future__ import annotations

import json
import re
from array import array
from bisect import bisect_left
from functools import cached_property
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any

from pipelines.envelopes.outline import is_crowded, outline, scan_once
from pipelines.parsing.brackets import CutError

_S = "[ \\t\\r\\n]*+"
_RECORD_KEYS = "messageType|owner|logGroup|logStream|subscriptionFilters|logEvents"

RECORD_HEAD = re.compile(rf'\{{{_S}"(?:{_RECORD_KEYS})"{_S}:')
"""How a record of a subscription begins, whatever the order of its keys."""
STRICT = re.compile(rf'\}}{_S}\{{{_S}"[^"\\]{{1,100}}+"{_S}:')
"""An object right after an object. Inside one JSON value that cannot stand: a comma or a colon would be between,
and in a string the quotes would be escaped."""

_OBJECT = re.compile(rf'\{{{_S}"[^"\\]{{1,100}}+"{_S}:')
EVENT_HEAD = re.compile(rf'\{{{_S}"kind"{_S}:{_S}"Event"{_S},{_S}"apiVersion"{_S}:{_S}"audit\.k8s\.io/')
_NAMED = re.compile(r'(?<!\\)"(?:auditID"|audit\.k8s\.io/)')
_SIGN = re.compile(r'"(?:[^"\\]|\\.)*+"|[\[\]{}"]', re.DOTALL)
_SIGN_OR_KEY = re.compile(rf'"(?:[^"\\]|\\.)*+"{_S}(:)?|[{{}}]', re.DOTALL)
_BODY = re.compile(r'"(?:request|response)Object"')
_LOOK_AHEAD = 4096
"""An audit event names its auditID or its apiVersion within so many bytes."""
LOOK_BACK = 2 * _LOOK_AHEAD
"""What must stay in sight of a text that is searched piece by piece, so that no beginning is missed."""
_LONG = 1000
"""A value of fewer signs is read again rather than kept in mind."""
_KEPT = 1_000_000
"""Positions in one memory, which bounds it: those behind are told by the next."""
_LEVELS = 400
"""Far fewer than the scanner goes down."""
_FRAMES = 6
"""By so many levels it may go down less, called from further down."""
_BLANK = " \t\r\n"
_NOWHERE = 1 << 62
_TOKEN = 16
"""Longer than any token but a string: an error so near to the end may be only the end."""


class Text(str):
    """Text in which each thing is looked for again and again, each time a little further on, and once found is known.

    Values in values that break off at one sign, or close without being events, are read once for all of them. Of its
    errors the json module asks in which line they are, which would cost all the text before each; nobody reads that,
    so there is always none."""

    def __init__(self, _: str = "") -> None:
        super().__init__()
        self._matches: dict[re.Pattern[str], tuple[int, int, int]] = {}
        self._broke: tuple[int, str, int] | None = None
        self._broken: list[tuple[array[int], str, int]] = []
        self._cut: list[array[int]] = []
        self._others: list[array[int]] = []
        self._deep: list[array[int]] = []

    @cached_property
    def crowded(self) -> bool:
        """Whether all its values would take several times its memory; none of them is made then."""
        return is_crowded(self)

    def count(self, *_: object) -> int:
        """No line ends, for JSONDecodeError."""
        return 0

    def rfind(self, *_: object) -> int:
        """No line end, for JSONDecodeError."""
        return -1

    def first(self, pattern: re.Pattern[str], at: int) -> tuple[int, int]:
        """Where the first match at or behind `at` begins and ends; far behind the text if there is none."""
        begin, start, end = self._matches.get(pattern, (1, 0, 0))
        if not begin <= at <= start:
            found = pattern.search(self, at)
            start, end = found.span() if found else (_NOWHERE, _NOWHERE)
            self._matches[pattern] = at, start, end
        return start, end

    def value(self, at: int) -> tuple[Any, int]:
        """The value that begins here, and where it ends; of one in a crowded text its outline.

        Raises:
            json.JSONDecodeError, RecursionError: as the json module would.
        """
        if self._broke is not None and at > self._broke[0]:
            self._keep(*self._broke)
        for held, why, where in self._broken:
            if _among(held, at):
                raise json.JSONDecodeError(why, self, where)
        if any(_among(held, at) for held in self._deep):
            raise RecursionError
        try:
            return outline(self, at) if self.crowded else scan_once(self, at)
        except RecursionError:
            self._deep = [x for x in self._deep if x[-1] > at]
            self._deep.append(self._as_deep(at))
            raise
        except StopIteration as error:
            why, where = "Expecting value", int(error.value)
        except json.JSONDecodeError as error:
            why, where = error.msg, error.pos
        except CutError as error:
            why, where = "Expecting another sign", error.at
        if where - at > _LONG:
            # most often more is read then, and the next text asked
            self._broke = at, why, where
        raise json.JSONDecodeError(why, self, where)

    def _keep(self, at: int, why: str, where: int) -> None:
        self._broke = None
        self._broken = [x for x in self._broken if x[2] > at]
        self._broken.append((self._open(at, where, "{["), why, where))

    def _as_deep(self, at: int) -> array[int]:
        """Where brackets stand, in order, from this one on, from which values are nested too deep: each of them is
        read on for as far as the last of them, so that one is tried for all."""
        held = array("q")
        for found in _SIGN.finditer(self, at):
            sign = found[0]
            if sign in ("{", "["):
                held.append(found.start())
                if len(held) == _LEVELS:
                    break
            elif sign in ("}", "]"):
                held.pop()
        # most often all are, or hardly any
        deep, sound, tries = 0, len(held), [_FRAMES, len(held) - 1]
        while sound - deep > 1 and (tries or deep):
            tried = tries.pop() if tries else (deep + sound) // 2
            if not deep < tried < sound:
                continue
            if self._is_deep(held[tried]):
                deep = tried
            else:
                sound = tried
        return held[: max(1, deep - _FRAMES)]

    def _is_deep(self, at: int) -> bool:
        try:
            scan_once(self, at)
        except RecursionError:
            return True
        except (ValueError, StopIteration):
            pass
        return False

    def is_cut(self, at: int) -> bool:
        """Whether a value known to be `cut` holds one that begins here and ends no more than itself."""
        return any(_among(held, at) for held in self._cut)

    def cut(self, at: int) -> None:
        """Keeps in mind that by its brackets the value that begins here does not end in this text."""
        if not self.is_cut(at):
            self._cut.append(self._open(at, len(self), "{"))

    def is_event(self, at: int) -> bool:
        """Whether what begins here is an event, or breaks off before that can be told."""
        if any(_among(held, at) for held in self._others):
            return False
        try:
            value, end = self.value(at)
        except (ValueError, RecursionError):
            return True
        if "auditID" in value:
            return True
        if end - at > _LONG:
            self._others = [x for x in self._others if x[-1] > at]
            self._others.append(self._without_id(at, end))
        return False

    def _open(self, at: int, end: int, signs: str) -> array[int]:
        """Where the brackets that are still open at `end` stand, in order, from the one at `at` on."""
        held, depths, depth = array("q"), array("q"), 0
        for found in _SIGN.finditer(self, at, end):
            sign = found[0]
            if sign in ("{", "["):
                depth += 1
                if sign in signs and len(held) < _KEPT:
                    held.append(found.start())
                    depths.append(depth)
            elif sign in ("}", "]"):
                if depths and depths[-1] == depth:
                    held.pop()
                    depths.pop()
                depth -= 1
            elif sign == '"':
                # a string that does not end
                break
        return held

    def _without_id(self, at: int, end: int) -> array[int]:
        """Where the objects begin, in order, that stand in the value between these two and name no auditID of their
        own."""
        begins, named, opened = array("q"), bytearray(), array("q")
        for found in _SIGN_OR_KEY.finditer(self, at, end):
            sign = self[found.start()]
            if sign == "{":
                if len(begins) == _KEPT:
                    break
                opened.append(len(begins))
                begins.append(found.start())
                named.append(0)
            elif sign == "}":
                opened.pop()
            elif found[1] and scanstring(self, found.start() + 1, False)[0] == "auditID":
                named[opened[-1]] = 1
        for index in opened:
            # not seen to its end
            named[index] = 1
        return array("q", (begin for begin, has in zip(begins, named, strict=True) if not has))


def _among(held: array[int], at: int) -> bool:
    index = bisect_left(held, at)
    return index < len(held) and held[index] == at


class _Scanner(json.JSONDecoder):
    def raw_decode(self, s: str, idx: int = 0) -> tuple[Any, int]:
        return s.value(idx) if isinstance(s, Text) else super().raw_decode(s, idx)


SCANNER = _Scanner(strict=False, parse_int=float)
"""float, because int refuses more than 4,300 digits; no number is looked at."""


def string(text: str, at: int) -> tuple[str, int]:
    """The string that begins at this quote, unescaped, and where it ends."""
    if text[at : at + 1] != '"':
        raise json.JSONDecodeError("a string expected", text, at)
    found: tuple[str, int] = scanstring(text, at + 1, False)
    return found


def unended(error: Exception, text: str) -> bool:
    """Whether a value could not be read only because the text ends inside it; else it is damaged."""
    return isinstance(error, json.JSONDecodeError) and (
        error.msg.startswith("Unterminated string") or error.pos >= len(text) - _TOKEN
    )


def resumption(text: Text, start: int) -> int | None:
    """Where the next record or event begins after damage, at `start` or behind it; None if none is in sight.

    Of a damaged event what is found must be `trusted`, too.

    A beginning is: a record of a subscription; an object right after an object or at the very start of a line; what
    looks like an audit event in a list; the head that the API server writes, wherever it stands."""
    for found in _OBJECT.finditer(text, start):
        at = found.start()
        if RECORD_HEAD.match(text, at) or EVENT_HEAD.match(text, at):
            return at
        last = text[at - 1 : at]
        before = text[max(0, at - 200) : at].rstrip(" \t\r\n")[-1:] if last in _BLANK else last
        if before == "}" or (last == "\n" and before not in (",", "[", ":")):
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
    if found >= broke:
        return True
    if isinstance(text, Text):
        return text.first(_BODY, start)[1] > found
    return _BODY.search(text, start, found) is None


def _names_an_event(text: Text, at: int) -> bool:
    return text.first(_NAMED, at)[1] <= at + _LOOK_AHEAD and text.is_event(at)
