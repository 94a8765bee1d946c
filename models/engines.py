"""What grows and walks trees: compiled code, or the rrcf package with a plain walk.

tests/models/test_engines.py holds the two to the same scores of the same trees."""

from __future__ import annotations

from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from models.trees import Grown, Trees

Doubles = NDArray[np.float64]

ENGINES: Final = ("compiled", "rrcf")


class Engine(Protocol):
    """Functions of placed rows; see models.placement for what whole and lanes ask of them."""

    WHOLE: bool
    LANES: int

    def grow(self, rows: NDArray[Any], seeds: NDArray[np.uint64], n_sampled: int, threads: int) -> Grown:
        """One tree for each seed, over n_sampled of the rows; the threads change no bit."""
        ...

    def codisp(self, trees: Trees, rows: NDArray[Any], threads: int) -> Doubles:
        """Expected CoDisp of each row as a new row, averaged over the trees, (n_rows,)."""
        ...

    def aws_score(self, trees: Trees, rows: NDArray[Any], threads: int) -> Doubles:
        """Expected inverse depth of each row as a new row, averaged over the trees, (n_rows,)."""
        ...

    def attribute(self, trees: Trees, rows: NDArray[Any], threads: int) -> Doubles:
        """CoDisp by where it comes from, (n_rows, n_columns, 2): each column's low side and high side."""
        ...


def engine(name: str) -> Engine:
    """The engine of that name.

    Raises:
        ValueError: there is none of that name.
    """
    # each takes half a second to import, and only one is asked for
    if name == "compiled":
        from models.compiled import engine as compiled

        return compiled
    if name == "rrcf":
        from models.reference import engine as reference

        return reference
    raise ValueError(unknown(name))


def unknown(name: object) -> str:
    """What is wrong with the name of an engine that is none."""
    return f"engine: found {name!r}; expected one of {', '.join(map(repr, ENGINES))}"
