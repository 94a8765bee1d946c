"""The expected CoDisp by recursion over rrcf's own nodes, without ending a walk early."""

from __future__ import annotations

import numpy as np

from models.reference.grow import rrcf


def plain(node, x, joined=0.0):
    """CoDisp of x as a new row below node, expected over its insertion."""
    parted = max(node.n, joined)
    if isinstance(node, rrcf.Leaf):
        return joined if (node.x == x).all() else parted
    child, sibling = (node.l, node.r) if x[node.q] <= node.p else (node.r, node.l)
    below = plain(child, x, max(joined, sibling.n / (child.n + 1)))
    beyond = np.maximum(np.maximum(node.b[0] - x, x - node.b[-1]), 0).sum()
    chance = beyond / (np.ptp(node.b, axis=0).sum() + beyond)
    return (1 - chance) * below + chance * parted
