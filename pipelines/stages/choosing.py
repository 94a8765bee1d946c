"""Of the rows that a run has read, those that the archive does not hold: one of each.

Equal lines are equal events: the raw line holds every column of an event's identity, so duplicates are told by
content_hash. What a source without raw lines retells is told by what both tellings carry: its line is made from a
record whose version may change, and so may what is made of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.engine import at_rest
from pipelines.parquet import ROW_GROUP
from pipelines.parsing.events import AUTHORISED, COLUMNS, NAMES
from pipelines.parsing.parse import EARLY
from pipelines.stages.packed import text_columns
from pipelines.stages.parts import read_parts
from pipelines.stages.sorting import in_order

_LATE = [c for c in COLUMNS if c.late]
_ROW = "filename, file_row_number"
# of two kinds of source one carries times to the millisecond only, and perhaps no query of the URI
_ACROSS = ("audit_id", "stage", "username", "verb", "date_trunc('millisecond', received_ts)")
# a client may send two requests of one audit id within a millisecond, so that one hides the other
_RETOLD = (*_ACROSS, "split_part(request_uri, '?', 1)")


@dataclass(frozen=True)
class Choice:
    """Rows chosen of a night: how many of each source object (by index), and what describes them."""

    by_source: Mapping[int, int]
    described: Mapping[str, Any]


@dataclass(frozen=True)
class Choosing:
    """Rows of one run in Parquet files: EARLY, and of each its night, source, pos, and whether it is wanted."""

    engine: duckdb.DuckDBPyConnection
    folder: Path
    files: Sequence[Path]

    def __post_init__(self) -> None:
        how = ", filename = true, file_row_number = true, union_by_name = true"
        self.engine.execute(
            f"CREATE OR REPLACE TEMP VIEW staged AS SELECT * FROM {read_parts(self.files, how)} WHERE night IS NOT NULL"
        )

    def counted(self) -> list[tuple[int, date, bool, int]]:
        """Source, night, whether it is wanted, and the number of its rows."""
        return self.engine.execute("SELECT source, night, wanted, count(*) FROM staged GROUP BY ALL").fetchall()

    def choose(self, night: date, newer: Sequence[Path], parts: Sequence[Path]) -> Choice:
        """Choose the night's rows that are not archived, one of each; `chosen` then yields them.

        Args:
            newer: parts that were committed since this run looked; they may hold lines that it has read.
            parts: all parts of the night.
        """
        at_rest(self.engine)
        self._drop(_of(night), newer, parts)
        by_source = self.engine.execute(f"SELECT source, count(*) FROM {_kept(night)} GROUP BY source").fetchall()
        return Choice(dict(by_source), self._described(_kept(night), parts))

    def _drop(self, rows: str, newer: Sequence[Path], parts: Sequence[Path]) -> None:
        dropped = [
            # few lines come twice: only those are sorted, and numbers find them in a third of the memory
            f"SELECT {_ROW} FROM {rows} SEMI JOIN (SELECT hash(content_hash) AS h FROM {rows} GROUP BY h "
            "HAVING count(*) > 1) AS twice ON hash(content_hash) = twice.h "
            f"QUALIFY row_number() OVER (PARTITION BY content_hash ORDER BY source, pos, {_ROW}) > 1"
        ]
        if newer:
            dropped.append(f"SELECT {_ROW} FROM {rows} SEMI JOIN {read_parts(newer)} USING (content_hash)")
        raw, retelling = self._kinds(rows)
        raw_before, retelling_before = self._kinds(read_parts(parts)) if parts else (False, False)
        if (raw or raw_before) and (retelling or retelling_before):
            dropped.append(_of_another_kind(rows, parts))
        if retelling:
            dropped += _retold(rows, parts if retelling_before else ())
        self.engine.execute(f"CREATE OR REPLACE TEMP TABLE dropped AS {' UNION '.join(f'({d})' for d in dropped)}")

    def _kinds(self, relation: str) -> tuple[bool, bool]:
        """Are there rows with a raw line, and rows without?"""
        with_line, count = self.engine.execute(f"SELECT count(bytes), count(*) FROM {relation}").fetchall()[0]
        return with_line > 0, with_line < count

    def chosen(self, night: date) -> Iterator[pa.RecordBatch]:
        """The rows last chosen, in the archive's order."""
        at_rest(self.engine)
        return in_order(lambda: self._rows(night), lambda rows: settled(self.engine, rows), self.folder)

    def _rows(self, night: date) -> Iterator[pa.RecordBatch]:
        for path in self.files:
            asked = self.engine.execute("SELECT file_row_number FROM dropped WHERE filename = ?", [str(path)])
            yield from _of_file(path, night, np.asarray(asked.fetchnumpy()["file_row_number"], np.int64))

    def _described(self, rows: str, parts: Sequence[Path]) -> Mapping[str, Any]:
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


def settled(engine: duckdb.DuckDBPyConnection, rows: pa.Table) -> pa.Table:
    """The columns NAMES of rows with EARLY, their reasons one dictionary: few, so each is taken apart once."""
    reason = rows["reason"].chunk(0)
    engine.register("reasons", pa.table({"nth": np.arange(len(reason.dictionary)), "reason": reason.dictionary}))
    columns = ", ".join(f"{c.sql} AS {c.name}" for c in _LATE)
    late = engine.sql(
        f"SELECT {columns} FROM (SELECT nth, {AUTHORISED} AS authorised FROM reasons) ORDER BY nth"
    ).to_arrow_table()
    engine.unregister("reasons")
    for name, values in zip(late.column_names, late.columns, strict=True):
        rows = rows.append_column(name, pa.DictionaryArray.from_arrays(reason.indices, values.combine_chunks()))
    return rows.select(NAMES)


def _of(night: date) -> str:
    return f"(SELECT * FROM staged WHERE wanted AND night = DATE '{night.isoformat()}')"


def _kept(night: date) -> str:
    return f"{_of(night)} ANTI JOIN dropped USING ({_ROW})"


def _of_another_kind(rows: str, parts: Sequence[Path]) -> str:
    """SQL for rows of which another kind of source brought the event first."""
    keys, same = _compared(_ACROSS)
    archived = f"SELECT {keys}, bytes IS NULL AS kind FROM {read_parts(parts)}" if parts else None
    here = f"SELECT {keys}, bytes IS NULL AS kind FROM {rows} WHERE bytes IS NOT NULL"
    other = f"({here}{f' UNION ALL {archived}' if archived else ''})"
    return (
        f"SELECT {_ROW} FROM (SELECT {_ROW}, {keys}, bytes IS NULL AS kind FROM {rows}) AS r "
        f"SEMI JOIN {other} AS o ON {same} AND r.kind <> o.kind"
    )


def _retold(rows: str, parts: Sequence[Path]) -> Iterator[str]:
    """SQL for rows without a raw line of which another such row, read before them or archived, tells the event."""
    key, retelling = f"hash({', '.join(_RETOLD)})", f"(SELECT * FROM {rows} WHERE bytes IS NULL)"
    yield (
        f"SELECT {_ROW} FROM {retelling} SEMI JOIN (SELECT {key} AS h FROM {retelling} GROUP BY h HAVING count(*) > 1) "
        f"AS twice ON {key} = twice.h "
        f"QUALIFY row_number() OVER (PARTITION BY {', '.join(_RETOLD)} ORDER BY source, pos, {_ROW}) > 1"
    )
    if parts:
        keys, same = _compared(_RETOLD)
        archived = f"(SELECT {keys} FROM {read_parts(parts)} WHERE bytes IS NULL)"
        yield f"SELECT {_ROW} FROM (SELECT {_ROW}, {keys} FROM {retelling}) AS r SEMI JOIN {archived} AS o ON {same}"


def _compared(key: Sequence[str]) -> tuple[str, str]:
    """SQL that names the members of a key, and SQL that they are equal in r and o."""
    names = [f"k{i}" for i, _ in enumerate(key)]
    keys = ", ".join(f"{sql} AS {name}" for name, sql in zip(names, key, strict=True))
    return keys, " AND ".join(f"r.{n} IS NOT DISTINCT FROM o.{n}" for n in names)


def _of_file(path: Path, night: date, dropped: np.ndarray[Any, np.dtype[np.int64]]) -> Iterator[pa.RecordBatch]:
    """The night's wanted rows in a file, but for those dropped (their numbers in it), the texts as dictionaries."""
    with pq.ParquetFile(path, read_dictionary=text_columns(pq.read_schema(path))) as file:
        first = 0
        for number in range(file.num_row_groups):
            group = file.metadata.row_group(number)
            if _may_hold(group, night):
                at = first
                for batch in file.iter_batches(ROW_GROUP, row_groups=[number], columns=["night", "wanted", *EARLY]):
                    wanted = pc.and_(batch["wanted"], pc.equal(batch["night"], night)).fill_null(False).to_numpy(False)
                    wanted = wanted.copy()
                    here = dropped[(dropped >= at) & (dropped < at + len(batch))]
                    wanted[here - at] = False
                    at += len(batch)
                    if wanted.all():
                        yield batch.select(EARLY)
                    elif wanted.any():
                        yield batch.filter(pa.array(wanted)).select(EARLY)
            first += group.num_rows


def _may_hold(group: pq.RowGroupMetaData, night: date) -> bool:
    column = next(c for c in (group.column(i) for i in range(group.num_columns)) if c.path_in_schema == "night")
    known = column.statistics
    return known is None or not known.has_min_max or bool(known.min <= night <= known.max)
