"""Tables read again and again are decoded once, and those kept never hold more than so many bytes."""

from __future__ import annotations

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

    def __call__(self, body: bytes, _where: str) -> tuple[pa.Table, dict[str, str]]:
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


def test_a_table_bears_the_hash_of_its_bytes_and_damage_is_never_kept() -> None:
    body = encode(pa.table({"x": [1, 2]}), {"y": 1})
    made = Decoded()
    found = made.table(body, "x")
    assert (found.table["x"].to_pylist(), found.meta, found.sha256) == ([1, 2], {"y": 1}, sha256(body).hexdigest())
    for _ in range(2):
        with pytest.raises(DataError, match="somewhere"):
            made.table(body[:-1], "somewhere")
