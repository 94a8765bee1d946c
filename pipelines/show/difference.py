"""One principal on two nights: ranks, counts and items that differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import pyarrow.compute as pc

from features.catalogue import FEATURES, FOREST_NAMES
from features.days import HASH
from features.feature import Feature
from features.items import KINDS
from features.matrix import least_of
from pipelines.archive import PRINCIPAL_DAYS, RANKING, Archive
from pipelines.errors import OrderError
from pipelines.report.shown import Changed, Compared, Touched
from pipelines.show.gather import items_of, past_rank
from pipelines.show.naming import meant
from pipelines.stages.features import typed
from pipelines.stages.made import made


def compared(archive: Archive, asked: str, before: date, after: date) -> Compared:
    """The principal that the name means, on two nights; it may have done nothing on one of them.

    Raises:
        ConfigError: nobody is meant, or several are.
        OrderError: a night is not ranked, or counted by another version's features, or lacks its items.
        DataError: the archive is damaged.
    """
    nights = (before, after)
    principal = meant(asked, [made(archive, RANKING, night).table for night in nights], nights)
    one, other = (_counts(archive, night, principal) for night in nights)
    changed = [
        Changed(f.name, f.meaning, f.unit, one.number(f), other.number(f), one.surprise(f), other.surprise(f))
        for f in FEATURES
    ]
    differ = [c for c in changed if c.before != c.after]
    return Compared(
        archive.cluster,
        principal,
        past_rank(archive, before, principal),
        past_rank(archive, after, principal),
        tuple(sorted(differ, key=lambda c: -c.surprise)),
        _touched(archive, nights, principal),
    )


@dataclass(frozen=True)
class _Counts:
    """A principal's numbers of one night; empty where it did nothing."""

    numbers: Mapping[str, int | None]
    surprises: Mapping[str, float]

    def number(self, f: Feature) -> int | None:
        """None where there is none, or the night was blind."""
        return self.numbers.get(f.name)

    def surprise(self, f: Feature) -> float | None:
        """The least of the three; None of a feature that the forest does not read."""
        return self.surprises.get(f.name)


def _counts(archive: Archive, night: date, principal: str) -> _Counts:
    days = made(archive, PRINCIPAL_DAYS, night)
    if days.meta["catalogue"] != HASH:
        raise OrderError(
            f"{archive.store.url}: {archive.cluster}, {night}: the counts are of another version's features; "
            f"run {typed('features', archive, night)}"
        )
    rows = days.table.filter(pc.equal(days.table["principal"], principal))
    if not rows.num_rows:
        return _Counts({}, {})
    (row,) = rows.to_pylist()
    return _Counts(row, dict(zip(FOREST_NAMES, least_of(rows)[0].tolist(), strict=True)))


def _touched(archive: Archive, nights: tuple[date, date], principal: str) -> tuple[Touched, ...]:
    one, other = (items_of(archive, night, principal) for night in nights)
    found = []
    for kind in KINDS:
        before, after = one.get(kind.name, set()), other.get(kind.name, set())
        if before != after:
            new, vanished = tuple(sorted(after - before)), tuple(sorted(before - after))
            found.append(Touched(kind.name, kind.meaning, new, vanished))
    return tuple(found)
