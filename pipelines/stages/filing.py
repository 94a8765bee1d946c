"""The bad lines of a run, filed in the homes of their source objects, and counted once by one night.

tests/pipelines/test_export_writers.py lets runs file the same line at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines import quarantine
from pipelines.archive import QUARANTINE, Archive
from pipelines.commits import Commit, Counts
from pipelines.errors import RetryError
from pipelines.quarantine import Lines
from pipelines.stages.refused import BadPlace, Refused
from pipelines.stages.staging import Staging

_ROUNDS = 5


@dataclass(frozen=True)
class Filed:
    """How many of the run's bad lines were filed before; and the first that was not, or where all were, of all."""

    known: int = 0
    first: BadPlace | None = None


def file_quarantine(archive: Archive, staging: Staging, night: date) -> Filed:
    """File the bad lines that no run has filed; the night is to count them.

    Raises:
        DataError: a file of the quarantine is damaged.
        RetryError: other runs filed lines of the same objects first, round after round.
    """
    refused = staging.refused
    if not len(refused):
        return Filed()
    _hold_earlier(archive, refused)
    fresh, first = _file(archive, refused, night)
    for source, count in refused.by_source.items():
        staging.ended[source].quarantined += fresh[source]
        # a bad line met again is a duplicate of the one in quarantine
        staging.ended[source].duplicate += count - fresh[source]
    return Filed(len(refused) - fresh.total(), first or refused.first())


def _hold_earlier(archive: Archive, refused: Refused) -> None:
    """What the first layout of an archive filed, below the nights that count it; nothing is added there any more."""
    for night in archive.nights(QUARANTINE):
        with archive.files(archive.newest(QUARANTINE, night)) as parts:
            for part in parts:
                with pq.ParquetFile(part) as rows:
                    for batch in rows.iter_batches(quarantine.ROWS, columns=["source", "sha256"]):
                        refused.hold(Lines(part.name, night, pa.Table.from_batches([batch])))


def _file(archive: Archive, refused: Refused, night: date) -> tuple[Counter[str], BadPlace | None]:
    """How many lines of each source object this run filed, and the first of them."""
    fresh: Counter[str] = Counter()
    first = None
    held = dict.fromkeys(refused.by_source, 0)
    unread = set(held)
    for _ in range(_ROUNDS):
        for source in sorted(unread):
            while (found := quarantine.lines(archive, source, held[source] + 1)) is not None:
                refused.hold(found)
                held[source] += 1
        unread = set()
        for source, batch in refused.unfiled():
            if source in unread:
                continue
            rows = refused.batch(source, batch)
            made = quarantine.put(archive, source, held[source] + 1, night, rows)
            if made is None:
                # another run was first: what of these lines is in its file, and under which night?
                unread.add(source)
                continue
            refused.hold(made)
            held[source] += 1
            fresh[source] += rows.num_rows
            first = first or BadPlace.of(rows)
        if not unread:
            return fresh, first
    raise RetryError(
        f"{archive.store.url}/{quarantine.root(archive.cluster)}/{quarantine.home(min(unread))}: {_ROUNDS} other "
        "writers filed lines first; run one job a source and cluster"
    )


@dataclass(frozen=True)
class Rest:
    """What belongs to the run and not to a night; the commit of this one bears it.

    A bad line is quarantined in the first commit of events that counts it, whichever run filed it: one that died
    before its commit left the counts to the next.
    """

    staging: Staging
    night: date

    def counts(self, before: Commit | None) -> Counts:
        """Counts that the night's commit does not hold yet."""
        fresh, again = self.staging.refused.uncounted(self.night, before.quarantine if before else ())
        ended = self.staging.ended.values()
        outside = sum(e.outside for e in ended)
        return Counts(
            read=fresh + again + outside,
            duplicate=again,
            quarantined=fresh,
            outside=outside,
            blank=sum(e.blank for e in ended),
            skipped=sum(e.skipped for e in ended),
        )

    def files(self) -> Sequence[str]:
        """Files of the quarantine that the night counts and that hold a bad line of this run."""
        return self.staging.refused.holding(self.night)
