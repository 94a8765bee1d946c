"""Rows sent down compiled trees: what each would score as a new row.

Rows walk a tree together. Going down, each node parts its rows by its cut; going up, it weighs the chance
that they were cut off just above it. Both are loops over rows without a branch that depends on one.
tests/models/test_engines.py compares with the plain walk of models/reference/walk.py."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.compiled.jit import kernel
from models.compiled.lanes import LANES, beyond_eight, unite

Singles = NDArray[np.float32]
Doubles = NDArray[np.float64]
Ints = NDArray[np.int32]
Flags = NDArray[np.bool_]
Longs = NDArray[np.int64]
Rows = NDArray[np.uint32]

# rows of one walk: what they need stays in the second-level cache
BLOCK = 4096
# a leaf's span, so small that a row is certain to be cut off from it unless it is equal
_POINT = 2.0**-120


@kernel
def values(dim: Ints, right: Ints, mass: Ints, aws: bool, joined: Doubles, parted: Doubles, settled: Flags) -> None:
    """Fills what a row scores that joins a leaf or is cut off above a node, and where that no longer differs."""
    n_nodes = len(dim)
    unit = np.log2(1.0 + mass[0])
    joined[0] = 0.0
    for v in range(n_nodes):
        if aws:
            # joined counts the depth on the way down
            parted[v] = unit / (joined[v] + 1.0)
            if dim[v] >= 0:
                joined[v + 1] = joined[right[v]] = joined[v] + 1.0
            else:
                joined[v] = unit * (1.0 - mass[v] / (2.0 * mass[0])) / (joined[v] + np.log2(1.0 + mass[v]))
        else:
            parted[v] = max(np.float64(mass[v]), joined[v])
            if dim[v] >= 0:
                a, b = v + 1, right[v]
                joined[a] = max(joined[v], mass[b] / (mass[a] + 1.0))
                joined[b] = max(joined[v], mass[a] / (mass[b] + 1.0))
    for v in range(n_nodes - 1, -1, -1):
        if aws:
            settled[v] = False
        elif dim[v] < 0:
            settled[v] = parted[v] == joined[v]
        else:
            a, b = v + 1, right[v]
            settled[v] = settled[a] and settled[b] and parted[a] == parted[v] == parted[b]


@kernel
def boxes(rows: Singles, dim: Ints, right: Ints, row: Ints, lo: Singles, hi: Singles, span: Doubles) -> None:
    """Fills the box of each node and its summed extents."""
    width = rows.shape[1]
    for v in range(len(dim) - 1, -1, -1):
        if dim[v] < 0:
            i = row[v]
            for d in range(width):
                lo[v, d] = hi[v, d] = rows[i, d]
            span[v] = _POINT
        else:
            span[v] = unite(lo, hi, v, v + 1, right[v])


@kernel
def beyond_box(
    x: Singles, order: Rows, start: int, n: int, lo: Singles, hi: Singles, v: int, out: Singles
) -> None:  # fmt: skip
    """Fills out[:n] with the distances of rows order[start : start + n] from the box of node v."""
    for k in range(0, n, LANES):
        beyond_eight(x, order, start + k, start + n - 1, lo, hi, v, out, k)


@kernel
def _part(x: Singles, column: int, place: np.float32, order: Rows, start: int, n: int, rest: Rows) -> int:
    """How many of rows order[start : start + n] go left; order then names them first, each side in its order."""
    # an index without a sign needs no look at whether it counts from the end
    width = np.uint64(x.shape[1])
    cells = x.reshape(-1)[column:]
    left, right = np.uint64(start), np.uint64(0)
    for k in range(np.uint64(start), np.uint64(start + n)):
        i = order[k]
        goes_left = np.uint64(cells[np.uint64(i) * width] <= place)
        order[left] = i
        rest[right] = i
        left += goes_left
        right += np.uint64(1) - goes_left
    for k in range(right):
        order[left + k] = rest[k]
    return int(left) - start


@kernel
def descend(
    x: Singles, dim: Ints, cut: Singles, right: Ints, settled: Flags, start: Longs, size: Longs, order: Rows, rest: Rows
) -> None:
    """Sends the rows of x down the tree: order[start : start + size] are those that pass or end at each node."""
    for k in range(len(x)):
        order[k] = k
    size[: len(dim)] = 0
    start[0], size[0] = 0, len(x)
    for v in range(len(dim)):
        if size[v] > 0 and dim[v] >= 0 and not settled[v]:
            left = _part(x, dim[v], cut[v], order, start[v], size[v], rest)
            a, b = v + 1, right[v]
            start[a], size[a] = start[v], left
            start[b], size[b] = start[v] + left, size[v] - left


@kernel
def meet(v: int, leaf: bool, right: Ints, start: Longs, size: Longs, order: Rows) -> None:
    """Puts the rows that are still outside at the children of v side by side, and counts them in size[v]."""
    if not leaf:
        s, b = start[v], right[v]
        n = size[v + 1]
        for k in range(start[b], start[b] + size[b]):
            order[s + n] = order[k]
            n += 1
        size[v] = n


@kernel
def _rise(order: Rows, start: int, n: int, chance: Singles, parted: float, scores: Doubles) -> int:
    """How many of rows order[start : start + n] have any chance to be cut off; order then names them first.

    Moves each one's score towards parted by that chance.
    """
    kept = np.uint64(start)
    for k in range(np.uint64(n)):
        i = order[np.uint64(start) + k]
        # this form leaves a score that equals parted untouched to the last bit
        scores[i] += np.float64(chance[k]) * (parted - scores[i])
        order[kept] = i
        kept += np.uint64(chance[k] > 0.0)
    return int(kept) - start


@kernel
def score(
    x: Singles, aws: bool, total: Doubles,
    rows: Singles, first: Longs, dims: Ints, cuts: Singles, rights: Ints, masses: Ints, leaf_rows: Ints,
) -> None:  # fmt: skip
    """Adds to total what each row of x scores as a new row, summed over the trees in their order.

    Args:
        x: (n_asked, n_padded).
        aws: inverse depth in place of collusive displacement.
        total: (n_asked,); a row's bits do not depend on the other rows.
        rows, first, dims, cuts, rights, masses, leaf_rows: see models.trees.Trees.
    """
    most = np.max(first[1:] - first[:-1])
    width = rows.shape[1]
    lo, hi = np.empty((most, width), np.float32), np.empty((most, width), np.float32)
    span, joined, parted = np.empty(most), np.empty(most), np.empty(most)
    settled = np.empty(most, np.bool_)
    start, size = np.empty(most, np.int64), np.empty(most, np.int64)
    order, rest = np.empty(BLOCK, np.uint32), np.empty(BLOCK, np.uint32)
    scores, chance = np.empty(BLOCK), np.empty(BLOCK, np.float32)
    beyond = np.empty(BLOCK + LANES, np.float32)
    for t in range(len(first) - 1):
        here = slice(first[t], first[t + 1])
        dim, cut, right, mass = dims[here], cuts[here], rights[here], masses[here]
        values(dim, right, mass, aws, joined, parted, settled)
        boxes(rows, dim, right, leaf_rows[here], lo, hi, span)
        for base in range(0, len(x), BLOCK):
            block = x[base : base + BLOCK]
            descend(block, dim, cut, right, settled, start, size, order, rest)
            for v in range(len(dim) - 1, -1, -1):
                if size[v] == 0:
                    continue
                s = start[v]
                if settled[v] or dim[v] < 0:
                    for k in range(s, s + size[v]):
                        scores[order[k]] = joined[v]
                if settled[v]:
                    continue
                meet(v, dim[v] < 0, right, start, size, order)
                n = size[v]
                beyond_box(block, order, s, n, lo, hi, v, beyond)
                for k in range(n):
                    chance[k] = beyond[k] / (np.float32(span[v]) + beyond[k])
                size[v] = _rise(order, s, n, chance, parted[v], scores)
            for k in range(len(block)):
                total[base + k] += scores[k]
