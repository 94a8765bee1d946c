"""Lines that the archive holds already, told by their hash before anything is parsed.

All 128 bits are compared: two lines that share 64 of them can be made on purpose.
tests/pipelines/test_known.py holds the truth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.lines import HASH_BYTES

NO_NIGHT = -1
_ROWS = 1 << 18
_NONE = np.empty((0, HASH_BYTES // 8), np.uint64)


class Known:
    """Hashes of archived lines, and the night under which each is archived."""

    def __init__(self, hashes: Mapping[date, pa.ChunkedArray]) -> None:
        """
        Args:
            hashes: of each night the content_hash column of its events.
        """
        self.nights = tuple(hashes)
        words = [np.concatenate([_NONE, *_read(column)]) for column in hashes.values()]
        whole = np.concatenate([_NONE, *words])
        night = np.repeat(np.arange(len(words)), [len(w) for w in words]) if words else np.empty(0, np.int64)
        order = np.argsort(whole[:, 0], kind="stable")
        self._high, self._low = whole[order, 0], whole[order, 1]
        self._night = night[order]
        runs = np.diff(np.flatnonzero(np.concatenate([[True], self._high[1:] != self._high[:-1], [True]])))
        self._longest = int(runs.max()) if len(self._high) else 0

    def __bool__(self) -> bool:
        return bool(len(self._high))

    def night_of(self, digests: bytes) -> NDArray[np.int64]:
        """Index into `nights` of each hash, NO_NIGHT for one that is not known.

        Args:
            digests: HASH_BYTES of each line, one after the other.
        """
        asked = _words(digests)
        found = np.full(len(asked), NO_NIGHT)
        at = np.searchsorted(self._high, asked[:, 0])
        for step in range(self._longest):
            here = np.minimum(at + step, len(self._high) - 1)
            same = (at + step < len(self._high)) & (self._high[here] == asked[:, 0]) & (self._low[here] == asked[:, 1])
            found[same] = self._night[here[same]]
        return found


def _read(column: pa.ChunkedArray) -> Iterator[NDArray[np.uint64]]:
    for batch in pa.table([column], ["hash"]).to_batches(max_chunksize=_ROWS):
        yield _words(bytes.fromhex("".join(batch["hash"].to_pylist())))


def _words(digests: bytes) -> NDArray[np.uint64]:
    return np.frombuffer(digests, ">u8").astype(np.uint64).reshape(-1, HASH_BYTES // 8)
