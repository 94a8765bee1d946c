"""Tables read again and again are decoded once, and those kept never hold more than so many bytes."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import pyarrow as pa
import pytest

from pipelines.decoded import Decoded
from pipelines.errors import DataError
from pipelines.parquet import encode

ROWS = 10_000


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
