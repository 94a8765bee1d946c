"""Lines that the archive holds already, told by their hash before anything is parsed.

All 128 bits are compared: two lines that share 64 of them can be made on purpose.
tests/pipelines/test_known.py holds the truth."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.parsing.lines import HASH_BYTES

NO_NIGHT = -1
Words = NDArray[np.uint64]


class Known:
    """Hashes of archived lines, and the night under which each is archived: 16 bytes for each line.

    They stand in files and are mapped into memory, of which the system takes back what others need."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._nights: dict[date, list[tuple[Words, Words, int]]] = {}
        self._last = 0

    @property
    def nights(self) -> tuple[date, ...]:
        """The nights added, in order."""
        return tuple(self._nights)

    def add(self, night: date, hashes: Iterable[pa.Array]) -> None:
        """Add a part of a night, or a night without one.

        Args:
            hashes: the content_hash column of its events, a piece at a time.
        """
        parts = self._nights.setdefault(night, [])
        whole = np.concatenate([np.empty((0, 2), np.uint64), *map(_read, hashes)])
        if not len(whole):
            return
        order = np.argsort(whole[:, 0], kind="stable")
        path = self._folder / f"known-{night}-{len(parts)}"
        both = np.memmap(path, np.uint64, "w+", shape=(2, len(whole)))
        np.take(whole[:, 0], order, out=both[0])
        np.take(whole[:, 1], order, out=both[1])
        both.flush()
        starts = np.flatnonzero(both[0][1:] != both[0][:-1]) + 1
        longest = int(np.diff(starts, prepend=0, append=len(whole)).max())
        high, low = np.memmap(path, np.uint64, "r", shape=both.shape)
        parts.append((high, low, longest))

    def __bool__(self) -> bool:
        return any(self._nights.values())

    def night_of(self, digests: bytes) -> NDArray[np.int64]:
        """Index into `nights` of each hash, NO_NIGHT for one that is not known.

        Args:
            digests: HASH_BYTES of each line, one after the other.
        """
        asked = _words(digests)
        found = np.full(len(asked), NO_NIGHT)
        nights = list(self._nights.values())
        # lines of a night stand together, and a night that is not asked stays on the disk
        for index in sorted(range(len(nights)), key=lambda i: i != self._last):
            for part in nights[index]:
                left = np.flatnonzero(found == NO_NIGHT)
                found[left[_among(asked[left], *part)]] = index
        if (found != NO_NIGHT).any():
            self._last = int(np.bincount(found[found != NO_NIGHT]).argmax())
        return found


def _among(asked: Words, high: Words, low: Words, longest: int) -> NDArray[np.bool_]:
    """Which of the hashes are among those of a part, of which so many share their first half."""
    found = np.zeros(len(asked), np.bool_)
    at = np.searchsorted(high, asked[:, 0])
    for step in range(longest):
        here = np.minimum(at + step, len(high) - 1)
        found |= (at + step < len(high)) & (high[here] == asked[:, 0]) & (low[here] == asked[:, 1])
    return found


def _read(hashes: pa.Array) -> Words:
    return _words(bytes.fromhex("".join(hashes.to_pylist())))


def _words(digests: bytes) -> Words:
    return np.frombuffer(digests, ">u8").astype(np.uint64).reshape(-1, HASH_BYTES // 8)
