"""Archived lines are told by all 128 bits of their hash, each with the night it is archived under."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.known import NO_NIGHT, Known
from pipelines.parsing.lines import HASH_BYTES

FIRST, SECOND, THIRD = (date(2026, 9, 14) + timedelta(days=n) for n in range(3))
HALF = HASH_BYTES // 2
ZERO, FULL = bytes(HASH_BYTES), b"\xff" * HASH_BYTES


def column(*chunks: Iterable[bytes]) -> pa.ChunkedArray:
    """The content_hash of a night's parts, one chunk each."""
    return pa.chunked_array([[one.hex() for one in chunk] for chunk in chunks], pa.string())


def known(nights: Mapping[date, Iterable[bytes]]) -> Known:
    # what is mapped stays when its file has gone
    with TemporaryDirectory() as folder:
        found = Known(Path(folder))
        for night, hashes in nights.items():
            found.add(night, column(hashes).chunks)
    return found


def asked(found: Known, *digests: bytes) -> list[date | None]:
    """The night of each, as the caller reads it."""
    indices = found.night_of(b"".join(digests)).tolist()
    assert len(indices) == len(digests)
    return [None if i == NO_NIGHT else found.nights[i] for i in indices]


def halves(high: int, low: int) -> bytes:
    return high.to_bytes(HALF, "big") + low.to_bytes(HALF, "big")


def test_a_hash_is_told_with_its_night_and_no_other() -> None:
    one, two, three = halves(1, 1), halves(2, 2), halves(3, 3)
    found = known({FIRST: [one], SECOND: [], THIRD: [two]})
    assert asked(found, one, two, three, one, ZERO, FULL) == [FIRST, THIRD, None, FIRST, None, None]


@pytest.mark.parametrize("high", [0, 1, 2**63, 2**64 - 1])
def test_hashes_that_share_their_first_half_are_told_apart(high: int) -> None:
    lows = [0, 1, 2, 2**32, 2**63 - 1, 2**63, 2**64 - 1]
    kept = {FIRST: lows[::2], SECOND: lows[1::2]}
    found = known({night: [halves(high, low) for low in some] for night, some in kept.items()})
    expected = [FIRST if low in kept[FIRST] else SECOND for low in lows]
    assert asked(found, *(halves(high, low) for low in lows)) == expected
    others = [halves(high, 3), halves(high, 2**64 - 2), halves((high + 1) % 2**64, 0), halves((high - 1) % 2**64, 0)]
    assert asked(found, *others) == [None] * len(others)


def test_hashes_that_share_their_second_half_are_told_apart() -> None:
    found = known({FIRST: [halves(5, 9)], SECOND: [halves(6, 9)]})
    asks = [halves(5, 9), halves(6, 9), halves(7, 9), halves(4, 9), halves(9, 5)]
    assert asked(found, *asks) == [FIRST, SECOND, None, None, None]


@pytest.mark.parametrize("bit", range(8 * HASH_BYTES))
def test_one_bit_makes_another_line(bit: int) -> None:
    whole = random.Random(bit).getrandbits(8 * HASH_BYTES)
    other = (whole ^ (1 << bit)).to_bytes(HASH_BYTES, "big")
    assert asked(known({FIRST: [whole.to_bytes(HASH_BYTES, "big")]}), other) == [None]


def test_the_largest_and_the_smallest_hash_are_found() -> None:
    assert asked(known({FIRST: [FULL, ZERO]}), ZERO, FULL) == [FIRST, FIRST]
    assert asked(known({FIRST: [ZERO]}), FULL) == [None]


@pytest.mark.parametrize("nights", [{}, {FIRST: []}, {FIRST: [], SECOND: []}])
def test_of_nothing_nothing_is_known(nights: Mapping[date, list[bytes]]) -> None:
    found = known(nights)
    assert not found
    assert found.nights == tuple(nights)
    assert asked(found, ZERO, FULL) == [None, None]
    assert asked(found) == []


def test_nothing_asked_is_nothing_answered() -> None:
    found = known({FIRST: [ZERO]})
    assert bool(found)
    assert asked(found) == []


def test_a_column_without_a_chunk_is_empty(tmp_path: Path) -> None:
    found = Known(tmp_path)
    found.add(FIRST, [])
    assert not found


def test_a_hash_archived_twice_in_one_night_is_known_once() -> None:
    assert asked(known({FIRST: [halves(1, 2)] * 5, SECOND: [halves(1, 3)]}), halves(1, 2), halves(1, 3)) == [
        FIRST,
        SECOND,
    ]


def test_the_parts_of_a_night_are_one_night_however_they_are_read(tmp_path: Path) -> None:
    made = [halves(n * 977 % 31, n) for n in range(60)]
    found = Known(tmp_path)
    found.add(FIRST, column(made[:20], []).chunks)
    found.add(FIRST, column(made[20:21]).chunks)
    found.add(SECOND, column(made[21:]).chunks)
    assert asked(found, *made) == [FIRST] * 21 + [SECOND] * 39


@given(
    st.dictionaries(st.tuples(st.integers(0, 3), st.integers(0, 3)), st.sampled_from([FIRST, SECOND, THIRD])),
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4))),
)
def test_few_hashes_that_nearly_collide_are_told_like_a_dict_tells_them(
    kept: dict[tuple[int, int], date], asks: list[tuple[int, int]]
) -> None:
    nights = {night: [halves(*key) for key, at in kept.items() if at == night] for night in (FIRST, SECOND, THIRD)}
    assert asked(known(nights), *(halves(*key) for key in asks)) == [kept.get(key) for key in asks]


def test_two_hundred_thousand_hashes_are_told_like_a_dict_tells_them() -> None:
    dice = random.Random(7)
    nights = (FIRST, SECOND, THIRD)
    kept = {dice.randbytes(HASH_BYTES): dice.choice(nights) for _ in range(200_000)}
    # one in a thousand has a neighbour that shares 64 bits of it
    near = [one[:HALF] + dice.randbytes(HALF) for one in list(kept)[::1000]]
    kept |= dict.fromkeys(near[::2], THIRD)
    found = known({night: [one for one, at in kept.items() if at == night] for night in nights})
    asks = [*kept, *near, *(dice.randbytes(HASH_BYTES) for _ in range(20_000))]
    dice.shuffle(asks)
    assert asked(found, *asks) == [kept.get(one) for one in asks]


def test_what_is_known_takes_no_memory_that_the_system_cannot_take_back(tmp_path: Path) -> None:
    dice = random.Random(3)
    columns = [column([dice.randbytes(HASH_BYTES) for _ in range(50_000)]).chunks for _ in range(3)]
    tracemalloc.start()
    found = Known(tmp_path)
    for night, hashes in zip((FIRST, SECOND, THIRD), columns, strict=True):
        found.add(night, hashes)
    kept = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert kept < 50_000 * HASH_BYTES // 10
    assert asked(found, bytes.fromhex(columns[1][0][7].as_py())) == [SECOND]
