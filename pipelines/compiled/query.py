"""Has a URI nothing to hide? The common case of pipelines/parsing/redact.py, on JSON text as it stands.

tests/pipelines/test_compiled_values.py compares with the SQL."""

from __future__ import annotations

from pipelines.compiled.fields import ANY_VALUE, LABELS_ONLY, PARAMETERS
from pipelines.compiled.jit import kernel
from pipelines.compiled.selectors import fields_only, is_letter, labels_only
from pipelines.compiled.strict import BACKSLASH, hex_value
from pipelines.compiled.vectors import byte
from pipelines.compiled.words import find

_QUESTION, _AND, _SEMICOLON, _EQUALS, _HASH, _PERCENT, _SLASH, _LETTER_U = b"?&;=#%/u"
_OTHER = 256
_LONGEST_WORD = 24


@kernel
def _sign(p: int, end: int) -> int:
    """The character at p, escaped or not, if it is an ASCII one."""
    c = byte(p)
    if c != BACKSLASH:
        return c
    if byte(p + 1) != _LETTER_U:
        return _OTHER
    value = hex_value(p + 2, end)
    return value if value < 128 else _OTHER


@kernel
def _past(p: int) -> int:
    """Where the character at p ends, or its first byte if it is no ASCII."""
    if byte(p) != BACKSLASH:
        return p + 1
    return p + 6 if byte(p + 1) == _LETTER_U else p + 2


@kernel
def _is_token(p: int, end: int) -> bool:
    """Do the letters eyJ begin here?"""
    return byte(p) == 101 and p + 3 <= end and byte(p + 1) == 121 and byte(p + 2) == 74


@kernel
def _is_proxy(p: int, end: int) -> bool:
    """Does /proxy begin here?"""
    return (
        byte(p) == _SLASH and p + 6 <= end
        and byte(p + 1) == 112 and byte(p + 2) == 114 and byte(p + 3) == 111 and byte(p + 4) == 120
        and byte(p + 5) == 121
    )  # fmt: skip


@kernel
def _past_path(p: int, end: int) -> int:
    """Where the path at p ends, if all of it is kept; -1 where that is not certain."""
    while p < end:
        c = byte(p)
        if c == _QUESTION:
            return p
        if c == BACKSLASH:
            return p if _sign(p, end) == _QUESTION else -1
        if c in (_SEMICOLON, _HASH, _PERCENT) or _is_token(p, end):
            return -1
        if _is_proxy(p, end):
            word = p + 7 if p + 6 < end and byte(p + 6) == _SLASH else p + 6
            p = word
            while p < end and is_letter(byte(p)):
                if _is_token(p, end):
                    return -1
                p += 1
            return end if p == end and p - word <= _LONGEST_WORD else -1
        p += 1
    return end


@kernel
def _past_value(p: int, end: int) -> int:
    """Where the value at p ends, if nothing in it parts it or is a token; else -1."""
    while p < end:
        sign = _sign(p, end)
        if sign == _AND:
            return p
        if sign in (_QUESTION, _SEMICOLON, _HASH, _OTHER) or _is_token(p, end):
            return -1
        if byte(p) == BACKSLASH and sign != _EQUALS:
            return -1
        p = _past(p)
    return end


@kernel
def _may_hold(what: int, p: int, end: int, limit: int, known: int) -> bool:
    if what == ANY_VALUE:
        return True
    return labels_only(p, end) if what == LABELS_ONLY else fields_only(p, end, limit, known)


@kernel
def harmless(p: int, end: int, limit: int, known: int) -> bool:
    """Does all stay of the URI from p to end, the inside of a valid JSON string?

    False also where that is not certain.
    """
    p = _past_path(p, end)
    if p < 0:
        return False
    if p >= end:
        return True
    p = _past(p)
    while True:
        name = p
        while p < end and (byte(p) != BACKSLASH and byte(p) != _EQUALS and byte(p) != _AND):
            p += 1
        sign = _sign(p, end) if p < end else _AND
        if sign != _EQUALS and sign != _AND:
            return False
        what = find(name, p - name, PARAMETERS, limit, known) if p > name else ANY_VALUE
        if what < 0 or (p == name and sign == _EQUALS):
            return False
        if sign == _EQUALS:
            value = _past(p)
            p = _past_value(value, end)
            if p < 0 or not _may_hold(what, value, p, limit, known):
                return False
        if p >= end:
            return True
        p = _past(p)
