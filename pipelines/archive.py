"""The archive of one cluster: events by append, derived tables by replacement; quarantine.py has the bad lines.

Append: parts first, under names made from their content; then one commit. A crash leaves parts nobody reads.
Replace: one object a night, written atomically, its inputs in its own metadata.
Marks: one object each, named by its content, written once and found by listing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipelines import commits
from pipelines.commits import Commit, Counts, Input, Part
from pipelines.config import CLUSTER_PATTERN
from pipelines.decoded import Decoded, Derived, Sealed
from pipelines.errors import DataError, RetryError
from pipelines.keys import night_named
from pipelines.marking import record
from pipelines.marking.record import MARK_FILE, MARKS, Mark
from pipelines.parquet import encode, rows_of, written
from pipelines.scratch import scratch
from pipelines.store import ObjectStore

EVENTS = "events"
QUARANTINE = "quarantine"
ITEMS = "items"
PRINCIPAL_DAYS = "principal_days"
RANKING = "ranking"

_ROUNDS = 5
_PLACE = re.compile(rf"{EVENTS}/cluster=([^/]+)/date=([^/]+)/[^/]+")


@dataclass(frozen=True)
class Addition:
    """What a run adds to a night, given what is committed: its rows, inputs and counts.

    `quarantine` names the files of the quarantine whose lines are counted."""

    batches: Iterable[pa.RecordBatch]
    schema: pa.Schema
    inputs: Sequence[Input]
    counts: Counts
    quarantine: Sequence[str] = ()


_decoded = Decoded()


class Archive:
    """One cluster's tables in one store."""

    def __init__(self, store: ObjectStore, cluster: str) -> None:
        self.store = store
        self.cluster = cluster
        self._marks: dict[str, Mark] = {}

    def newest(self, table: str, night: date) -> Commit | None:
        """The commit of a night, or None."""
        return commits.newest(self.store, table, self.cluster, night)

    def nights(self, table: str) -> list[date]:
        """The nights of which the store lists an object of the table, ascending; what counts is what is committed."""
        prefix = f"{table}/cluster={self.cluster}/date="
        # a file of such a name is no folder
        found = (key.removeprefix(prefix).partition("/") for key in self.store.list(prefix))
        folders = {name for name, inside, _ in found if inside}
        return sorted(night for name in folders if (night := night_named(name)) is not None)

    def clusters(self) -> list[str]:
        """The clusters of which the store lists an event, this archive's own or others', sorted."""
        # in its folders alone: what somebody left among them is nobody's
        found = (_PLACE.fullmatch(key) for key in self.store.list(f"{EVENTS}/cluster="))
        named = {place[1] for place in found if place and night_named(place[2]) is not None}
        return sorted(name for name in named if re.fullmatch(CLUSTER_PATTERN, name))

    def append(
        self, table: str, night: date, added: Callable[[Commit | None], Addition | None]
    ) -> tuple[Commit | None, bool]:
        """The night's commit after adding what `added` says is new, and whether this call wrote it.

        Another writer may commit meanwhile: then `added` is asked again, with that writer's commit.
        Raises:
            RetryError: others committed first, round after round.
        """
        for _ in range(_ROUNDS):
            before = self.newest(table, night)
            addition = added(before)
            if addition is None:
                return before, False
            commit = self._next(table, night, before, addition)
            if self.store.put_new(commits.key(table, self.cluster, night, commit.generation), commit.body()):
                return commit, True
        raise RetryError(
            f"{self.store.url}/{commits.folder(table, self.cluster, night)}: {_ROUNDS} other writers committed first; "
            "run one job a night and cluster"
        )

    def _next(self, table: str, night: date, before: Commit | None, addition: Addition) -> Commit:
        with scratch() as folder:
            files = written(addition.batches, addition.schema, folder)
            parts = [self._put_part(table, night, path) for path in files]
        if before is None:
            before = Commit(table, self.cluster, night, 0, ())
        return replace(
            before,
            generation=before.generation + 1,
            parts=(*before.parts, *parts),
            inputs=(*before.inputs, *addition.inputs),
            counts=commits.summed(before.counts, addition.counts),
            quarantine=tuple(sorted({*before.quarantine, *addition.quarantine})),
        )

    def _put_part(self, table: str, night: date, path: Path) -> Part:
        with path.open("rb") as body:
            digest = file_digest(body, "sha256").hexdigest()
        name = commits.part_file(digest)
        where = f"{commits.folder(table, self.cluster, night)}/{name}"
        if not self.store.upload(where, path):
            raise DataError(
                f"{self.store.url}/{where}: other bytes stand under this name; remove the damaged object and run again"
            )
        part = Part(name, digest, rows_of(path), path.stat().st_size)
        path.unlink()
        return part

    @contextmanager
    def files(self, *committed: Commit | None) -> Iterator[list[Path]]:
        """Local copies of the parts that commits name, each verified; removed afterwards.

        Raises:
            DataError: a part is missing or its bytes are not those committed.
        """
        with scratch() as folder:
            paths = []
            for number, commit in enumerate(filter(None, committed)):
                # two nights may hold a part of the same name
                (folder / str(number)).mkdir()
                for part in commit.parts:
                    paths.append(folder / str(number) / part.file)
                    self.fetch(commit, part, paths[-1])
            yield paths

    def fetch(self, commit: Commit, part: Part, path: Path) -> None:
        """Put a verified copy of a part into a new file; a call that raises leaves none.

        Raises:
            DataError: the part is missing or its bytes are not those committed.
        """
        where = f"{commits.folder(commit.table, self.cluster, commit.night)}/{part.file}"
        digest = self.store.download(where, path)
        if digest != part.sha256:
            found = "missing" if digest is None else f"{path.stat().st_size} bytes with another checksum"
            # who asks again must not take it for verified
            path.unlink(missing_ok=True)
            raise self._not_as_committed(commit, part, found)

    def in_place(self, commit: Commit, part: Part, root: Path) -> Path:
        """The part's file in an archive that is this folder, its size verified.

        Raises:
            DataError: the part is missing or not as long as committed.
        """
        path = root / commits.folder(commit.table, self.cluster, commit.night) / part.file
        size = path.stat().st_size if path.is_file() else None
        if size != part.bytes:
            raise self._not_as_committed(commit, part, "missing" if size is None else f"{size} bytes")
        return path

    def _not_as_committed(self, commit: Commit, part: Part, found: str) -> DataError:
        where = f"{commits.folder(commit.table, self.cluster, commit.night)}/{part.file}"
        return DataError(
            f"{self.store.url}/{where}: {found}, expected {part.bytes} bytes as committed in generation "
            f"{commit.generation}; restore the object, or remove the night's folder and export it again"
        )

    def derived(self, table: str, night: date, columns: tuple[str, ...] | None = None) -> Derived | None:
        """A derived table, whole or of these columns, or None where the night has none.

        Raises:
            DataError: the object is damaged, or lacks one of the columns.
        """
        where = f"{commits.folder(table, self.cluster, night)}/{table}.parquet"
        body = self.store.get(where)
        return None if body is None else _decoded.table(body, f"{self.store.url}/{where}", columns)

    def sealed(self, table: str, night: date) -> Sealed | None:
        """What a derived table was made from, its rows not read, or None where the night has none.

        Raises:
            DataError: the object is damaged.
        """
        where = f"{commits.folder(table, self.cluster, night)}/{table}.parquet"
        body = self.store.get(where)
        return None if body is None else _decoded.sealed(body, f"{self.store.url}/{where}")

    def opened(self, *kinds: Sequence[Sealed], without: frozenset[str]) -> list[list[Derived]]:
        """Derived tables of several nights, kind by kind in the order given; in far less time than one by one.

        Args:
            without: columns that need not be read.
        Raises:
            DataError: one is damaged.
        """
        return _decoded.tables(*kinds, without=without)

    def add_mark(self, mark: Mark) -> Mark:
        """Write a mark, once and for all; it comes back with its id.

        Raises:
            DataError: other bytes stand under its name.
        """
        mark, body = record.written(mark)
        if not self.store.put_new(record.key(mark), body):
            raise DataError(
                f"{self.store.url}/{record.key(mark)}: other bytes stand under this name; remove the damaged object "
                "and mark again"
            )
        return mark

    def marks(self) -> list[Mark]:
        """Every mark of the cluster that the store lists, in the order in which they count.

        Raises:
            DataError: one is damaged.
        """
        listed = self.store.list(f"{MARKS}/cluster={self.cluster}/date=")
        for key in listed:
            # a mark never changes: what was read once need not be read again
            if key not in self._marks and re.fullmatch(MARK_FILE, key.rpartition("/")[2]):
                body = self.store.get(key)
                if body is not None:
                    self._marks[key] = record.read(body, key, f"{self.store.url}/{key}")
        return record.in_order([self._marks[key] for key in listed if key in self._marks])

    def replace(self, table: str, night: date, rows: pa.Table, meta: dict[str, Any]) -> str:
        """Write a derived table in one atomic step; its sha256 comes back. The same bytes are not written again."""
        return self.publish(f"{commits.folder(table, self.cluster, night)}/{table}.parquet", encode(rows, meta))

    def publish(self, where: str, body: bytes) -> str:
        """Write one object under a fixed name unless the same bytes stand there; its sha256 comes back."""
        if self.store.get(where) != body:
            self.store.put(where, body)
        return sha256(body).hexdigest()
