"""Rows in the archive's order, sorted by their keys alone; a column is moved once, at the end.

Rows that fit are held; of more, the keys are, and the rows are dealt out into files that fit, each a span of the order.
tests/pipelines/test_sorting.py holds it to the engine's ORDER BY."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipelines.events import COLUMNS, ORDER
from pipelines.parquet import ROW_GROUP

_SPAN_BYTES = 64_000_000
"""Of rows held at once. Rows of one user at one microsecond are never parted."""
_UNLIKE = frozenset(c.name for c in COLUMNS if c.differs)
_MAIN, _TIES = ORDER[:2], ORDER[2:]

Rows = Callable[[], Iterator[pa.RecordBatch]]
Whole = Callable[[pa.Table], pa.Table]


class _Keys:
    """User and time of each row, in the order of reading, and how many bytes the row takes."""

    def __init__(self) -> None:
        self._users: list[pa.DictionaryArray] = []
        self._times: list[NDArray[np.int64]] = []
        self._bytes: list[NDArray[np.float32]] = []
        self.size = 0

    def add(self, batch: pa.RecordBatch) -> None:
        user, time = (batch[name] for name in _MAIN)
        self._users.append(_small(user))
        self._times.append(time.cast(pa.int64()).to_numpy())
        self._bytes.append(np.full(len(batch), batch.nbytes / max(len(batch), 1), np.float32))
        self.size += batch.nbytes

    def spans(self, most: int) -> list[NDArray[np.int64]]:
        """Which rows stand in each span of the order, sorted but for ties."""
        users, times = _codes(pa.chunked_array(self._users)), np.concatenate(self._times)
        order = np.lexsort((times, users))
        weights = np.concatenate(self._bytes)
        self._users, self._times, self._bytes = [], [], []
        apart = np.flatnonzero(np.diff(users[order]) | np.diff(times[order])) + 1
        span = (np.cumsum(weights[order], dtype=np.float64) // most).astype(np.int64)
        edges = np.unique(np.searchsorted(apart, np.flatnonzero(np.diff(span)) + 1))
        return np.split(order, apart[edges[edges < len(apart)]])


def in_order(rows: Rows, whole: Whole, folder: Path, span_bytes: int = _SPAN_BYTES) -> Iterator[pa.RecordBatch]:
    """The rows by ORDER, nulls first.

    Args:
        rows: yields the same batches each time it is called; texts may be dictionaries.
        whole: makes of a span's rows those that are wanted.
        folder: for what does not fit.
    """
    held: list[pa.RecordBatch] | None = []
    keys = _Keys()
    for batch in rows():
        keys.add(batch)
        if held is not None:
            held.append(_packed(batch))
        if keys.size > span_bytes:
            held = None
    if not keys.size:
        return
    if held is not None:
        (order,) = keys.spans(2 * keys.size)
        yield from _sorted(held, order, whole)
        return
    pa.default_memory_pool().release_unused()
    spans = keys.spans(span_bytes)
    for path, order in zip(_dealt(rows, spans, folder), spans, strict=True):
        with pq.ParquetFile(path, read_dictionary=texts(pq.read_schema(path))) as file:
            batches = [_packed(batch) for batch in file.iter_batches(ROW_GROUP)]
        path.unlink()
        yield from _sorted(batches, np.argsort(np.argsort(order)), whole)
        pa.default_memory_pool().release_unused()


def texts(schema: pa.Schema) -> list[str]:
    """The columns of text to be read as dictionaries: not ids, and texts in lists Parquet cannot always read so."""
    return [f.name for f in schema if pa.types.is_string(f.type) and f.name not in _UNLIKE]


def _dealt(rows: Rows, spans: Sequence[NDArray[np.int64]], folder: Path) -> list[Path]:
    """A file for each span, with its rows in the order of reading."""
    span_of = np.empty(sum(map(len, spans)), np.int32)
    for number, order in enumerate(spans):
        span_of[order] = number
    paths = [folder / f"span-{number}.parquet" for number in range(len(spans))]
    writers: list[pq.ParquetWriter] = []
    at = 0
    try:
        for batch in rows():
            mine = span_of[at : at + len(batch)]
            at += len(batch)
            by = np.argsort(mine, kind="stable")
            batch = _plain(batch.take(pa.array(by)))
            if not writers:
                writers = [
                    pq.ParquetWriter(path, batch.schema, compression="lz4", write_statistics=False) for path in paths
                ]
            edges = np.searchsorted(mine[by], np.arange(len(spans) + 1))
            for writer, a, b in zip(writers, edges[:-1], edges[1:], strict=True):
                if a < b:
                    # as a table: batches would wait in memory for a row group of a million rows
                    writer.write_table(pa.Table.from_batches([batch.slice(a, b - a)]))
    finally:
        for writer in writers:
            writer.close()
    return paths


def _sorted(batches: list[pa.RecordBatch], order: NDArray[np.int64], whole: Whole) -> Iterator[pa.RecordBatch]:
    table = pa.Table.from_batches(batches)
    names, columns = table.column_names, table.columns
    # nobody else may hold them
    batches.clear()
    del table
    for i, column in enumerate(columns):
        # one after the other: no more than one stands here twice
        columns[i] = column.unify_dictionaries().combine_chunks()
    table = pa.table(columns, names)
    pa.default_memory_pool().release_unused()
    order = _ties_parted(table, order)
    table = whole(table)
    for start in range(0, len(order), ROW_GROUP):
        taken = table.take(pa.array(order[start : start + ROW_GROUP])).combine_chunks()
        yield from (_plain(batch) for batch in taken.to_batches())


def _ties_parted(table: pa.Table, order: NDArray[np.int64]) -> NDArray[np.int64]:
    user, time = _codes(table[_MAIN[0]]), table[_MAIN[1]].combine_chunks().cast(pa.int64()).to_numpy()
    same = (user[order[1:]] == user[order[:-1]]) & (time[order[1:]] == time[order[:-1]])
    tied = np.flatnonzero(np.concatenate([[False], same]) | np.concatenate([same, [False]]))
    if len(tied):
        rows = order[tied]
        few = {name: _flat(table[name].combine_chunks().take(pa.array(rows))) for name in _TIES}
        keyed = pa.table({"user": user[rows], "time": time[rows], **few})
        by = pc.sort_indices(keyed, [(n, "ascending", "at_start") for n in keyed.column_names])
        order = order.copy()
        order[tied] = rows[by.to_numpy()]
    return order


def _codes(users: pa.ChunkedArray) -> NDArray[np.int64]:
    """Of each user its place in the order of all, 0 for none."""
    encoded = users if pa.types.is_dictionary(users.type) else users.dictionary_encode()
    whole = encoded.unify_dictionaries().combine_chunks()
    ranks = np.append(pc.rank(whole.dictionary, "ascending", tiebreaker="dense").to_numpy().astype(np.int64), 0)
    codes: NDArray[np.int64] = ranks[whole.indices.fill_null(-1).to_numpy()]
    return codes


def _small(users: pa.Array) -> pa.DictionaryArray:
    # the dictionary of a batch may hold more than its rows
    return _flat(users).dictionary_encode()


def _packed(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Texts in lists as dictionaries: they are few, and moved often."""
    columns = [_packed_lists(c) if pa.types.is_list(c.type) else c for c in batch.columns]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _packed_lists(lists: pa.ListArray) -> pa.ListArray:
    if not pa.types.is_string(lists.type.value_type):
        return lists
    # of a slice the places cannot be taken with the nulls
    whole = pa.concat_arrays([lists]) if lists.offset else lists
    return pa.ListArray.from_arrays(
        whole.offsets, whole.values.dictionary_encode(), mask=whole.is_null() if whole.null_count else None
    )


def _plain(batch: pa.RecordBatch) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([_flat(column) for column in batch.columns], names=batch.schema.names)


def _flat(column: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        return column.dictionary_decode()
    if pa.types.is_list(column.type) and pa.types.is_dictionary(column.type.value_type):
        return column.cast(pa.list_(column.type.value_type.value_type))
    return column
