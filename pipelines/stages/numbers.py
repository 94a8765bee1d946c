"""Texts of few kinds as numbers that mean the same in every batch of a night: written, read and moved as such. Pure.

tests/pipelines/test_numbers.py."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

_MOST = 4096
"""Kinds of text of a column that is numbered."""
_BYTES = 4_000_000
"""Of the texts of all these columns: they stand beside each batch that is read."""


class Numbers:
    """The texts met so far in columns that are dictionaries, by their numbers; a column with too many is left alone."""

    def __init__(self, most: int = _MOST, most_bytes: int = _BYTES) -> None:
        self._most, self._room = most, most_bytes
        self._known: dict[str, pa.Array] = {}
        self._many: set[str] = set()

    def numbered(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch with numbers where it had dictionaries of few texts."""
        return _with(batch, self._numbers)

    def named(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch with dictionaries where it had them, whether they were numbered or not."""
        return _with(batch, self._named)

    def _numbers(self, name: str, column: pa.Array) -> pa.Array:
        if not pa.types.is_dictionary(column.type):
            return column
        # nothing of the batch: all of its texts would stay
        known = self._known.setdefault(name, pa.array([], column.type.value_type))
        if name in self._many:
            return column
        found = pc.index_in(column.dictionary, known)
        if found.null_count:
            more = pa.concat_arrays([known, column.dictionary.filter(pc.is_null(found))])
            taken = more.nbytes - known.nbytes
            if len(more) > self._most or taken > self._room:
                self._many.add(name)
                return column
            self._known[name] = more
            self._room -= taken
            found = pc.index_in(column.dictionary, more)
        return found.take(column.indices)

    def _named(self, name: str, column: pa.Array) -> pa.Array:
        if name not in self._known:
            return column
        # what was met before a column had too many texts stays numbered
        is_numbered = pa.types.is_int32(column.type)
        return pa.DictionaryArray.from_arrays(column, self._known[name]) if is_numbered else column.dictionary_encode()


def _with(batch: pa.RecordBatch, made: Callable[[str, pa.Array], pa.Array]) -> pa.RecordBatch:
    names = batch.schema.names
    return pa.RecordBatch.from_arrays([made(n, c) for n, c in zip(names, batch.columns, strict=True)], names=names)
