"""Texts that stand somewhere in a buffer to columns: which are equal, and their bytes one after the other.

Texts are spans as pipelines.compiled.scan notes them. tests/pipelines/test_compiled_columns.py."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipelines.compiled.jit import kernel
from pipelines.compiled.scan import NOTHING, SPAN_ESCAPED, SPAN_LENGTH, SPAN_START
from pipelines.compiled.strict import BACKSLASH, ESCAPED, PLACE, QUOTE, hex_value, string_end
from pipelines.compiled.vectors import WIDTH, byte, copy, number, put_byte, put_word, signed, word
from pipelines.compiled.words import head

Ints = NDArray[np.int32]
Longs = NDArray[np.int64]

NO_CODE = -1

_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_HALF = np.uint64(32)
_LETTER_U = ord("u")
# texts are clients' choice: those made to share one place would be compared each with each
_MOST_LOOKS = 32


@kernel
def _hash(p: int, n: int, limit: int) -> np.uint64:
    mixed = (head(p, n, limit) ^ np.uint64(n)) * _FACTOR
    if n > 8:
        k = 8
        while k + 8 < n:
            mixed = ((mixed ^ (mixed >> _HALF)) ^ word(p + k)) * _FACTOR
            k += 8
        mixed = ((mixed ^ (mixed >> _HALF)) ^ word(p + n - 8)) * _FACTOR
    return mixed ^ (mixed >> _HALF)


@kernel
def _equal(p: int, q: int, n: int, limit: int) -> bool:
    if n < 8:
        return bool(head(p, n, limit) == head(q, n, limit))
    k = 0
    while k + 8 < n:
        if word(p + k) != word(q + k):
            return False
        k += 8
    return bool(word(p + n - 8) == word(q + n - 8))


@kernel
def code_of(text: int, base: int, limit: int, places: int, mask: int, firsts: int, count: int) -> int:
    """The number of a text among those seen; count if it is a new one, or one of many that share a place.

    Args:
        base, limit: where the bytes stand.
        places: where mask + 1 words stand, a power of two, 0 at first; firsts: where the texts seen are put.
    """
    p, n = base + (text & SPAN_START), (text >> 32) & SPAN_LENGTH
    hashed = _hash(p, n, limit)
    place, mark = signed(hashed) & mask, signed(hashed >> _HALF) << 32
    for _ in range(_MOST_LOOKS):
        found = number(places + 8 * place)
        if found == 0:
            put_word(places + 8 * place, mark | (count + 1))
            put_word(firsts + 8 * count, text)
            return count
        if (found ^ mark) >> 32 == 0:
            code = (found & SPAN_START) - 1
            other = number(firsts + 8 * code)
            if other >> 32 == text >> 32 and _equal(p, base + (other & SPAN_START), n, limit):
                return code
        place = (place + 1) & mask
    put_word(firsts + 8 * count, text)
    return count


@kernel
def encode(base: int, size: int, texts: Longs, codes: Ints, places: Longs, firsts: Longs) -> int:
    """How many texts differ; fills the number of each text and, of each number, the text.

    Args:
        base, size: where the bytes stand.
        places: a power of two, at least twice the texts, 0 all over.
    """
    count = 0
    for i in range(len(texts)):
        codes[i] = code_of(
            texts[i], base, base + size, places.ctypes.data, len(places) - 1, firsts.ctypes.data, count
        )  # fmt: skip
        count += codes[i] == count
    return count


@kernel
def _put(value: int, to: int) -> int:
    """Where a character ends that is written as UTF-8."""
    if value < 0x80:
        put_byte(to, value)
        return to + 1
    if value < 0x800:
        put_byte(to, 0xC0 | value >> 6)
    else:
        put_byte(to, 0xE0 | value >> 12)
        to += 1
        put_byte(to, 0x80 | ((value >> 6) & 0x3F))
    put_byte(to + 1, 0x80 | (value & 0x3F))
    return to + 2


@kernel
def _unescaped(p: int, n: int, to: int) -> int:
    """Where the text ends that is written without its escapes."""
    end = p + n
    while p < end:
        c = byte(p)
        if c != BACKSLASH:
            put_byte(to, c)
            p, to = p + 1, to + 1
            continue
        c = byte(p + 1)
        if c == _LETTER_U:
            to = _put(hex_value(p + 2, end), to)
            p += 6
            continue
        # b f n r t; the others stand for themselves
        put_byte(to, 8 if c == 98 else 12 if c == 102 else 10 if c == 110 else 13 if c == 114 else 9 if c == 116 else c)
        p, to = p + 2, to + 1
    return to


@kernel
def write(base: int, size: int, texts: Longs, out: int, offsets: Ints) -> None:
    """Writes the texts one after the other, and fills where each starts and the last ends; NOTHING takes no room.

    Args:
        base, size: where the bytes stand.
        out: where as many bytes are free as the texts have with their escapes, and WIDTH more.
    """
    limit, to = base + size, out
    offsets[0] = 0
    for i in range(len(texts)):
        text = texts[i]
        if text != NOTHING:
            p, n, k = base + (text & SPAN_START), (text >> 32) & SPAN_LENGTH, 0
            if text >= SPAN_ESCAPED:
                to = _unescaped(p, n, to)
            else:
                while k < n and p + k + WIDTH <= limit:
                    copy(p + k, to + k)
                    k += WIDTH
                while k < n:
                    put_byte(to + k, byte(p + k))
                    k += 1
                to += n
        offsets[i + 1] = to - out


@kernel
def entries(base: int, size: int, lists: Longs, counts: Ints, texts: Longs) -> int:
    """How many texts these lists hold; fills how many each, and the texts if there is room for all.

    Args:
        base, size: where the bytes stand.
        lists: what stands between the brackets of each list of texts, valid JSON.
    """
    total = 0
    for i in range(len(lists)):
        p, before = base + (lists[i] & SPAN_START), total
        end = p + (lists[i] >> 32)
        while p < end:
            if byte(p) != QUOTE:
                p += 1
                continue
            stop = string_end(p + 1, end, base + size)
            if total < len(texts):
                texts[total] = (p + 1 - base) | (((stop & PLACE) - p - 1) << 32) | (stop & ESCAPED)
            total += 1
            p = (stop & PLACE) + 1
        counts[i] = total - before
    return total


@kernel
def spread(codes: Ints, counts: Ints, begins: Longs, values: Ints, offsets: Ints, out: Ints) -> None:
    """Lists written out for every row: fills where each row's list starts, and the values of all.

    Args:
        codes: of each row the list, or NO_CODE; counts, begins: of each list its length, and its place in values.
    """
    to = 0
    for i in range(len(codes)):
        offsets[i] = to
        if codes[i] != NO_CODE:
            for k in range(counts[codes[i]]):
                out[to + k] = values[begins[codes[i]] + k]
            to += counts[codes[i]]
    offsets[len(codes)] = to
