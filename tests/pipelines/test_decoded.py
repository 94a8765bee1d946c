"""Tables read again and again are decoded once, and those kept never hold more than so many bytes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from hashlib import sha256

import pyarrow as pa
import pytest

from pipelines import opened_together
from pipelines.decoded import Decoded, Sealed
from pipelines.errors import DataError
from pipelines.parquet import encode

ROWS = 10_000
SCHEMA = pa.schema(
    [
        ("who", pa.string()),
        ("names", pa.list_(pa.field("l", pa.string()))),
        ("n", pa.int64()),
        ("own_surprise", pa.float64()),
        ("first_seen", pa.date32()),
        ("ts", pa.timestamp("us", "UTC")),
    ]
)


class Reader:
    """Decodes bytes to a table of 80 KB, and notes which."""

    def __init__(self) -> None:
        self.read: list[bytes] = []

    def __call__(
        self, body: bytes, _where: str, _columns: Sequence[str] | None = None
    ) -> tuple[pa.Table, dict[str, str]]:
        self.read.append(body)
        return pa.table({"x": pa.nulls(ROWS, pa.int64()).fill_null(len(self.read))}), {"of": body.decode()}


@pytest.mark.parametrize("count", [1, 3, 200])
def test_tables_kept_hold_no_more_than_so_many_bytes(count: int) -> None:
    reader = Reader()
    made = Decoded(250_000, reader)
    bodies = [b"%d" % n for n in range(count)]
    before = pa.total_allocated_bytes()
    for body in bodies:
        made.table(body, "x")
    assert pa.total_allocated_bytes() - before <= 250_000
    # the last three fit
    for body in bodies[-3:]:
        assert made.table(body, "x").meta == {"of": body.decode()}
    assert reader.read == bodies


def test_the_table_not_asked_for_the_longest_goes_first() -> None:
    reader = Reader()
    made = Decoded(250_000, reader)
    for body in (b"a", b"b", b"c", b"a", b"d", b"a", b"b"):
        made.table(body, "x")
    assert reader.read == [b"a", b"b", b"c", b"d", b"b"]


def test_a_table_larger_than_all_that_is_kept_displaces_none() -> None:
    reader = Reader()
    made = Decoded(100_000, reader)
    for body in (b"a", bytes(100_000), b"a"):
        made.table(body, "x")
    assert len(reader.read) == 2


def test_columns_asked_for_are_read_alone_and_kept_apart_from_the_whole() -> None:
    body = encode(pa.table({"x": [1, 2], "y": [3, 4], "z": [5, 6]}), {"y": 1})
    made = Decoded()
    few = made.table(body, "x", ("z", "x"))
    assert (few.table.column_names, few.table["z"].to_pylist(), few.meta) == (["z", "x"], [5, 6], {"y": 1})
    assert made.table(body, "x").table.column_names == ["x", "y", "z"]
    assert made.table(body, "x", ("z", "x")) is few
    assert few.sha256 == made.table(body, "x").sha256


def test_a_table_without_a_column_asked_for_is_refused_and_so_is_damage_in_a_column_not_read() -> None:
    body = encode(pa.table({"x": [1, 2], "y": ["secret-1", "secret-2"]}), {})
    with pytest.raises(DataError, match=r"^somewhere: written by another version of auditforest, without v, w; run "):
        Decoded().table(body, "somewhere", ("x", "w", "v"))
    with pytest.raises(DataError, match="checksum"):
        Decoded().table(body.replace(b"secret-2", b"secret-3"), "somewhere", ("x",))


def test_a_table_bears_the_hash_of_its_bytes_and_damage_is_never_kept() -> None:
    body = encode(pa.table({"x": [1, 2]}), {"y": 1})
    made = Decoded()
    found = made.table(body, "x")
    assert (found.table["x"].to_pylist(), found.meta, found.sha256) == ([1, 2], {"y": 1}, sha256(body).hexdigest())
    for _ in range(2):
        with pytest.raises(DataError, match="somewhere"):
            made.table(body[:-1], "somewhere")


def nights(count: int, size: int = 3) -> list[Sealed]:
    """Tables of so many nights, none of them like another; every fourth is empty."""
    seen, at = date(2026, 9, 6), datetime(2026, 9, 6, 23, 59, 59, 999_999, tzinfo=UTC)
    made = []
    for night in range(count):
        rows = [
            (f"eve-{night}-{i}", ["a", "\x18"] if i else None, 1 << 62, 0.1 + night, seen, at if i else None)
            for i in range(size if night % 4 < 3 else 0)
        ]
        columns = [pa.array([row[i] for row in rows], of.type) for i, of in enumerate(SCHEMA)]
        table = pa.table(columns, schema=SCHEMA)
        made.append(Decoded().sealed(encode(table, {"night": night}), f"night {night}"))
    return made


@pytest.mark.parametrize("count", [0, 1, 3, 4, 29])
def test_tables_opened_together_are_what_each_is_alone(count: int) -> None:
    days, items = nights(count), nights(count, size=2)
    for without in (frozenset(), frozenset({"n", "names", "no column"})):
        for found, asked in zip(Decoded().tables(days, items, without=without), (days, items), strict=True):
            alone = [Decoded().table(one.body, one.where) for one in asked]
            wanted = [one.table.drop_columns([*without & {*SCHEMA.names}]).replace_schema_metadata() for one in alone]
            assert [one.table.replace_schema_metadata() for one in found] == wanted
            assert [one.table.schema.types for one in found] == [table.schema.types for table in wanted]
            assert [(one.meta, one.sha256) for one in found] == [(one.meta, one.sha256) for one in alone]


def test_tables_opened_together_are_opened_once(monkeypatch: pytest.MonkeyPatch) -> None:
    days = nights(6)
    made = Decoded()
    (found,) = made.tables(days)
    monkeypatch.setattr(opened_together, "tables", None)
    (again,) = made.tables(days)
    assert [one.table for one in again] == [one.table for one in found]


def test_of_tables_opened_together_those_kept_hold_no_more_than_so_many_bytes() -> None:
    days = nights(40, size=2000)
    for most in (1_000_000, 100_000_000):
        made = Decoded(most)
        before = pa.total_allocated_bytes()
        made.tables(days)
        assert pa.total_allocated_bytes() - before <= most
    made = Decoded(3_000_000)
    before = pa.total_allocated_bytes()
    for at in range(0, 40, 8):
        made.tables(days[at : at + 8])
    assert 0 < pa.total_allocated_bytes() - before <= 3_000_000


def test_tables_of_other_columns_are_opened_one_by_one() -> None:
    days = nights(6)
    days[4] = Decoded().sealed(encode(pa.table({"other": [1]}), {}), "x")
    (found,) = Decoded().tables(days)
    assert found[4].table.column_names == ["other"]
    assert [one.table.num_rows for one in found] == [3, 3, 3, 0, 1, 3]


def test_a_damaged_table_is_refused_before_its_rows_are_asked_for() -> None:
    body = bytearray(nights(1)[0].body)
    body[100] ^= 1
    with pytest.raises(DataError, match=r"^there: not a whole table .*checksum"):
        Decoded().sealed(bytes(body), "there")
