"""Texts of few kinds as numbers that mean the same in every batch of a night: written, read and moved as such.

tests/pipelines/test_numbers.py."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

_MOST = 4096
"""Kinds of text of a column that is numbered."""
_BYTES = 2_000_000
"""Of these texts."""


class Numbers:
    """The texts met so far in columns that are dictionaries, by their numbers; a column with too many is left alone."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._known: dict[str, pa.Array] = {}
        self._many: set[str] = set()

    def numbered(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch with numbers where it had dictionaries of few texts."""
        return _with(batch, self._numbers)

    def texts(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch with dictionaries where it has numbers."""
        return _with(batch, self._texts)

    def _numbers(self, name: str, column: pa.Array) -> pa.Array:
        if not pa.types.is_dictionary(column.type) or name in self._many:
            return column
        numbers = self._numbers_of(name, column.dictionary)
        return column if numbers is None else numbers.take(column.indices)

    def _numbers_of(self, name: str, texts: pa.Array) -> pa.Array | None:
        known = self._known.setdefault(name, texts.slice(0, 0))
        found = pc.index_in(texts, known)
        if found.null_count:
            known = pa.concat_arrays([known, texts.filter(pc.is_null(found))])
            if len(known) > self._most or known.nbytes > _BYTES:
                self._many.add(name)
                return None
            self._known[name] = known
            found = pc.index_in(texts, known)
        return found

    def _texts(self, name: str, column: pa.Array) -> pa.Array:
        # what was met before a column had too many kinds stays numbered
        if name not in self._known or not pa.types.is_int32(column.type):
            return column
        return pa.DictionaryArray.from_arrays(column, self._known[name])


def _with(batch: pa.RecordBatch, made: Callable[[str, pa.Array], pa.Array]) -> pa.RecordBatch:
    names = batch.schema.names
    return pa.RecordBatch.from_arrays([made(n, c) for n, c in zip(names, batch.columns, strict=True)], names=names)
