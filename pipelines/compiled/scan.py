"""One walk over a line: is it strict JSON, an ordinary event, and where does each value stand?

The walk keeps a stack of what is open: the group of keys of an object that is read, or what else it is. Every byte is
looked at, also of what is not read. Places are addresses; limit is where the bytes of all lines end.
tests/pipelines/test_compiled_lane.py."""

from __future__ import annotations

import numpy as np

from pipelines.compiled.fields import BODY_WORDS, COLUMN_OF, ROOT, Kind
from pipelines.compiled.jit import kernel
from pipelines.compiled.query import harmless
from pipelines.compiled.strict import ESCAPED, PLACE, QUOTE, literal_end, number_end, past_space, string_end
from pipelines.compiled.times import NO_TIME, microseconds
from pipelines.compiled.vectors import byte, number, put_byte, put_word
from pipelines.compiled.words import find
from pipelines.parsing.caps import ENTRIES, NAME

NOTHING = -(1 << 63)
"""Of a value that is not there; a text is its place in the buffer and, 32 bits higher, its length."""
SPAN_ESCAPED = 1 << 62
"""Added to a text that holds an escape."""
SPAN_START, SPAN_LENGTH = (1 << 32) - 1, (1 << 30) - 1

STACK = 256
"""Objects and lists that may be open at once; a byte each."""
_OTHER, _LIST = 254, 255
_BRACE, _END_BRACE, _BRACKET, _END_BRACKET, _COMMA, _COLON = b"{}[],:"
_MOST_DIGITS = 9
_LONGEST = NAME
"""Bytes of a text that is read, so no more characters; lines with longer ones, or longer lists, are left to the SQL."""
_HAS_BODY = 2

_OBJECT, _TEXT, _TEXTS, _FIRST = int(Kind.OBJECT), int(Kind.TEXT), int(Kind.TEXTS), int(Kind.FIRST)
_TIME, _INTEGER, _BODY, _SKIP = int(Kind.TIME), int(Kind.INTEGER), int(Kind.BODY), int(Kind.SKIP)
_AUDIT_ID, _STAGE_TS, _VERB = COLUMN_OF["audit_id"], COLUMN_OF["stage_ts"], COLUMN_OF["verb"]
_RESOURCE, _URI = COLUMN_OF["resource"], COLUMN_OF["request_uri"]


@kernel
def _span(start: int, stop: int, base: int) -> int:
    """A text from start to stop, which is as string_end gives it."""
    return (start - base) | (((stop & PLACE) - start) << 32) | (stop & ESCAPED)


@kernel
def _list(p: int, end: int, limit: int, base: int, whole: bool, to: int) -> int:
    """Where the list of texts at p ends, which is noted whole or by its first text; -1 if it is another list."""
    first = p + 1
    p = past_space(first, end)
    if p < end and byte(p) == _END_BRACKET:
        if whole:
            put_word(to, _span(first, first, base))
        return p + 1
    count = 0
    while p < end and byte(p) == QUOTE:
        stop = string_end(p + 1, end, limit)
        if stop < 0:
            return -1
        if count == 0 and not whole:
            put_word(to, _span(p + 1, stop, base))
        count += 1
        if count > ENTRIES or (stop & PLACE) - p - 1 > _LONGEST:
            return -1
        p = past_space((stop & PLACE) + 1, end)
        if p >= end:
            return -1
        c = byte(p)
        if c == _END_BRACKET:
            if whole:
                put_word(to, _span(first, p, base))
            return p + 1
        if c != _COMMA:
            return -1
        p = past_space(p + 1, end)
    return -1


@kernel
def _integer(p: int, stop: int) -> int:
    """The number, if it is a short whole one that is not negative; else NOTHING."""
    if stop - p > _MOST_DIGITS:
        return NOTHING
    value = 0
    while p < stop:
        digit = byte(p) - 48
        if digit < 0 or digit > 9:
            return NOTHING
        value = 10 * value + digit
        p += 1
    return value


@kernel
def _simple(p: int, end: int, limit: int, base: int, kind: int, to: int) -> int:
    """Where the text, number or literal at p ends, noted as its key asks; -1 if it is not what the key wants."""
    c = byte(p)
    if c == QUOTE:
        stop = string_end(p + 1, end, limit)
        if stop < 0:
            return -1
        last = stop & PLACE
        if kind == _TEXT:
            if last - p - 1 > _LONGEST:
                return -1
            put_word(to, _span(p + 1, stop, base))
        elif kind == _TIME:
            time = microseconds(p + 1, last - p - 1)
            put_word(to, time)
            if time == NO_TIME:
                return -1
        elif kind > _BODY:
            return -1
        return last + 1
    if c >= 97:
        stop = literal_end(p, end)
        # null is no value, whatever the key wants
        return stop if kind <= _BODY or c == 110 else -1
    stop = number_end(p, end)
    if stop > 0 and kind == _INTEGER:
        found = _integer(p, stop)
        put_word(to, found)
        return -1 if found == NOTHING else stop
    return stop if kind <= _BODY else -1


@kernel
def _walk(p: int, end: int, limit: int, base: int, known: int, to: int, opened: int) -> int:
    """1 for a line that is one object of strict JSON with every field as expected, 3 if it has a body; else 0.

    Args:
        base: where the buffer starts; known: the table of words; to: where the values are put;
        opened: STACK bytes, the stack.
    """
    p = past_space(p, end)
    if p >= end or byte(p) != _BRACE:
        return 0
    p = past_space(p + 1, end)
    seen, found_body, depth, here = np.uint64(0), 0, 0, ROOT
    while p < end:
        kind, column = _SKIP, 0
        if here != _LIST:
            if byte(p) != QUOTE:
                return 0
            stop = string_end(p + 1, end, limit)
            if stop < 0:
                return 0
            if here != _OTHER:
                # an escape may spell a key that is read
                if stop >= ESCAPED:
                    return 0
                found = find(p + 1, stop - p - 1, here, limit, known)
                if found >= 0:
                    bit = np.uint64(1) << np.uint64(found & 255)
                    if seen & bit:
                        return 0
                    seen |= bit
                    kind, column = (found >> 8) & 255, found >> 16
                    if kind == _BODY:
                        found_body = _HAS_BODY
            p = past_space((stop & PLACE) + 1, end)
            if p >= end or byte(p) != _COLON:
                return 0
            p = past_space(p + 1, end)
            if p >= end:
                return 0
        c = byte(p)
        if c == _BRACE or (c == _BRACKET and kind != _TEXTS and kind != _FIRST):
            put_byte(opened + depth, here)
            depth += 1
            if depth == STACK or not (kind <= _BODY or (kind == _OBJECT and c == _BRACE)):
                return 0
            here = _LIST if c == _BRACKET else (column if kind == _OBJECT else _OTHER)
            p = past_space(p + 1, end)
            if p >= end:
                return 0
            if byte(p) != (_END_BRACKET if here == _LIST else _END_BRACE):
                continue
        else:
            if c == _BRACKET:
                p = _list(p, end, limit, base, kind == _TEXTS, to + 8 * column)
            else:
                p = _simple(p, end, limit, base, kind, to + 8 * column)
            if p < 0:
                return 0
            p = past_space(p, end)
        # a value has ended, or an empty one is about to
        while p < end:
            c = byte(p)
            if c == _COMMA:
                p = past_space(p + 1, end)
                break
            if c != (_END_BRACKET if here == _LIST else _END_BRACE):
                return 0
            p = past_space(p + 1, end)
            depth -= 1
            if depth < 0:
                return 1 | found_body if p == end else 0
            here = byte(opened + depth)
    return 0


@kernel
def _may_read_body(base: int, limit: int, known: int, span: int) -> bool:
    """Could a fact read the body of a request with this verb, or resource?"""
    if span == NOTHING:
        return False
    # an escape may spell any word
    return span >= SPAN_ESCAPED or find(base + (span & SPAN_START), span >> 32, BODY_WORDS, limit, known) >= 0


@kernel
def _value(to: int, column: int) -> int:
    return number(to + 8 * column)


@kernel
def ordinary(p: int, end: int, limit: int, base: int, known: int, to: int, opened: int) -> bool:
    """Is the line from p to end one that may be taken? Its values stand at `to` then, in the order of COLUMN_OF.

    Args:
        base: where the buffer starts; limit: where it ends; known: where the table of words stands.
        to: as many words as there are fields, NOTHING in each; opened: where STACK bytes are free.
    """
    walked = _walk(p, end, limit, base, known, to, opened)
    if walked == 0 or _value(to, _AUDIT_ID) == NOTHING or _value(to, _STAGE_TS) == NOTHING:
        return False
    # a fact asks for a verb and a resource by name
    if (
        walked & _HAS_BODY
        and _may_read_body(base, limit, known, _value(to, _VERB))
        and _may_read_body(base, limit, known, _value(to, _RESOURCE))
    ):
        return False
    uri = _value(to, _URI)
    start = base + (uri & SPAN_START)
    return uri == NOTHING or harmless(start, start + ((uri >> 32) & SPAN_LENGTH), limit, known)
