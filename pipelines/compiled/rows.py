"""All lines of a buffer at once: which are taken, and the values of those that are wanted, texts by their number.

Each line is read and numbered in one go, while its bytes are at hand. tests/pipelines/test_compiled_lane.py."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipelines.compiled.encode import NO_CODE, code_of
from pipelines.compiled.fields import COLUMN_OF
from pipelines.compiled.jit import kernel
from pipelines.compiled.scan import NOTHING, SPAN_LENGTH, STACK, ordinary

Ints = NDArray[np.int32]
Longs = NDArray[np.int64]
Flags = NDArray[np.bool_]

DAY_US = 86_400_000_000
NUMBERED, NUMBERED_IF_NOT_EMPTY, AS_FOUND = 0, 1, 2
"""What is done with a column: equal texts get one number, an empty one perhaps none, or values stay as found."""

_STAGE_TS = COLUMN_OF["stage_ts"]


class Found(NamedTuple):
    """What fill() fills: of each line the first two, of each row (field, row) the next, of each text the last.

    `days` counts from 1970. `firsts` (field, number) holds the text of a number, `counts` how many there are;
    `places` (field, a power of two at least twice the lines) is 0 all over."""

    taken: Flags
    days: Longs
    lines: Longs
    values: Longs
    codes: Ints
    firsts: Longs
    counts: Longs
    places: Longs


@kernel
def fill(base: int, size: int, offsets: Ints, known: int, wanted: Longs, every: bool, how: Longs, found: Found) -> int:
    """How many rows there are: lines that are taken and of a wanted day.

    Args:
        base, size: where the bytes of all lines stand; offsets: where each starts, and the last ends.
        known: where the table of words stands.
        wanted: days since 1970; every: whether all are wanted.
        how: of each field NUMBERED, NUMBERED_IF_NOT_EMPTY or AS_FOUND.
    """
    taken, days, lines, values, codes, firsts, counts, places = found
    limit, rows, mask = base + size, 0, places.shape[1] - 1
    line, opened = np.empty(len(how), np.int64), np.empty(STACK, np.uint8)
    for i in range(len(offsets) - 1):
        line[:] = NOTHING
        first, end = base + offsets[i], base + offsets[i + 1]
        if not ordinary(first, end, limit, base, known, line.ctypes.data, opened.ctypes.data):
            continue
        taken[i] = True
        days[i] = line[_STAGE_TS] // DAY_US
        if not every and not (wanted == days[i]).any():
            continue
        for field in range(len(how)):
            value = line[field]
            if how[field] == AS_FOUND:
                values[field, rows] = value
            elif value == NOTHING or (how[field] == NUMBERED_IF_NOT_EMPTY and (value >> 32) & SPAN_LENGTH == 0):
                codes[field, rows] = NO_CODE
            else:
                of_field = places.ctypes.data + 8 * (mask + 1) * field, firsts.ctypes.data + 8 * len(days) * field
                code = code_of(value, base, limit, of_field[0], mask, of_field[1], counts[field])
                codes[field, rows] = code
                counts[field] += code == counts[field]
        lines[rows] = i
        rows += 1
    return rows
