"""The export stage: a source read once, its events archived under the nights they belong to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.archive import EVENTS, Addition, Archive
from pipelines.commits import Commit, Counts, Input, summed
from pipelines.engine import modest
from pipelines.errors import DataError
from pipelines.known import Known
from pipelines.parsing.events import SCHEMA
from pipelines.scratch import scratch
from pipelines.sources.base import Source
from pipelines.stages.filing import Filed, Rest, file_quarantine
from pipelines.stages.reading import Ended, Feed, Progress
from pipelines.stages.refused import BadPlace
from pipelines.stages.staging import Staging
from pipelines.words import listed

_BATCH_ROWS = 1 << 18


@dataclass(frozen=True)
class Exported:
    """What an export did: each asked night's commit, which nights it wrote, and where every line ended.

    `late` are the earlier nights whose late events were taken, `revisions` the commits of those that had some."""

    commits: Mapping[date, Commit | None]
    written: tuple[date, ...]
    late: tuple[date, ...]
    revisions: Mapping[date, Commit]
    inputs: tuple[Input, ...]
    ended: Mapping[str, Ended]
    ignored: tuple[str, ...]
    notices: tuple[str, ...]
    """What to know of the source and of the archive, one sentence each."""
    covers: str
    bad: int
    """Lines that are no audit event, those quarantined by an earlier run among them."""
    known: int
    """Lines that an earlier run archived or filed."""
    first_bad: BadPlace | None
    """Of the lines that this run filed; where it filed none, of all bad ones."""

    @property
    def empty(self) -> tuple[date, ...]:
        """Asked nights of which the archive holds no event."""
        return tuple(n for n, c in self.commits.items() if c is None)

    @property
    def revised(self) -> tuple[date, ...]:
        """Earlier nights, archived before, of which late events came in."""
        return tuple(self.revisions)

    @property
    def read(self) -> int:
        """Lines read."""
        return sum(e.read for e in self.ended.values())


def export(
    archive: Archive,
    engine: duckdb.DuckDBPyConnection,
    source: Source,
    nights: Sequence[date],
    late: Sequence[date],
    progress: Progress,
    name: str = "source",
) -> Exported:
    """Read every object of the source once and commit what is new of the asked nights.

    Args:
        late: nights before the asked ones whose late events are taken, too, where the archive holds the night already;
            a night that was never archived would become one of a few hours.
        name: of the source, for messages.
    Raises:
        ConfigError: an object of the source cannot be opened.
        DataError: no line of it is an audit event, or the archive is damaged.
    """
    before = {n: archive.newest(EVENTS, n) for n in (*late, *nights)}
    notices = (*source.notices, *_newcomer(archive, before))
    taken = sorted(n for n in before if n in nights or before[n] is not None)
    with scratch() as folder, modest(engine):
        feed = Feed(source.objects, _known(archive, before, folder), progress)
        staging = Staging(engine, folder, taken, feed)
        staging.read()
        _refuse_other_logs(name, staging)
        commits, written, filed = _archive(archive, staging, before, nights)
        known = filed.known + sum(int(again.sum()) for again in feed.again)
        bad = len(staging.refused)
    covers = f"{staging.first} to {staging.last}" if staging.first else "no event"
    asked = {n: commits[n] for n in nights}
    earlier = tuple(n for n in taken if n not in nights)
    revised = {n: commit for n, commit in commits.items() if n in earlier and n in written and commit is not None}
    inputs, ended = tuple(feed.inputs), staging.ended
    of_source = inputs, ended, source.ignored, notices, covers
    return Exported(asked, written, earlier, revised, *of_source, bad, known, filed.first)


def _newcomer(archive: Archive, before: Mapping[date, Commit | None]) -> Iterator[str]:
    """A cluster that joins others: its name may be mistyped, and its history would begin anew without a word."""
    if any(before.values()) or archive.nights(EVENTS):
        return
    others = archive.clusters()
    if others:
        yield f"{archive.cluster} is new to this archive, which holds {listed(others)}"


def _known(archive: Archive, before: Mapping[date, Commit | None], folder: Path) -> Known:
    known = Known(folder)
    for night, commit in before.items():
        if commit is not None:
            known.add(night, ())
            for part in commit.parts:
                # one after the other: a night may be larger than is kept of it
                with archive.files(replace(commit, parts=(part,))) as (path,):
                    known.add(night, _hashes(path))
    return known


def _hashes(part: Path) -> Iterator[pa.Array]:
    with pq.ParquetFile(part) as file:
        for batch in file.iter_batches(_BATCH_ROWS, columns=["content_hash"]):
            yield batch["content_hash"]


def _refuse_other_logs(source: str, staging: Staging) -> None:
    read = sum(e.read for e in staging.ended.values())
    if not read or staging.first is not None:
        return
    first = staging.refused.first()
    raise DataError(
        f"--source {source}: none of {read} lines is a Kubernetes audit event (first: {first.source} at byte "
        f"{first.byte_offset}, {first.reason}); expected one audit.k8s.io event as JSON on each line"
    )


def _archive(
    archive: Archive, staging: Staging, before: Mapping[date, Commit | None], asked: Sequence[date]
) -> tuple[dict[date, Commit | None], tuple[date, ...], Filed]:
    """Each night's commit, the nights of which this run wrote it, and what became of the bad lines."""
    rest = Rest(staging, next((n for n in asked if staging.present(n)), asked[0]))
    filed = file_quarantine(archive, staging, rest.night)
    commits: dict[date, Commit | None] = {}
    written = []
    for night in staging.nights:
        commits[night], wrote = _append(archive, staging, night, before[night], rest if night == rest.night else None)
        if wrote:
            written.append(night)
    return commits, tuple(written), filed


def _append(
    archive: Archive, staging: Staging, night: date, seen: Commit | None, rest: Rest | None
) -> tuple[Commit | None, bool]:
    """The night's commit, and whether this run wrote it.

    Args:
        seen: the commit whose lines were known when the source was read.
    """
    here = {i: count for (i, of), count in staging.staged.items() if of == night}
    archived: Mapping[int, int] = {}

    def added(before: Commit | None) -> Addition | None:
        nonlocal archived
        beside = rest.counts(before) if rest else Counts()
        looked_at = {part.file for part in seen.parts} if seen else set()
        with archive.files(before if here else None) as parts:
            newer = [p for p in parts if p.name not in looked_at]
            choice = staging.rows.choose(night, newer, parts)
        archived = choice.by_source
        fresh, read = sum(archived.values()), sum(here.values()) + int(staging.again(night).sum())
        if not fresh and not beside.quarantined:
            return None
        counts = Counts(read=read, archived=fresh, duplicate=read - fresh, **choice.described)
        used = sorted((staging.feed.inputs[i] for i in archived), key=lambda one: one.name)
        held = rest.files() if rest else ()
        return Addition(staging.rows.chosen(night), SCHEMA, used, summed(beside, counts), held)

    if not staging.present(night):
        return archive.newest(EVENTS, night), False
    commit, wrote = archive.append(EVENTS, night, added)
    for i, count in here.items():
        ended = staging.feed.ended[i]
        ended.archived += archived.get(i, 0)
        # those archived before this run were counted when they were met
        ended.duplicate += count - archived.get(i, 0)
    return commit, wrote
