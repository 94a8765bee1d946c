"""Lines that the archive holds already, told by their hash before anything is parsed.

All 128 bits are compared: two lines that share 64 of them can be made on purpose.
tests/pipelines/test_known.py holds the truth."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.lines import HASH_BYTES

NO_NIGHT = -1
Words = NDArray[np.uint64]


class Known:
    """Hashes of archived lines, and the night under which each is archived: 16 bytes for each line."""

    def __init__(self) -> None:
        self._nights: dict[date, tuple[Words, Words, int]] = {}

    @property
    def nights(self) -> tuple[date, ...]:
        """The nights added, in order."""
        return tuple(self._nights)

    def add(self, night: date, hashes: Iterable[pa.Array]) -> None:
        """Add a night that was not added before.

        Args:
            hashes: the content_hash column of its events, a piece at a time.
        """
        whole = np.concatenate([np.empty((0, 2), np.uint64), *map(_read, hashes)])
        order = np.argsort(whole[:, 0], kind="stable")
        high, low = whole[order, 0], whole[order, 1]
        runs = np.diff(np.flatnonzero(np.concatenate([[True], high[1:] != high[:-1], [True]])))
        self._nights[night] = high, low, int(runs.max()) if len(high) else 0

    def __bool__(self) -> bool:
        return any(len(high) for high, _, _ in self._nights.values())

    def night_of(self, digests: bytes) -> NDArray[np.int64]:
        """Index into `nights` of each hash, NO_NIGHT for one that is not known.

        Args:
            digests: HASH_BYTES of each line, one after the other.
        """
        asked = _words(digests)
        found = np.full(len(asked), NO_NIGHT)
        for index, (high, low, longest) in enumerate(self._nights.values()):
            at = np.searchsorted(high, asked[:, 0])
            for step in range(longest):
                here = np.minimum(at + step, len(high) - 1)
                same = (at + step < len(high)) & (high[here] == asked[:, 0]) & (low[here] == asked[:, 1])
                found[same] = index
        return found


def _read(hashes: pa.Array) -> Words:
    return _words(bytes.fromhex("".join(hashes.to_pylist())))


def _words(digests: bytes) -> Words:
    return np.frombuffer(digests, ">u8").astype(np.uint64).reshape(-1, HASH_BYTES // 8)
