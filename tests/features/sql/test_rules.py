"""What is translated, what is refused; whether Spark reads it alike is asked of Spark in tests/real_spark."""

from __future__ import annotations

import pytest

from features.sql.rules import translated


@pytest.mark.parametrize(
    ("expression", "spark", "trino"),
    [
        ("regexp_matches(a, '^x$')", r"a RLIKE '\\Ax\\z'", r"REGEXP_LIKE(a, '\Ax\z')"),
        ("regexp_full_match(a, 'x|y')", r"a RLIKE '\\A(?:x|y)\\z'", r"REGEXP_LIKE(a, '\A(?:x|y)\z')"),
        ("regexp_replace(a, '^(x)', '\\1-')", r"REGEXP_REPLACE(a, '\\A(x)', '$1-')", None),
        ("regexp_replace(a, 'x', '', 'g')", "REGEXP_REPLACE(a, 'x', '')", "REGEXP_REPLACE(a, 'x', '')"),
        ("regexp_extract(a, 'x')", "REGEXP_EXTRACT(a, 'x', 0)", None),
        ("l[1]", "GET(l, 0)", "ELEMENT_AT(l, 1)"),
        ("l[2:4]", "SLICE(l, 2, 3)", "SLICE(l, 2, 3)"),
        ("contains(a, ':')", "CONTAINS(a, ':')", "( STRPOS(a, ':') > 0 )"),
        (
            "list_contains(l, 'x')",
            "CASE WHEN NOT l IS NULL THEN COALESCE(ARRAY_CONTAINS(l, 'x'), FALSE) END",
            "CASE WHEN NOT l IS NULL THEN COALESCE(CONTAINS(l, 'x'), FALSE) END",
        ),
        ("n // 10", "n DIV 10", "CAST(n AS BIGINT) / CAST(10 AS BIGINT)"),
        ("n / 10", "n / 10", "CAST(n AS DOUBLE) / 10"),
    ],
)
def test_what_sqlglot_alone_gets_wrong_is_put_right(expression: str, spark: str, trino: str | None) -> None:
    assert _flat(translated(f"SELECT {expression} FROM t", "spark")) == f"SELECT {spark} FROM t"
    if trino is not None:
        assert _flat(translated(f"SELECT {expression} FROM t", "trino")) == f"SELECT {trino} FROM t"


def test_trino_finds_an_empty_text_where_nothing_matches_and_null_in_null() -> None:
    found = _flat(translated("SELECT regexp_extract(a, 'x') FROM t", "trino"))
    assert found == "SELECT COALESCE(REGEXP_EXTRACT(a, 'x'), CASE WHEN NOT a IS NULL THEN '' END) FROM t"


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("SELECT lower(a) FROM t", "not known to mean the same"),
        ("SELECT epoch_us(a) FROM t", "not known to mean the same"),
        ("SELECT a FROM t QUALIFY row_number() OVER (ORDER BY a) = 1", "not known to mean the same"),
        ("SELECT * EXCLUDE (a) FROM t", "name the columns"),
        ("SELECT a || b AS c, count(*) FROM t GROUP BY c", "groups by no alias"),
        ("SELECT a LIKE 'x_%' FROM t", "underscore in LIKE"),
        ("SELECT split_part(a, ':', 2) FROM t", "only the first"),
        ("SELECT list(DISTINCT a) FROM t", "leave out nulls"),
        ("SELECT list_contains(l, a) FROM t", "must be a literal"),
        ("SELECT regexp_replace(a, 'x', '') FROM t", "must begin with"),
        ("SELECT regexp_matches(a, b) FROM t", "must be a literal"),
        (r"SELECT regexp_matches(a, '\d') FROM t", "RE2, Java and Joni"),
    ],
)
def test_what_would_be_read_otherwise_is_refused(sql: str, why: str) -> None:
    for dialect in ("spark", "trino"):
        with pytest.raises(ValueError, match=why):
            translated(sql, dialect)


def _flat(sql: str) -> str:
    return " ".join(sql.split())
