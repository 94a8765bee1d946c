"""A pattern either means the same to every engine or is refused; Java itself is asked in tests/real_spark."""

from __future__ import annotations

import re

import duckdb
import pytest

from features.sql.patterns import anchored, portable, replacement

TEXTS = (
    "",
    "a",
    "ab",
    "ab\n",
    "\nab",
    "a\nb",
    "a\rb",
    "a\u2028b",
    "ab\r\n",
    "x.y",
    "10.0.0.1",
    "a-1:",
    "}",
    "ä",
    "a\\b",
)


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("^ab$", r"\Aab\z"),
        ("a.b", r"a[^\n]b"),
        ("(^a|b$)", r"(\Aa|b\z)"),
        ("[.$^]", "[.$^]"),
        (r"\.\$\^", r"\.\$\^"),
        ("(?:a{2}|b{1,3}|c{2,})+?", "(?:a{2}|b{1,3}|c{2,})+?"),
        ("[^/]+/[a-z-]*", "[^/]+/[a-z-]*"),
    ],
)
def test_what_engines_read_differently_is_written_so_that_they_cannot(pattern: str, said: str) -> None:
    assert portable(pattern) == said


@pytest.mark.parametrize(
    "pattern",
    [r"\d", r"\w", r"\s", r"\b", r"\1", r"\pL", r"\x41", "(?i)a", "(?P<n>a)", "(?=a)", "(?!a)", "a++", "a*+", "a{1}+",
     "[[:alpha:]]", "[a[b]]", "[a&&b]", r"[\d]", "[]a]", "a{,3}", "{", "]", "}", "[", "\\"],
)  # fmt: skip
def test_what_cannot_be_said_to_every_engine_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="RE2, Java and Joni"):
        portable(pattern)


@pytest.mark.parametrize("pattern", ["^ab$", "a.b", "(^a|b$)", "^.*$", "[.$^]", r"\.", "b$"])
def test_the_rewritten_pattern_finds_what_the_first_one_found(pattern: str) -> None:
    with duckdb.connect() as engine:
        for text in TEXTS:
            asked = [text, pattern, text, portable(pattern)]
            first, second = engine.execute("SELECT regexp_matches(?, ?), regexp_matches(?, ?)", asked).fetchall()[0]
            assert first == second, text
            # Python reads \A and \z as \Z
            assert first == (re.search(portable(pattern).replace(r"\z", r"\Z"), text) is not None), text


@pytest.mark.parametrize(
    ("pattern", "once"), [("^a", True), (r"\Aa|b", False), ("^(a|b)", True), ("a", False), ("^[|]", True)]
)
def test_an_anchored_pattern_matches_once(pattern: str, once: bool) -> None:
    assert anchored(pattern) is once


def test_a_replacement_names_groups_as_java_does() -> None:
    assert replacement(r"\1*:") == "$1*:"
    assert replacement("$1") == r"\$1"
