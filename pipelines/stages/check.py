"""Verify a whole archive and name what is wrong; writes nothing, deletes nothing.

Safe beside a running job: records are read before commits and commits after the listing, so what a job writes
meanwhile is at most named as something to look at, never as damage. tests/pipelines/test_check.py holds the truth."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from operator import itemgetter
from pathlib import Path
from typing import Any

from pipelines import commits, quarantine, words
from pipelines.archive import EVENTS, ITEMS, PRINCIPAL_DAYS, QUARANTINE, RANKING
from pipelines.config import CLUSTER_PATTERN
from pipelines.keys import PROBE, TEMPORARY, is_key, night_named
from pipelines.marking.record import MARK_FILE, MARKS
from pipelines.scratch import scratch
from pipelines.stages.check_commits import Chain, Look, chain, orphans, parts
from pipelines.stages.check_marks import marks
from pipelines.stages.check_quarantine import Counted, check_files, counted
from pipelines.stages.check_tables import Claim, Night, judge, judge_reports, reports, tables
from pipelines.stages.findings import Checked, Tally
from pipelines.stages.listing import INDEX
from pipelines.stages.reading import Progress
from pipelines.stages.report import REPORTS
from pipelines.store import LocalStore, ObjectStore

_APPENDED = r"_commit-[1-9][0-9]{0,8}\.json|part-[0-9a-f]{16}\.parquet"
_OBJECTS: Mapping[str, str] = {
    EVENTS: _APPENDED,
    QUARANTINE: _APPENDED,
    **{table: rf"{table}\.parquet" for table in (ITEMS, PRINCIPAL_DAYS, RANKING)},
    MARKS: MARK_FILE,
    REPORTS: r"ranking\.csv|ranking\.json|report\.html|summary\.json|backtest\.json",
}
"""What a night's folder of each table may hold."""

_PLACE = re.compile(r"(?P<table>[^/]+)/cluster=(?P<cluster>[^/]+)/date=(?P<night>[^/]+)/(?P<name>[^/]+)")
_BELOW = re.compile(rf"(?P<root>.+)/{EVENTS}/cluster=[^/]+/date=[^/]+/[^/]+")
_RECORD = re.compile(r"runs/([^/]+)\.json")
_Listed = dict[str, list[str]]
"""Of a night: by table the names of its objects."""


@dataclass(frozen=True)
class _Scope:
    """Which clusters and nights, first and last, were asked for; None is every one."""

    cluster: str | None
    nights: tuple[date, date] | None

    def holds(self, cluster: str | None, night: date | None) -> bool:
        """Could something be of an asked night, as far as it says where it belongs?"""
        return (self.cluster is None or cluster in (None, self.cluster)) and (
            self.nights is None or night is None or self.nights[0] <= night <= self.nights[1]
        )


def check(store: ObjectStore, cluster: str | None, nights: tuple[date, date] | None, progress: Progress) -> Checked:
    """Verify every object of the asked nights, and name objects that belong to no night.

    Args:
        cluster: None for all clusters.
        nights: the first and the last; None for all nights.
    Raises:
        AwsError: the store cannot be reached.
    """
    scope, tally = _Scope(cluster, nights), Tally(store.url)
    keys = store.list("")
    placed, records, filed = _sorted_out(keys, scope, tally)
    _strangers(store, scope, tally)
    claims = _records(store, records, scope, tally)
    for place in claims:
        placed.setdefault(place, defaultdict(list))
    counts: dict[str, list[Counted]] = defaultdict(list)
    with scratch() as folder:
        look = Look(store, tally, folder / "object")
        for done, ((name, night), listed) in enumerate(sorted(placed.items())):
            progress(f"{name} {night}", done / len(placed))
            counts[name] += _check_night(look, name, night, listed, claims.get((name, night), Claim()))
        # after the events: a job files bad lines before it commits what counts them
        for name in sorted({*filed, *counts}):
            check_files(look, name, filed[name], counts[name])
    return tally.checked(len(placed), "" if placed else _instead(store.url, keys, cluster))


def _instead(url: str, keys: Sequence[str], cluster: str | None) -> str:
    """What is there, where none of the asked nights is."""
    below = sorted({found["root"] for key in keys if (found := _BELOW.match(key))})
    if below:
        return f"archives lie below: {words.listed([f'{url}/{root}' for root in below])}"
    places = [_whose(key) for key in keys if key.startswith(f"{EVENTS}/")]
    nights = sorted({night for of, night in places if night is not None and cluster in (None, of)})
    return words.holdings(nights, sorted({of for of, _ in places if of is not None}))


def _sorted_out(
    keys: Iterable[str], scope: _Scope, tally: Tally
) -> tuple[dict[tuple[str, date], _Listed], list[str], dict[str, list[str]]]:
    """The asked nights with the names of their objects, the keys of all records, and by cluster the files of homes.

    A home belongs to no night: where nights are asked for, what they count is looked at, and no other home."""
    placed: dict[tuple[str, date], _Listed] = {}
    records = []
    filed: dict[str, list[str]] = defaultdict(list)
    for key in keys:
        place = _PLACE.fullmatch(key)
        cluster, night = _whose(key)
        if _RECORD.fullmatch(key):
            records.append(key)
        elif cluster is not None and key.startswith(root := f"{quarantine.root(cluster)}/object="):
            name = key.removeprefix(root.removesuffix("object="))
            if not quarantine.FILE.fullmatch(name):
                _foreign(key, scope, tally)
            elif scope.nights is None and scope.holds(cluster, None):
                filed[cluster].append(name)
        elif (
            place
            and cluster is not None
            and night is not None
            and re.fullmatch(_OBJECTS.get(place["table"], "(?!)"), place["name"])
        ):
            if scope.holds(cluster, night):
                placed.setdefault((cluster, night), defaultdict(list))[place["table"]].append(place["name"])
        elif key not in (PROBE, INDEX):
            _foreign(key, scope, tally)
    return placed, records, filed


def _whose(key: str) -> tuple[str | None, date | None]:
    """Cluster and night that a key's folders name; None where they name none."""
    cluster = night = None
    for segment in key.split("/")[1:-1]:
        name, _, value = segment.partition("=")
        if name == "cluster" and re.fullmatch(CLUSTER_PATTERN, value):
            cluster = value
        elif name == "date":
            night = night_named(value) or night
    return cluster, night


def _foreign(key: str, scope: _Scope, tally: Tally) -> None:
    if scope.holds(*_whose(key)):
        tally.find("foreign", key, "no table, report or record has this name")


def _strangers(store: ObjectStore, scope: _Scope, tally: Tally) -> None:
    """Files of a local archive that a listing leaves out, for no key is named like them."""
    if not isinstance(store, LocalStore):
        return
    root = Path(store.url)
    for path in root.rglob("*"):
        key = path.relative_to(root).as_posix()
        if is_key(key) or path.is_dir():
            continue
        if not path.name.startswith(TEMPORARY):
            _foreign(key, scope, tally)
        elif scope.holds(*_whose(key)) and (size := _size(path)) is not None:
            tally.find("temporary", key, f"{size} bytes")


def _size(path: Path) -> int | None:
    try:
        return path.lstat().st_size
    except FileNotFoundError:
        return None


def _records(store: ObjectStore, keys: Iterable[str], scope: _Scope, tally: Tally) -> dict[tuple[str, date], Claim]:
    """What the latest records tell of each night. Earlier ones may name commits that are rightly gone: to mend a
    damaged night, its folders are removed."""
    told: list[tuple[datetime, str, str, dict[date, dict[str, Any]]]] = []
    for key in keys:
        body = store.get(key)
        if body is None:
            continue
        try:
            started, cluster, by_night = _told(key, body)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            tally.find("record", key, f"no record of a run ({' '.join(str(error).split())[:120]})")
            continue
        if scope.holds(cluster, None):
            tally.saw(len(body))
            told.append((started, key, cluster, by_night))
    claims: dict[tuple[str, date], Claim] = {}
    for _, _, cluster, by_night in sorted(told, key=itemgetter(0, 1)):
        for night, facts in by_night.items():
            place = (cluster, night)
            if scope.holds(*place):
                claim = claims.get(place, Claim())
                claims[place] = replace(claim, **facts | {"marks": {**claim.marks, **facts.get("marks", {})}})
    return claims


def _told(key: str, body: bytes) -> tuple[datetime, str, dict[date, dict[str, Any]]]:
    """Start and cluster of a run, and what its record claims of each night.

    Raises:
        ValueError, KeyError, TypeError, AttributeError, RecursionError: it is no record.
    """
    record: dict[str, Any] = json.loads(body)
    if f"runs/{record['run_id']}.json" != key:
        raise ValueError("its run_id is another")
    if not re.fullmatch(CLUSTER_PATTERN, record["cluster"]):
        raise ValueError("its cluster is none")
    claims: dict[date, dict[str, Any]] = {}
    for night, facts in record["by_night"].items():
        claim = claims.setdefault(date.fromisoformat(night), {})
        if "generation" in facts:
            claim |= {"record": key, "generation": int(facts["generation"]), "events": str(facts["events"])}
        if "reports" in facts:
            claim["reports"] = dict(facts["reports"])
        if "mark" in facts:
            claim["marks"] = {str(facts["mark"]): key}
    return datetime.fromisoformat(record["started"]).astimezone(UTC), record["cluster"], claims


def _check_night(
    look: Look, cluster: str, day: date, listed: Mapping[str, Sequence[str]], claim: Claim
) -> list[Counted]:
    """What its events count as quarantined; what is wrong with its objects is noted."""
    night = Night(look, cluster, day)
    names = {table: listed.get(table, ()) for table in _OBJECTS}
    # what is made from commits before them, or a job that commits meanwhile would look like a lost commit
    found = tables(night, [table for table in names if names[table]])
    published = reports(night, names[REPORTS])
    marks(night, names[MARKS], claim.marks)
    events = chain(look, EVENTS, cluster, day, names[EVENTS])
    earlier = chain(look, QUARANTINE, cluster, day, names[QUARANTINE])
    judge(night, events, found, claim)
    judge_reports(night, published, events, found.get(RANKING), claim.reports)
    quarantined = list(counted(look, events, earlier))
    parts(look, EVENTS, cluster, day, events)
    parts(look, QUARANTINE, cluster, day, earlier)
    referred = [name for commit in events.commits.values() for name in commit.quarantine]
    orphans(look, EVENTS, cluster, day, names[EVENTS], _files(events))
    if not look.tally.has("commit", "gap", "lost", "rewritten", below=commits.folder(EVENTS, cluster, day)):
        orphans(look, QUARANTINE, cluster, day, names[QUARANTINE], [*referred, *_files(earlier)])
    return quarantined


def _files(read: Chain) -> Iterator[str]:
    return (part.file for part in read.parts)
