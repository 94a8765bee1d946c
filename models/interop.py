"""Trees of the rrcf package taken over, and given back.

tests/models/test_interop.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.base import check_cells
from models.engines import engine
from models.placement import Placement
from models.reference.grow import flatten, rrcf
from models.trees import Tree, Trees, boxes, depths, ends, join

Doubles = NDArray[np.float64]


def from_rrcf(given: Sequence[Any], name: str) -> tuple[Placement, Trees]:
    """The trees of rrcf.RCTree objects as the engine of that name takes them, and the units they are in then.

    Raises:
        ValueError: see RandomCutForest.from_rrcf.
    """
    flat = [_flat(k, tree) for k, tree in enumerate(given)]
    widths = {points.shape[1] for _, points in flat}
    if len(widths) != 1:
        raise ValueError(f"trees: found {sorted(widths) or 'none'} columns; expected one width in at least one tree")
    made_by = engine(name)
    x = np.concatenate([points for _, points in flat])
    check_cells(x)
    placement = Placement.of(x, whole=made_by.WHOLE, lanes=made_by.LANES)
    rows = placement.place(x)
    starts = np.cumsum([0] + [len(points) for _, points in flat])
    taken = [
        _placed(k, tree._replace(row=np.where(tree.row < 0, -1, tree.row + start).astype(np.int32)), placement, x, rows)
        for k, ((tree, _), start) in enumerate(zip(flat, starts, strict=False))
    ]
    return placement, join(taken, rows)


def _flat(k: int, tree: Any) -> tuple[Tree, Doubles]:
    if not isinstance(tree, rrcf.RCTree) or tree.root is None:
        raise ValueError(f"tree {k}: found {type(tree).__name__} without points; expected a filled rrcf.RCTree")
    return flatten(tree.root)


def _placed(k: int, tree: Tree, placement: Placement, x: Doubles, rows: NDArray[Any]) -> Tree:
    """The tree with its columns and cuts in the units of the placed rows."""
    inner = np.flatnonzero(tree.dim >= 0)
    column = tree.dim[inner]
    highest_left, lowest_right = ends(tree, boxes(tree, x))
    if not ((highest_left <= tree.cut[inner]) & (tree.cut[inner] < lowest_right)).all():
        raise ValueError(
            f"tree {k}: found a cut that does not part its points, as rrcf's insert_point may make where cells are "
            "tied; grow the tree from all its points at once"
        )
    finer = "" if placement.whole else "; engine='rrcf' may tell them apart"
    rounded = f"tree {k}: found two points that this engine rounds to one{finer}"
    if not np.isin(column, placement.varying).all():
        raise ValueError(rounded)
    cuts = np.ldexp(tree.cut[inner] - placement.origin[column], placement.exponent)
    dim = np.full(len(tree.dim), -1, dtype=np.int32)
    dim[inner] = np.searchsorted(placement.varying, column)
    cut = np.zeros(len(dim), dtype=rows.dtype)
    cut[inner] = np.floor(cuts) if placement.whole else cuts
    moved = tree._replace(dim=dim, cut=cut)
    highest_left, lowest_right = ends(moved, boxes(moved, rows))
    if not (highest_left < lowest_right).all():
        raise ValueError(rounded)
    # rounding may have carried the cut past a point that it parts from the others
    below = np.nextafter(lowest_right, rows.dtype.type(-np.inf))
    cut[inner] = np.clip(cut[inner], highest_left, below)
    return moved


def own_codisp(given: Sequence[Any]) -> Doubles:
    """rrcf's batch mode: the CoDisp of each label, averaged over the trees that hold it, in ascending order of labels.

    Raises:
        ValueError: the labels have no order.
    """
    found: dict[Any, list[float]] = {}
    for tree in given:
        for label in tree.leaves:
            found.setdefault(label, []).append(float(tree.codisp(label)))
    try:
        labels = sorted(found)
    except TypeError as error:
        raise ValueError(f"labels: {error}; expected labels that can be sorted, such as row numbers") from error
    return np.array([np.mean(found[label]) for label in labels])


def to_rrcf(trees: Trees, placement: Placement) -> list[Any]:
    """The trees as rrcf.RCTree objects over rows in the input's units; a point has the same label in all trees."""
    points = placement.take_back(trees.rows)
    return [_rctree(k, tree, points, placement) for k, tree in enumerate(trees)]


def _rctree(k: int, tree: Tree, points: Doubles, placement: Placement) -> Any:
    made = rrcf.RCTree(random_state=k)
    made.ndim, made.u = points.shape[1], None
    inner = np.flatnonzero(tree.dim >= 0)
    dim, cut = np.full(len(tree.dim), -1), np.zeros(len(tree.dim))
    dim[inner] = placement.varying[tree.dim[inner]]
    cut[inner] = placement.origin[dim[inner]] + np.ldexp(tree.cut[inner].astype(np.float64), -placement.exponent)
    box = boxes(tree, points)
    highest_left, lowest_right = ends(tree._replace(dim=dim), box)
    cut[inner] = np.clip(cut[inner], highest_left, np.nextafter(lowest_right, -np.inf))
    nodes: list[Any] = []
    depth = depths(tree).tolist()
    for node, mass in enumerate(tree.mass.tolist()):
        if tree.dim[node] < 0:
            label = int(tree.row[node])
            leaf = rrcf.Leaf(i=label, d=depth[node], x=points[label], n=mass)
            made.leaves[label] = leaf
            # its equals need labels that no other point of the forest has
            made.leaves.update((len(points) * k + label, leaf) for k in range(1, mass))
            nodes.append(leaf)
        else:
            nodes.append(
                rrcf.Branch(q=int(dim[node]), p=float(cut[node]), n=mass, b=np.stack([box.lo[node], box.hi[node]]))
            )
    for node in inner.tolist():
        branch, branch.l, branch.r = nodes[node], nodes[node + 1], nodes[tree.right[node]]
        branch.l.u = branch.r.u = branch
    made.root = nodes[0]
    made.index_labels = np.array(list(made.leaves))
    return made
