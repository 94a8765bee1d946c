"""JSON values one after another, taken apart while they are read: records of a subscription, lists, events.

No grammar is asked for between the values: commas, brackets, white space, NULs and byte order marks there are passed
over, so lists, concatenated values and lines are read alike, one behind the other, in any mixture. What is no value
comes out as lines of its own bytes, for quarantine, and reading resumes at the next record or event.
tests/pipelines/test_envelopes.py and test_envelopes_damage.py hold the truth."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from hashlib import sha256

from pipelines.envelopes import firehose
from pipelines.envelopes.gather import START_BYTES, Gather
from pipelines.envelopes.limits import Limits, Readable
from pipelines.envelopes.scan import (
    LOOK_BACK,
    RECORD_HEAD,
    SCANNER,
    STRICT,
    Text,
    break_before,
    resumption,
    string,
    trusted,
    unended,
)
from pipelines.parsing.brackets import CutError, end_of, expect, skip
from pipelines.sources.base import Batch, LongLine

_WINDOW_BYTES = 4_000_000
_CLOSE_BYTES = 256_000
_BETWEEN = re.compile(r"(?:[ \t\r\n,\[\]\0]++|\xef\xbb\xbf)*+")
_COMMA = re.compile(r"[ \t\r\n,]*+")
_LIST_HEAD = re.compile(r'\{[ \t\r\n]*+"(?:items|(?:kind"[ \t\r\n]*+:[ \t\r\n]*+"(?:Event)?List"))')
_LINE = re.compile(r"[^ \t\r\n,][^\n]*")
_LIST_KEYS = frozenset({"kind", "apiVersion", "metadata", "items"})


class Values:
    """A walk over the values of one object; `offset` is where `head`, its first bytes, begins."""

    def __init__(self, source: str, offset: int, head: bytes, stream: Readable, limits: Limits) -> None:
        self._source, self._stream, self._limits = source, stream, limits
        self._unread, self._text, self._base, self._at = memoryview(head), Text(), offset, 0
        self._window = _WINDOW_BYTES
        self._ended = self._in_list = self._closed = False
        self._out = Gather(source, limits)

    def batches(self) -> Iterator[Batch | LongLine]:
        """Events in order, about 16 MB of them at a time."""
        while True:
            begin, self._at = self._at, skip(self._text, self._at, _BETWEEN)
            self._closed = self._closed or "]" in self._text[begin : self._at]
            if self._at < len(self._text):
                yield from self._one()
            elif self._ended:
                break
            else:
                self._more()
            if self._out.full:
                yield from self._out.flush()
        yield from self._out.flush()

    def _more(self) -> None:
        """Reads on: as much again as is not yet taken apart, so that little is looked at twice."""
        kept = self._text[self._at :]
        parts, size = [kept], 0
        # of a crowded text each look takes long: the next one is the last
        wanted = self._limits.line_bytes if self._text.crowded else max(1, len(kept))
        while size < wanted:
            data = self._read()
            if not data:
                self._ended = True
                break
            parts.append(data.decode("latin-1"))
            size += len(data)
        self._base += self._at
        self._text, self._at = Text("".join(parts)), 0

    def _read(self) -> bytes:
        size = min(self._window, self._limits.batch_bytes)
        if not self._unread:
            return self._stream.read(size)
        data, self._unread = bytes(self._unread[:size]), self._unread[size:]
        return data

    def _look_closely(self) -> None:
        """From the first damage on little text is held: each error of the json module counts all lines before it."""
        if self._window == _WINDOW_BYTES:
            self._window = _CLOSE_BYTES
            later = self._text[self._at + _CLOSE_BYTES :].encode("latin-1")
            if later:
                self._unread = memoryview(later + bytes(self._unread))
                self._text, self._ended = Text(self._text[: self._at + _CLOSE_BYTES]), False

    def _one(self) -> Iterator[Batch | LongLine]:
        """What begins here: a value, the tail of a list, or damage."""
        try:
            if self._in_list and self._closed and self._text[self._at] in '"}':
                self._at = _tail(self._text, self._at)
                self._in_list = self._closed = False
            else:
                self._closed = False
                expect(self._text, self._at, "{")
                yield from self._value()
        except RecursionError:
            yield from self._deep()
        except ValueError as error:
            if unended(error, self._text) and self._may_go_on():
                self._more()
            else:
                yield from self._damage(break_before(self._text, getattr(error, "pos", self._at)) - self._at)

    def _deep(self) -> Iterator[Batch | LongLine]:
        """A value nested too deep for the decoder: one line, its end told by its brackets."""
        try:
            if self._text.is_cut(self._at):
                raise CutError(self._at)
            end = end_of(self._text, self._at)
        except CutError:
            if self._may_go_on():
                self._more()
            else:
                self._text.cut(self._at)
                yield from self._damage(len(self._text) - self._at)
            return
        yield from self._take(end)

    def _may_go_on(self) -> bool:
        short = len(self._text) - self._at <= self._limits.line_bytes
        return short and not self._ended and self._text.first(STRICT, self._at + 1)[0] > len(self._text)

    def _value(self) -> Iterator[Batch | LongLine]:
        text, at = self._text, self._at
        if RECORD_HEAD.match(text, at):
            yield from self._record()
            return
        if _LIST_HEAD.match(text, at) and self._opened(at):
            return
        try:
            value, end = SCANNER.raw_decode(text, at)
        except json.JSONDecodeError as error:
            # a list whose items do not come first, and do not end in this text
            if unended(error, text) and self._opened(at):
                return
            raise
        if "auditID" in value:
            yield from self._take(end)
            self._events()
        elif firehose.is_record(value):
            yield from self._record()
        elif not (isinstance(value.get("items"), list) and self._opened(at)):
            yield from self._take(end)

    def _events(self) -> None:
        """Takes the events that stand here one behind the other, until anything else comes; the frequent case."""
        text, base, at = self._text, self._base, self._at
        add, longest = self._out.add, self._limits.line_bytes
        while not self._out.full:
            begin = at + 1 if text[at : at + 2] == ",{" else skip(text, at, _COMMA)
            if text[begin : begin + 1] != "{":
                break
            try:
                value, end = text.value(begin)
            except (ValueError, RecursionError):
                break
            if "auditID" not in value or end - begin > longest:
                break
            add(base + begin, text[begin:end].encode("latin-1"))
            at = end
        self._at = at

    def _opened(self, at: int) -> bool:
        inside = _items(self._text, at)
        if inside is None:
            return False
        self._at, self._in_list = inside, True
        return True

    def _record(self) -> Iterator[Batch | LongLine]:
        begin = self._at
        found = firehose.record(self._text, begin)
        if passed_over := found.passed_over:
            self._out.skip(passed_over)
            self._at = found.end
        elif found.messages is None or found.end - begin > self._limits.line_bytes:
            yield from self._take(found.end)
        else:
            for start, line, at_ms in found.messages:
                self._out.add(self._base + start, line, at_ms)
                if self._out.full:
                    yield from self._out.flush()
            self._at = found.end

    def _take(self, end: int) -> Iterator[Batch | LongLine]:
        """The bytes up to `end` as one line."""
        line = self._text[self._at : end].encode("latin-1")
        start, self._at = self._base + self._at, end
        if len(line) > self._limits.line_bytes:
            yield from self._out.long(start, line)
        else:
            self._out.add(start, line)

    def _damage(self, whole: int) -> Iterator[Batch | LongLine]:
        """Up to the next record or event, each line of it as a line.

        Args:
            whole: signs from here to where the JSON broke.
        """
        whole = max(1, whole)
        self._closed = False
        self._look_closely()
        while (end := self._resumption(whole)) is None and not self._ended:
            if len(self._text) - self._at > self._limits.line_bytes:
                yield from self._long()
                return
            self._more()
        end = len(self._text) if end is None else end
        for found in _LINE.finditer(self._text, self._at, end):
            self._at = found.start()
            yield from self._take(found.start() + len(found[0].rstrip(" \t\r,")))
            if self._out.full:
                yield from self._out.flush()
        self._at = end

    def _resumption(self, whole: int) -> int | None:
        begin, broke = self._at, self._at + whole
        found = resumption(self._text, begin + 1)
        if found is not None and not trusted(self._text, begin, broke, found):
            found = resumption(self._text, broke)
        return found

    def _long(self) -> Iterator[Batch | LongLine]:
        """What is longer than a line may be, up to the next record or event; never held as a whole."""
        yield from self._out.flush()
        start, begin = self._base + self._at, self._text[self._at : self._at + START_BYTES].encode("latin-1")
        digest, length, end = sha256(), 0, None
        while end is None:
            end = resumption(self._text, self._at + (length == 0))
            if end is None and self._ended:
                end = len(self._text)
            upto = len(self._text[:end].rstrip(" \t\r\n,")) if end is not None else len(self._text) - LOOK_BACK
            part = self._text[self._at : max(upto, self._at)].encode("latin-1")
            digest.update(part)
            length += len(part)
            self._at += len(part)
            if end is None:
                self._more()
            else:
                self._at = end
        yield LongLine(self._source, start, length, digest.hexdigest(), begin)


def _items(text: str, at: int) -> int | None:
    """Where the entries of a list of events begin, None for another object.

    Raises:
        json.JSONDecodeError: the text is damaged or ends before that can be told.
    """
    at = skip(text, at + 1)
    while expect(text, at, '"}') == '"':
        key, at = string(text, at)
        at = skip(text, at)
        expect(text, at, ":")
        at = skip(text, at + 1)
        if key == "items" and expect(text, at, "[{n") == "[":
            return at + 1
        if key not in _LIST_KEYS:
            return None
        _, at = SCANNER.raw_decode(text, at)
        at = skip(text, at)
        if expect(text, at, ",}") == ",":
            at = skip(text, at + 1)
    return None


def _tail(text: str, at: int) -> int:
    """Where a list ends whose entries have ended.

    Raises:
        json.JSONDecodeError: what stands there is no tail of a list, or is not all there.
    """
    while expect(text, at, '"}') == '"':
        begin = at
        key, at = string(text, at)
        # a second `items` would be passed over with all its events
        if key not in _LIST_KEYS or key == "items":
            raise json.JSONDecodeError("no key of a list", text, begin)
        at = skip(text, at)
        expect(text, at, ":")
        _, at = SCANNER.raw_decode(text, skip(text, at + 1))
        at = skip(text, at)
        if expect(text, at, ",}") == ",":
            at = skip(text, at + 1)
    return at + 1
