"""What a run has read, before it is archived: rows in temporary Parquet files, lines for quarantine in another.

On disk, so that memory stays bounded. Equal lines are equal events: the raw line holds every column of an event's
identity, so duplicates are told by content_hash."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.commits import Counts
from pipelines.events import ORDER
from pipelines.lines import SCHEMA, Inner, inner_batch
from pipelines.parse import BAD, EARLY, QUARANTINE, bad_lines, quarantined, reading, refuse_or_save, settled
from pipelines.stages.ordinary import Ordinary
from pipelines.stages.reading import Ended, Feed

# the engine refuses to hand over 2 GiB of one text column in one batch; a line may be long
_BATCH_ROWS = 8192
_INNER_LINES, _INNER_BYTES = 1000, 16_000_000
_REFUSED_ROWS = 10_000
_ORDER = ", ".join(f'"{n}" NULLS FIRST' for n in ORDER)
_EARLY = ", ".join(f'"{n}"' for n in EARLY)
# of two kinds of source one carries times to the millisecond only, and perhaps no query of the URI
_ACROSS = "audit_id, stage, username, verb, date_trunc('millisecond', received_ts)"


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


def read_parts(parts: Sequence[Path], more: str = "") -> str:
    """SQL for the rows of these files."""
    return f"read_parquet([{', '.join(map(_quoted, parts))}], hive_partitioning = false{more})"


def _bad_rows(rows: Path) -> Iterator[pa.RecordBatch]:
    # not through the engine: it is about to read what is made of these rows
    with pq.ParquetFile(rows) as file:
        for batch in file.iter_batches(256, columns=["night", *BAD]):
            yield batch.filter(batch["night"].is_null())


@dataclass(frozen=True)
class Chosen:
    """Of one source object and night: lines read, those archived before this run, and those that it archives."""

    read: int
    again: int
    archived: int


@dataclass
class Staging:
    """Rows and bad lines of one run, and where each source object's lines ended so far."""

    engine: duckdb.DuckDBPyConnection
    folder: Path
    nights: Sequence[date]
    feed: Feed
    first: date | None = None
    last: date | None = None
    _rounds: list[Path] = field(default_factory=list)
    _files: list[Path] = field(default_factory=list)
    _staged: dict[tuple[int, date], int] = field(default_factory=dict)

    @property
    def ended(self) -> dict[str, Ended]:
        """By source object."""
        return {one.name: ended for one, ended in zip(self.feed.objects, self.feed.ended, strict=True)}

    def read(self) -> None:
        """Read every line of the source and parse it, and what can be saved of the bad ones.

        Raises:
            AuditForestError: what a source object raises.
        """
        ordinary = Ordinary(self.folder / "ordinary.parquet", self.nights)
        self.feed.ordinary = ordinary.take
        batches = self.feed.batches()
        try:
            self._parse(batches)
        except Exception:
            if self.feed.failed is not None:
                raise self.feed.failed from None
            raise
        finally:
            # a thread of the engine may still be in it
            with suppress(ValueError):
                batches.close()
        self._files = ordinary.close()
        with pq.ParquetWriter(self._bad, QUARANTINE) as refused:
            self._refuse(refused, [self._long(line) for line in self.feed.long])
            while self._has_bad():
                self._parse(self._inner(self._rounds[-1], refused))
        self._count(ordinary)
        # what the reading has left is room for the sort
        pa.default_memory_pool().release_unused()

    def _parse(self, lines: Iterator[pa.RecordBatch]) -> None:
        path = self.folder / f"rows-{len(self._rounds)}.parquet"
        self.engine.register("lines", pa.RecordBatchReader.from_batches(SCHEMA, lines))
        try:
            self.engine.execute(
                f"COPY ({reading(self.nights)}) TO {_quoted(path)} "
                "(FORMAT parquet, COMPRESSION snappy, ROW_GROUP_SIZE 30000)"
            )
        finally:
            self.engine.unregister("lines")
        self._rounds.append(path)

    @property
    def _bad(self) -> Path:
        return self.folder / "bad.parquet"

    def _has_bad(self) -> bool:
        last = read_parts(self._rounds[-1:])
        found: int = self.engine.execute(f"SELECT count(*) FROM {last} WHERE night IS NULL").fetchall()[0][0]
        return found > 0

    def _inner(self, rows: Path, refused: pq.ParquetWriter) -> Iterator[pa.RecordBatch]:
        """Events inside bad lines; bad lines that hold none are refused."""
        inner: list[Inner] = []
        entries: list[dict[str, object]] = []
        for line in bad_lines(_bad_rows(rows)):
            ended = self.feed.ended[line.source]
            ended.blank += refuse_or_save(line, inner.extend, entries.append, self.feed.objects[line.source].name)
            if len(inner) >= _INNER_LINES or sum(len(one.line) + len(one.parsed) for one in inner) > _INNER_BYTES:
                yield from self._unknown(inner)
                inner = []
            if len(entries) >= _REFUSED_ROWS:
                self._refuse(refused, entries)
                entries = []
        self._refuse(refused, entries)
        yield from self._unknown(inner)

    def _unknown(self, inner: Sequence[Inner]) -> Iterator[pa.RecordBatch]:
        fresh = self.feed.unknown(inner)
        if fresh:
            yield inner_batch(fresh)

    def _long(self, line: Any) -> dict[str, object]:
        row = quarantined(line.source, line.offset, line.start, "longer than a line may be")
        return row | {"length": line.length, "sha256": line.sha256}

    def _refuse(self, refused: pq.ParquetWriter, entries: list[dict[str, object]]) -> None:
        if entries:
            refused.write_table(pa.Table.from_pylist(entries, QUARANTINE))

    def _count(self, ordinary: Ordinary) -> None:
        """How the lines of each object ended that are not archived, and which nights there are."""
        how = ", filename = true, file_row_number = true, union_by_name = true"
        self.engine.execute(
            "CREATE OR REPLACE TEMP VIEW staged AS SELECT *, filename || file_row_number AS nth FROM "
            f"{read_parts([*self._files, *self._rounds], how)} WHERE night IS NOT NULL"
        )
        found = self.engine.execute("SELECT source, night, wanted, count(*) FROM staged GROUP BY ALL").fetchall()
        found += [(source, night, False, count) for (source, night), count in ordinary.outside.items()]
        for source, night, wanted, count in found:
            self.feed.ended[source].read += count
            if wanted:
                self._staged[source, night] = count
            else:
                self.feed.ended[source].outside += count
        names = {one.name: ended for one, ended in zip(self.feed.objects, self.feed.ended, strict=True)}
        counted = f"SELECT source, count(*) FROM {read_parts([self._bad])} GROUP BY source"
        for name, count in self.engine.execute(counted).fetchall():
            # long lines were counted when they were met
            names[name].read += count - sum(line.source == name for line in self.feed.long)
        known = [n for n in self.feed.known.nights if self._again(n).any()]
        seen = sorted({night for _, night, _, _ in found} | set(known))
        if seen:
            self.first, self.last = seen[0], seen[-1]

    def _again(self, night: date) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Of each object the lines of the night that were archived before this run."""
        if night not in self.feed.known.nights:
            return np.zeros(len(self.feed.again), np.int64)
        index = self.feed.known.nights.index(night)
        return np.array([again[index] for again in self.feed.again], np.int64)

    def present(self, night: date) -> bool:
        """Did any source object hold an event of the night?"""
        return any(n == night for _, n in self._staged) or bool(self._again(night).any())

    def fresh(self, night: date) -> bool:
        """Was any event of the night read that was not archived before this run?"""
        return any(n == night for _, n in self._staged)

    def choose(self, night: date, newer: Sequence[Path], parts: Sequence[Path]) -> tuple[Counts, dict[str, Chosen]]:
        """Choose the night's rows that are not archived, one of each; `chosen` then yields them.

        Args:
            newer: parts that were committed since this run looked; they may hold lines that it has read.
            parts: all parts of the night.
        Returns:
            The counts of this addition, what describes it counted on its own rows only, and what was read and chosen
            of each source object.
        """
        self._choose(night, newer, parts)
        of_night = f"staged WHERE wanted AND night = DATE '{night.isoformat()}'"
        counted = (
            f"SELECT source, count(*) FROM (SELECT * FROM {of_night}) ANTI JOIN dropped USING (nth) GROUP BY source"
        )
        chosen = dict(self.engine.execute(counted).fetchall())
        again = self._again(night)
        by_object = {
            one.name: Chosen(self._staged.get((i, night), 0) + int(again[i]), int(again[i]), chosen.get(i, 0))
            for i, one in enumerate(self.feed.objects)
            if self._staged.get((i, night)) or again[i]
        }
        read, archived = sum(c.read for c in by_object.values()), sum(chosen.values())
        described = self._described(night, parts)
        return Counts(read=read, archived=archived, duplicate=read - archived, **described), by_object

    def _choose(self, night: date, newer: Sequence[Path], parts: Sequence[Path]) -> None:
        rows = f"(SELECT * FROM staged WHERE wanted AND night = DATE '{night.isoformat()}')"
        dropped = [
            # few lines come twice: only those are sorted
            f"SELECT nth FROM {rows} SEMI JOIN (SELECT content_hash FROM {rows} GROUP BY content_hash "
            "HAVING count(*) > 1) USING (content_hash) "
            "QUALIFY row_number() OVER (PARTITION BY content_hash ORDER BY source, pos, nth) > 1"
        ]
        if newer:
            dropped.append(f"SELECT nth FROM {rows} SEMI JOIN {read_parts(newer)} USING (content_hash)")
        if self._two_kinds(rows, parts):
            dropped.append(self._of_another_kind(rows, parts))
        self.engine.execute(f"CREATE OR REPLACE TEMP TABLE dropped AS {' UNION '.join(f'({d})' for d in dropped)}")

    def _two_kinds(self, rows: str, parts: Sequence[Path]) -> bool:
        """Are there rows with and rows without a raw line?"""
        kinds = " UNION ALL ".join(
            f"SELECT count(bytes), count(*) FROM {relation}"
            for relation in (rows, *([read_parts(parts)] if parts else []))
        )
        found = self.engine.execute(kinds).fetchall()
        with_line, all_rows = (sum(numbers) for numbers in zip(*found, strict=True))
        return bool(0 < with_line < all_rows)

    def _of_another_kind(self, rows: str, parts: Sequence[Path]) -> str:
        """SQL for rows of which another kind of source brought the event first."""
        names = [f"k{i}" for i, _ in enumerate(_ACROSS.split(", ", 4))]
        keys = ", ".join(f"{sql} AS {name}" for name, sql in zip(names, _ACROSS.split(", ", 4), strict=True))
        archived = f"SELECT {keys}, bytes IS NULL AS kind FROM {read_parts(parts)}" if parts else None
        here = f"SELECT {keys}, bytes IS NULL AS kind FROM {rows} WHERE bytes IS NOT NULL"
        other = f"({here}{f' UNION ALL {archived}' if archived else ''})"
        same = " AND ".join(f"r.{n} IS NOT DISTINCT FROM o.{n}" for n in names)
        return (
            f"SELECT nth FROM (SELECT nth, {keys}, bytes IS NULL AS kind FROM {rows}) AS r "
            f"SEMI JOIN {other} AS o ON {same} AND r.kind <> o.kind"
        )

    def chosen(self, night: date) -> pa.RecordBatchReader:
        """The rows last chosen, in the archive's order."""
        rows = f"SELECT {_EARLY} FROM staged ANTI JOIN dropped USING (nth)"
        relation = f"({rows} WHERE wanted AND night = DATE '{night.isoformat()}')"
        return self.engine.sql(f"{settled(relation)} ORDER BY {_ORDER}").to_arrow_reader(_BATCH_ROWS)

    def _described(self, night: date, parts: Sequence[Path]) -> Mapping[str, Any]:
        rows = (
            f"(SELECT * FROM staged WHERE wanted AND night = DATE '{night.isoformat()}') ANTI JOIN dropped USING (nth)"
        )
        truncated, mistyped, hours, ids, count = self.engine.execute(
            "SELECT count(truncated), count(*) FILTER (mistyped), list_sort(list(DISTINCT hour(stage_ts))), "
            f"count(DISTINCT hash(audit_id, stage)), count(*) FROM {rows}"
        ).fetchall()[0]
        reused = count - ids
        if reused or parts:
            reused = self._reused(f"(SELECT audit_id, stage FROM {rows})", parts)
        return {
            "truncated": truncated,
            "mistyped": mistyped,
            "collisions": reused,
            "hours_seen": tuple(hours or ()),
        }

    def _reused(self, rows: str, parts: Sequence[Path]) -> int:
        """Rows whose audit id and stage another row bears already, archived or read before them."""
        fresh = f"(SELECT DISTINCT audit_id, stage FROM {rows})"
        if parts:
            fresh += f" ANTI JOIN {read_parts(parts)} USING (audit_id, stage)"
        found = self.engine.execute(f"SELECT (SELECT count(*) FROM {rows}) - (SELECT count(*) FROM {fresh})").fetchall()
        return int(found[0][0])

    def choose_bad(self, parts: Sequence[Path]) -> tuple[dict[str, int], dict[str, int]]:
        """How many bad lines the parts do not hold, and how many they do, by source object; see `chosen_bad`.

        The same bytes in the same object are the same line, wherever in it they stand: an hour of a log that is read
        again with a late event in it has them further on."""
        known = read_parts(parts) if parts else f"(SELECT * FROM {read_parts([self._bad])} WHERE false)"
        self.engine.execute(
            "CREATE OR REPLACE TEMP TABLE fresh_bad AS SELECT b.* EXCLUDE (nth) FROM (SELECT *, row_number() OVER "
            f"(PARTITION BY source, sha256 ORDER BY byte_offset) AS nth FROM {read_parts([self._bad])}) AS b LEFT JOIN "
            f"(SELECT source, sha256, count(*) AS n FROM {known} GROUP BY ALL) AS k USING (source, sha256) "
            "WHERE nth > coalesce(n, 0)"
        )
        filed = dict(self.engine.execute("SELECT source, count(*) FROM fresh_bad GROUP BY source").fetchall())
        counted = f"SELECT source, count(*) FROM {read_parts([self._bad])} GROUP BY source"
        every = dict(self.engine.execute(counted).fetchall())
        return filed, {s: n - filed.get(s, 0) for s, n in every.items()}

    def chosen_bad(self) -> pa.RecordBatchReader:
        """The bad lines last chosen, in the archive's order."""
        return self.engine.sql("FROM fresh_bad ORDER BY source, byte_offset, sha256").to_arrow_reader(_BATCH_ROWS)

    @property
    def bad(self) -> int:
        """Bad lines met."""
        return int(pq.read_metadata(self._bad).num_rows)

    def holding_bad(self, parts: Sequence[Path]) -> list[str]:
        """Names of the parts that hold a bad line of this run."""
        if not parts:
            return []
        found = self.engine.execute(
            f"SELECT DISTINCT file FROM (SELECT parse_filename(filename) AS file, source, sha256 FROM "
            f"{read_parts(parts, ', filename = true')}) SEMI JOIN {read_parts([self._bad])} USING (source, sha256)"
        ).fetchall()
        return [name for (name,) in found]

    def first_bad(self) -> tuple[str, int, str]:
        """Where the first bad line stood, and why it is one."""
        found = self.engine.execute(
            f"SELECT source, byte_offset, reason FROM {read_parts([self._bad])} ORDER BY source, byte_offset LIMIT 1"
        ).fetchall()
        where, offset, reason = found[0]
        return where, offset, reason
