"""The compiled engine: kernels called with the arrays they were made for, rows and trees shared out to threads.

Threads are Python's: kernels hold no lock, and no library keeps workers that a fork would lose.
tests/models/test_engines.py."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.compiled import lanes
from models.compiled.attribute import attribute as add_shares
from models.compiled.grow import grow as grow_trees
from models.compiled.walk import score as add_scores
from models.trees import Grown, Tree, Trees, join

Doubles = NDArray[np.float64]
Singles = NDArray[np.float32]

WHOLE = False
LANES = lanes.LANES

# trees are made ready once for so many rows; more make no difference to the speed
_SCORED_AT_ONCE = 16384
# their shares must fit the cache
_ATTRIBUTED_AT_ONCE = 4096
_GROWN_AT_ONCE = 16
_LEAST = 512


def grow(rows: Singles, seeds: NDArray[np.uint64], n_sampled: int, threads: int) -> Grown:
    """See models.engines.Engine."""
    n_trees, most = len(seeds), 2 * n_sampled - 1
    sample, own = np.empty((n_trees, n_sampled), np.int32), np.empty((n_trees, n_sampled))
    grown: dict[int, list[Tree]] = {}

    def some(start: int, stop: int) -> None:
        shape = (stop - start, most)
        dim, right, mass, row = (np.empty(shape, np.int32) for _ in range(4))
        cut, count = np.empty(shape, np.float32), np.empty(stop - start, np.int64)
        grow_trees(
            rows, seeds[start:stop], dim, cut, right, mass, row, count, sample[start:stop], own[start:stop]
        )  # fmt: skip
        grown[start] = [Tree(*_first(count[t], dim[t], cut[t], right[t], mass[t], row[t])) for t in range(stop - start)]

    _share_out(some, n_trees, 1, _GROWN_AT_ONCE, threads)
    return Grown(join([tree for start in sorted(grown) for tree in grown[start]], rows), sample, own)


def codisp(trees: Trees, rows: Singles, threads: int) -> Doubles:
    """See models.engines.Engine."""
    return _score(trees, rows, threads, aws=False)


def aws_score(trees: Trees, rows: Singles, threads: int) -> Doubles:
    """See models.engines.Engine."""
    return _score(trees, rows, threads, aws=True)


def _score(trees: Trees, rows: Singles, threads: int, *, aws: bool) -> Doubles:
    total = np.zeros(len(rows))

    def some(start: int, stop: int) -> None:
        add_scores(rows[start:stop], aws, total[start:stop], *_arrays(trees))

    _share_out(some, len(rows), _LEAST, _SCORED_AT_ONCE, threads)
    return total / len(trees)


def attribute(trees: Trees, rows: Singles, threads: int) -> Doubles:
    """See models.engines.Engine."""
    n_rows, width = rows.shape
    shares = np.zeros((n_rows, 2 * width))

    def some(start: int, stop: int) -> None:
        add_shares(rows[start:stop], shares[start:stop], *_arrays(trees))

    _share_out(some, n_rows, _LEAST, _ATTRIBUTED_AT_ONCE, threads)
    shares /= len(trees)
    return shares.reshape(n_rows, 2, width).swapaxes(1, 2)


def _arrays(trees: Trees) -> tuple[Any, ...]:
    arrays = trees.rows, trees.first, trees.dim, trees.cut, trees.right, trees.mass, trees.row
    # a worker process may be handed them read-only, and for such arrays every kernel would be compiled anew
    return tuple(array if array.flags.writeable else array.copy() for array in arrays)


def _first(n: int, *arrays: NDArray[Any]) -> tuple[Any, ...]:
    return tuple(array[:n].copy() for array in arrays)


def _share_out(work: Callable[[int, int], None], n: int, least: int, at_once: int, threads: int) -> None:
    """Calls work(start, stop) for stretches of least to at_once that cover 0 to n, on so many threads."""
    # whoever takes few rows still has every tree's boxes to make
    at_once = max(least, min(at_once, -(-n // threads)))
    starts = range(0, n, at_once)
    if threads == 1 or len(starts) == 1:
        for start in starts:
            work(start, min(start + at_once, n))
        return
    with ThreadPoolExecutor(threads) as pool:
        # list() raises what a thread raised
        list(pool.map(lambda start: work(start, min(start + at_once, n)), starts))
