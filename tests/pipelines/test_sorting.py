"""The order of a part: is it the engine's, however the rows come and however many are held?"""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.parsing.events import ORDER
from pipelines.stages import keys
from pipelines.stages.numbers import Numbers
from pipelines.stages.sorting import in_order

_TEXT = st.one_of(
    st.none(), st.sampled_from(["", "a", "b", "ab", "abc", "abcd", "B", "é", "\U0001f600", "￿", "a\x00", "a\x00b"])
)
_ROW = st.tuples(_TEXT, st.integers(0, 3), _TEXT, _TEXT, _TEXT, st.lists(_TEXT, max_size=2))
_ROWS = st.lists(_ROW, min_size=1, max_size=20)
_SCHEMA = pa.schema(
    [
        ("username", pa.string()),
        ("stage_ts", pa.timestamp("us", "UTC")),
        ("audit_id", pa.string()),
        ("stage", pa.string()),
        ("content_hash", pa.string()),
        ("groups", pa.list_(pa.string())),
        ("number", pa.int64()),
    ]
)
Row = tuple[str | None, int, str | None, str | None, str | None, list[str | None]]


def _batch(rows: list[Row], first: int, packed: bool, packed_lists: bool) -> pa.RecordBatch:
    columns = [*zip(*rows, strict=True), range(first, first + len(rows))]
    arrays = [pa.array(list(column), f.type) for column, f in zip(columns, _SCHEMA, strict=True)]
    if packed:
        arrays = [a.dictionary_encode() if pa.types.is_string(a.type) else a for a in arrays]
    if packed_lists:
        groups = arrays[5]
        arrays[5] = pa.ListArray.from_arrays(groups.offsets, groups.values.dictionary_encode())
    return pa.RecordBatch.from_arrays(arrays, _SCHEMA.names)


@settings(max_examples=120, deadline=None)
@given(
    st.lists(st.tuples(_ROWS, st.booleans()), min_size=1, max_size=5),
    st.booleans(),
    st.integers(1, 4000),
    st.integers(1, 40),
    st.sampled_from([(1, 1), (4, 5), (9, 9), (1 << 20, 96)]),
    st.sampled_from([0, 1, 2, 3, 100]),
)
def test_rows_come_in_the_engines_order_however_many_are_held(
    tmp_path_factory: pytest.TempPathFactory,
    found: list[tuple[list[Row], bool]],
    packed: bool,
    span_bytes: int,
    sample: int,
    kept: tuple[int, int],
    numbered: int,
) -> None:
    starts = itertools.accumulate((len(rows) for rows, _ in found[:-1]), initial=0)
    # lists come both ways in one night: packed by our own parts, plain from other readers
    batches = [_batch(rows, first, packed, lists) for (rows, lists), first in zip(found, starts, strict=True)]
    plain = pa.Table.from_batches([_batch(rows, 0, packed=False, packed_lists=False) for rows, _ in found])
    with duckdb.connect() as engine:
        engine.register("plain", plain)
        by = ", ".join(f"{name} NULLS FIRST" for name in ORDER)
        expected = engine.sql(f"SELECT {', '.join(ORDER)} FROM plain ORDER BY {by}").to_arrow_table()
    folder = tmp_path_factory.mktemp("spans")

    def once() -> Iterator[pa.RecordBatch]:
        return iter(batches)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys, "_NAME_BYTES", kept[0])
        patch.setattr(keys, "_TIE_BYTES", kept[1])
        patch.setattr("pipelines.stages.dealt.Numbers", partial(Numbers, numbered))
        ordered = pa.Table.from_batches(list(in_order(once, lambda rows: rows, folder, span_bytes, sample)))

    assert ordered.schema.types == _SCHEMA.types
    assert ordered.select(expected.column_names).to_pylist() == expected.to_pylist()
    rows = list(itertools.chain(*(rows for rows, _ in found)))
    assert ordered["groups"].to_pylist() == [rows[n][5] for n in ordered["number"].to_pylist()]
    assert sorted(ordered["number"].to_pylist()) == list(range(len(rows)))
    assert not list(folder.iterdir())


def test_no_row_has_no_order(tmp_path: Path) -> None:
    assert list(in_order(lambda: iter([]), lambda rows: rows, tmp_path)) == []


@pytest.mark.parametrize("alike", ["user and time", "audit id and stage, too"])
def test_rows_of_one_user_at_one_time_are_held_a_span_at_a_time(tmp_path: Path, alike: str) -> None:
    count, span_bytes = 40_000, 1_000_000
    hashes = [sha256(b"%d" % n).hexdigest() for n in range(count)]
    ids = hashes if alike == "user and time" else ["f" * 64] * count
    ordered, held = _spanned(_at_once(["eve"] * count, ids, hashes), tmp_path, span_bytes)
    assert ordered["content_hash"].to_pylist() == sorted(hashes)
    # a batch may hold its texts with less beside them than the file they are read back from
    assert max(held) < 2 * span_bytes


def test_users_whose_names_begin_alike_are_held_a_span_at_a_time(tmp_path: Path) -> None:
    count, span_bytes = 8_000, 1_000_000
    ends = [sha256(b"%d" % n).hexdigest() for n in range(count)]
    names = ["x" * 900 + end for end in ends]
    ordered, held = _spanned(_at_once(names, ends, ends), tmp_path, span_bytes)
    assert ordered["username"].to_pylist() == sorted(names)
    assert max(held) < 2 * span_bytes


def _at_once(users: list[str], ids: list[str], hashes: list[str]) -> pa.Table:
    """An event of each user, all at one time."""
    count, at = len(users), datetime(2026, 9, 15, tzinfo=UTC)
    columns = [users, [at] * count, ids, ["ResponseComplete"] * count, hashes, [[]] * count, range(count)]
    return pa.Table.from_arrays([pa.array(c, f.type) for c, f in zip(columns, _SCHEMA, strict=True)], schema=_SCHEMA)


def _spanned(rows: pa.Table, folder: Path, span_bytes: int) -> tuple[pa.Table, list[int]]:
    """The rows in order, and the bytes of each span while it was held."""
    held: list[int] = []

    def noted(span: pa.Table) -> pa.Table:
        held.append(span.nbytes)
        return span

    ordered = list(in_order(lambda: iter(rows.to_batches(2000)), noted, folder, span_bytes))
    return pa.Table.from_batches(ordered), held


@pytest.mark.parametrize(("users", "length"), [(200_000, 40), (20_000, 4_000)], ids=["many", "of long names"])
def test_users_by_the_hundred_thousand_take_no_memory_of_the_sort(
    monkeypatch: pytest.MonkeyPatch, users: int, length: int
) -> None:
    monkeypatch.setattr(keys, "_NAME_BYTES", 200_000)

    def rows() -> Iterator[pa.RecordBatch]:
        at = datetime(2026, 9, 15, tzinfo=UTC)
        for first in range(0, users, 2000):
            names = [f"user {n} of a name that nobody else has".ljust(length) for n in range(first, first + 2000)]
            yield _batch([(name, 0, "a", "b", "c", []) for name in names], first, False, False).set_column(
                1, "stage_ts", pa.array([at] * 2000, _SCHEMA.field("stage_ts").type)
            )

    found = keys.Keys(1000)
    tracemalloc.start()
    for batch in rows():
        found.add(batch)
    kept = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert kept < 500_000


@pytest.mark.parametrize("span_bytes", [1 << 30, 20_000], ids=["held", "on disk"])
def test_of_a_long_text_that_many_rows_share_few_are_written_out_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, span_bytes: int
) -> None:
    monkeypatch.setattr("pipelines.stages.packed._PIECE_BYTES", 50_000)
    rows: list[Row] = [("eve", n, f"{n:04}", "x" * 4000, "", []) for n in range(1000)]
    batch = _batch(rows, 0, packed=True, packed_lists=False)
    found = list(in_order(lambda: iter([batch]), lambda table: table, tmp_path, span_bytes))
    assert [number for one in found for number in one["number"].to_pylist()] == list(range(1000))
    assert max(one.nbytes for one in found) < 60_000
