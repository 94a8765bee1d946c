"""Is a selector one that pipelines/parsing/redact.py keeps whole? On JSON text as it stands.

tests/pipelines/test_compiled_values.py compares with the SQL."""

from __future__ import annotations

from pipelines.compiled.fields import SELECTED_FIELDS
from pipelines.compiled.jit import kernel
from pipelines.compiled.vectors import byte
from pipelines.compiled.words import find

_COMMA, _NOT, _EQUALS, _SLASH, _COLON, _PERCENT, _DOT, _MINUS, _UNDERSCORE = b",!=/:%.-_"


@kernel
def is_letter(c: int) -> bool:
    """An ASCII letter?"""
    return 97 <= (c | 32) <= 122


@kernel
def _digit(c: int) -> int:
    if 48 <= c <= 57:
        return c - 48
    return (c | 32) - 87 if 97 <= (c | 32) <= 102 else 256


@kernel
def _spelled(p: int, end: int, sign: int) -> int:
    """Bytes that the sign takes here, as it is or by its number; 0 where another character stands."""
    if p >= end:
        return 0
    if byte(p) == sign:
        return 1
    if byte(p) != _PERCENT or p + 3 > end:
        return 0
    return 3 if 16 * _digit(byte(p + 1)) + _digit(byte(p + 2)) == sign else 0


@kernel
def _past_name(p: int, end: int, sign: int) -> int:
    """Where the letters, digits, dots, minus signs and underscores at p end, and those of one sign more."""
    while p < end:
        c = byte(p)
        if is_letter(c) or 48 <= c <= 57 or c in (_DOT, _MINUS, _UNDERSCORE):
            p += 1
            continue
        more = _spelled(p, end, sign)
        if more == 0:
            return p
        p += more
    return p


@kernel
def labels_only(p: int, end: int) -> bool:
    """Does the labelSelector from p to end name labels, and no value?"""
    while True:
        p = _past_name(p + _spelled(p, end, _NOT), end, _SLASH)
        if p >= end:
            return True
        more = _spelled(p, end, _COMMA)
        if more == 0:
            return False
        p += more


@kernel
def fields_only(p: int, end: int, limit: int, known: int) -> bool:
    """Does the fieldSelector from p to end ask for nothing but fields whose values are kept?"""
    if p >= end:
        return True
    while True:
        name = p
        while p < end and (is_letter(byte(p)) or byte(p) == _DOT):
            p += 1
        if p == name or find(name, p - name, SELECTED_FIELDS, limit, known) < 0:
            return False
        p += _spelled(p, end, _NOT)
        more = _spelled(p, end, _EQUALS)
        if more == 0:
            return False
        p += more
        p = _past_name(p + _spelled(p, end, _EQUALS), end, _COLON)
        if p >= end:
            return True
        more = _spelled(p, end, _COMMA)
        if more == 0:
            return False
        p += more
