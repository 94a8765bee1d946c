"""The export stage: a source read once, its events archived under the nights they belong to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa

from pipelines.archive import EVENTS, QUARANTINE, Addition, Archive
from pipelines.commits import Commit, Counts, Input, summed
from pipelines.errors import DataError
from pipelines.events import COLUMNS
from pipelines.parse import QUARANTINE as QUARANTINE_SCHEMA
from pipelines.sources.base import LongLine, SourceObject
from pipelines.sources.opening import open_source
from pipelines.stages.reading import pieces
from pipelines.stages.staging import Chosen, Ended, Staging

Progress = Callable[[str, float], None]
"""Called with what is being done and the share of the stage that is done (0 to 1)."""

_ARROW = {
    "VARCHAR": pa.string(),
    "VARCHAR[]": pa.list_(pa.string()),
    "INTEGER": pa.int32(),
    "BIGINT": pa.int64(),
    "BOOLEAN": pa.bool_(),
    "TIMESTAMP WITH TIME ZONE": pa.timestamp("us", "UTC"),
}
SCHEMA = pa.schema([pa.field(c.name, _ARROW[c.type], metadata={"meaning": c.meaning}) for c in COLUMNS])
"""Of the events table."""


@dataclass(frozen=True)
class Exported:
    """What an export did: each asked night's commit, which of them it wrote, and where every line ended."""

    commits: Mapping[date, Commit | None]
    written: tuple[date, ...]
    inputs: tuple[Input, ...]
    ended: Mapping[str, Ended]
    ignored: tuple[str, ...]
    covers: str

    @property
    def empty(self) -> tuple[date, ...]:
        """Asked nights of which the archive holds no event."""
        return tuple(n for n, c in self.commits.items() if c is None)


def export(
    archive: Archive, engine: duckdb.DuckDBPyConnection, source: str, nights: Sequence[date], progress: Progress
) -> Exported:
    """Read every file of the source once and commit what is new of the asked nights.

    Raises:
        ConfigError: the source is not there.
        DataError: no line of it is an audit event, or the archive is damaged.
    """
    url = archive.store.url
    opened = open_source(source, None if "://" in url else Path(url))
    staging = Staging(engine, nights)
    inputs = _read(staging, engine, opened.objects, progress)
    _refuse_other_logs(source, staging)
    commits, written = _archive(archive, staging, {i.name: i for i in inputs})
    staging.drop()
    covers = f"{staging.first} to {staging.last}" if staging.first else "no event"
    return Exported(commits, written, inputs, staging.ended, opened.ignored, covers)


def _read(
    staging: Staging, engine: duckdb.DuckDBPyConnection, objects: Sequence[SourceObject], progress: Progress
) -> tuple[Input, ...]:
    for one in objects:
        staging.ended.setdefault(one.name, Ended())
    inputs: list[Input] = []
    for piece in pieces(engine, objects, inputs):
        if isinstance(piece.found, LongLine):
            staging.take_long(piece.found)
        else:
            staging.take(piece.source, piece.offset, piece.found)
        progress(f"read {piece.source}", piece.share)
    return tuple(inputs)


def _refuse_other_logs(source: str, staging: Staging) -> None:
    read = sum(e.read for e in staging.ended.values())
    if not read or staging.first is not None:
        return
    where, offset, reason = staging.engine.execute(
        "SELECT source, byte_offset, reason FROM bad ORDER BY source, byte_offset LIMIT 1"
    ).fetchall()[0]
    raise DataError(
        f"--source {source}: none of {read} lines is a Kubernetes audit event (first: {where} at byte {offset}, "
        f"{reason}); expected one audit.k8s.io event as JSON on each line"
    )


def _archive(
    archive: Archive, staging: Staging, inputs: Mapping[str, Input]
) -> tuple[dict[date, Commit | None], tuple[date, ...]]:
    """Each asked night's commit, and the nights of which this run wrote it."""
    home = staging.home
    filed = _file_quarantine(archive, staging, home)
    commits: dict[date, Commit | None] = {}
    written = []
    for night in staging.nights:
        rest = _Rest(archive, staging, filed) if night == home else None
        commits[night], wrote = _append(archive, staging, night, inputs, rest)
        if wrote:
            written.append(night)
    return commits, tuple(written)


def _file_quarantine(archive: Archive, staging: Staging, home: date) -> Commit | None:
    """File the bad lines under the home night; its quarantine's commit comes back, None where it has none."""
    filed: Mapping[str, int] = {}
    known: Mapping[str, int] = {}

    def added(before: Commit | None) -> Addition | None:
        nonlocal filed, known
        with archive.files(before) as parts:
            fresh, filed, known = staging.choose_bad(parts)
        if not fresh.num_rows:
            return None
        counts = Counts(read=fresh.num_rows, archived=fresh.num_rows)
        return Addition(fresh.to_batches(), QUARANTINE_SCHEMA, (), counts)

    commit, _ = archive.append(QUARANTINE, home, added)
    for source, ended in staging.ended.items():
        ended.quarantined += filed.get(source, 0)
        # a bad line met again is a duplicate of the one in quarantine
        ended.duplicate += known.get(source, 0)
    return commit


@dataclass(frozen=True)
class _Rest:
    """What belongs to the run and not to a night; the home night's commit bears it.

    A bad line is quarantined in the first commit of events that counts it, whichever run filed it: one that died
    before its commit left the counts to the next.
    """

    archive: Archive
    staging: Staging
    filed: Commit | None

    def counts(self, before: Commit | None) -> Counts:
        """Counts that the night's commit does not hold yet."""
        with self._parts(before.quarantine if before else ()) as parts:
            _, fresh, known = self.staging.choose_bad(parts)
        bad, again = sum(fresh.values()), sum(known.values())
        ended = self.staging.ended.values()
        outside = sum(e.outside for e in ended)
        return Counts(
            read=bad + again + outside,
            duplicate=again,
            quarantined=bad,
            outside=outside,
            blank=sum(e.blank for e in ended),
        )

    def parts(self) -> list[str]:
        """Parts of the quarantine that hold a bad line of this run."""
        with self._parts(None) as parts:
            return self.staging.holding_bad(parts)

    def _parts(self, only: Sequence[str] | None) -> AbstractContextManager[list[Path]]:
        filed = self.filed
        if filed is not None and only is not None:
            filed = replace(filed, parts=tuple(p for p in filed.parts if p.file in only))
        return self.archive.files(filed)


def _append(
    archive: Archive, staging: Staging, night: date, inputs: Mapping[str, Input], rest: _Rest | None
) -> tuple[Commit | None, bool]:
    chosen: Mapping[str, Chosen] = {}

    def added(before: Commit | None) -> Addition | None:
        nonlocal chosen
        beside = rest.counts(before) if rest else Counts()
        with archive.files(before) as parts:
            counts, chosen = staging.choose(night, parts)
        if not counts.archived and not beside.quarantined:
            return None
        used = [inputs[name] for name, c in sorted(chosen.items()) if c.archived]
        held = rest.parts() if rest else ()
        # the rows last: while they stream, the engine takes no other query
        return Addition(staging.chosen(night), SCHEMA, used, summed(beside, counts), held)

    if not staging.has_rows(night):
        return archive.newest(EVENTS, night), False
    commit, wrote = archive.append(EVENTS, night, added)
    for source, c in chosen.items():
        staging.ended[source].archived += c.archived
        staging.ended[source].duplicate += c.read - c.archived
    return commit, wrote
