"""What can be saved of a line that is no event: the events of a list, the event in a wrapper, the start of a cut one.

Pure; tests/pipelines/test_salvage.py cuts a line at every byte."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from pipelines.parsing.brackets import CutError, members, skip
from pipelines.parsing.handed import Inner
from pipelines.parsing.heavy import BODY, LINE, lightened, pared
from pipelines.parsing.lists import apart
from pipelines.parsing.prefixes import cleared
from pipelines.parsing.wrapped import MOST, unwrap

_DECODER = json.JSONDecoder(strict=False)
_MARK = b"[Truncated...]"
_BODIES = ("requestObject", "responseObject")
"""Never kept in part: what is missing would be read as not asked for."""


@dataclass(frozen=True)
class BadLine:
    """A line that became no row, and what is known of it.

    `line` is what the engine was handed; the last two tell of the line as it was read, where that is another."""

    source: int
    pos: int
    line: bytes
    is_object: bool
    has_id: bool
    has_time: bool
    raw: bool
    cut: bool
    logged_ms: int | None
    inside: int
    left_out: str | None = None
    line_bytes: int | None = None
    whole_sha256: str | None = None

    @property
    def reason(self) -> str:
        """Why it became no row, for quarantine."""
        return ("inside another line: " if self.inside else "") + self._reason()

    def _reason(self) -> str:
        if self.left_out == LINE and self.line.lstrip()[:1] == b"{":
            return "more bytes or JSON values than are read, and not in a body"
        if not self.is_object:
            return "cut off by the sender" if self.line.rstrip().endswith(_MARK) else "not a JSON object"
        if b'"properties"' in self.line and b'"category"' in self.line:
            return "an Azure diagnostics record; expected the audit events of Amazon EKS"
        missing = [name for name, has in (("auditID", self.has_id), ("time", self.has_time)) if not has]
        return f"no audit event: {' and '.join(missing)} missing or unreadable"


def saved(bad: BadLine) -> Iterable[Inner] | None:
    """The events to try in its place, each made when it is asked for; None where it belongs into quarantine."""
    if bad.cut:
        return None
    as_it_is = Inner(bad.source, bad.pos, bad.line, bad.line, bad.raw, False, bad.logged_ms, bad.inside)
    if bad.whole_sha256 is not None:
        as_it_is = replace(as_it_is, read_as=(bad.line_bytes or 0, bad.whole_sha256))
    if bad.inside < MOST:
        parts = apart(bad.line)
        if parts is not None:
            return (_inner(as_it_is, at, one) for at, one in parts)
        found = unwrap(bad.line)
        if found is not None:
            return [_taken_out(as_it_is, *found)]
    if bad.is_object:
        return None
    sound = _sound_part(bad)
    if sound is not None:
        return [replace(as_it_is, parsed=sound[0], left_out=BODY if sound[1] else None)]
    mended = _mended(bad) if bad.whole_sha256 is None else None
    return None if mended is None else [replace(as_it_is, parsed=mended, cut=True)]


def _sound_part(bad: BadLine) -> tuple[bytes, bool] | None:
    """What is read of a line that is damaged elsewhere, and whether its body is missing, as the damage stands there."""
    if bad.left_out is not None or b'"auditID"' not in bad.line:
        return None
    for body in (True, False):
        found = pared(bad.line, body=body)
        # what came back as it was sent, the engine refuses for a reason of its own
        if found is not None and found[0] != bad.line and _event(found[0]) is not None:
            return found
    return None


def _inner(outer: Inner, at: int, line: bytes) -> Inner:
    return replace(outer, pos=outer.pos + at, line=line, parsed=line, inside=outer.inside + 1, read_as=None)


def _taken_out(outer: Inner, line: bytes, as_text: bool) -> Inner:
    """The line that a wrapper held, cleared of a prefix as any line is."""
    length, prefix_ms = cleared(line)
    found = _inner(outer, length, line[length:])
    at_ms = outer.logged_ms if outer.logged_ms is not None or prefix_ms <= 0 else prefix_ms
    return replace(found, raw=outer.raw and as_text, logged_ms=at_ms)


def _mended(bad: BadLine) -> bytes | None:
    line = bad.line
    if bad.left_out == LINE:
        light = lightened(line, cut=True)
        if light is None:
            return None
        # as it was: without its end
        line = light[0][:-1] + b","
    return repaired(line, dated=bad.logged_ms is not None)


def repaired(line: bytes, dated: bool = False) -> bytes | None:
    """What stands whole before the cut, as one JSON object; None where no audit id or no time stands before it.

    A member of which the end is missing is left out; of an object that is cut its whole members stay.

    Args:
        dated: is the time known from elsewhere?
    """
    # one character a byte: JSON's own signs are ASCII, and only they matter here
    text = line.decode("latin-1")
    at = skip(text, 0)
    if text[at : at + 1] != "{" or '"auditID"' not in text:
        return None
    mended = ("{" + ",".join(_members(text, at, deep=2)) + "}").encode("latin-1")
    found = _event(mended)
    return mended if found is not None and (dated or _has_time(found)) else None


def _event(line: bytes) -> dict[str, object] | None:
    """The object that the engine would read here, if it names an auditID."""
    try:
        found = json.loads(line.decode(), parse_int=float, parse_constant=_refused)
        # lone surrogates are no text for the engine
        json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found.get("auditID"), str) else None


def _refused(constant: str) -> None:
    raise ValueError(constant)


def _has_time(event: dict[str, object]) -> bool:
    """Does the event hold a time that dates it?"""
    stamp = event.get("stageTimestamp", event.get("timestamp"))
    try:
        return isinstance(stamp, str) and datetime.fromisoformat(stamp) is not None
    except ValueError:
        return False


def _members(text: str, at: int, deep: int) -> Iterator[str]:
    """Whole members of the object that begins here, each as its text, up to the cut or to what is no JSON."""
    try:
        for key, start, value, end in members(text, at):
            if start == value:
                return
            if not _whole(text, start, end):
                yield from _part(text, key, start, value, deep)
                return
            yield text[start:end]
    except CutError as cut:
        if cut.member is not None:
            yield from _part(text, *cut.member, deep)


def _part(text: str, key: str, start: int, value: int, deep: int) -> Iterator[str]:
    """A member whose value is an object, with the whole members of this."""
    name = text[start:value]
    if deep and text[value : value + 1] == "{" and key not in _BODIES and _is_json("{" + name + "0}"):
        yield name + "{" + ",".join(_members(text, value, deep - 1)) + "}"


def _whole(text: str, start: int, end: int) -> bool:
    """Is that a member, and all of it?"""
    after = skip(text, end)
    if text[after : after + 1] not in (",", "}") and text[end - 1] not in '"}]el':
        # a number at the very end may have lost its last digits
        return False
    return _is_json("{" + text[start:end] + "}")


def _is_json(text: str) -> bool:
    try:
        _DECODER.decode(text)
    except (ValueError, RecursionError):
        return False
    return True
