"""Random cut trees, grown by compiled code: samples, cuts and preorder arrays.

Imports nothing of ours outside models/. tests/models/test_engines.py."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.compiled.jit import kernel

Singles = NDArray[np.float32]
Ints = NDArray[np.int32]

# Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014 (SplitMix64)
_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


@kernel
def _draw(state: NDArray[np.uint64]) -> np.uint64:
    """The next 64 random bits of a generator whose state is the one number in state."""
    state[0] += _STEP
    z = state[0]
    z = (z ^ (z >> np.uint64(30))) * _MIX_1
    z = (z ^ (z >> np.uint64(27))) * _MIX_2
    return np.uint64(z ^ (z >> np.uint64(31)))


@kernel
def _uniform(state: NDArray[np.uint64]) -> float:
    """A number in [0, 1), a multiple of 2**-53."""
    return float(_draw(state) >> np.uint64(11)) * 2.0**-53


@kernel
def _sample(deck: Ints, state: NDArray[np.uint64], swaps: Ints, sample: Ints) -> None:
    """Fills sample with different entries of deck, each subset as likely; leaves deck as it was."""
    n = len(sample)
    for k in range(n):
        swaps[k] = k + np.int64(_draw(state) % np.uint64(len(deck) - k))
        deck[k], deck[swaps[k]] = deck[swaps[k]], deck[k]
    for k in range(n):
        sample[k] = deck[k]
    for k in range(n - 1, -1, -1):
        deck[k], deck[swaps[k]] = deck[swaps[k]], deck[k]


@kernel
def _box(points: Singles, order: Ints, lo: Singles, hi: Singles, extent: NDArray[np.float64]) -> float:
    """Fills lo, hi and extent with the box of the points that order names; the sum of its extents."""
    width = points.shape[1]
    for d in range(width):
        lo[d] = hi[d] = points[order[0], d]
    for k in range(1, len(order)):
        i = order[k]
        for d in range(width):
            cell = points[i, d]
            lo[d] = cell if cell < lo[d] else lo[d]
            hi[d] = cell if cell > hi[d] else hi[d]
    span = 0.0
    for d in range(width):
        # exact in double precision unless the column spans more than 29 binary orders
        extent[d] = np.float64(hi[d]) - np.float64(lo[d])
        span += extent[d]
    return span


@kernel
def _cut(
    lo: Singles, hi: Singles, extent: NDArray[np.float64], span: float, state: NDArray[np.uint64]
) -> tuple[int, np.float32]:
    """A column, drawn with the chance of its extent, and a place in it with lo <= place < hi."""
    left = _uniform(state) * span
    column = 0
    for d in range(len(lo)):
        if extent[d] > 0.0:
            column = d
            left -= extent[d]
            if left < 0.0:
                break
    place = np.float32(lo[column] + _uniform(state) * extent[column])
    # rounded to single precision the place may be the upper end, which would leave the right side empty
    return column, place if place < hi[column] else lo[column]


@kernel
def _part(points: Singles, order: Ints, column: int, place: np.float32) -> int:
    """How many points go left; order then names them first."""
    left = 0
    right = len(order)
    while left < right:
        if points[order[left], column] <= place:
            left += 1
        else:
            right -= 1
            order[left], order[right] = order[right], order[left]
    return left


@kernel
def _tree(
    points: Singles, sample: Ints, state: NDArray[np.uint64],
    dim: Ints, cut: Singles, right: Ints, mass: Ints, row: Ints, leaf: Ints,
) -> int:  # fmt: skip
    """Fills the arrays with one tree over points, in preorder; leaf with each point's leaf. The node count."""
    n, width = points.shape
    lo, hi, extent = np.empty(width, np.float32), np.empty(width, np.float32), np.empty(width)
    order = np.arange(n).astype(np.int32)
    # open segments of order, with the node whose right child the segment becomes; the next one is on top
    start, stop, parent = np.empty(n + 1, np.int32), np.empty(n + 1, np.int32), np.empty(n + 1, np.int32)
    start[0], stop[0], parent[0] = 0, n, -1
    depth, node = 1, 0
    while depth > 0:
        depth -= 1
        a, b, right_of = start[depth], stop[depth], parent[depth]
        if right_of >= 0:
            right[right_of] = node
        mass[node] = b - a
        span = _box(points, order[a:b], lo, hi, extent)
        if span > 0.0:
            dim[node], cut[node] = _cut(lo, hi, extent, span, state)
            row[node] = -1
            middle = a + _part(points, order[a:b], dim[node], cut[node])
            start[depth], stop[depth], parent[depth] = middle, b, node
            start[depth + 1], stop[depth + 1], parent[depth + 1] = a, middle, -1
            depth += 2
        else:
            dim[node], cut[node], right[node] = -1, 0.0, -1
            row[node] = sample[order[a]]
            for k in range(a, b):
                leaf[order[k]] = node
        node += 1
    return node


@kernel
def _own_codisp(
    right: Ints, mass: Ints, dim: Ints, n_nodes: int, leaf: Ints, best: NDArray[np.float64], own: NDArray[np.float64]
) -> None:
    """Fills own with the CoDisp that each sampled row has as a member of the tree."""
    best[0] = 0.0
    for node in range(n_nodes):
        if dim[node] >= 0:
            a, b = node + 1, right[node]
            best[a] = max(best[node], mass[b] / mass[a])
            best[b] = max(best[node], mass[a] / mass[b])
    for k in range(len(leaf)):
        own[k] = best[leaf[k]]


@kernel
def grow(
    rows: Singles, seeds: NDArray[np.uint64],
    dim: Ints, cut: Singles, right: Ints, mass: Ints, row: Ints, count: NDArray[np.int64],
    sample: Ints, own: NDArray[np.float64],
) -> None:  # fmt: skip
    """Fills the arrays with one tree for each seed.

    Args:
        rows: (n_rows, n_features), finite.
        seeds: (n_trees,); a tree depends on its seed and the rows alone.
        dim, cut, right, mass, row: (n_trees, 2 n_sampled - 1), see models.trees.Trees.
        count: (n_trees,), nodes in each tree.
        sample: (n_trees, n_sampled), positions in rows of each tree's rows.
        own: (n_trees, n_sampled), CoDisp of each as a member of its tree.
    """
    n = sample.shape[1]
    deck = np.arange(len(rows)).astype(np.int32)
    swaps, leaf = np.empty(n, np.int32), np.empty(n, np.int32)
    points = np.empty((n, rows.shape[1]), np.float32)
    best = np.empty(2 * n - 1)
    state = np.empty(1, np.uint64)
    for t in range(len(seeds)):
        state[0] = seeds[t]
        _sample(deck, state, swaps, sample[t])
        for k in range(n):
            points[k] = rows[sample[t, k]]
        count[t] = _tree(points, sample[t], state, dim[t], cut[t], right[t], mass[t], row[t], leaf)
        _own_codisp(right[t], mass[t], dim[t], count[t], leaf, best, own[t])
