"""A labelled recording in an archive: its nights counted once, judged anew by today's code, and who was guilty.

The counts stand in the archive; surprises and scores are computed here, so that a change of either is judged in
seconds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path

import duckdb
import pyarrow as pa

from features.days import HASH
from features.matrix import SUFFIXES
from features.requests import REQUESTS
from pipelines.archive import EVENTS, ITEMS, PRINCIPAL_DAYS, Archive
from pipelines.backtest.standing import judged_by
from pipelines.cli import cli
from pipelines.config import Config
from pipelines.engine import engine
from pipelines.stages.history import History, PastNight

MIN_REQUESTS = 3
"""Labelled requests of a principal that make it one of a scenario's."""

WARM_UP = 7
"""First dates of a recording, which are not judged."""

Scenarios = Mapping[tuple[str, bool], Mapping[str, int]]
"""By scenario and whether it is an attack: labelled requests by principal."""


@dataclass(frozen=True)
class JudgedNight:
    """A night's principal_days and those of its history, with surprises as today's code finds them."""

    night: date
    days: pa.Table
    before: pa.Table | None
    scenarios: Scenarios

    @cached_property
    def principals(self) -> list[str]:
        """In the order of the rows."""
        return self.days["principal"].to_pylist()  # type: ignore[no-any-return]

    def members(self, scenario: tuple[str, bool]) -> list[str]:
        """The principals of a scenario."""
        return [p for p, n in self.scenarios[scenario].items() if n >= MIN_REQUESTS]

    @cached_property
    def guilty(self) -> frozenset[str]:
        """The principals of the night's attacks."""
        return frozenset(p for key in self.scenarios if key[1] for p in self.members(key))


@dataclass(frozen=True)
class Recording:
    """All nights of a recording, judged."""

    cluster: str
    nights: tuple[JudgedNight, ...]
    pasts: Mapping[date, History]

    @property
    def after_warm_up(self) -> tuple[JudgedNight, ...]:
        """The nights that count."""
        return self.nights[WARM_UP:]


def nights_of(recording: Path) -> tuple[str, list[date]]:
    """Cluster and nights of a recording, from the names of its files."""
    names = sorted(p.name.removesuffix(".ndjson.zst") for p in recording.glob("audit-*.ndjson.zst"))
    if not names:
        raise SystemExit(f"{recording}: no audit-CLUSTER-DATE.ndjson.zst in it")
    return names[0][len("audit-") : -len("-2026-01-01")], [date.fromisoformat(n[-10:]) for n in names]


def labels_of(recording: Path) -> Path:
    """The file of labelled audit ids."""
    found = sorted(recording.glob("label-events*.tsv"))
    if not found:
        raise SystemExit(f"{recording}: no label-events*.tsv in it")
    return found[0]


def counted(recording: Path, archive: Archive) -> None:
    """Nothing; afterwards the archive holds the counts of every night of the recording, as today's SQL counts."""
    cluster, nights = nights_of(recording)
    span = ["--cluster", cluster, "--archive", archive.store.url, "--from", f"{nights[0]}", "--to", f"{nights[-1]}"]
    if set(nights) - set(archive.nights(EVENTS)):
        source = ["--source", str(recording / "audit-*.ndjson.zst")]
        cli(["export", *span, *source], standalone_mode=False)
    found = [archive.derived(PRINCIPAL_DAYS, night) for night in nights]
    if any(days is None or days.meta["catalogue"] != HASH for days in found):
        cli(["features", *span], standalone_mode=False)


def judged(archive: Archive, nights: list[date], labels: Path, config: Config | None = None) -> Recording:
    """The nights in order, each judged by the ones before it."""
    config = config or Config()
    past: list[PastNight] = []
    made, pasts = [], {}
    with engine(config.parse) as connection:
        for night in nights:
            days, items = archive.derived(PRINCIPAL_DAYS, night), archive.derived(ITEMS, night)
            if days is None or items is None:
                continue
            kept = [p for p in past if p.night >= night - timedelta(days=config.history.nights)]
            pasts[night] = History(tuple(kept), ())
            before = pasts[night].days
            table = judged_by(_counts(days.table), before)
            scenarios = labelled(connection, archive, night, labels)
            made.append(JudgedNight(night, table, before, scenarios))
            past.append(PastNight(night, replace(days, table=table), items))
    return Recording(archive.cluster, tuple(made), pasts)


def _counts(days: pa.Table) -> pa.Table:
    """principal_days without surprises."""
    plain = days.replace_schema_metadata(None)
    return plain.select([name for name in plain.column_names if not name.endswith(tuple(SUFFIXES.values()))])


def labelled(connection: duckdb.DuckDBPyConnection, archive: Archive, night: date, labels: Path) -> Scenarios:
    """Of each scenario (and whether it is an attack): labelled requests by principal."""
    found: dict[tuple[str, bool], dict[str, int]] = defaultdict(dict)
    for scenario, malicious, principal, number in _rows(connection, archive, night, labels):
        found[scenario, malicious == "true"][principal] = number
    return found


def _rows(
    connection: duckdb.DuckDBPyConnection, archive: Archive, night: date, labels: Path
) -> Iterator[tuple[str, str, str, int]]:
    with archive.files(archive.newest(EVENTS, night)) as parts:
        connection.register("events", connection.read_parquet([str(p) for p in parts], hive_partitioning=False))
        rows = connection.execute(
            f"SELECT scenario, malicious, principal, count(*) FROM ({REQUESTS}) JOIN "
            "read_csv($labels, delim = chr(9), header = true, all_varchar = true) USING (audit_id) GROUP BY ALL",
            {"labels": str(labels)},
        ).fetchall()
        connection.unregister("events")
    yield from rows
