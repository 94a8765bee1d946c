"""Counts of principal-nights, and which of them the past has learnt.

What was strange on its own night is no habit yet: were it learnt at once, a slow reader of secrets would be ordinary
on his third day. tests/features/test_counts.py."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]

STRANGE = 1.5
"""Decades of surprise from which on a count is not learnt."""

YOUNG = 4
"""With fewer nights of history all is strange, and a count is learnt whatever its surprise was."""

HABIT = 7
"""A principal's count that was strange on so many nights is its habit, and learnt."""

SETTINGS = {"strange": STRANGE, "young": YOUNG, "habit": HABIT}
"""What the learnt past depends on besides the counts and their surprises."""


@dataclass(frozen=True)
class Counts:
    """Counts of principal-nights: one row each, one column a feature; NaN where the source was blind."""

    principals: npt.NDArray[np.object_]
    types: npt.NDArray[np.object_]
    values: Floats
    least: Floats | None = None
    """Of earlier nights: each count's surprise as it stood on its night, decades; None where there was no judging."""
    judged_by: Whole | None = None
    """Of earlier nights: how many nights of history each row was judged by."""

    @cached_property
    def groups(self) -> Groups:
        """Rows by principal."""
        return Groups.of(self.principals)

    def with_values(self, values: Floats) -> Counts:
        """Other numbers of the same rows."""
        made = replace(self, values=values)
        # where cached_property keeps it: the same rows have the same groups, and to find them takes a sort of names
        made.__dict__["groups"] = self.groups
        return made


@dataclass(frozen=True)
class Groups:
    """Rows sorted by principal: `order` sorts them, `starts` and `sizes` say where each principal's stand in it."""

    names: npt.NDArray[np.object_]
    codes: Whole
    order: Whole
    starts: Whole
    sizes: Whole

    @classmethod
    def of(cls, principals: npt.NDArray[np.object_]) -> Groups:
        """Of rows named by principal, in any order."""
        names, codes, sizes = np.unique(principals, return_inverse=True, return_counts=True)
        order = np.argsort(codes, kind="stable")
        return cls(names, codes.astype(np.int64), order.astype(np.int64), np.cumsum(sizes) - sizes, sizes)

    def sums(self, rows: Floats) -> Floats:
        """Sum of each principal's rows, (principals, columns)."""
        if not len(self.starts):
            return np.zeros((0, rows.shape[1]))
        found: Floats = np.add.reduceat(rows[self.order], self.starts, axis=0)
        return found

    @cached_property
    def places(self) -> Mapping[str, int]:
        """Of each principal, its place among `names`."""
        return {name: place for place, name in enumerate(self.names)}

    def rows_of(self, principals: Iterable[str]) -> Whole:
        """How many rows each of these principals has."""
        found: Whole = np.append(self.sizes, 0)[self.find(principals)]
        return found

    def find(self, principals: Iterable[str]) -> Whole:
        """Place of each of these principals among `names`; -1 for one that has no row."""
        return np.fromiter((self.places.get(name, -1) for name in principals), dtype=np.int64)


def learnt(past: Counts) -> Counts:
    """The past with NaN in place of what was strange on its own night and is no habit."""
    if past.least is None or past.judged_by is None or not len(past.values):
        return past
    strange = (past.least >= STRANGE) & (past.judged_by >= YOUNG)[:, None]
    habits = past.groups.sums(strange.astype(np.float64)) >= HABIT
    strange &= ~habits[past.groups.codes]
    return past.with_values(np.where(strange, np.nan, past.values))
