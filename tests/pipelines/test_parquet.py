"""The claims of parquet.py: bytes that depend on the rows alone, and damage that is always seen."""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import DataError
from pipelines.parquet import decode, encode, metadata, rows_of, written

ROWS = 300_000
SCHEMA = pa.schema([pa.field("name", pa.string(), metadata={"meaning": "A name."}), pa.field("number", pa.int64())])
_RANDOM = Random(7)
TABLE = pa.table(
    {
        "name": pa.array([f"{_RANDOM.random()}" for _ in range(ROWS)]),
        "number": pa.array([_RANDOM.randrange(9) for _ in range(ROWS)], pa.int64()),
    }
)
SMALL = pa.table({"principal": ["eve", "<none>", None], "requests": pa.array([3, None, 1 << 62], pa.int64())})
META = {"generation": 2, "inputs": {"b": "2", "a": "1"}, "shares": [0.1, 1e-300], "text": "\u202e'\"\\\n\x00"}
SIZES = {"small batches": 1000, "uneven batches": 77_777, "a row group each": 32_768, "one batch": ROWS}


def batches(size: int) -> Iterable[pa.RecordBatch]:
    return TABLE.to_batches(max_chunksize=size)


def parts_of(folder: Path, rows: Iterable[pa.RecordBatch], part_bytes: int = 1 << 30) -> list[bytes]:
    return [path.read_bytes() for path in written(rows, SCHEMA, folder, part_bytes)]


def test_no_rows_make_no_part(tmp_path: Path) -> None:
    assert parts_of(tmp_path, []) == []
    assert parts_of(tmp_path, SCHEMA.empty_table().to_batches()) == []


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("part_bytes", [1, 2_000_000, 1 << 30], ids=["part per group", "some parts", "one part"])
def test_parts_are_the_same_however_the_batches_were_cut(tmp_path: Path, size: int, part_bytes: int) -> None:
    parts = parts_of(tmp_path, batches(size), part_bytes)
    assert parts == parts_of(tmp_path, batches(10_000), part_bytes)
    assert len(parts) == {1: 10, 2_000_000: 2, 1 << 30: 1}[part_bytes]


@pytest.mark.parametrize("size", [1, 3, 100])
def test_long_texts_make_groups_of_fewer_rows_however_the_batches_were_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr("pipelines.parquet.GROUP_BYTES", 1000)
    texts = ["x" * 300] * 4 + ["x" * 2000, "y"] + ["x" * 999, "y", "y"]
    table = pa.table([texts, range(len(texts))], schema=SCHEMA)
    (path,) = written(table.to_batches(max_chunksize=size), SCHEMA, tmp_path)
    groups = pq.read_metadata(path)
    assert [groups.row_group(i).num_rows for i in range(groups.num_row_groups)] == [3, 1, 1, 2, 2]
    assert pq.read_table(path).equals(table)


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_the_parts_together_hold_all_rows_in_order(tmp_path: Path, size: int) -> None:
    parts = list(written(batches(size), SCHEMA, tmp_path, part_bytes=1))
    assert [rows_of(p) for p in parts] == [*[32_768] * 9, 5_088]
    assert pa.concat_tables(pq.read_table(p) for p in parts).equals(TABLE)


def test_a_part_has_the_declared_schema_whatever_the_engine_called_it(tmp_path: Path) -> None:
    found = TABLE.slice(0, 10).set_column(1, "number", TABLE["number"].slice(0, 10).cast(pa.int32()))
    (part,) = parts_of(tmp_path, found.to_batches())
    assert pq.read_schema(BytesIO(part)).equals(SCHEMA, check_metadata=True)


def test_a_derived_table_and_its_metadata_come_back() -> None:
    rows, meta = decode(encode(SMALL, META), "here")
    assert rows.equals(SMALL)
    assert meta == META


def test_a_derived_table_without_rows_comes_back() -> None:
    rows, meta = decode(encode(SMALL.slice(0, 0), {}), "here")
    assert rows.equals(SMALL.slice(0, 0))
    assert meta == {}


def test_bytes_depend_on_the_rows_and_the_metadata_alone() -> None:
    cut = pa.concat_tables([SMALL.slice(0, 1), SMALL.slice(1)]).replace_schema_metadata({"made by": "another"})
    assert encode(cut, dict(reversed(META.items()))) == encode(SMALL, META)
    again, meta = decode(encode(SMALL, META), "here")
    assert encode(again, meta) == encode(SMALL, META)


@pytest.mark.parametrize("bit", [0, 7])
def test_one_flipped_bit_anywhere_is_seen(bit: int) -> None:
    body = encode(SMALL, META)
    for at in range(len(body)):
        damaged = bytearray(body)
        damaged[at] ^= 1 << bit
        with pytest.raises(DataError, match=r"^here: not a whole table .*delete the object and run the night again$"):
            decode(bytes(damaged), "here")


def test_a_file_cut_anywhere_is_seen() -> None:
    body = encode(SMALL, META)
    for end, _ in pairwise(range(len(body) + 1)):
        with pytest.raises(DataError, match="not a whole table"):
            decode(body[:end], "here")


def test_a_file_of_another_program_is_refused() -> None:
    sink = BytesIO()
    pq.write_table(SMALL, sink)
    with pytest.raises(DataError, match="not a whole table of this archive"):
        decode(sink.getvalue(), "here")


@given(st.text(max_size=40) | st.just("auditforest-sha256=" + "0" * 64))
def test_no_text_in_rows_or_metadata_is_taken_for_the_checksum(text: str) -> None:
    table = pa.table({"principal": [text], text or "x": [1]}) if text != "principal" else SMALL
    rows, meta = decode(encode(table, {"text": text}), "here")
    assert rows.equals(table)
    assert meta == {"text": text}


@pytest.mark.parametrize(
    "meta", [{}, META, {"x" * 5000: "auditforest", "\x18\x0bauditforest\x18\x05": 1}], ids=["none", "some", "odd"]
)
def test_metadata_are_found_without_the_table_whatever_the_rows_say(meta: dict[str, object]) -> None:
    planted = "\x18\x0bauditforest\x18\x02{}"
    for names in (["eve"], [planted], [planted] * 40_000):
        assert metadata(encode(pa.table({"principal": names, planted: names}), meta), "x") == meta


def test_metadata_of_what_is_no_whole_table_of_ours_is_refused() -> None:
    sink = BytesIO()
    pq.write_table(SMALL, sink)
    body = encode(SMALL, META)
    for damaged in (b"", sink.getvalue(), body[:-1], body + b"\x00", body.replace(b"<none>", b"<nano>")):
        with pytest.raises(DataError, match=r"^x: not a whole table"):
            metadata(damaged, "x")
