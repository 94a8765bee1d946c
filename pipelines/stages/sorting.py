"""Rows in the archive's order, sorted by their keys alone; a column is moved once, at the end.

Rows that fit are held; more are dealt into spans of the order that fit, on disk, parted by the keys of a sample.
tests/pipelines/test_sorting.py holds it to the engine's ORDER BY."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines.parquet import ROW_GROUP
from pipelines.parsing.events import COLUMNS, ORDER
from pipelines.sizes import runs, text_bytes
from pipelines.stages.keys import Keys, flat

_SPAN_BYTES = 64_000_000
"""Of rows held at once."""
_PIECE_BYTES = 16_000_000
"""Of texts written out at once."""
_SAMPLE = 100_000
"""Rows that spans are made by, at most."""
_UNLIKE = frozenset(c.name for c in COLUMNS if c.differs)
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
            held.append(_packed(batch))
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
    path = folder / "spans.arrow"
    dealt = _dealt(_gathered(rows(), span_bytes // 2), keys.spans(span_bytes), path)
    for batches in _spans(dealt, path):
        yield from _sorted(batches, whole)
        pa.default_memory_pool().release_unused()
    path.unlink()


def texts(schema: pa.Schema) -> list[str]:
    """The columns of text to be read as dictionaries: not ids, and texts in lists Parquet cannot always read so."""
    return [f.name for f in schema if pa.types.is_string(f.type) and f.name not in _UNLIKE]


def _gathered(batches: Iterator[pa.RecordBatch], most: int) -> Iterator[pa.RecordBatch]:
    """Larger batches: each is dealt into pieces, and the fewer these are the less they cost."""
    held: list[pa.RecordBatch] = []
    size = 0
    for batch in batches:
        # texts in lists are dictionaries in the rows of some readers, and not of others
        held.append(_packed(batch))
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


def _dealt(
    batches: Iterator[pa.RecordBatch], spans: Callable[[pa.RecordBatch], NDArray[np.int64]], path: Path
) -> list[list[int]]:
    """Write the rows to a file, of each batch those of a span together; of each span, which batches of the file."""
    found: defaultdict[int, list[int]] = defaultdict(list)
    writer: pa.ipc.RecordBatchFileWriter | None = None
    written = 0
    try:
        for batch in batches:
            mine = spans(batch)
            by = np.argsort(mine, kind="stable")
            batch = batch.take(pa.array(by))
            numbers, starts = np.unique(mine[by], return_index=True)
            for number, a, b in zip(numbers.tolist(), starts, [*starts[1:], len(batch)], strict=True):
                # plain: with dictionaries, each piece would bear all of its batch's
                for piece in _pieces(batch.slice(a, b - a)):
                    if writer is None:
                        writer = pa.ipc.new_file(path, piece.schema, options=pa.ipc.IpcWriteOptions(compression="lz4"))
                    writer.write_batch(piece)
                    found[number].append(written)
                    written += 1
    finally:
        if writer is not None:
            writer.close()
    return [found[number] for number in sorted(found)]


def _spans(found: list[list[int]], path: Path) -> Iterator[list[pa.RecordBatch]]:
    with pa.OSFile(str(path)) as raw, pa.ipc.open_file(raw) as file:
        names = frozenset(texts(file.schema))
        for numbers in found:
            yield [_encoded(file.get_batch(number), names) for number in numbers]


def _encoded(batch: pa.RecordBatch, names: frozenset[str]) -> pa.RecordBatch:
    columns = [batch[n].dictionary_encode() if n in names else batch[n] for n in batch.schema.names]
    return _packed(pa.RecordBatch.from_arrays(columns, names=batch.schema.names))


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
            yield from _pieces(batch)


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


def _pieces(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """The rows in order, without dictionaries, so many at once as fit."""
    for a, b in runs(text_bytes(batch.columns), len(batch), _PIECE_BYTES):
        yield _plain(batch.slice(a, b - a))


def _plain(batch: pa.RecordBatch) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([flat(column) for column in batch.columns], names=batch.schema.names)
