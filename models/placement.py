"""Rows in the units in which trees are grown and walked.

Every column is shifted by one of its fitted cells and all are scaled by one power of two, which changes no
CoDisp. The compiled engine takes single precision. rrcf rounds the rows it stores and not those it is asked
about; for it, rows become whole numbers, where rounding is the identity.
Imports nothing of ours. tests/models/test_placement.py."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from models.base import LARGEST

Doubles = NDArray[np.float64]

# whole numbers up to 2**53 add up without rounding, in any order: a span has the same bits however summed
_WHOLE_BITS = 52
# a finer unit could send a row of 1e30 to infinity
_FINEST = 200
# beyond this many spans, single precision knows no difference in the chance of a cut; sums stay finite
_FAR = 2.0**100
NEAR = 2.0**-60
"""In single precision a cell that differs from its column's middle by less than this part of the span is the middle."""

# so many rows and what is made of them on the way stay in the cache
_AT_ONCE = 1024


@dataclass(frozen=True)
class Placement:
    """Shift per column and one common factor, both undone exactly by their inverse.

    Attributes:
        origin: (n_features,), what becomes 0.
        exponent: one input unit is 2**exponent units of the trees.
        varying: positions of the columns in which fitted rows differ.
        constant: the other positions; no tree can cut there.
        whole: whole numbers in double precision, else single precision.
        lanes: rows are padded to a multiple of so many columns.
    """

    origin: Doubles
    exponent: int
    varying: NDArray[np.int64]
    constant: NDArray[np.int64]
    whole: bool
    lanes: int

    @classmethod
    def of(cls, x: Doubles, *, whole: bool, lanes: int = 1) -> Self:
        """The placement in which the summed column extents of x are 1 to 2, or 2**51 to 2**52 if whole.

        A column whose extent vanishes beside that sum counts as constant.
        """
        low, high = x.min(axis=0), x.max(axis=0)
        _, exponent_of_span = math.frexp(math.fsum(high - low))
        exponent = min((_WHOLE_BITS if whole else 1) - exponent_of_span, _FINEST)
        every = np.arange(x.shape[1])
        blank = cls(low if whole else _middle(x), exponent, every, every[:0], whole, 1)
        # rounding keeps the order, so a column's ends tell whether any two of its cells stay different
        ends = blank.place(np.stack([low, high]))
        moves = ends[1, : len(low)] > ends[0, : len(low)]
        return cls(blank.origin, exponent, np.flatnonzero(moves), np.flatnonzero(~moves), whole, lanes)

    @property
    def beside(self) -> int | None:
        """The placed column that holds how far a row is from the fitted cells of the constant columns, in all.

        The trees' own rows are 0 there, so no tree cuts it, and a row's distance from a box counts it like any
        other column. Whole rows have it even where there is no constant column: numpy adds up another number of
        cells in another order.
        """
        return len(self.varying) if _has_beside(len(self.constant), whole=self.whole) else None

    @property
    def width(self) -> int:
        """Columns of placed rows, padding included."""
        return placed_width(len(self.varying), len(self.constant), whole=self.whole, lanes=self.lanes)

    def place(self, x: Doubles) -> NDArray[Any]:
        """The rows of x, (n_rows, n_features), in the units of the trees, (n_rows, width); padding is 0."""
        rows = np.zeros((len(x), self.width), dtype=np.float64 if self.whole else np.float32)
        for start in range(0, len(x), _AT_ONCE):
            here = slice(start, start + _AT_ONCE)
            moved = self._move(x[here])
            if len(self.constant):
                rows[here, self.beside] = distances(moved[:, self.constant])
                moved = moved[:, self.varying]
            rows[here, : len(self.varying)] = moved
        return rows

    def away(self, x: Doubles) -> Doubles:
        """How far each row is from the fitted cell of each constant column, (n_rows, n_constant), signed."""
        return self._move(x)[:, self.constant].astype(np.float64)

    def _move(self, x: Doubles) -> NDArray[Any]:
        moved: Doubles = (x - self.origin) * np.ldexp(1.0, self.exponent)
        if self.whole:
            return np.rint(moved, out=moved)
        np.clip(moved, -_FAR, _FAR, out=moved)
        # the quotient of what is smaller and a share would leave single precision
        moved *= np.abs(moved) >= NEAR
        return moved.astype(np.float32)

    def take_back(self, rows: NDArray[Any]) -> Doubles:
        """The input rows, (n_rows, n_features), of placed ones; constant columns at their fitted cell."""
        x = np.tile(self.origin, (len(rows), 1))
        x[:, self.varying] += np.ldexp(rows[:, : len(self.varying)].astype(np.float64), -self.exponent)
        # what was rounded may lie just beyond what may be fitted
        return np.clip(x, -LARGEST, LARGEST, out=x)


def distances(away: NDArray[Any]) -> Doubles:
    """The sum of the absolute cells of each row, (n_rows,)."""
    total = np.zeros(len(away))
    # one column after the other: a sum over an axis may round otherwise alone than in a batch, or with a column more
    for column in away.T:
        total += np.abs(column)
    return total


def _middle(x: Doubles) -> Doubles:
    """A cell of each column with about as many below as above; most rows keep all their bits around it."""
    some = x[:: max(1, len(x) // 1000)]
    middle: Doubles = np.partition(some, (len(some) - 1) // 2, axis=0)[(len(some) - 1) // 2]
    return middle


def placed_width(n_varying: int, n_constant: int, *, whole: bool, lanes: int) -> int:
    """Columns of placed rows, padding included; see Placement."""
    used = n_varying + _has_beside(n_constant, whole=whole)
    return -(-max(used, 1) // lanes) * lanes


def _has_beside(n_constant: int, *, whole: bool) -> bool:
    return whole or n_constant > 0
