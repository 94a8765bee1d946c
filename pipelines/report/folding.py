"""Principals that moved together, as the page folds them: the first of each group stands for those far behind it.

Who is among the first ranks is never folded: one of a crowd may be the one to look at. Tested in
tests/report/test_folding.py.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.report.model import RankedPrincipal
from pipelines.report.sentences import FIRST


@dataclass(frozen=True)
class Place:
    """Where a row of the table stands among its group."""

    head: int  # index of the row that stands for it, its own or an earlier one
    folded: tuple[int, ...]  # indices of the rows behind it, where it is a head


def places(rows: Sequence[RankedPrincipal]) -> list[Place]:
    """Of each row, in the order of rank, its place; a row that moved alone is its own head."""
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for at, row in enumerate(rows):
        if row.together is not None:
            groups[row.together.kind, row.together.item].append(at)
    found = [Place(at, ()) for at in range(len(rows))]
    for members in groups.values():
        head, *others = members
        behind = tuple(at for at in others if rows[at].rank > FIRST)
        if behind:
            found[head] = Place(head, behind)
        for at in behind:
            found[at] = Place(head, ())
    return found
