"""Words that are known, texts that are equal, and the Arrow columns made of texts in a buffer."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.compiled.columns import dictionary, lists, number, plain
from pipelines.compiled.encode import NO_CODE, encode
from pipelines.compiled.fields import keys
from pipelines.compiled.scan import NOTHING, SPAN_ESCAPED
from pipelines.compiled.words import GROUPS, find, table

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0", max_codepoint=0xFFFF), max_size=70)


def spans(texts: list[str | None]) -> tuple[pa.Buffer, np.ndarray]:  # type: ignore[type-arg]
    """The texts as JSON strings in one buffer, and where their insides stand."""
    data, found = b"", []
    for text in texts:
        if text is None:
            found.append(NOTHING)
            continue
        inside = json.dumps(text, ensure_ascii=len(text) % 2 == 0).encode()[1:-1]
        found.append(len(data) | len(inside) << 32 | (SPAN_ESCAPED if b"\\" in inside else 0))
        data += inside
    return pa.py_buffer(data or b"\0"), np.array(found, np.int64)


@settings(deadline=None)
@given(texts=st.lists(st.one_of(st.none(), TEXT), max_size=20))
def test_texts_come_out_as_they_were_written(texts: list[str | None]) -> None:
    data, found = spans(texts)
    column = plain(data, found)
    column.validate(full=True)
    assert column.to_pylist() == texts


@settings(deadline=None)
@given(texts=st.lists(st.one_of(st.sampled_from(["a", "b" * 8, "b" * 9, "c" * 40, "c" * 39 + "d", "é"]), TEXT)))
def test_equal_texts_have_one_number_in_the_order_of_their_coming(texts: list[str]) -> None:
    data, found = spans(texts)
    codes, distinct = number(data, found)
    assert codes.tolist() == [list(dict.fromkeys(texts)).index(t) for t in texts]
    coded = dictionary(codes, plain(data, distinct))
    coded.validate(full=True)
    assert coded.to_pylist() == texts


def test_what_has_no_number_is_null() -> None:
    assert dictionary(np.array([0, NO_CODE], np.int32), pa.array(["a"])).to_pylist() == ["a", None]


@settings(deadline=None)
@given(rows=st.lists(st.one_of(st.none(), st.lists(TEXT, max_size=4)), max_size=12), blank=st.sampled_from(["", " "]))
def test_lists_come_out_as_they_were_written(rows: list[list[str] | None], blank: str) -> None:
    inside = [None if r is None else f"{blank},{blank}".join(json.dumps(t) for t in r) for r in rows]
    distinct = list(dict.fromkeys(i for i in inside if i is not None))
    data = "".join(distinct).encode()
    starts = np.cumsum([0, *(len(d) for d in distinct)])
    found = np.array([s | len(d) << 32 for s, d in zip(starts.tolist(), distinct, strict=False)], np.int64)
    codes = np.array([NO_CODE if i is None else distinct.index(i) for i in inside], np.int32)
    column = lists(pa.py_buffer(data or b"\0"), codes, found)
    column.validate(full=True)
    assert column.to_pylist() == rows


def test_texts_that_share_one_place_are_not_looked_for_forever() -> None:
    texts = [f"{i:08d}" for i in range(500)] * 2
    data, found = spans(list(texts))
    codes, distinct = np.empty(len(texts), np.int32), np.empty(len(texts), np.int64)
    # one place for all
    count = encode(data.address, data.size, found, codes, np.zeros(1, np.int64), distinct)
    assert plain(data, distinct[:count]).take(pa.array(codes)).to_pylist() == texts


def meaning(word: bytes, group: int, known: np.ndarray) -> int:  # type: ignore[type-arg]
    held = np.frombuffer(word + b"\0", np.uint8)
    start = held.ctypes.data
    return int(find(start, len(word), group, start + len(word), known.ctypes.data))


@settings(deadline=None)
@given(words=st.lists(st.tuples(st.integers(0, GROUPS - 1), TEXT), unique=True, max_size=60), other=TEXT)
def test_each_word_is_found_in_its_group_and_no_other(words: list[tuple[int, str]], other: str) -> None:
    known = table([(group, word, i) for i, (group, word) in enumerate(words)])
    for i, (group, word) in enumerate(words):
        assert meaning(word.encode(), group, known) == i
        for near in (word + "x", word[:-1], word[::-1], word.swapcase()):
            expected = words.index((group, near)) if (group, near) in words else -1
            assert meaning(near.encode(), group, known) == expected
    assert meaning(other.encode(), 5, known) == (words.index((5, other)) if (5, other) in words else -1)


def test_words_that_differ_in_the_middle_only_are_told_apart() -> None:
    known = table([(0, "authorization.k8s.io/decision", 1)])
    assert meaning(b"authorization.k8s.io/decision", 0, known) == 1
    assert meaning(b"authorization.k9s.io/decision", 0, known) == -1


def test_a_word_that_stands_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="verb: stands twice"):
        table([(0, "verb", 0), (0, "verb", 1)])


def test_the_table_of_an_event_is_made_alike_every_time() -> None:
    before = keys().tolist()
    keys.cache_clear()
    assert keys().tolist() == before
