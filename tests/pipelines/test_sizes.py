"""The bytes of texts are those that are written out, in whatever form a column holds them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.sizes import runs, text_bytes

TEXTS = ["ab", None, "é", "", "ab"]
LISTS = [["ab", None], None, [], ["é", "c"], ["ab"]]
PLAIN = pa.array(LISTS, pa.list_(pa.string()))
CODED = pa.ListArray.from_arrays(PLAIN.offsets, PLAIN.values.dictionary_encode(), mask=PLAIN.is_null())


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array(TEXTS), [2, 0, 2, 0, 2]),
        (pa.array(TEXTS).dictionary_encode(), [2, 0, 2, 0, 2]),
        (PLAIN, [2, 0, 0, 3, 2]),
        (CODED, [2, 0, 0, 3, 2]),
        (pa.array([1, 2, 3, 4, 5]), [0] * 5),
        (pa.array([[1], None, [], [2], [3]]), [0] * 5),
    ],
    ids=["text", "coded", "list", "coded list", "number", "list of numbers"],
)
def test_each_form_of_a_column_has_its_bytes(column: Any, expected: list[int]) -> None:
    assert text_bytes([column]).tolist() == expected
    assert text_bytes([column, column]).tolist() == [2 * size for size in expected]
    assert text_bytes([column.slice(2, 3)]).tolist() == expected[2:]


@given(st.lists(st.integers(0, 9)), st.integers(1, 4), st.integers(1, 12))
def test_rows_are_parted_in_order_and_as_late_as_may_be(sizes: list[int], rows: int, most: int) -> None:
    found = list(runs(np.array(sizes, np.int64), rows, most))
    assert [i for a, b in found for i in range(a, b)] == list(range(len(sizes)))
    for a, b in found:
        assert b - a == 1 or (b - a <= rows and sum(sizes[a:b]) <= most)
        assert b == len(sizes) or b - a == rows or sum(sizes[a : b + 1]) > most
