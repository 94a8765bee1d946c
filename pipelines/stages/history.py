"""The earlier nights a night is compared with, as their tables stand now. Nothing later is ever read."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.catalogue import FOREST_NAMES, NAMES
from features.days import HASH
from features.matrix import JUDGED_BY
from pipelines.archive import EVENTS, ITEMS, PRINCIPAL_DAYS, Archive
from pipelines.decoded import Derived, Sealed
from pipelines.marking.holding import confirmed

_UNREAD = frozenset({*NAMES} - {*FOREST_NAMES} | {"peer_group", "usernames", "distinct_usernames"})
"""Columns of principal_days by which no later night is judged."""


@dataclass(frozen=True)
class PastNight:
    """One earlier night's tables, without what is counted for people alone, and by principal the mark that confirms its
    attack on that night."""

    night: date
    days: Derived
    items: Derived
    confirmed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class History:
    """Earlier nights in order, and what is wrong with those left out."""

    nights: tuple[PastNight, ...]
    notices: tuple[str, ...]

    @property
    def days(self) -> pa.Table | None:
        """The baseline: all principal-nights but the confirmed attacks, each with how many nights judged it.

        None without a past."""
        return self._judged([_without(n.days.table, n.confirmed) for n in self.nights])

    @property
    def seen(self) -> pa.Table | None:
        """All principal-nights, confirmed attacks among them: when a principal was there, and how strange it was."""
        return self._judged([n.days.table for n in self.nights])

    def _judged(self, tables: Sequence[pa.Table]) -> pa.Table | None:
        whole = _whole(tables)
        if whole is None:
            return None
        by = np.repeat([n.days.meta["history_nights"] for n in self.nights], [len(table) for table in tables])
        return whole.append_column(JUDGED_BY, pa.array(by, pa.int64()))

    @property
    def items(self) -> pa.Table | None:
        """All items but those of confirmed attacks, or None without a past."""
        return _whole([_without(n.items.table, n.confirmed) for n in self.nights])

    @property
    def confirmed(self) -> list[str]:
        """The marks by which principal-nights are no part of the baseline, sorted."""
        return sorted(mark for n in self.nights for mark in n.confirmed.values())

    @property
    def origin(self) -> dict[str, Any]:
        """Hashes of every table read, by night."""
        return {n.night.isoformat(): [n.days.sha256, n.items.sha256] for n in self.nights}


def _whole(tables: Sequence[pa.Table]) -> pa.Table | None:
    whole = pa.concat_tables(table.replace_schema_metadata(None) for table in tables) if tables else None
    return whole if whole is not None and whole.num_rows else None


def _without(table: pa.Table, principals: Collection[str]) -> pa.Table:
    if not principals:
        return table
    return table.filter(pc.invert(pc.is_in(table["principal"], pa.array(sorted(principals), pa.string()))))


def history(archive: Archive, night: date, length: int) -> History:
    """The nights with counts among the `length` dates before this one.

    A night not counted yet, counted by another catalogue, or whose two tables are of different generations, is left
    out and named. Principal-nights that a mark confirms as an attack are known, but no part of the baseline.
    """
    fit: list[tuple[date, Sealed, Sealed]] = []
    attacks = confirmed(archive.marks())
    unfit: dict[str, list[date]] = {}
    for back in range(min(length, (night - date.min).days), 0, -1):
        earlier = night - timedelta(days=back)
        days, items = archive.sealed(PRINCIPAL_DAYS, earlier), archive.sealed(ITEMS, earlier)
        if days is None and items is None and archive.newest(EVENTS, earlier) is None:
            continue
        if problem := _problem(days, items):
            unfit.setdefault(problem, []).append(earlier)
        elif days is not None and items is not None:
            fit.append((earlier, days, items))
    opened = archive.opened([days for _, days, _ in fit], [items for _, _, items in fit], without=_UNREAD)
    nights = [
        PastNight(earlier, days, items, attacks.get(earlier, {}))
        for (earlier, _, _), days, items in zip(fit, *opened, strict=True)
    ]
    return History(tuple(nights), tuple(_notice(archive.cluster, *unfit_as) for unfit_as in unfit.items()))


def _notice(cluster: str, problem: str, nights: list[date]) -> str:
    """Which nights are left out, why, and what mends it; one sentence for all that have the same problem."""
    mend = f"run 'auditforest features --cluster {cluster}"
    if len(nights) == 1:
        return f"{nights[0]} is not in the history: {problem}; {mend} --date {nights[0]}'"
    first, last = nights[0], nights[-1]
    which = f"{len(nights)} nights from {first} to {last} are not in the history: of each, {problem}"
    return f"{which}; {mend} --from {first} --to {last}'"


def _problem(days: Sealed | None, items: Sealed | None) -> str | None:
    if days is None and items is None:
        return "its events are archived, but not counted"
    if days is None or items is None:
        return f"its table of {'principal days' if days is None else 'items'} is missing"
    if days.meta["generation"] != items.meta["generation"]:
        return f"its tables are of generations {days.meta['generation']} and {items.meta['generation']}"
    if days.meta["origin"] != items.meta["origin"]:
        return "its two tables were not made together"
    if days.meta["catalogue"] != HASH:
        return "its features were counted by another catalogue"
    return None
