"""One principal gathered from what the nights wrote: ranks, reasons, what was new, evidence, permissions used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from features.days import MAX_USERNAMES
from features.items import KINDS
from features.predicates import listed
from pipelines.archive import EVENTS, ITEMS, PRINCIPAL_DAYS, RANKING, Archive
from pipelines.decoded import Derived
from pipelines.errors import ConfigError
from pipelines.opened import OpenArchive
from pipelines.report.model import Night, RankedPrincipal
from pipelines.report.shown import Items, PastRank, Request, Shown
from pipelines.show.evidence import archived, kept
from pipelines.show.granted import used
from pipelines.show.naming import meant
from pipelines.stages.features import instead
from pipelines.stages.made import made
from pipelines.stages.report import marked, night_of

Tables = dict[str, pa.Table]

_PLACE = ("rank", "rank_lo", "rank_hi", "score", "requests")


def shown(opened: OpenArchive, archive: Archive, asked: str, night: date | None, days: int) -> Shown:
    """The principal that the name means, on a night and the nights before.

    Args:
        night: None for the last ranked one.
        days: dates, this night's the last, of ranks and of permissions used.
    Raises:
        ConfigError: nobody is meant, or several are.
        OrderError: the night is not ranked, or by a version that this one cannot read, or a night that was counted
            lacks its items.
        DataError: the archive is damaged.
    """
    last = last_ranked(archive) if night is None else night
    ranking = made(archive, RANKING, last)
    principal = meant(asked, [ranking.table], [last])
    alone = ranked(archive, last, ranking, principal)
    dates = [last - timedelta(days=back) for back in range(days - 1, -1, -1)]
    past = tuple(past_rank(archive, date_, principal) for date_ in dates)
    active = tuple(p.night for p in past if p.rank is not None and archive.newest(EVENTS, p.night) is not None)
    return Shown(
        night=alone,
        principals=ranking.table.num_rows,
        past=past,
        new=new_on(archive, ranking.meta["origin"], last, principal),
        evidence=_evidence(opened, archive, last, alone.ranked[0]),
        events_gone=archive.newest(EVENTS, last) is None,
        used=used(opened.connection, requests_of(opened, archive, active, principal)),
        used_nights=active,
    )


def last_ranked(archive: Archive) -> date:
    """The last night that is ranked.

    Raises:
        ConfigError: none is.
    """
    nights = archive.nights(RANKING)
    if not nights:
        raise ConfigError(
            f"{archive.store.url}: no night of {archive.cluster} is ranked: {instead(archive)}; look at --archive and "
            "--cluster, or run 'auditforest nightly'"
        )
    return nights[-1]


def ranked(archive: Archive, night: date, ranking: Derived, principal: str) -> Night:
    """The night as reports show it, with this principal alone and what analysts marked of it.

    Raises:
        OrderError: it was ranked by a version that this one cannot read, or by other counts than stand there now.
    """
    alone = night_of(archive, replace(ranking, table=_of(ranking.table, principal)), night)
    found = marked(archive, ranking, alone)
    return replace(found, ranked=found.principals, expected=())


def past_rank(archive: Archive, night: date, principal: str) -> PastRank:
    """Where the principal stood on a night."""
    ranking = archive.derived(RANKING, night, ("principal", *_PLACE, "reasons"))
    if ranking is None:
        return PastRank(night, None)
    rows = _of(ranking.table, principal).to_pylist()
    if not rows:
        return PastRank(night, ranking.table.num_rows)
    (row,) = rows
    first = row["reasons"][0] if row["reasons"] else {"feature": None, "value": None}
    kept = {name: row[name] for name in _PLACE}
    return PastRank(night, ranking.table.num_rows, **kept, reason=first["feature"], value=first["value"])


def items_of(archive: Archive, night: date, principal: str) -> dict[str, set[str]]:
    """By kind: what the principal touched on a night; empty where the night was not counted.

    Raises:
        OrderError: the night was counted, and its items are gone.
        DataError: the archive is damaged.
    """
    found = archive.derived(ITEMS, night)
    if found is None and archive.derived(PRINCIPAL_DAYS, night, ()) is not None:
        found = made(archive, ITEMS, night)
    touched: dict[str, set[str]] = {}
    if found is not None:
        rows = _of(found.table, principal)
        for kind, item in zip(rows["kind"].to_pylist(), rows["item"].to_pylist(), strict=True):
            touched.setdefault(kind, set()).add(item)
    return touched


def new_on(archive: Archive, judged_by: Mapping[str, Any], night: date, principal: str) -> tuple[Items, ...]:
    """By kind what the principal touched on the night and on no night of its baseline.

    Args:
        judged_by: origin of the ranking: its history, of which the principal's confirmed attacks are left out.
    """
    attacks = {
        mark.night for mark in archive.marks() if mark.principal == principal and mark.id in judged_by["confirmed"]
    }
    tonight = items_of(archive, night, principal)
    for earlier in {date.fromisoformat(text) for text in judged_by["history"]} - attacks:
        for kind, items in items_of(archive, earlier, principal).items():
            tonight[kind] = tonight.get(kind, set()) - items
    return tuple(
        Items(kind.name, kind.meaning, tuple(sorted(tonight[kind.name]))) for kind in KINDS if tonight.get(kind.name)
    )


def requests_of(
    opened: OpenArchive, archive: Archive, nights: Sequence[date], principal: str
) -> duckdb.DuckDBPyRelation:
    """The principal's requests on nights on which it has some."""
    names: set[str] = set()
    whole = True
    for night in nights:
        days = _of(made(archive, PRINCIPAL_DAYS, night).table, principal)
        names.update(name for of in days["usernames"].to_pylist() for name in of)
        whole = whole and all(number <= MAX_USERNAMES for number in days["distinct_usernames"].to_pylist())
    crowd = principal.startswith("crowd:")
    requests = opened.requests(archive.cluster, nights, names if whole or crowd else None)
    return requests if crowd else requests.filter(f"principal = {listed([principal])}")


def _evidence(opened: OpenArchive, archive: Archive, night: date, row: RankedPrincipal) -> tuple[Request, ...]:
    if archive.newest(EVENTS, night) is None:
        return kept(row)
    if not any(proof.audit_ids for proof in row.evidence):
        return ()
    return archived(opened.connection, requests_of(opened, archive, [night], row.principal), row)


def _of(table: pa.Table, principal: str) -> pa.Table:
    return table.filter(pc.equal(table["principal"], principal))
