"""Words that compiled code knows, each within a group: the keys of an object, or a list of names.

A word's place in the table is found by one multiplication, chosen so that no two words share a place. The table is
one array of 64-bit words: the multiplier, the places (0 for none, else where the entry stands), the entries (first
and last eight bytes, length and group, meaning, where the text stands), the texts.
tests/pipelines/test_compiled_columns.py."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipelines.compiled.jit import kernel
from pipelines.compiled.vectors import byte, number, signed, word

Table = NDArray[np.uint64]

_BITS = 10
_MIX_GROUP, _MIX_TAIL = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)
_SHIFT, _EIGHT = np.uint64(64 - _BITS), np.uint64(8)
_MASK = (1 << 64) - 1
_FIRST_ENTRY, _ENTRY = 1 + (1 << _BITS), 5
GROUPS = 64


def table(known: Sequence[tuple[int, str, int]]) -> Table:
    """The table of these words: group (below GROUPS), text, and what find() gives for it (0 or more).

    Raises:
        ValueError: a word stands twice in its group.
    """
    named = [(group, text) for group, text, _ in known]
    if len(set(named)) < len(named):
        twice = sorted({text for group, text in named if named.count((group, text)) > 1})
        raise ValueError(f"{', '.join(twice)}: stands twice in its group; expected each word once")
    texts = [text.encode() for _, text, _ in known]
    heads = [int.from_bytes(text[:8], "little") for text in texts]
    tails = [int.from_bytes(text[-8:], "little") if len(text) >= 8 else 0 for text in texts]
    sizes = [GROUPS * len(text) + group for text, (group, _) in zip(texts, named, strict=True)]
    mixed = [
        (head ^ tail * int(_MIX_TAIL) ^ size * int(_MIX_GROUP)) & _MASK
        for head, tail, size in zip(heads, tails, sizes, strict=True)
    ]
    multiplier = _multiplier(mixed)
    places = [0] * (1 << _BITS)
    for i, m in enumerate(mixed):
        places[_place(m, multiplier)] = _FIRST_ENTRY + _ENTRY * i
    padded = [text + bytes(-len(text) % 8) for text in texts]
    starts = itertools.accumulate((len(text) // 8 for text in padded), initial=_FIRST_ENTRY + _ENTRY * len(known))
    entries = zip(heads, tails, sizes, [meaning for *_, meaning in known], starts, strict=False)
    last = np.frombuffer(b"".join(padded), np.uint64).tolist()
    return np.array([multiplier, *places, *itertools.chain(*entries), *last], np.uint64)


def _place(mixed: int, multiplier: int) -> int:
    return ((mixed * multiplier) & _MASK) >> int(_SHIFT)


def _multiplier(mixed: Sequence[int]) -> int:
    chosen = random.Random(0)
    return next(
        multiplier
        for multiplier in (chosen.getrandbits(64) | 1 for _ in itertools.count())
        if len({_place(m, multiplier) for m in mixed}) == len(mixed)
    )


@kernel
def head(p: int, n: int, limit: int) -> np.uint64:
    """The first eight of n bytes at address p, zeros behind the last; nothing is read from limit on."""
    if p + 8 <= limit:
        found = word(p)
        return found if n >= 8 else found & ((np.uint64(1) << np.uint64(8 * n)) - np.uint64(1))
    found = np.uint64(0)
    for k in range(min(n, 8)):
        found |= np.uint64(byte(p + k)) << np.uint64(8 * k)
    return found


@kernel
def find(p: int, n: int, group: int, limit: int, known: int) -> int:
    """What the word of n bytes at address p means in a group of the table at address known; -1 if it is not there."""
    first = head(p, n, limit)
    last = word(p + n - 8) if n >= 8 else np.uint64(0)
    size = np.uint64(GROUPS * n + group)
    mixed = first ^ (last * _MIX_TAIL) ^ (size * _MIX_GROUP)
    at = known + 8 * number(known + 8 + 8 * signed((mixed * word(known)) >> _SHIFT))
    if at == known or word(at) != first or word(at + 8) != last or word(at + 16) != size:
        return -1
    text, k = known + 8 * number(at + 32), 8
    while k + 8 < n:
        if word(p + k) != word(text + k):
            return -1
        k += 8
    return number(at + 24)
