"""Which columns a row's score comes from, by compiled code.

Rows walk a tree as in models/compiled/walk.py, and everyone's meetings with nodes are listed on the way up;
read from the end, the list has each row's nodes from the root.
tests/models/test_engines.py compares with the plain walk of models/reference/walk.py."""

from __future__ import annotations

import numpy as np

from models.compiled.jit import kernel
from models.compiled.lanes import LANES, add_sides
from models.compiled.walk import Doubles, Flags, Ints, Longs, Rows, Singles, beyond_box, boxes, descend, meet, values

# shares are added up in single precision over so many trees, then in double
_FLUSH = 32


@kernel
def _deciders(dim: Ints, right: Ints, mass: Ints, width: int, joined: Doubles, decider: Ints) -> None:
    """Fills the place in a row of shares of the cut that decides joined: its column, left before right."""
    decider[0] = 0
    for v in range(len(dim)):
        if dim[v] >= 0:
            a, b = v + 1, right[v]
            # the nearest of equals decides
            decider[a] = dim[v] if joined[a] == mass[b] / (mass[a] + 1.0) else decider[v]
            decider[b] = width + dim[v] if joined[b] == mass[a] / (mass[b] + 1.0) else decider[v]


@kernel
def _list(
    order: Rows, start: int, n: int, beyond: Singles, leaf: bool, who: Rows, far: Singles
) -> tuple[int, int]:  # fmt: skip
    """How many of rows order[start : start + n] lie beyond the box, and how many are listed in who.

    Those beyond come first, in order, too, and in far with their distances; at a leaf the others follow, which
    are equal to it.
    """
    kept = np.uint64(0)
    for k in range(np.uint64(n)):
        who[kept] = order[np.uint64(start) + k]
        far[kept] = beyond[k]
        kept += np.uint64(beyond[k] > 0.0)
    listed = kept
    if leaf:
        for k in range(np.uint64(n)):
            if beyond[k] == 0.0:
                who[listed] = order[np.uint64(start) + k]
                listed += np.uint64(1)
    for k in range(kept):
        order[np.uint64(start) + k] = who[k]
    return int(kept), int(listed)


@kernel
def _depth(dim: Ints, right: Ints, depth: Longs) -> int:
    """Nodes on the longest way from the root to a leaf."""
    depth[0] = 1
    most = 1
    for v in range(len(dim)):
        most = max(most, depth[v])
        if dim[v] >= 0:
            depth[v + 1] = depth[right[v]] = depth[v] + 1
    return most


@kernel
def _list_meetings(
    x: Singles, dim: Ints, right: Ints, settled: Flags, lo: Singles, hi: Singles, start: Longs, size: Longs,
    order: Rows, beyond: Singles, entry: Longs, outside: Longs, entries: Longs, who: Rows, far: Singles,
) -> None:  # fmt: skip
    """Fills who and far with the rows that meet each node and how far they are from its box, children first.

    Those of node v stand from entry[v] on: outside[v] that lie beyond its box, then those that end there,
    entries[v] in all. Rows have been sent down before.
    """
    end = 0
    for v in range(len(dim) - 1, -1, -1):
        entry[v], outside[v], entries[v] = end, 0, size[v]
        if size[v] == 0:
            continue
        s, leaf = start[v], dim[v] < 0
        if settled[v]:
            for k in range(size[v]):
                who[end + k] = order[s + k]
        else:
            meet(v, leaf, right, start, size, order)
            beyond_box(x, order, s, size[v], lo, hi, v, beyond)
            outside[v], entries[v] = _list(order, s, size[v], beyond, leaf, who[end:], far[end:])
            size[v] = outside[v]
        end += entries[v]


@kernel
def attribute(
    x: Singles, shares: Doubles,
    rows: Singles, first: Longs, dims: Ints, cuts: Singles, rights: Ints, masses: Ints, leaf_rows: Ints,
) -> None:  # fmt: skip
    """Adds to shares what each row of x scores as a new row, by column and side.

    Args:
        x: (n_asked, n_padded), as many rows as fit the cache.
        shares: (n_asked, 2 n_padded), sums over the trees; low sides first.
        rows to leaf_rows: see models.trees.Trees.
    """
    n_asked, width = x.shape
    most = np.max(first[1:] - first[:-1])
    lo, hi = np.empty((most, width), np.float32), np.empty((most, width), np.float32)
    span, joined, parted = np.empty(most), np.empty(most), np.empty(most)
    settled, decider = np.empty(most, np.bool_), np.empty(most, np.int32)
    start, size = np.empty(most, np.int64), np.empty(most, np.int64)
    order, rest = np.empty(n_asked, np.uint32), np.empty(n_asked, np.uint32)
    deepest = 1
    for t in range(len(first) - 1):
        deepest = max(deepest, _depth(dims[first[t] : first[t + 1]], rights[first[t] : first[t + 1]], start))
    # one entry for each meeting of a row and a node, children first
    who, far = np.empty(n_asked * deepest + 1, np.uint32), np.empty(n_asked * deepest + 1, np.float32)
    entry, outside, entries = np.empty(most, np.int64), np.empty(most, np.int64), np.empty(most, np.int64)
    beyond = np.empty(n_asked + LANES, np.float32)
    # the chance that a row has not been cut off so far
    left_over = np.empty(n_asked)
    recent = np.zeros((n_asked, 2 * width), np.float32)
    for t in range(len(first) - 1):
        here = slice(first[t], first[t + 1])
        dim, cut, right, mass = dims[here], cuts[here], rights[here], masses[here]
        values(dim, right, mass, False, joined, parted, settled)
        _deciders(dim, right, mass, width, joined, decider)
        boxes(rows, dim, right, leaf_rows[here], lo, hi, span)
        descend(x, dim, cut, right, settled, start, size, order, rest)
        _list_meetings(
            x, dim, right, settled, lo, hi, start, size, order, beyond, entry, outside, entries, who, far
        )  # fmt: skip
        left_over[:] = 1.0
        for v in range(len(dim)):
            stop = entry[v] + outside[v]
            # of two equal displacements the ancestor's decides: then walks that end early say the same
            own = mass[v] > joined[v]
            for k in range(entry[v], stop):
                i = who[k]
                out_by = np.float64(far[k])
                # chance of being cut off, and of not, for each unit of distance and of span
                each = left_over[i] / (span[v] + out_by)
                left_over[i] = each * span[v]
                each *= parted[v]
                if own:
                    add_sides(recent, i, np.float32(each), x, i, lo, hi, v)
                else:
                    recent[i, decider[v]] += np.float32(each * out_by)
            for k in range(stop, entry[v] + entries[v]):
                recent[who[k], decider[v]] += np.float32(left_over[who[k]] * joined[v])
        if t % _FLUSH == _FLUSH - 1 or t == len(first) - 2:
            for i in range(n_asked):
                for d in range(2 * width):
                    shares[i, d] += np.float64(recent[i, d])
                    recent[i, d] = 0.0
