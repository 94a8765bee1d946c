"""Records of a CloudWatch Logs subscription: one log line in each of `logEvents`, as a JSON string.

The bytes of a message are those the API server wrote: escapes are undone, nothing else is touched."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import NamedTuple

from pipelines.envelopes.scan import SCANNER, string
from pipelines.parsing.brackets import expect, skip
from pipelines.sources.base import AUDIT_STREAMS

_LAST_MS = 253402300800000
"""The year 10000; a time behind it is none."""
_HEAD = re.compile(r'\{"id":"[^"\\]*+","timestamp":(\d{1,14}+),"message":"')
_ESCAPES = re.compile(rb"((?:\\u[0-9a-fA-F]{4})+)|\\(.)", re.DOTALL)
_TELLING = frozenset(("messageType", "logStream", "logEvents"))
_PLAIN = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"b": b"\b", b"f": b"\f"}


class Message(NamedTuple):
    """One log line: where it stands, its bytes, and when it was logged, UTC (0: not said)."""

    start: int
    line: bytes
    at_ms: int


@dataclass
class Record:
    """One record: where it ends, the members that say what it is, and its messages."""

    end: int = 0
    members: dict[str, object] = field(default_factory=dict)
    messages: list[Message] | None = None

    @property
    def passed_over(self) -> int:
        """Messages that are no audit log: a health probe counts as one."""
        if self.members.get("messageType") == "CONTROL_MESSAGE":
            return 1
        stream = self.members.get("logStream")
        other = isinstance(stream, str) and not stream.startswith(AUDIT_STREAMS)
        return len(self.messages or ()) if other else 0


def is_record(value: dict[str, object]) -> bool:
    """Whether an object is such a record, whatever the order of its keys."""
    return "logEvents" in value or value.get("messageType") in ("DATA_MESSAGE", "CONTROL_MESSAGE")


def record(text: str, at: int) -> Record:
    """The record that begins at this brace.

    Raises:
        ValueError, RecursionError: it is damaged, or the text ends inside it.
    """
    found = Record()
    at = skip(text, at + 1)
    while expect(text, at, '}"') == '"':
        key, at = _key(text, at)
        if key == "logEvents" and text[at : at + 1] == "[" and key not in found.members:
            messages, at = _messages(text, at)
            found.messages = [*(found.messages or ()), *messages]
        elif key in found.members or (key == "logEvents" and found.messages is not None):
            # whichever counts, the other one may hold events, or hide them as those of another stream
            raise json.JSONDecodeError("a second member of one name", text, at)
        else:
            value, at = SCANNER.raw_decode(text, at)
            if key in _TELLING:
                found.members[key] = value
        at = _next(text, at, "}")
    found.end = at + 1
    return found


def _messages(text: str, at: int) -> tuple[list[Message], int]:
    found = []
    at = skip(text, at + 1)
    while text[at : at + 1] != "]":
        message, at = _usual(text, at) or _message(text, at)
        found.append(message)
        at = at + 1 if text[at : at + 2] == ",{" else _next(text, at, "]")
    return found, at + 1


def _usual(text: str, at: int) -> tuple[Message, int] | None:
    """What _message gives for the form that CloudWatch writes, three times as fast; None for another form."""
    head = _HEAD.match(text, at)
    if not head:
        return None
    start = head.end()
    value, end = scanstring(text, start, False)
    if text[end : end + 1] != "}":
        return None
    return Message(start, _bytes(text, start, end - 1, value), int(head[1])), end + 1


def _message(text: str, at: int) -> tuple[Message, int]:
    """A message and where its element ends; an element without one stands for itself."""
    begin, start, line, at_ms, met = at, at, None, 0, False
    if text[at : at + 1] != "{":
        _, at = SCANNER.raw_decode(text, at)
        return Message(begin, text[begin:at].encode("latin-1"), 0), at
    at = skip(text, at + 1)
    while expect(text, at, '}"') == '"':
        key, at = _key(text, at)
        if key == "message" and met:
            raise json.JSONDecodeError("a second message", text, at)
        met = met or key == "message"
        if key == "message" and text[at : at + 1] == '"':
            start = at + 1
            line, at = string_bytes(text, at)
        else:
            member, at = SCANNER.raw_decode(text, at)
            if key == "timestamp" and isinstance(member, float) and 0 < member < _LAST_MS:
                at_ms = int(member)
        at = _next(text, at, "}")
    at += 1
    if line is None:
        start, line = begin, text[begin:at].encode("latin-1")
    return Message(start, line, at_ms), at


def _key(text: str, at: int) -> tuple[str, int]:
    key, at = string(text, at)
    at = skip(text, at)
    expect(text, at, ":")
    return key, skip(text, at + 1)


def _next(text: str, at: int, end: str) -> int:
    at = skip(text, at)
    if expect(text, at, "," + end) == end:
        return at
    at = skip(text, at + 1)
    if text[at : at + 1] == end:
        raise json.JSONDecodeError("a comma before the end", text, at)
    return at


def string_bytes(text: str, at: int) -> tuple[bytes, int]:
    """The bytes of the JSON string that begins at this quote, without its escapes, and where it ends.

    Raises:
        ValueError: it does not end, or holds what is no escape.
    """
    value, end = string(text, at)
    return _bytes(text, at + 1, end - 1, value), end


def _bytes(text: str, start: int, end: int, value: str) -> bytes:
    # a \u escape and a raw byte may be the same character of the Latin-1 text; only then it is done on the bytes
    if text.find("\\u", start, end) < 0:
        return value.encode("latin-1")
    return unescaped(text[start:end].encode("latin-1"))


def unescaped(raw: bytes) -> bytes:
    r"""The bytes of a JSON string without its escapes; half a surrogate pair gives bytes that are no UTF-8."""
    if b"\0" in raw or b"\\u0000" in raw:
        return _ESCAPES.sub(_one, raw)
    # the two frequent escapes go in bulk; a NUL, which JSON must escape, keeps the place of a backslash
    bulk = raw.replace(b"\\\\", b"\0").replace(b'\\"', b'"')
    return _ESCAPES.sub(_one, bulk).replace(b"\0", b"\\")


def _one(escape: re.Match[bytes]) -> bytes:
    if escape[1]:
        text: str = json.loads(b'"' + escape[1] + b'"')
        return text.encode("utf-8", "surrogatepass")
    return _PLAIN.get(escape[2], escape[2])
