"""One principal as the page shows it: a row of the table, and the section below that opens.

All words and pictures are made here, the template only places them. Tested in tests/report/test_html.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from features.items import KINDS
from pipelines.report.columns import Cell, Column
from pipelines.report.detail import Detail, NewItem
from pipelines.report.folding import Place, places
from pipelines.report.groups import cause
from pipelines.report.model import Evidence, Night, RankedPrincipal, Reason
from pipelines.report.opinions import disagreement
from pipelines.report.pictures import Strip, Strips, day
from pipelines.report.queries import plain, queries
from pipelines.report.sentences import (
    NOTHING,
    arrived,
    counted,
    figure,
    in_short,
    lasting,
    moved,
    otherwise,
    own_range,
    peers_range,
    rarity,
)

MOST_USERNAMES = 20
_FEWEST_IDS = 10
_TITLES = {kind.name: kind.meaning for kind in KINDS}
_NEW_TO = {"cluster": "new to the cluster", "peers": "new to its peers", "principal": None}


@dataclass(frozen=True)
class ShownReason:
    """One line of the table of reasons."""

    reason: Reason
    tonight: str
    own: str | None
    peers: str | None
    rarity: str
    share: int | None  # per cent
    evidence: Evidence | None


@dataclass(frozen=True)
class ShownNew:
    """New items of one kind."""

    title: str
    items: Sequence[tuple[str, str | None]]  # and to whom else it is new
    more: int


@dataclass(frozen=True)
class Shown:
    """All of it."""

    number: int  # of the row in the table, from 1
    row: RankedPrincipal
    badge: str | None  # what analysts say of it
    interval: str | None
    why: str | None
    more_reasons: int
    thin: tuple[str, ...]  # what little it stands on, and other marks
    notes: tuple[str, ...]  # since when, and with whom
    strip: Strip
    first: datetime | None  # time of the first evidence of its first reason that has any
    first_of_group: int | None  # number of the row it is folded behind
    folded: tuple[int, ...]  # numbers of the rows folded behind it
    reasons: tuple[ShownReason, ...]
    loose_evidence: tuple[Evidence, ...]  # of features that are not among the reasons
    said: tuple[str, ...]  # what is new, what would be otherwise, where the measures disagree, what is behind a move
    new: tuple[ShownNew, ...]
    day: Sequence[tuple[str, int, str]]
    more_bindings: int
    usernames: tuple[str, ...]  # where they say more than the principal's name
    more_usernames: int
    queries: Sequence[tuple[str, str]]
    odd_ids: int  # audit IDs that can stand in no query

    @property
    def detail(self) -> Detail | None:
        """What is kept beside its reasons."""
        return self.row.detail


def shown(night: Night, strips: Strips) -> list[Shown]:
    """Everybody of the night, in the order of rank; those that marks set apart behind the others, never folded."""
    everywhere = places(night.ranked)
    everywhere += [Place(at, ()) for at in range(len(night.ranked), len(night.principals))]
    return [
        _shown(number, row, place, night, strips)
        for number, (row, place) in enumerate(zip(night.principals, everywhere, strict=True), 1)
    ]


def _shown(number: int, row: RankedPrincipal, place: Place, night: Night, strips: Strips) -> Shown:
    features = {reason.feature for reason in row.reasons}
    usernames = () if row.usernames == (row.principal,) else row.usernames
    ids = _audit_ids(row)
    detail = row.detail
    return Shown(
        number=number,
        row=row,
        badge=night.badges.get(row.principal),
        interval=None if row.rank_lo is None or row.rank_lo == row.rank_hi else f"{row.rank_lo}{NOTHING}{row.rank_hi}",
        why=in_short(row.reasons[0]) if row.reasons else None,
        more_reasons=len(row.reasons[1:]),
        thin=row.marks,
        notes=tuple(note for note in (lasting(row), moved(row)) if note is not None),
        strip=strips.strip(row),
        first=_first(row),
        first_of_group=None if place.head == number - 1 else place.head + 1,
        folded=tuple(at + 1 for at in place.folded),
        reasons=tuple(_reason(reason, row.evidence) for reason in row.reasons),
        loose_evidence=tuple(one for one in row.evidence if one.feature not in features),
        said=_said(row),
        new=() if detail is None else tuple(_new(kind.kind, kind.items, kind.first) for kind in detail.new),
        day=() if detail is None else day(detail.hours),
        more_bindings=0 if detail is None else detail.bindings_used - len(detail.bindings),
        usernames=usernames[:MOST_USERNAMES],
        more_usernames=len(usernames[MOST_USERNAMES:]),
        queries=queries(night.cluster, night.date, ids),
        odd_ids=len(ids) - len(plain(ids)),
    )


def _said(row: RankedPrincipal) -> tuple[str, ...]:
    moved_by = None if row.together is None else f"{cause(row.together)}."
    return tuple(line for line in (arrived(row), otherwise(row), disagreement(row), moved_by) if line is not None)


def _first(row: RankedPrincipal) -> datetime | None:
    began = {one.feature: one.first_ts for one in row.evidence if one.first_ts is not None}
    return next((began[reason.feature] for reason in row.reasons if reason.feature in began), None)


def _audit_ids(row: RankedPrincipal) -> list[str]:
    """Of the requests that are shown; where none are kept, the first of the evidence."""
    if row.detail is not None and row.detail.requests:
        return list(dict.fromkeys(request.audit_id for request in row.detail.requests))
    return list(dict.fromkeys(audit_id for one in row.evidence for audit_id in one.audit_ids))[:_FEWEST_IDS]


def _reason(reason: Reason, evidence: Iterable[Evidence]) -> ShownReason:
    return ShownReason(
        reason=reason,
        tonight=counted(reason.value, reason.unit),
        own=own_range(reason),
        peers=peers_range(reason),
        rarity=rarity(reason.surprise),
        share=None if reason.share is None else round(100 * reason.share),
        evidence=next((one for one in evidence if one.feature == reason.feature), None),
    )


def _new(kind: str, items: int, first: Sequence[NewItem]) -> ShownNew:
    return ShownNew(_TITLES.get(kind, kind), [(item.item, _NEW_TO[item.new_to]) for item in first], items - len(first))


def clock(time: datetime, night: date) -> str:
    """The time of day, after the date where that is not the night's own."""
    return f"{time:%H:%M:%S}" if time.date() == night else f"{time:%Y-%m-%d %H:%M:%S}"


def span(evidence: Evidence, night: date) -> str:
    """From the first to the last request; once one of them is of another date than the night, both bear theirs."""
    first, last = evidence.first_ts, evidence.last_ts
    if first is None or last is None:
        return NOTHING
    if first.date() == last.date() == night:
        return f"{clock(first, night)} to {clock(last, night)}"
    return f"{first:%Y-%m-%d %H:%M:%S} to {last:%Y-%m-%d %H:%M:%S}"


def day_said(shown_day: Sequence[tuple[str, int, str]]) -> str:
    """The day's picture in words."""
    return ", ".join(f"{figure(number)} {name}" for name, number, _ in shown_day)


def cell_said(cell: Cell, column: Column) -> str:
    """A small figure with its unit: `1 night`, `583 principal-nights`, `2.97`."""
    if isinstance(cell, int) and column.unit not in ("", column.name):
        return counted(cell, column.unit)
    if cell is None or isinstance(cell, int | float):
        unit = "" if cell is None or column.unit == column.name else column.unit
        return f"{figure(cell)} {unit}".rstrip()
    return str(cell)
