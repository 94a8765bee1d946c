"""Has the query of a URI nothing to hide? The common case of pipelines/redact.py, on JSON text as it stands.

tests/pipelines/test_compiled_values.py compares with the SQL."""

from __future__ import annotations

from pipelines.compiled.fields import PARAMETERS
from pipelines.compiled.jit import kernel
from pipelines.compiled.strict import BACKSLASH, hex_value
from pipelines.compiled.vectors import byte
from pipelines.compiled.words import find

_QUESTION, _AND, _SEMICOLON, _EQUALS, _LETTER_U = b"?&;=u"
_OTHER = 256


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
def harmless(p: int, end: int, limit: int, known: int) -> bool:
    """Has the URI from p to end, the inside of a valid JSON string, no query, or one of harmless parameters only?

    False also where that is not certain.
    """
    while p < end and _sign(p, end) != _QUESTION:
        p = _past(p)
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
        if p > name and find(name, p - name, PARAMETERS, limit, known) < 0:
            return False
        if p == name and sign == _EQUALS:
            return False
        while p < end and sign != _AND:
            p = _past(p)
            sign = _sign(p, end) if p < end else _AND
            if sign in (_QUESTION, _SEMICOLON):
                return False
        if p >= end:
            return True
        p = _past(p)
