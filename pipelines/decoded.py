"""Derived tables read lately, as many as fit into so many bytes: a back-fill reads every night of the history again for
each night it scores. tests/pipelines/test_decoded.py."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Protocol

import pyarrow as pa

from pipelines.parquet import decode

_BYTES = 64_000_000


@dataclass(frozen=True)
class Derived:
    """A derived table of one night, and what it was made from."""

    table: pa.Table
    meta: dict[str, Any]
    sha256: str


class Read(Protocol):
    """Reads an object's bytes as `decode` does."""

    def __call__(self, body: bytes, where: str, columns: Sequence[str] | None) -> tuple[pa.Table, Any]: ...


class Decoded:
    """Tables by the hash of their bytes and the columns read; those not asked for the longest go first."""

    def __init__(self, most: int = _BYTES, read: Read = decode) -> None:
        self._most, self._read = most, read
        self._kept: OrderedDict[tuple[str, Sequence[str] | None], tuple[Derived, int]] = OrderedDict()
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
        key = digest, columns
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key][0]
        found = Derived(*self._read(body, where, columns), digest)
        # the metadata, too, is larger than its bytes
        size = found.table.nbytes + len(body)
        if size <= self._most:
            self._kept[key] = found, size
            self._bytes += size
        while self._bytes > self._most:
            _, (_, gone) = self._kept.popitem(last=False)
            self._bytes -= gone
        return found
