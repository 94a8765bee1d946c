"""What can be saved of a line that is no event: the events of a list, the event in a wrapper, the start of a cut one.

Pure; tests/pipelines/test_salvage.py cuts a line at every byte."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from json.decoder import scanstring  # type: ignore[attr-defined]

from pipelines.lines import Inner, unwrap
from pipelines.lists import apart

_DECODER = json.JSONDecoder(strict=False)
_SPACE = re.compile(r"[ \t\r\n]*")
_MARK = b"[Truncated...]"
_BODIES = ("requestObject", "responseObject")
"""Never kept in part: what is missing would be read as not asked for."""


@dataclass(frozen=True)
class BadLine:
    """A line that became no row, and what is known of it."""

    source: int
    pos: int
    line: bytes
    is_object: bool
    has_id: bool
    has_time: bool
    raw: bool
    cut: bool
    logged_ms: int | None
    inside: bool

    @property
    def reason(self) -> str:
        """Why it became no row, for quarantine."""
        return ("in a list: " if self.inside else "") + self._reason()

    def _reason(self) -> str:
        if not self.is_object:
            return "cut off by the sender" if self.line.rstrip().endswith(_MARK) else "not a JSON object"
        if b'"properties"' in self.line and b'"category"' in self.line:
            return "an Azure diagnostics record; expected the audit events of Amazon EKS"
        missing = [name for name, has in (("auditID", self.has_id), ("time", self.has_time)) if not has]
        return f"no audit event: {' and '.join(missing)} missing or unreadable"


def saved(bad: BadLine) -> list[Inner] | None:
    """The events to try in its place; None where it belongs into quarantine."""
    if bad.cut:
        return None
    as_it_is = Inner(bad.source, bad.pos, bad.line, bad.line, bad.raw, False, bad.logged_ms, bad.inside)
    if not bad.inside:
        parts = apart(bad.line)
        if parts is not None:
            return [replace(as_it_is, pos=bad.pos + at, line=one, parsed=one, inside=True) for at, one in parts]
    if bad.is_object:
        inner = None if bad.inside else unwrap(bad.line)
        return None if inner is None else [replace(as_it_is, line=inner, parsed=inner, inside=True)]
    mended = repaired(bad.line, dated=bad.logged_ms is not None)
    return None if mended is None else [replace(as_it_is, parsed=mended, cut=True)]


def repaired(line: bytes, dated: bool = False) -> bytes | None:
    """What stands whole before the cut, as one JSON object; None where no audit id or no time stands before it.

    A member of which the end is missing is left out; of an object that is cut its whole members stay.

    Args:
        dated: is the time known from elsewhere?
    """
    # one character a byte: JSON's own signs are ASCII, and only they matter here
    text = line.decode("latin-1")
    at = _space(text, 0)
    if text[at : at + 1] != "{" or '"auditID"' not in text:
        return None
    mended = ("{" + ",".join(_members(text, at + 1, deep=2)) + "}").encode("latin-1")
    try:
        found = json.loads(mended)
        # lone surrogates are no text for the engine
        json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return mended if isinstance(found.get("auditID"), str) and (dated or _has_time(found)) else None


def _has_time(event: dict[str, object]) -> bool:
    """Does the event hold a time that dates it?"""
    stamp = event.get("stageTimestamp", event.get("timestamp"))
    try:
        return isinstance(stamp, str) and datetime.fromisoformat(stamp) is not None
    except ValueError:
        return False


def _members(text: str, at: int, deep: int) -> Iterator[str]:
    """Whole members of the object that begins before `at`, each as its text, up to the cut."""
    try:
        while True:
            at = _space(text, at)
            if text[at] != '"':
                return
            start = at
            key, at = scanstring(text, at + 1, False)
            at = _space(text, at)
            if text[at] != ":":
                return
            value = _space(text, at + 1)
            try:
                _, at = _DECODER.raw_decode(text, value)
            except (ValueError, RecursionError):
                if deep and text[value] == "{" and key not in _BODIES:
                    yield text[start:value] + "{" + ",".join(_members(text, value + 1, deep - 1)) + "}"
                return
            after = _space(text, at)
            if text[after : after + 1] not in (",", "}") and text[at - 1] not in '"}]el':
                # a number at the very end may have lost its last digits
                return
            yield text[start:at]
            if text[after : after + 1] != ",":
                return
            at = after + 1
    except (ValueError, IndexError):
        return


def _space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at
