"""Rows in the archive's order, sorted by their keys alone; a column is moved once, at the end.

Rows that fit are held; more are dealt into spans of the order that fit, on disk, parted by the keys of a sample.
tests/pipelines/test_sorting.py holds it to the engine's ORDER BY."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines.parquet import ROW_GROUP
from pipelines.parsing.events import ORDER
from pipelines.stages.dealt import Dealt
from pipelines.stages.keys import Keys, flat
from pipelines.stages.packed import packed, plain_pieces

_SPAN_BYTES = 64_000_000
"""Of rows held at once."""
_SAMPLE = 100_000
"""Rows that spans are made by, at most."""
_MAIN, _TIES = ORDER[:2], ORDER[2:]

Rows = Callable[[], Iterator[pa.RecordBatch]]
Whole = Callable[[pa.Table], pa.Table]


def in_order(
    rows: Rows, whole: Whole, folder: Path, span_bytes: int = _SPAN_BYTES, sample: int = _SAMPLE
) -> Iterator[pa.RecordBatch]:
    """The rows by ORDER, nulls first.

    Args:
        rows: yields the same batches each time it is called; texts may be dictionaries.
        whole: makes of a span's rows those that are wanted.
        folder: for what does not fit.
    """
    held: list[pa.RecordBatch] = []
    keys: Keys | None = None
    size = 0
    for batch in rows():
        size += batch.nbytes
        if keys is None:
            held.append(packed(batch))
            if size > span_bytes:
                keys = Keys(sample)
                for one in held:
                    keys.add(one)
                held.clear()
        else:
            keys.add(batch)
    if keys is None:
        if held:
            yield from _sorted(held, whole)
        return
    pa.default_memory_pool().release_unused()
    dealt, spans = Dealt(folder), keys.spans(span_bytes)
    for batch in _gathered(rows(), span_bytes // 2):
        dealt.add(batch, spans(batch))
    for batches in dealt.spans():
        yield from _sorted(batches, whole)
        pa.default_memory_pool().release_unused()


def _gathered(batches: Iterator[pa.RecordBatch], most: int) -> Iterator[pa.RecordBatch]:
    """Larger batches: each is dealt into pieces, and the fewer these are the less they cost."""
    held: list[pa.RecordBatch] = []
    size = 0
    for batch in batches:
        # texts in lists are dictionaries in the rows of some readers, and not of others
        held.append(packed(batch))
        size += batch.nbytes
        if size >= most:
            yield from _joined(held)
            size = 0
    if held:
        yield from _joined(held)


def _joined(held: list[pa.RecordBatch]) -> list[pa.RecordBatch]:
    table = pa.Table.from_batches(held).unify_dictionaries()
    held.clear()
    return list(table.combine_chunks().to_batches())


def _sorted(batches: list[pa.RecordBatch], whole: Whole) -> Iterator[pa.RecordBatch]:
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
    order = _order(table)
    table = whole(table)
    for start in range(0, len(order), ROW_GROUP):
        taken = table.take(pa.array(order[start : start + ROW_GROUP])).combine_chunks()
        for batch in taken.to_batches():
            yield from plain_pieces(batch)


def _order(table: pa.Table) -> NDArray[np.int64]:
    user, time = _codes(table[_MAIN[0]]), table[_MAIN[1]].combine_chunks().cast(pa.int64()).to_numpy()
    order = np.lexsort((time, user))
    same = (user[order[1:]] == user[order[:-1]]) & (time[order[1:]] == time[order[:-1]])
    tied = np.flatnonzero(np.concatenate([[False], same]) | np.concatenate([same, [False]]))
    if len(tied):
        rows = order[tied]
        few = {name: flat(table[name].combine_chunks().take(pa.array(rows))) for name in _TIES}
        keyed = pa.table({"user": user[rows], "time": time[rows], **few})
        by = pc.sort_indices(keyed, [(n, "ascending", "at_start") for n in keyed.column_names])
        order[tied] = rows[by.to_numpy()]
    return order


def _codes(users: pa.ChunkedArray) -> NDArray[np.int32]:
    """Of each user its place in the order of all, 0 for none."""
    encoded = users if pa.types.is_dictionary(users.type) else users.dictionary_encode()
    whole = encoded.unify_dictionaries().combine_chunks()
    ranks = np.append(_ranks(whole.dictionary), np.int32(0))
    codes: NDArray[np.int32] = ranks[whole.indices.fill_null(-1).to_numpy()]
    return codes


def _ranks(names: pa.Array) -> NDArray[np.int32]:
    """Of each name its place in the order of all, 0 for none."""
    ranks: NDArray[np.int32] = pc.rank(names, "ascending", tiebreaker="dense").to_numpy().astype(np.int32)
    if names.null_count:
        # which it has put last
        ranks[names.is_null().to_numpy(False)] = 0
    return ranks
