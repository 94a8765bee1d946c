"""The features stage: a night's events become items and principal_days, judged by the nights before it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from features.catalogue import FOREST_NAMES
from features.counts import Counts
from features.days import HASH, Counted, count, forget, prepare
from features.history import surprises
from features.matrix import counts_of, with_surprises
from pipelines.archive import EVENTS, ITEMS, PRINCIPAL_DAYS, Archive
from pipelines.commits import Commit
from pipelines.decoded import Derived
from pipelines.engine import COUNTING_BYTES, modest
from pipelines.errors import OrderError
from pipelines.parsing.events import SCHEMA
from pipelines.scratch import scratch
from pipelines.stages.history import History, history
from pipelines.stages.origin import code, unchanged
from pipelines.stages.parts import read_parts
from pipelines.words import holdings, nearest_told

Counting = Callable[[Commit, pa.Table], Counted]
"""Counts the committed events of a night against the items of its past."""

NO_ITEMS = pa.schema(
    [(name, pa.string()) for name in ("principal", "type", "kind", "item")] + [("first_ts", pa.timestamp("us", "UTC"))]
).empty_table()
NO_PAST = Counts(np.empty(0, dtype=object), np.empty(0, dtype=object), np.empty((0, len(FOREST_NAMES))))


def events_of(archive: Archive, night: date, rather: str = "") -> Commit:
    """The night's committed events.

    Args:
        rather: what may be meant where there are none, before "run".
    Raises:
        OrderError: none were archived.
    """
    commit = archive.newest(EVENTS, night)
    if commit is None:
        raise OrderError(
            f"{archive.store.url}: no event of {archive.cluster} is archived for {night}: {instead(archive)}; "
            f"{rather}run {typed('export', archive, night, '--source')}"
        )
    return commit


def instead(archive: Archive) -> str:
    """What the archive does hold: a date or a name may be mistyped."""
    nights = archive.nights(EVENTS)
    clusters = [] if nights else archive.clusters()
    return holdings(nights, clusters) + (nearest_told(archive.cluster, clusters) if len(clusters) > 1 else "")


def typed(stage: str, archive: Archive, night: date, *more: str, to: date | None = None, cascade: bool = False) -> str:
    """A stage's command for this night of this archive, as it is to be typed; a flag at its end wants a value.

    Args:
        to: the last of several nights.
        cascade: for the nights after it, too.
    """
    span = ["--date", f"{night}"] if to in (None, night) else ["--from", f"{night}", "--to", f"{to}"]
    flag = ["--cascade"] if cascade else []
    words = [stage, "--cluster", archive.cluster, "--archive", archive.store.url, *span, *flag, *more]
    return f"'auditforest {shlex.join(words)}{' ...' if more else ''}'"


def _past_items(past: History) -> pa.Table:
    earlier = past.items
    if earlier is None:
        return NO_ITEMS
    return earlier


@contextmanager
def requests_of(
    archive: Archive, engine: duckdb.DuckDBPyConnection, commit: Commit, past: History, *, keep: bool = True
) -> Iterator[frozenset[str]]:
    """The engine with the night's `requests`, `tallies`, `items` and `new_items` in it, given back afterwards.

    Yields the columns that older versions wrote none of.

    Args:
        keep: for who reads the requests time and again.
    """
    with archive.files(commit) as parts, scratch() as folder:
        engine.register("no_event", SCHEMA.empty_table())
        found = [frozenset(pq.read_schema(part).names) for part in parts]
        engine.execute(f"CREATE OR REPLACE TEMP VIEW events AS {_events(parts, found)}")
        engine.register("past_items", _past_items(past))
        try:
            prepare(engine, keep_requests=keep, folder=folder)
            yield lacking(frozenset().union(*found))
        finally:
            forget(engine)
            engine.unregister("past_items")
            engine.unregister("no_event")


def lacking(columns: Set[str]) -> frozenset[str]:
    """What is no column of a night's events, though it is one of the events that this version archives."""
    return frozenset(SCHEMA.names) - columns


def _events(parts: Sequence[Path], columns: Iterable[Set[str]]) -> str:
    """SQL of a night's events; what a part written by an older version has no column for is null."""
    if not any(map(lacking, columns)):
        return f"SELECT * FROM {read_parts(parts)}"
    return f"SELECT * FROM {read_parts(parts, ', union_by_name = true')} UNION ALL BY NAME SELECT * FROM no_event"


def features(
    archive: Archive, engine: duckdb.DuckDBPyConnection, night: date, length: int, counting: Counting | None = None
) -> Derived:
    """The night's principal_days, made now or found as they would be made; whatever counts, they are the same bytes.

    Its `meta` tells besides, under "notices", what is wrong with the history as it is now.
    Args:
        counting: counts in place of the engine.
    Raises:
        OrderError: no event of the night is archived.
        DataError: the archive is damaged.
    """
    commit = events_of(archive, night)
    past = history(archive, night, length)
    origin = {
        "events": commit.sha256,
        "history": past.origin,
        "confirmed": past.confirmed,
        "length": length,
        "code": dict(code()),
    }
    # not stored: what is left out of the history changes, and the counts with what is in it alone
    told = {"notices": list(past.notices)}
    found = unchanged(archive, PRINCIPAL_DAYS, night, origin)
    if found is not None and unchanged(archive, ITEMS, night, origin) is not None:
        return replace(found, meta=found.meta | told)
    if counting is not None:
        counted = counting(commit, _past_items(past))
    else:
        with modest(engine, COUNTING_BYTES), requests_of(archive, engine, commit, past, keep=False) as unknown:
            counted = count(engine, unknown)
    earlier = past.days
    judged = surprises(counts_of(counted.days), NO_PAST if earlier is None else counts_of(earlier))
    seen = _first_seen(past)
    first = [seen.get(principal, night) for principal in counted.days["principal"].to_pylist()]
    days = with_surprises(counted.days, judged).append_column("first_seen", pa.array(first, pa.date32()))
    meta: dict[str, Any] = {
        "night": night.isoformat(),
        "cluster": archive.cluster,
        "generation": commit.generation,
        "catalogue": HASH,
        "origin": origin,
        "blind": list(counted.blind),
        "left_out": counted.left_out,
        "reasons": {"allowed": counted.allowed, "unparsed": counted.unparsed},
        "counts": asdict(commit.counts),
        "history_nights": len(past.nights),
    }
    archive.replace(ITEMS, night, counted.items, meta | {"table": ITEMS})
    digest = archive.replace(PRINCIPAL_DAYS, night, days, meta | {"table": PRINCIPAL_DAYS})
    return Derived(days, meta | told, digest)


def _first_seen(past: History) -> dict[str, date]:
    """First night of each principal of the history; carried forward, so it may lie before the nights looked back on."""
    tables = [
        night.days.table.select(["principal", "first_seen"]).replace_schema_metadata(None) for night in past.nights
    ]
    if not tables:
        return {}
    first = pa.concat_tables(tables).group_by("principal").aggregate([("first_seen", "min")])
    return dict(zip(first["principal"].to_pylist(), first["first_seen_min"].to_pylist(), strict=True))
