"""The integer grid on which trees are grown and rows are scored.

rrcf rounds the rows it stores and does not round the rows it is asked about, so a stored row need not
equal its own leaf. Here every row is put on one grid of whole numbers first, where rounding is the
identity. Imports nothing of ours. tests/models/test_grid.py."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

# whole numbers up to 2**53 add up without rounding, in any order: a span has the same bits however summed
_SPAN_BITS = 52
# a finer grid could send a row of 1e30 to infinity
_FINEST = 200


@dataclass(frozen=True)
class Grid:
    """Shift per column and one common factor: CoDisp is the same before and after both.

    Attributes:
        origin: (n_features,), smallest fitted value of each column.
        exponent: one input unit is 2**exponent grid units.
        varying: positions of the columns that are not constant in the fitted rows.
        constant: the other positions; no tree can cut there.
    """

    origin: NDArray[np.float64]
    exponent: int
    varying: NDArray[np.intp]
    constant: NDArray[np.intp]

    @classmethod
    def of(cls, x: NDArray[np.float64]) -> Self:
        """The grid whose unit is 2**-52 to 2**-51 of the summed column extents of x, a power of two."""
        origin = x.min(axis=0)
        extent = x.max(axis=0) - origin
        _, exponent_of_span = math.frexp(math.fsum(extent))
        exponent = min(_SPAN_BITS - exponent_of_span, _FINEST)
        moves = np.rint(np.ldexp(extent, exponent)) > 0
        return cls(origin, exponent, np.flatnonzero(moves), np.flatnonzero(~moves))

    def place(self, x: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Whole-number rows over the varying columns, and how far each row leaves the constant ones.

        Returns:
            (n_rows, n_varying) and (n_rows,), grid units, float64; the second is 0 for every fitted row.
        """
        placed = np.rint(np.ldexp(x - self.origin, self.exponent))
        outside = np.zeros(len(x))
        # one column after the other: a sum over an axis may round differently once a column is added
        for column in self.constant:
            outside += np.abs(placed[:, column])
        return np.ascontiguousarray(placed[:, self.varying]), outside
