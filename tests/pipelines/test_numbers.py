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
    assert [_plain(numbers.texts(one)) for one in kept] == batches
    assert all(one["number"].to_pylist() == list(range(len(one))) for one in map(numbers.texts, kept))


def test_one_text_has_one_number_in_every_batch() -> None:
    numbers = Numbers()
    first, second = (numbers.numbered(_batch(texts)) for texts in (["a", "b"], ["b", "c", "a"]))
    assert (first["text"].to_pylist(), second["text"].to_pylist()) == ([0, 1], [1, 2, 0])


def test_of_too_many_texts_none_is_numbered_from_then_on() -> None:
    numbers = Numbers(most=2)
    before, after, later = (numbers.numbered(_batch(texts)) for texts in (["a", "b"], ["c"], ["a"]))
    assert before["text"].to_pylist() == [0, 1]
    assert [_plain(numbers.texts(one)) for one in (before, after, later)] == [["a", "b"], ["c"], ["a"]]
    assert not any(pa.types.is_int32(one["text"].type) for one in (after, later))
