"""The export stage: a source read once, its events archived under the nights they belong to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import duckdb
import pyarrow as pa

from pipelines.archive import EVENTS, QUARANTINE, Addition, Archive
from pipelines.commits import Commit, Counts, Input, summed
from pipelines.errors import DataError
from pipelines.events import COLUMNS
from pipelines.parse import QUARANTINE as QUARANTINE_SCHEMA
from pipelines.parse import Batch, parse
from pipelines.sources.files import SourceFile, reading, select
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
    selection = select(source)
    staging = Staging(engine, nights)
    inputs = _read(staging, engine, selection.files, progress)
    if sum(e.read for e in staging.ended.values()) and staging.first is None:
        raise DataError(
            f"--source {source}: none of {sum(e.read for e in staging.ended.values())} lines is a Kubernetes audit "
            f"event (first: {_first_reason(engine)}); expected one audit.k8s.io event as JSON on each line"
        )
    known = {i.name: i for i in inputs}
    rest = _file_quarantine(archive, staging)
    home, commits, written = staging.home, {}, []
    for night in nights:
        commits[night], wrote = _append(archive, staging, night, known, rest if night == home else Counts())
        if wrote:
            written.append(night)
    covers = f"{staging.first:%Y-%m-%d} to {staging.last:%Y-%m-%d}" if staging.first and staging.last else "no event"
    return Exported(commits, tuple(written), inputs, staging.ended, selection.ignored, covers)


def _read(
    staging: Staging, engine: duckdb.DuckDBPyConnection, files: Sequence[SourceFile], progress: Progress
) -> tuple[Input, ...]:
    total, done, inputs = sum(f.size for f in files) or 1, 0, []
    for file in files:
        staging.ended.setdefault(file.name, Ended())
        with reading(file) as stream:
            for batch in stream.batches():
                if isinstance(batch, Batch):
                    staging.take(file.name, batch.offset, parse(engine, batch))
                else:
                    staging.take_long(batch)
                progress(f"read {file.name}", (done + stream.stored_bytes) / total)
            inputs.append(Input(file.name, stream.sha256, stream.stored_bytes))
        done += file.size
    return tuple(inputs)


def _first_reason(engine: duckdb.DuckDBPyConnection) -> str:
    source, offset, reason = engine.execute(
        "SELECT source, byte_offset, reason FROM bad ORDER BY source, byte_offset LIMIT 1"
    ).fetchall()[0]
    return f"{source} at byte {offset}, {reason}"


def _file_quarantine(archive: Archive, staging: Staging) -> Counts:
    """File the bad lines; the counts that belong to the run and not to a night come back."""
    filed: dict[str, int] = {}
    known: dict[str, int] = {}

    def added(before: Commit | None) -> Addition | None:
        nonlocal filed, known
        with archive.files(before) as parts:
            fresh, filed, known = staging.choose_bad(parts)
        if not fresh.num_rows:
            return None
        return Addition(fresh.to_batches(), QUARANTINE_SCHEMA, (), Counts(archived=fresh.num_rows))

    archive.append(QUARANTINE, staging.home, added)
    for source, ended in staging.ended.items():
        ended.quarantined += filed.get(source, 0)
        # a bad line met again is a duplicate of the one in quarantine
        ended.duplicate += known.get(source, 0)
    outside = sum(e.outside for e in staging.ended.values())
    bad, again = sum(filed.values()), sum(known.values())
    return Counts(
        read=bad + again + outside,
        duplicate=again,
        quarantined=bad,
        outside=outside,
        blank=sum(e.blank for e in staging.ended.values()),
    )


def _append(
    archive: Archive, staging: Staging, night: date, inputs: Mapping[str, Input], rest: Counts
) -> tuple[Commit | None, bool]:
    chosen: Mapping[str, Chosen] = {}

    def added(before: Commit | None) -> Addition | None:
        nonlocal chosen
        with archive.files(before) as parts:
            counts, chosen = staging.choose(night, parts)
            if not counts.archived and not rest.quarantined:
                return None
            used = [inputs[name] for name, c in sorted(chosen.items()) if c.archived]
            return Addition(list(staging.chosen(night)), SCHEMA, used, summed(rest, counts))

    if not staging.has_rows(night):
        return archive.newest(EVENTS, night), False
    commit, wrote = archive.append(EVENTS, night, added)
    for source, c in chosen.items():
        staging.ended[source].archived += c.archived
        staging.ended[source].duplicate += c.read - c.archived
    return commit, wrote
