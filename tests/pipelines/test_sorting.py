"""The order of a part: is it the engine's, however the rows come and however many are held?"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.events import ORDER
from pipelines.stages.sorting import in_order

_TEXT = st.one_of(st.none(), st.sampled_from(["", "a", "b", "B", "é", "\U0001f600", "￿", "a\x00", "a\x00b"]))
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


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(_ROWS, st.booleans()), min_size=1, max_size=5),
    st.booleans(),
    st.integers(1, 4000),
    st.integers(1, 40),
)
def test_rows_come_in_the_engines_order_however_many_are_held(
    tmp_path_factory: pytest.TempPathFactory,
    found: list[tuple[list[Row], bool]],
    packed: bool,
    span_bytes: int,
    sample: int,
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

    ordered = pa.Table.from_batches(list(in_order(once, lambda rows: rows, folder, span_bytes, sample)))

    assert ordered.select(expected.column_names).to_pylist() == expected.to_pylist()
    rows = list(itertools.chain(*(rows for rows, _ in found)))
    assert ordered["groups"].to_pylist() == [rows[n][5] for n in ordered["number"].to_pylist()]
    assert sorted(ordered["number"].to_pylist()) == list(range(len(rows)))
    assert not list(folder.iterdir())


def test_no_row_has_no_order(tmp_path: Path) -> None:
    assert list(in_order(lambda: iter([]), lambda rows: rows, tmp_path)) == []
