"""Where a JSON value ends, by RFC 8259 and no more; -1 for what is not certainly valid.

Escaped surrogates and U+0000, numbers out of the ordinary: the engine reads them its own way, so they are none of ours.
All places are addresses: p where to look, end where the line ends, limit where what may be read at all ends.
tests/pipelines/test_compiled_values.py."""

from __future__ import annotations

from pipelines.compiled.jit import kernel
from pipelines.compiled.vectors import WIDTH, byte, first_bit, stops

QUOTE, BACKSLASH, SPACE, MINUS, DOT, ZERO = b'"\\ -.0'
_LETTER_U, _E, _LARGE_E, _PLUS = b"ueE+"
ESCAPED = 1 << 62
"""Added to the end of a string that holds an escape; no address is as high."""
PLACE = ESCAPED - 1
_MOST_DIGITS = 40


@kernel
def past_space(p: int, end: int) -> int:
    """The first place from p on that holds no JSON whitespace, or the end."""
    while p < end:
        c = byte(p)
        # most texts have none: one comparison
        if c > SPACE or not (c == SPACE or c == 9 or c == 10 or c == 13):
            break
        p += 1
    return p


@kernel
def hex_value(p: int, end: int) -> int:
    """The value of four hex digits, or -1."""
    if p + 4 > end:
        return -1
    value = 0
    for k in range(4):
        c = byte(p + k)
        if 48 <= c <= 57:
            digit = c - 48
        elif 97 <= (c | 32) <= 102:
            digit = (c | 32) - 87
        else:
            return -1
        value = 16 * value + digit
    return value


@kernel
def _past_escape(p: int, end: int) -> int:
    """Where the escape at p ends."""
    if p + 1 >= end:
        return -1
    c = byte(p + 1)
    if c == _LETTER_U:
        value = hex_value(p + 2, end)
        return -1 if value <= 0 or 0xD800 <= value <= 0xDFFF else p + 6
    # " \ / b f n r t
    return p + 2 if c in (QUOTE, BACKSLASH, 47, 98, 102, 110, 114, 116) else -1


@kernel
def _past_character(p: int, end: int) -> int:
    """Where the character at p ends, which is no ASCII (Unicode 15, table 3-7)."""
    c = byte(p)
    more, least, most = 0, 0x80, 0xBF
    if 0xC2 <= c <= 0xDF:
        more = 1
    elif 0xE0 <= c <= 0xEF:
        more = 2
        if c == 0xE0:
            least = 0xA0
        elif c == 0xED:
            most = 0x9F
    elif 0xF0 <= c <= 0xF4:
        more = 3
        if c == 0xF0:
            least = 0x90
        elif c == 0xF4:
            most = 0x8F
    if more == 0 or p + more >= end:
        return -1
    second = byte(p + 1)
    if second < least or second > most:
        return -1
    for k in range(2, more + 1):
        if byte(p + k) >> 6 != 2:
            return -1
    return p + more + 1


@kernel
def string_end(p: int, end: int, limit: int) -> int:
    """The place of the quote that ends the string which begins at p, with ESCAPED added; or -1."""
    escaped = 0
    while True:
        if p + WIDTH <= limit:
            found = stops(p)
            if found == 0:
                p += WIDTH
                if p >= end:
                    return -1
                continue
            p += first_bit(found)
        else:
            while p < end:
                c = byte(p)
                if c < SPACE or c >= 128 or c in (QUOTE, BACKSLASH):
                    break
                p += 1
        if p >= end:
            return -1
        c = byte(p)
        if c == QUOTE:
            return p + escaped
        if c == BACKSLASH:
            escaped = ESCAPED
            p = _past_escape(p, end)
        elif c >= 128:
            p = _past_character(p, end)
        else:
            return -1
        if p < 0:
            return -1


@kernel
def _past_digits(p: int, end: int) -> int:
    while p < end and 48 <= byte(p) <= 57:
        p += 1
    return p


@kernel
def number_end(p: int, end: int) -> int:
    """Where the number at p ends; -1 also for one too long or too large to be read alike everywhere."""
    first = p
    if p < end and byte(p) == MINUS:
        p += 1
    whole = p
    p = _past_digits(p, end)
    if p == whole or (p > whole + 1 and byte(whole) == ZERO):
        return -1
    if p < end and byte(p) == DOT:
        part = p + 1
        p = _past_digits(part, end)
        if p == part:
            return -1
    if p < end and (byte(p) == _E or byte(p) == _LARGE_E):
        p += 1
        if p < end and (byte(p) == _PLUS or byte(p) == MINUS):
            p += 1
        part = p
        p = _past_digits(part, end)
        if p == part or p > part + 2:
            return -1
    return p if p - first <= _MOST_DIGITS else -1


@kernel
def literal_end(p: int, end: int) -> int:
    """Where true, false or null ends that begins at p."""
    if p + 4 > end:
        return -1
    a, b, c, d = byte(p), byte(p + 1), byte(p + 2), byte(p + 3)
    if (a == 116 and b == 114 and c == 117 and d == 101) or (a == 110 and b == 117 and c == 108 and d == 108):
        return p + 4
    if a == 102 and b == 97 and c == 108 and d == 115 and p + 5 <= end and byte(p + 4) == 101:
        return p + 5
    return -1
