"""The bad lines of a run, filed in the quarantine under one night, and counted once.

tests/pipelines/test_export.py lets runs file the same line at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

from pipelines.archive import EVENTS, QUARANTINE, Addition, Archive
from pipelines.commits import Commit, Counts, Part
from pipelines.parse import QUARANTINE_SCHEMA
from pipelines.stages.staging import Staging


@dataclass
class Elsewhere:
    """The quarantine of other nights, if there is a bad line: it may have been filed under any of them.

    A folder that grows shows its old lines to every run."""

    archive: Archive
    staging: Staging
    home: date
    stack: ExitStack
    """Until when the parts fetched stay."""
    fetched: dict[tuple[date, Part], Path] = field(default_factory=dict)

    def now(self) -> list[tuple[date, Part]]:
        """The parts that are committed, each with its night."""
        if not self.staging.refused:
            return []
        nights = [night for night in self.archive.nights(QUARANTINE) if night != self.home]
        found = [commit for night in nights if (commit := self.archive.newest(QUARANTINE, night)) is not None]
        for commit in found:
            new = tuple(part for part in commit.parts if (commit.night, part) not in self.fetched)
            paths = self.stack.enter_context(self.archive.files(replace(commit, parts=new)))
            self.fetched |= {(commit.night, part): path for part, path in zip(new, paths, strict=True)}
        return [(commit.night, part) for commit in found for part in commit.parts]


@dataclass(frozen=True)
class Filed:
    """The home night's quarantine, None where it has none, and how many of the run's bad lines were filed before.

    `seen` are the parts of other nights when it was filed."""

    commit: Commit | None
    known: int
    elsewhere: Elsewhere
    seen: Sequence[tuple[date, Part]]
    wrote: bool

    def others(self) -> list[Path]:
        """Parts of other nights whose lines the home night does not count.

        Two runs of different nights may file a line at once, neither seeing the other's: it is counted by the night
        whose events count it already, else by the earlier one."""
        if not self.wrote:
            return [self.elsewhere.fetched[part] for part in self.seen]
        return [self.elsewhere.fetched[part] for part in self.elsewhere.now() if self._counts(*part)]

    def _counts(self, night: date, part: Part) -> bool:
        if (night, part) in self.seen or night < self.elsewhere.home:
            return True
        events = self.elsewhere.archive.newest(EVENTS, night)
        return events is not None and part.file in events.quarantine


def file_quarantine(archive: Archive, staging: Staging, home: date, elsewhere: Elsewhere) -> Filed:
    """File the bad lines under the home night."""
    filed: Mapping[str, int] = {}
    known: Mapping[str, int] = {}
    seen: list[tuple[date, Part]] = []

    def added(before: Commit | None) -> Addition | None:
        nonlocal filed, known, seen
        seen = elsewhere.now()
        with archive.files(before) as parts:
            filed, known = staging.refused.choose([*parts, *(elsewhere.fetched[part] for part in seen)])
        fresh = sum(filed.values())
        if not fresh:
            return None
        return Addition(staging.refused.chosen(), QUARANTINE_SCHEMA, (), Counts(read=fresh, archived=fresh))

    commit, wrote = archive.append(QUARANTINE, home, added)
    for source, ended in staging.ended.items():
        ended.quarantined += filed.get(source, 0)
        # a bad line met again is a duplicate of the one in quarantine
        ended.duplicate += known.get(source, 0)
    return Filed(commit, sum(known.values()), elsewhere, seen, wrote)


@dataclass(frozen=True)
class Rest:
    """What belongs to the run and not to a night; the home night's commit bears it.

    A bad line is quarantined in the first commit of events that counts it, whichever run filed it: one that died
    before its commit left the counts to the next.
    """

    archive: Archive
    staging: Staging
    filed: Filed

    def counts(self, before: Commit | None) -> Counts:
        """Counts that the night's commit does not hold yet."""
        counted = before.quarantine if before else ()
        with self.archive.files(self._only(counted)) as parts:
            fresh, known = self.staging.refused.choose([*parts, *self.filed.others()])
        bad, again = sum(fresh.values()), sum(known.values())
        ended = self.staging.ended.values()
        outside = sum(e.outside for e in ended)
        return Counts(
            read=bad + again + outside,
            duplicate=again,
            quarantined=bad,
            outside=outside,
            blank=sum(e.blank for e in ended),
            skipped=sum(e.skipped for e in ended),
        )

    def parts(self) -> list[str]:
        """Parts of the quarantine that hold a bad line of this run."""
        with self.archive.files(self.filed.commit) as parts:
            return self.staging.refused.holding(parts)

    def _only(self, files: Sequence[str]) -> Commit | None:
        filed = self.filed.commit
        return filed and replace(filed, parts=tuple(part for part in filed.parts if part.file in files))
