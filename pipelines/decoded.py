"""Derived tables read lately, as many as fit into so many bytes: a back-fill reads every night of the history again for
each night it scores. tests/pipelines/test_decoded.py."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain
from typing import Any, Protocol

import pyarrow as pa

from pipelines import opened_together
from pipelines.parquet import decode, metadata

_BYTES = 64_000_000
_SMALL = 1_000_000
"""Bytes of a table that is opened with others; to open a larger one takes little beside the time to read it."""
_FEW = 4
"""Tables that are opened one by one, sooner than the engine starts."""

_Key = tuple[str, tuple[str, ...] | frozenset[str] | None]
"""Hash of the bytes, and the columns that were read, or those that were not."""


@dataclass(frozen=True)
class Derived:
    """A derived table of one night, and what it was made from."""

    table: pa.Table
    meta: dict[str, Any]
    sha256: str


@dataclass(frozen=True)
class Sealed:
    """The bytes of a derived table, whole, and what it was made from; its rows are not read yet."""

    body: bytes
    where: str
    meta: dict[str, Any]
    sha256: str


class Read(Protocol):
    """Reads an object's bytes as `decode` does."""

    def __call__(self, body: bytes, where: str, columns: Sequence[str] | None) -> tuple[pa.Table, Any]: ...


class Decoded:
    """Tables by the hash of their bytes and the columns read; those not asked for the longest go first."""

    def __init__(self, most: int = _BYTES, read: Read = decode) -> None:
        self._most, self._read = most, read
        self._kept: OrderedDict[_Key, tuple[Derived, int]] = OrderedDict()
        self._bytes = 0

    def table(self, body: bytes, where: str, columns: tuple[str, ...] | None = None) -> Derived:
        """The table of an object's bytes.

        Args:
            where: its address, for errors.
            columns: those that are read; the others cost nothing.
        Raises:
            DataError: the object is damaged, or lacks one of the columns.
        """
        digest = sha256(body).hexdigest()
        found = self._found((digest, columns))
        if found is None:
            found = Derived(*self._read(body, where, columns), digest)
            self._keep((digest, columns), found, len(body))
        return found

    def sealed(self, body: bytes, where: str) -> Sealed:
        """What an object's bytes were made from; `tables` reads the rows.

        Raises:
            DataError: the object is damaged.
        """
        return Sealed(body, where, metadata(body, where), sha256(body).hexdigest())

    def tables(self, *kinds: Sequence[Sealed], without: frozenset[str] = frozenset()) -> list[list[Derived]]:
        """The tables of each kind, in order; those of a kind have the same columns.

        Args:
            without: columns that need not be read.
        Raises:
            DataError: one is no table.
        """
        small = [[one for one in kind if len(one.body) < _SMALL] for kind in kinds]
        new = [[one for one in kind if self._found((one.sha256, without)) is None] for kind in small]
        read = self._together(new, without) if max(map(len, new)) >= _FEW else {}
        return [[read.get(one.sha256) or self._less(one, without) for one in kind] for kind in kinds]

    def _together(self, kinds: Sequence[Sequence[Sealed]], without: frozenset[str]) -> dict[str, Derived]:
        """By hash, what the engine reads; nothing where it cannot, so that each is read alone and named if damaged."""
        try:
            found = opened_together.tables([[one.body for one in kind] for kind in kinds], without)
        except ValueError:
            return {}
        # of more than are kept, the first would be gone before they are asked for again
        fit = sum(kind.whole.nbytes for kind in found) <= self._most
        read = {}
        for one, table in zip(chain(*kinds), chain(*found), strict=True):
            read[one.sha256] = Derived(_copied(table) if fit else table, one.meta, one.sha256)
            if fit:
                self._keep((one.sha256, without), read[one.sha256], len(one.body))
        return read

    def _less(self, one: Sealed, without: frozenset[str]) -> Derived:
        found = self._found((one.sha256, without))
        if found is None:
            table, _ = self._read(one.body, one.where, None)
            found = Derived(table.drop_columns([*without & {*table.column_names}]), one.meta, one.sha256)
            self._keep((one.sha256, without), found, len(one.body))
        return found

    def _found(self, key: _Key) -> Derived | None:
        if key not in self._kept:
            return None
        self._kept.move_to_end(key)
        return self._kept[key][0]

    def _keep(self, key: _Key, found: Derived, more: int) -> None:
        # the metadata, too, is larger than its bytes
        size = found.table.nbytes + more
        if size <= self._most:
            self._kept[key] = found, size
            self._bytes += size
        while self._bytes > self._most:
            _, (_, gone) = self._kept.popitem(last=False)
            self._bytes -= gone


def _copied(table: pa.Table) -> pa.Table:
    """The same rows: a slice of many tables holds the memory of all."""
    with pa.MockOutputStream() as measure:
        _write(table, measure)
        # one that grows would keep what it grew beyond the end
        buffer = pa.allocate_buffer(measure.size())
    with pa.FixedSizeBufferWriter(buffer) as sink:
        _write(table, sink)
    return pa.ipc.open_stream(buffer).read_all()


def _write(table: pa.Table, sink: pa.NativeFile) -> None:
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
