"""Texts as numbers, and back."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pipelines.stages.numbers import Numbers

_TEXTS = st.lists(st.lists(st.sampled_from([None, "", "a", "b", "é", "a\x00"]), max_size=6), min_size=1, max_size=6)


def _batch(texts: list[str | None]) -> pa.RecordBatch:
    column = pa.array(texts, pa.string()).dictionary_encode()
    return pa.record_batch({"text": column, "number": pa.array(range(len(texts)), pa.int32())})


def _plain(batch: pa.RecordBatch) -> list[str | None]:
    assert pa.types.is_dictionary(batch["text"].type)
    found: list[str | None] = batch["text"].to_pylist()
    return found


@given(_TEXTS)
def test_texts_come_back_from_numbers_given_in_any_batch(batches: list[list[str | None]]) -> None:
    numbers = Numbers()
    kept = [numbers.numbered(_batch(texts)) for texts in batches]
    assert all(pa.types.is_int32(one["text"].type) for one in kept)
    assert [_plain(numbers.named(one)) for one in kept] == batches
    assert all(one["number"].to_pylist() == list(range(len(one))) for one in map(numbers.named, kept))


def test_one_text_has_one_number_in_every_batch() -> None:
    numbers = Numbers()
    first, second = (numbers.numbered(_batch(texts)) for texts in (["a", "b"], ["b", "c", "a"]))
    assert (first["text"].to_pylist(), second["text"].to_pylist()) == ([0, 1], [1, 2, 0])


def test_of_too_many_texts_none_is_numbered_from_then_on() -> None:
    numbers = Numbers(most=2)
    before, after, later = (numbers.numbered(_batch(texts)) for texts in (["a", "b"], ["c"], ["a"]))
    assert before["text"].to_pylist() == [0, 1]
    assert [_plain(numbers.named(one)) for one in (before, after, later)] == [["a", "b"], ["c"], ["a"]]
    assert not any(pa.types.is_int32(one["text"].type) for one in (after, later))


def test_of_texts_too_long_none_is_numbered_whatever_their_column() -> None:
    numbers = Numbers(most_bytes=100)
    first = numbers.numbered(_batch(["a" * 60]))
    second = numbers.numbered(_batch(["b" * 60]))
    assert pa.types.is_int32(first["text"].type)
    assert not pa.types.is_int32(second["text"].type)
    assert [_plain(numbers.named(one)) for one in (first, second)] == [["a" * 60], ["b" * 60]]


def test_texts_of_a_batch_are_not_held_for_a_column_that_has_too_many() -> None:
    numbers = Numbers(most=2)
    before = pa.total_allocated_bytes()
    batch = _batch([f"{n}" * 100_000 for n in range(9)])
    batch = numbers.numbered(batch)
    del batch
    assert pa.total_allocated_bytes() - before < 10_000
