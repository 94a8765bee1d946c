"""An archive opened for reading: its tables as DuckDB relations, of all nights or some; nothing is written.

Only what is committed is read. docs/notebooks.md shows its use, tests/e2e/test_opened.py holds it to an archive."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from types import TracebackType

import duckdb
import pyarrow as pa

from features import predicates
from features.requests import REQUESTS
from pipelines.archive import EVENTS, ITEMS, PRINCIPAL_DAYS, RANKING, Archive
from pipelines.arguments import cluster_name, day
from pipelines.commits import Commit, Part
from pipelines.config import ParseConfig
from pipelines.engine import engine
from pipelines.errors import OrderError
from pipelines.marking.record import table as marked
from pipelines.parsing.events import SCHEMA
from pipelines.scratch import scratch
from pipelines.stages.features import events_of
from pipelines.stages.made import made
from pipelines.stages.parts import read_parts
from pipelines.store import LocalStore, ObjectStore
from pipelines.which import only

Nights = date | str | Iterable[date | str] | None
"""One night, or several, as dates or YYYY-MM-DD; None for every night that the table has."""

_ORDER = {ITEMS: "principal, kind, item", PRINCIPAL_DAYS: "principal", RANKING: "rank, principal"}


class OpenArchive:
    """The tables of an archive, each asked for by cluster and nights.

    Every relation has two columns more than docs/archive.md lists, cluster and date. Without a cluster the archive's
    only one is meant. Relations stand on `connection` and live as long as the archive is open."""

    def __init__(self, store: ObjectStore, config: ParseConfig | None = None) -> None:
        self.store = store
        closing = ExitStack()
        self._close = weakref.finalize(self, closing.close)
        self.connection: duckdb.DuckDBPyConnection = closing.enter_context(engine(config or ParseConfig()))
        self.connection.register("no_row", SCHEMA.empty_table())
        self._folder = closing.enter_context(scratch())

    def __enter__(self) -> OpenArchive:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give back the engine and what was fetched from S3; relations are of no use afterwards."""
        self._close()

    def clusters(self) -> list[str]:
        """The clusters with archived events, sorted."""
        return Archive(self.store, "").clusters()

    def nights(self, cluster: str | None = None) -> list[date]:
        """The ranked nights, ascending."""
        return self.of(cluster).nights(RANKING)

    def of(self, cluster: str | None = None) -> Archive:
        """The archive of one cluster, as the nightly job reads it.

        Raises:
            ConfigError: no name, and the archive holds no cluster or several; or a name that none can have.
        """
        if cluster is not None:
            return Archive(self.store, cluster_name(cluster))
        return Archive(self.store, only(self.store, self.clusters()))

    def events(self, cluster: str | None = None, nights: Nights = None) -> duckdb.DuckDBPyRelation:
        """Every archived event, in no order.

        Parts of a folder are read where they lie; those in S3 are fetched once, when they are asked for first.
        Raises:
            OrderError: no event of a night is archived.
            DataError: a part is missing, or not as it was committed.
        """
        archive = self.of(cluster)
        each = (f"SELECT *, DATE '{night}' AS date FROM ({sql})" for night, sql in self._events(archive, nights))
        return self._together(archive, "SELECT *, CAST(NULL AS DATE) AS date FROM no_row", each)

    def requests(
        self, cluster: str | None = None, nights: Nights = None, usernames: Iterable[str] | None = None
    ) -> duckdb.DuckDBPyRelation:
        """The events as they are counted, in no order: each request once a night, under the name of its principal.

        Beside columns of events there are principal, type, ts (the time received), object (the resource with group and
        subresource), address, agent (the family), and left_out, true where no feature counts the request. Members of a
        crowd stand under their own names. Raises what events() raises.

        Args:
            usernames: only requests by these raw names, which are found without reading the others'; "" is no name.
        """
        archive = self.of(cluster)
        fits = "true" if usernames is None else _named(set(usernames))
        each = (
            f"SELECT *, DATE '{night}' AS date FROM (WITH events AS (FROM ({sql}) WHERE {fits}) {REQUESTS})"
            for night, sql in self._events(archive, nights)
        )
        none = f"SELECT *, CAST(NULL AS DATE) AS date FROM (WITH events AS (FROM no_row) {REQUESTS})"
        return self._together(archive, none, each)

    def items(self, cluster: str | None = None, nights: Nights = None) -> duckdb.DuckDBPyRelation:
        """What each principal touched, by night, principal, kind and item.

        Raises:
            OrderError: a night is not counted yet.
            DataError: a table is damaged.
        """
        return self._derived(ITEMS, self.of(cluster), nights)

    def principal_days(self, cluster: str | None = None, nights: Nights = None) -> duckdb.DuckDBPyRelation:
        """The counts of each principal with their surprises, by night and principal; raises what items() raises."""
        return self._derived(PRINCIPAL_DAYS, self.of(cluster), nights)

    def ranking(self, cluster: str | None = None, nights: Nights = None) -> duckdb.DuckDBPyRelation:
        """The rankings with reasons and evidence, by night and rank.

        Raises:
            OrderError: a night is not ranked yet.
            DataError: a table is damaged.
        """
        return self._derived(RANKING, self.of(cluster), nights)

    def marks(self, cluster: str | None = None, nights: Nights = None) -> duckdb.DuckDBPyRelation:
        """What analysts ever said of principals, those marks that no longer hold among it, in the order of made_at.

        `date` is the marked night and `id` the mark's, by which `auditforest marks` names it. A night on which nobody
        is marked has no row.

        Raises:
            DataError: a mark is damaged.
        """
        archive = self.of(cluster)
        asked = None if nights is None else _asked(nights)
        found = [mark for mark in archive.marks() if asked is None or mark.night in asked]
        rows = marked(found).append_column("id", pa.array([mark.id for mark in found], pa.string()))
        placed = _placed(rows, archive.cluster, [mark.night for mark in found])
        return self.connection.from_arrow(placed).order("made_at, id")

    def _derived(self, table: str, archive: Archive, nights: Nights) -> duckdb.DuckDBPyRelation:
        found = []
        for night in archive.nights(table) if nights is None else _asked(nights):
            rows = made(archive, table, night).table.replace_schema_metadata(None)
            found.append(_placed(rows, archive.cluster, [night] * rows.num_rows))
        if not found:
            raise OrderError(f"{self.store.url}: {archive.cluster} has no {table}; run 'auditforest nightly'")
        # tables of two versions may differ by a column
        rows = pa.concat_tables(found, promote_options="permissive")
        return self.connection.from_arrow(rows).order(f"date, {_ORDER[table]}")

    def _together(self, archive: Archive, none: str, each: Iterable[str]) -> duckdb.DuckDBPyRelation:
        # the first names every column, where a part of an older version lacks one
        return self.connection.sql(
            f"SELECT *, '{archive.cluster}' AS cluster FROM ({' UNION ALL BY NAME '.join([none, *each])})"
        )

    def _events(self, archive: Archive, nights: Nights) -> Iterator[tuple[date, str]]:
        """SQL of the committed events of each night, with every column."""
        if nights is None:
            asked = [night for night in archive.nights(EVENTS) if archive.newest(EVENTS, night) is not None]
        else:
            asked = _asked(nights)
        for night in asked:
            commit = events_of(archive, night)
            if isinstance(self.store, LocalStore):
                paths = [archive.in_place(commit, part, Path(self.store.url)) for part in commit.parts]
            else:
                paths = [self._fetched(archive, commit, part) for part in commit.parts]
            if paths:
                yield night, f"FROM no_row UNION ALL BY NAME FROM {read_parts(paths, ', union_by_name = true')}"

    def _fetched(self, archive: Archive, commit: Commit, part: Part) -> Path:
        # a part is named by its content
        path = self._folder / part.file
        if not path.exists():
            archive.fetch(commit, part, path)
        return path


def _placed(rows: pa.Table, cluster: str, nights: Sequence[date]) -> pa.Table:
    """The rows with their cluster and, of each, its night."""
    of = pa.array([cluster] * rows.num_rows, pa.string())
    return rows.append_column("cluster", of).append_column("date", pa.array(nights, pa.date32()))


def _named(usernames: set[str]) -> str:
    """SQL over events: those of these user names."""
    nobody = "username IS NULL" if "" in usernames else "false"
    return f"({nobody} OR username IN ({predicates.listed(sorted(usernames))}))" if usernames else "false"


def _asked(nights: date | str | Iterable[date | str]) -> list[date]:
    each = [nights] if isinstance(nights, date | str) else nights
    return sorted({_night(night) for night in each})


def _night(night: date | str) -> date:
    return day("night", night) if isinstance(night, str) else date(night.year, night.month, night.day)
