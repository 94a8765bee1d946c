"""What is usual in words: the middle of a principal's own nights, and of its peers'. tests/features/test_usual.py."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.counts import Counts, Floats

_LOW, _HIGH = 0.1, 0.9
_AT_ONCE = 1000


@dataclass(frozen=True)
class Usual:
    """Median of earlier nights, and the range that four of five nights lie in; NaN without a night.

    Shapes are (n, features)."""

    low: Floats
    median: Floats
    high: Floats

    @classmethod
    def unknown(cls, shape: tuple[int, int]) -> Usual:
        """Of no night at all."""
        return cls(*(np.full(shape, np.nan) for _ in range(3)))


def own_usual(tonight: Counts, past: Counts) -> Usual:
    """Of each of tonight's principals: what its own earlier nights were like."""
    found = Usual.unknown(tonight.values.shape)
    groups = past.groups
    places = groups.find(tonight.principals)
    known = np.flatnonzero(places >= 0)
    for begin in range(0, len(known), _AT_ONCE):
        rows = known[begin : begin + _AT_ONCE]
        starts, sizes = groups.starts[places[rows]], groups.sizes[places[rows]]
        nights = np.arange(sizes.max())
        at = np.minimum(starts[:, None] + nights, len(groups.order) - 1)
        cells = past.values[groups.order[at]]
        cells[nights >= sizes[:, None]] = np.nan
        found.low[rows], found.median[rows], found.high[rows] = _middle(cells, axis=1)
    return found


def peers_usual(tonight: Counts, past: Counts) -> Usual:
    """Of each of tonight's principals: what the earlier nights of its type were like."""
    found = Usual.unknown(tonight.values.shape)
    for kind in sorted(set(tonight.types)):
        rows, before = tonight.types == kind, past.values[past.types == kind]
        if len(before):
            found.low[rows], found.median[rows], found.high[rows] = _middle(before, axis=0)
    return found


def _middle(cells: Floats, axis: int) -> tuple[Floats, Floats, Floats]:
    """Low, median and high along an axis, NaN apart: numbers that were counted, but for a median between two."""
    ordered = np.sort(cells, axis=axis)
    number = (~np.isnan(ordered)).sum(axis=axis, keepdims=True)
    last = np.maximum(number - 1, 0)

    def at(place: Floats) -> Floats:
        return np.take_along_axis(ordered, place.astype(np.int64), axis=axis).squeeze(axis)

    median = (at(np.floor(last / 2)) + at(np.ceil(last / 2))) / 2
    return at(np.floor(_LOW * last)), median, at(np.ceil(_HIGH * last))
