"""The derived tables and reports of a night, verified: each whole, of the newest commit, made together.

Nothing in them is lost for good: a stage makes them again. tests/pipelines/test_check_damages.py holds the truth."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from features.catalogue import FOREST_NAMES, NAMES
from features.matrix import SUFFIXES
from pipelines import commits
from pipelines.archive import EVENTS, ITEMS, PRINCIPAL_DAYS, RANKING
from pipelines.errors import DataError
from pipelines.parquet import decode
from pipelines.ranking import SCHEMA
from pipelines.stages.check_commits import Chain, Look, said
from pipelines.stages.check_rows import lacking
from pipelines.stages.report import BACKTEST, REPORTS

_COLUMNS: Mapping[str, tuple[str, ...]] = {
    ITEMS: ("principal", "type", "kind", "item", "requests", "first_ts"),
    PRINCIPAL_DAYS: (
        *("principal", "type", "peer_group", "usernames", "distinct_usernames", *NAMES),
        *(f"{name}_{suffix}" for suffix in SUFFIXES.values() for name in FOREST_NAMES),
        "first_seen",
    ),
    RANKING: tuple(SCHEMA.names),
}
_MAKERS: Mapping[str, str] = {
    ITEMS: "features",
    PRINCIPAL_DAYS: "features",
    RANKING: "score",
    REPORTS: "report",
    BACKTEST: "evaluate",
}
"""The stage that makes a table, or the object of that name."""
_HTML = re.compile(rb"generation ([0-9]{1,9}) of this night")


@dataclass(frozen=True)
class Claim:
    """What the latest records say of a night: the commit of events that was seen, and the files of the report.

    `marks` names, by the id of each mark that any record tells of, that record."""

    record: str = ""
    generation: int = 0
    events: str = ""
    reports: Mapping[str, str] = field(default_factory=dict)
    marks: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """A derived table as it stands; without an origin where it is damaged."""

    generation: int = 0
    sha256: str = ""
    origin: Mapping[str, Any] | None = None
    lacking: str | None = None


@dataclass(frozen=True)
class Night:
    """A night to be checked."""

    look: Look
    cluster: str
    date: date

    def key(self, table: str, name: str) -> str:
        """Of an object of this night."""
        return f"{commits.folder(table, self.cluster, self.date)}/{name}"

    def find(self, kind: str, table: str, name: str, found: str) -> None:
        """Note a finding that running the table's stage again mends."""
        key = self.key(table, name)
        self.look.tally.find(
            kind, key, found, cluster=self.cluster, night=self.date, command=_MAKERS.get(name, _MAKERS[table])
        )


def tables(night: Night, listed: Collection[str]) -> dict[str, Table]:
    """Read those derived tables of a night of which a listing holds the object, and note damage."""
    found = {}
    for table in _COLUMNS:
        if table in listed:
            try:
                found[table] = _table(night, table)
            except DataError as error:
                key = night.key(table, f"{table}.parquet")
                night.find("table", table, f"{table}.parquet", said(night.look.store, key, error))
                found[table] = Table()
    return found


def _table(night: Night, table: str) -> Table:
    key = night.key(table, f"{table}.parquet")
    digest = night.look.fetched(key)
    if digest is None:
        return Table()
    rows, meta = decode(night.look.scratch.read_bytes(), f"{night.look.store.url}/{key}")
    place = (meta.get("table"), meta.get("cluster"), meta.get("night"))
    if place != (table, night.cluster, night.date.isoformat()):
        raise DataError(f"made for another place: {' '.join(map(str, place))}")
    generation, origin = meta.get("generation"), meta.get("origin")
    if not isinstance(generation, int) or not isinstance(origin, dict):
        raise DataError("it does not say what it was made from")
    night.look.tally.saw(night.look.size, rows.num_rows)
    names = set(rows.column_names)
    return Table(generation, digest, origin, lacking(column for column in _COLUMNS[table] if column not in names))


def judge(night: Night, events: Chain, found: Mapping[str, Table], claim: Claim) -> None:
    """Hold the tables and the latest record against the commits of events, and the tables against each other."""
    if claim.generation:
        _named(night, events, claim.generation, claim.events, claim.record)
    whole = {}
    for table, read in found.items():
        if read.origin is None:
            continue
        name = f"{table}.parquet"
        _named(night, events, read.generation, None, night.key(table, name))
        commit = events.commits.get(read.generation)
        if read.lacking is not None:
            night.find("columns", table, name, read.lacking)
        elif read.generation < events.top:
            night.find("stale", table, name, f"made from generation {read.generation}, {events.top} is the newest")
        # a ranking names the counts it was made from, not the events
        elif commit is not None and read.origin.get("events", commit.sha256) != commit.sha256:
            night.find("stale", table, name, f"made from another commit than generation {read.generation} is now")
        else:
            whole[table] = read
    _together(night, found, whole)


def _named(night: Night, events: Chain, generation: int, digest: str | None, who: str) -> None:
    """Note where a commit that somebody names is not there.

    Args:
        digest: SHA-256 of the commit, None where nobody says.
    """
    commit = events.commits.get(generation)
    key = commits.key(EVENTS, night.cluster, night.date, generation)
    if not events.top and not events.listed:
        night.look.tally.find(
            "gone", commits.folder(EVENTS, night.cluster, night.date), f"empty, although {who} stands"
        )
    elif generation > events.top:
        night.look.tally.find("lost", key, f"missing, although {who} names it")
    elif commit is not None and digest not in (None, commit.sha256):
        night.look.tally.find("lost", key, f"another commit than the one that {who} names")


def _together(night: Night, found: Collection[str], whole: Mapping[str, Table]) -> None:
    if found:
        for table in (ITEMS, PRINCIPAL_DAYS):
            if table not in found:
                night.find("mixed", table, f"{table}.parquet", "missing, although another table of the night stands")
    days, items, ranking = (whole.get(table) for table in (PRINCIPAL_DAYS, ITEMS, RANKING))
    if days and items and days.origin != items.origin:
        night.find("mixed", ITEMS, f"{ITEMS}.parquet", f"not made together with the {PRINCIPAL_DAYS} beside it")
    if days and ranking and ranking.origin and ranking.origin.get("days") != days.sha256:
        other = f"made from other {PRINCIPAL_DAYS} than stand beside it"
        night.find("mixed", RANKING, f"{RANKING}.parquet", other)


@dataclass(frozen=True)
class Report:
    """A file of a report as it stands; without a generation where it says none."""

    generation: int | None
    sha256: str


def reports(night: Night, listed: Collection[str]) -> dict[str, Report]:
    """Read those files of a night's report that a listing holds, and note which are none of it."""
    found = {}
    for name in listed:
        key = night.key(REPORTS, name)
        digest = night.look.fetched(key)
        if digest is None:
            continue
        night.look.tally.saw(night.look.size)
        body = night.look.scratch.read_bytes()
        try:
            generation = _generation(night, name, body)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            night.find("report", REPORTS, name, f"no report of this night ({' '.join(str(error).split())[:120]})")
            continue
        found[name] = Report(generation, digest)
    return found


def judge_reports(
    night: Night, found: Mapping[str, Report], events: Chain, ranking: Table | None, left: Mapping[str, str]
) -> None:
    """Hold the files of a report against the newest commit of events, the ranking, and what their run left.

    Args:
        left: SHA-256 of each file as the latest record has it.
    """
    ranked = None if ranking is None or ranking.origin is None else ranking.generation
    # a sheet does not say what it was made from: the files are written together, all but the back-test
    told = (one.generation for name, one in found.items() if name != BACKTEST)
    together = next((generation for generation in told if generation is not None), None)
    for name, one in found.items():
        generation = together if one.generation is None else one.generation
        if generation is not None and generation < events.top:
            night.find("stale", REPORTS, name, f"made from generation {generation}, {events.top} is the newest")
        elif None not in (generation, ranked) and generation != ranked:
            night.find("stale", REPORTS, name, f"made from generation {generation}, the ranking is of {ranked}")
        elif left.get(name, one.sha256) != one.sha256:
            night.find("report", REPORTS, name, "other bytes than its run left")


def _generation(night: Night, name: str, body: bytes) -> int | None:
    """What a file of the report says it was made from; None where it says nothing.

    Raises:
        ValueError, KeyError, TypeError, RecursionError: it is no such file.
    """
    if name.endswith(".json"):
        told = json.loads(body)
        if (told["cluster"], told["date"]) != (night.cluster, night.date.isoformat()):
            raise ValueError("it is of another place")
        return int(told["generation"])
    said_so = _HTML.search(body)
    return None if said_so is None else int(said_so[1])
