"""Where the archive's order is cut into spans of rows, by a sample of their keys.

A key begins like its row's place in the order (ORDER), so rows never leave it; what lies behind the beginning of the
texts after user and time is not looked at. tests/pipelines/test_sorting.py."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines.parsing.events import ORDER

_USER, _TIME, *_TIES = ORDER
_NAME_BYTES = 32_000_000
"""Of the users' names held at once: of longer ones fewer rows are looked at."""
_TIE_BYTES = 96
"""An audit id as long as an API server takes one, a stage, and enough of a hash to part what is alike in both."""
_NONE = b""
"""The user of a row without one: before every name."""

Longs = NDArray[np.int64]
Spans = Callable[[pa.RecordBatch], Longs]
"""Of each row of a batch the number of its span."""


class Keys:
    """Keys of some rows, and about how many bytes each stands for: enough to part all of them evenly."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._names: list[bytes] = []
        self._name_bytes = 0
        self._codes: dict[bytes, int] = {}
        tie = f"S{_TIE_BYTES}"
        self._sample = np.empty(
            0, [("user", np.int32), ("time", np.int64), ("tie", tie), ("bytes", np.float64), ("drawn", np.float64)]
        )
        self._random = np.random.default_rng(0)
        self._share = 1.0

    def add(self, batch: pa.RecordBatch) -> None:
        """Look at the rows of a batch."""
        drawn = self._random.random(len(batch))
        some = np.flatnonzero(drawn < self._share)
        if not len(some):
            return
        taken = batch.select(ORDER).take(pa.array(some))
        names, users, times = _users(taken)
        new = np.empty(len(some), self._sample.dtype)
        new["user"] = np.array([self._code(name) for name in names], np.int32)[users]
        new["time"], new["tie"], new["drawn"] = times, _ties(taken), drawn[some]
        new["bytes"] = batch.nbytes / len(batch)
        self._sample = np.concatenate([self._sample, new])
        while len(self._sample) > self._most or self._name_bytes > _NAME_BYTES:
            self._share /= 2
            self._sample = self._sample[self._sample["drawn"] < self._share]
            self._forget()

    def _code(self, name: bytes) -> int:
        code = self._codes.setdefault(name, len(self._names))
        if code == len(self._names):
            self._names.append(name)
            self._name_bytes += len(name)
        return code

    def _forget(self) -> None:
        """Only names in the sample are kept: a night may hold as many as it has rows."""
        used, self._sample["user"] = np.unique(self._sample["user"], return_inverse=True)
        self._names = [self._names[i] for i in used.tolist()]
        self._name_bytes = sum(map(len, self._names))
        self._codes = {name: i for i, name in enumerate(self._names)}

    def spans(self, most: int) -> Spans:
        """Parts all rows into spans of about so many bytes; rows of one key are never parted."""
        ranks = np.empty(len(self._names), np.int32)
        ranks[sorted(range(len(self._names)), key=self._names.__getitem__)] = np.arange(len(self._names))
        order = np.lexsort((self._sample["tie"], self._sample["time"], ranks[self._sample["user"]]))
        filled = (np.cumsum(self._sample["bytes"][order]) / self._share // most).astype(np.int64)
        first = self._sample[order[np.flatnonzero(np.diff(filled, prepend=0))]]
        return _spans([self._names[i] for i in first["user"].tolist()], first["time"], first["tie"])


def _spans(from_users: list[bytes], from_times: Longs, from_ties: NDArray[np.bytes_]) -> Spans:
    """Spans that begin at these keys, which are in order, and one before them."""

    def of(batch: pa.RecordBatch) -> Longs:
        names, users, times = _users(batch)
        numbers = np.array([bisect_left(from_users, name) for name in names], np.int64)[users]
        for user, name in enumerate(names):
            begin, end = bisect_left(from_users, name), bisect_right(from_users, name)
            if begin == end:
                continue
            mine = np.flatnonzero(users == user)
            before, until = (np.searchsorted(from_times[begin:end], times[mine], side) for side in ("left", "right"))
            numbers[mine] += before
            tied = mine[before < until]
            ties = _ties(batch.select(ORDER).take(pa.array(tied)))
            for at in np.unique(before[before < until]).tolist():
                here = times[tied] == from_times[begin + at]
                same = from_ties[begin:end][from_times[begin:end] == from_times[begin + at]]
                numbers[tied[here]] += np.searchsorted(same, ties[here], "right")
        return numbers

    return of


def _users(batch: pa.RecordBatch) -> tuple[list[bytes], NDArray[np.int32], Longs]:
    """The users' names, of each row which of them is its, and its time."""
    # the dictionary of a batch may hold more than its rows
    few = flat(batch[_USER]).cast(pa.binary()).dictionary_encode(null_encoding="encode")
    names = [_NONE if name is None else b"\1" + name for name in few.dictionary.to_pylist()]
    return names, few.indices.to_numpy(), batch[_TIME].cast(pa.int64()).to_numpy()


def _ties(batch: pa.RecordBatch) -> NDArray[np.bytes_]:
    """The beginnings of the texts behind user and time, as one text that is ordered as they are."""
    if not len(batch):
        return np.empty(0, f"S{_TIE_BYTES}")
    parts = [_before_more(flat(batch[name]).cast(pa.binary())) for name in _TIES]
    joined = pc.binary_slice(pc.binary_join_element_wise(*parts, b""), 0, _TIE_BYTES)
    return np.array(joined.to_pylist(), f"S{_TIE_BYTES}")


def _before_more(texts: pa.Array) -> pa.Array:
    """Texts so that another may follow: nulls first, and a text before each that goes on from it."""
    if pc.any(pc.match_substring(texts, b"\0")).as_py():
        texts = pc.replace_substring(texts, b"\0", b"\0\xff")
    return pc.fill_null(pc.binary_join_element_wise(b"\1", texts, b"\0\1", b""), b"\0")


def flat(column: pa.Array) -> pa.Array:
    """The column without a dictionary."""
    if pa.types.is_dictionary(column.type):
        return column.dictionary_decode()
    if pa.types.is_list(column.type) and pa.types.is_dictionary(column.type.value_type):
        return column.cast(pa.list_(column.type.value_type.value_type))
    return column
