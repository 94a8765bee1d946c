"""The picture of docs/forest.md: `python docs/forest_picture.py > docs/forest.svg`.

One tree over a few rows of two columns, the boxes that a new row meets, and what each adds to its CoDisp.
tests/models/test_docs.py makes it again."""

from __future__ import annotations

import sys
from typing import NamedTuple

import numpy as np

from models import RandomCutForest
from models.placement import Placement
from models.reference.walk import values
from models.trees import Tree, boxes

NAMES = ("secrets read", "pods listed")
NEW = (16.0, 9.0)
SIZE, LEFT, TOP = 300, 60, 50
INK, QUIET, COLOURS = "#1b1f24", "#6b7280", ("#c2410c", "#1d4ed8")


class Step(NamedTuple):
    """A node that the new row meets, from the root."""

    lo: np.ndarray
    hi: np.ndarray
    mass: int
    chance: float  # to be cut off just above it, once it was reached
    weight: float  # of that happening at all
    worth: float  # CoDisp it then has
    shares: tuple[float, float]  # of weight times worth, by column


def rows() -> np.ndarray:
    """Twenty-six rows: most principals read few secrets, three read many and list few pods."""
    rng = np.random.default_rng(12)
    usual = np.stack([rng.gamma(2, 1.2, 23), rng.normal(12, 3, 23)], axis=1)
    readers = np.stack([rng.normal(10, 0.8, 3), rng.normal(4, 0.8, 3)], axis=1)
    return np.round(np.vstack([usual, readers]), 1)


def steps(tree: Tree, points: np.ndarray, placement: Placement) -> list[Step]:
    """The nodes on the new row's way down, with what each adds."""
    value = values(tree, aws=False)
    lo, hi = boxes(tree, points)
    x = placement.place(np.array([NEW]))[0]
    found, node, left_over = [], 0, 1.0
    while True:
        sides = np.maximum(np.maximum(lo[node] - x, x - hi[node]), 0)
        span = float((hi[node] - lo[node]).sum())
        chance = float(sides.sum() / (span + sides.sum())) if sides.any() else 0.0
        weight = left_over * chance
        left_over -= weight
        worth = float(value.parted[node])
        if tree.mass[node] > value.joined[node] and sides.any():
            shares = tuple(weight * worth * sides / sides.sum())
        else:
            column = int(value.decider[node]) // 2
            shares = tuple(weight * worth * (column == k) for k in range(2))
        ends = placement.take_back(np.stack([lo[node], hi[node]]))
        found.append(Step(ends[0], ends[1], int(tree.mass[node]), chance, weight, worth, (shares[0], shares[1])))
        if tree.dim[node] < 0:
            return found
        node = node + 1 if x[tree.dim[node]] <= tree.cut[node] else int(tree.right[node])


def picture() -> str:
    """The drawing as SVG text."""
    table = rows()
    forest = RandomCutForest(1, len(table), engine="rrcf", random_state=6).fit(table)
    met = steps(next(iter(forest.trees_)), forest.trees_.rows, forest.placement_)
    total = float(forest.codisp([NEW])[0])
    body = [*_scatter(table, met), *_bars(met, total)]
    return "\n".join(
        [
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 840 420" role="img" '
            'font-family="system-ui, sans-serif" font-size="13">',
            "<title>One tree, the boxes a new row meets, and what each adds to its CoDisp</title>",
            '<rect width="840" height="420" fill="#ffffff"/>',
            *body,
            "</svg>\n",
        ]
    )


def _at(point: tuple[float, float] | np.ndarray) -> tuple[float, float]:
    return LEFT + SIZE * point[0] / 18, TOP + SIZE * (1 - point[1] / 18)


def _text(x: float, y: float, words: str, colour: str = INK, anchor: str = "start") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" fill="{colour}" text-anchor="{anchor}">{words}</text>'


def _scatter(table: np.ndarray, met: list[Step]) -> list[str]:
    drawn = [_text(LEFT, 24, "The boxes on the new row's way down")]
    for depth, step in enumerate(met):
        (x0, y1), (x1, y0) = _at(step.lo), _at(step.hi)
        drawn.append(
            f'<rect x="{x0 - 3:.1f}" y="{y0 - 3:.1f}" width="{x1 - x0 + 6:.1f}" height="{y1 - y0 + 6:.1f}" '
            f'fill="{COLOURS[1]}" fill-opacity="0.05" stroke="{QUIET}"/>'
        )
        # corners in turn, since a box often shares one with the next
        corner = (x1 - 9, y0 + 11) if depth % 2 == 0 else (x0 + 1, y1)
        if depth == len(met) - 1:
            corner = (x1 + 4, y1 + 6)
        drawn.append(_text(*corner, str(depth), COLOURS[1]))
    drawn += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{INK}"/>' for x, y in map(_at, table)]
    x, y = _at(NEW)
    drawn.append(f'<path d="M{x - 6:.1f} {y - 6:.1f}l12 12m0 -12l-12 12" stroke="{COLOURS[0]}" stroke-width="3"/>')
    drawn.append(_text(x + 10, y + 5, "new"))
    drawn.append(_text(LEFT + SIZE / 2, TOP + SIZE + 34, NAMES[0], INK, "middle"))
    middle = TOP + SIZE / 2
    drawn.append(f'<text transform="translate(24 {middle:.0f}) rotate(-90)" text-anchor="middle">{NAMES[1]}</text>')
    drawn.append(f'<path d="M{LEFT} {TOP}v{SIZE}h{SIZE}" fill="none" stroke="{INK}"/>')
    return drawn


def _bars(met: list[Step], total: float) -> list[str]:
    drawn = [_text(430, 24, "What each adds: chance of the cut x CoDisp it gives")]
    scale = 200 / max(sum(step.shares) for step in met)
    for depth, step in enumerate(met):
        y = 62 + 34 * depth
        drawn.append(_text(430, y, f"{depth}: {step.weight:.3f} x {step.worth:.3g}"))
        x = 570.0
        for share, colour in zip(step.shares, COLOURS, strict=True):
            drawn.append(f'<rect x="{x:.1f}" y="{y - 13}" width="{share * scale:.1f}" height="16" fill="{colour}"/>')
            x += share * scale
        drawn.append(_text(x + 6, y, f"{sum(step.shares):.2f}", QUIET))
    y = 62 + 34 * len(met) + 8
    drawn.append(_text(430, y, f"CoDisp {total:.2f}"))
    for k, (name, colour) in enumerate(zip(NAMES, COLOURS, strict=True)):
        share = sum(step.shares[k] for step in met)
        drawn.append(f'<rect x="570" y="{y - 11 + 24 * k}" width="12" height="12" fill="{colour}"/>')
        drawn.append(_text(590, y + 24 * k, f"{name}: {share:.2f}, {100 * share / total:.0f} %"))
    return drawn


if __name__ == "__main__":
    sys.stdout.write(picture())
