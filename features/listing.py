"""What is counted, for people to look up: the tables of docs/features.md and of `auditforest features --list`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from features.blind import needed
from features.catalogue import FEATURES
from features.derived import DERIVED

HEAD = ("feature", "group", "unit", "read by", "needs", "meaning")
DERIVED_HEAD = ("number", "unit", "made of", "meaning")


def features() -> Iterator[tuple[str, ...]]:
    """A row for each feature of the catalogue, in its order: the columns of HEAD."""
    for f in FEATURES:
        yield f.name, f.group, f.unit, "forest" if f.forest else "people", ", ".join(needed(f)), f.meaning


def derived() -> Iterator[tuple[str, ...]]:
    """A row for each number that is made of stored ones when it is read: the columns of DERIVED_HEAD."""
    for d in DERIVED:
        yield d.name, d.unit, ", ".join(d.of), d.meaning


def lines() -> Iterator[str]:
    """Both as text in columns, for a terminal; the last column is as long as it is."""
    yield from _columns((HEAD, *((*row[:4], row[4].replace("`", ""), row[5]) for row in features())))
    yield ""
    yield from _columns((DERIVED_HEAD, *derived()))


def _columns(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join([*(cell.ljust(width) for cell, width in zip(row[:-1], widths[:-1], strict=True)), row[-1]])
