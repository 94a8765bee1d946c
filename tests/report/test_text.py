"""Nothing invisible reaches a reader, nothing readable is changed."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_builders import HOSTILE

from pipelines.report.text import clip, name_within, shown_name, visible, within

any_text = st.text(st.characters(exclude_categories=()))  # surrogates too


@pytest.mark.parametrize(
    ("char", "shown"),
    [
        ("\x00", "\\u0000"),
        ("\t", "\\u0009"),
        ("\n", "\\u000a"),
        ("\x1b", "\\u001b"),
        ("\x7f", "\\u007f"),
        ("\x9b", "\\u009b"),
        ("\u202e", "\\u202e"),
        ("\u2066", "\\u2066"),
        ("\u200b", "\\u200b"),
        ("\u200d", "\\u200d"),
        ("\ufeff", "\\ufeff"),
        ("\u2028", "\\u2028"),
        ("\u2029", "\\u2029"),
        ("\u00a0", "\\u00a0"),
        ("\u3164", "\\u3164"),
        ("\ufe0f", "\\ufe0f"),
        ("\ud800", "\\ud800"),
        ("\ue000", "\\ue000"),
        ("\uffff", "\\uffff"),
        ("\U000e0001", "\\U000e0001"),
        ("\U0010ffff", "\\U0010ffff"),
    ],
    ids=lambda value: value.encode("unicode_escape").decode("ascii"),
)
def test_what_cannot_be_seen_is_written_as_its_code(char, shown):
    assert visible(f"a{char}b") == f"a{shown}b"


@pytest.mark.parametrize("text", ["role/dev-eve", "Zoë Ångström", "\uff41\uff44", "监控", "a\\u202eb", "<b>&'\"", " "])
def test_what_can_be_seen_stays(text):
    assert visible(text) == text


@given(any_text)
def test_visible_text_holds_only_what_is_drawn(text):
    shown = visible(text)
    assert all(unicodedata.category(char)[0] not in "C" and char not in "\u2028\u2029" for char in shown)
    assert visible(shown) == shown
    shown.encode()


@given(any_text, st.integers(0, 60))
def test_a_clipped_text_is_short_and_says_how_long_it_was(text, width):
    shown = clip(text, width)
    if len(text) <= width:
        assert shown == text
    else:
        note = f"…({len(text):,} characters)…"
        assert note in shown
        assert len(shown) <= max(width, len(note) + 2)
        assert shown[0] == text[0]
        assert shown[-1] == text[-1]


@given(any_text, st.integers(24, 60))
def test_what_is_within_a_width_is_short_with_everything_written_out_and_says_its_own_length(text, width):
    shown = within(text, width)
    assert len(shown) <= width
    assert len(name_within(text, width)) <= width
    if len(visible(text)) <= width:
        assert shown == visible(text)
    else:
        assert f"…({len(text):,} characters)…" in shown


def test_a_name_within_a_width_is_in_quotes_where_its_ends_would_not_be_seen():
    assert name_within("eve", 30) == "eve"
    assert name_within("", 30) == '""'
    assert name_within(" eve", 30) == '" eve"'
    assert name_within(" " * 29, 30) == f'"{" " * 6}…(29 characters)…{" " * 5}"'


def test_a_huge_name_keeps_both_ends():
    shown = clip("a" * 40_000 + "b" * 25_536, 100)
    assert len(shown) == 100
    assert shown.startswith("aaa")
    assert shown.endswith("bbb")
    assert "(65,536 characters)" in shown


@pytest.mark.parametrize(
    ("text", "shown"), [("", '""'), ("   ", '"   "'), (" eve", '" eve"'), ("eve", "eve"), ("a b", "a b")]
)
def test_a_name_whose_ends_are_not_seen_stands_in_quotes(text, shown):
    assert shown_name(text, 80) == shown


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_name_is_never_blank_nor_huge(text):
    shown = shown_name(text, 80)
    assert shown.strip()
    assert len(shown) <= 10 * 80 + 2
