"""Every function that features/sql/rules.py lets pass means the same to Spark as to DuckDB, on hostile texts too."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlglot
from pyspark.sql import SparkSession
from real_spark.conftest import differing
from real_spark.hostile import TEXTS

from features.sql.rules import _FUNCTIONS, _OPERATORS, translated

OF_A_ROW = (
    "coalesce(a, b)",
    "nullif(a, b)",
    "a || b",
    "a = b",
    "a <> b",
    "a < b",
    "a >= b",
    "a BETWEEN b AND 'x'",
    "a IS NULL",
    "NOT a > b OR a <= b AND a IN ('', 'A')",
    "a IN ('', NULL)",
    "contains(a, b)",
    "starts_with(a, b)",
    "a LIKE '%a%'",
    "a LIKE '-%-'",
    "replace(replace(a, 'A', 'a'), 'B', 'b')",
    "split_part(a, ':', 1)",
    "rtrim(a, '0123456789.-_')",
    "trim(a)",
    "lpad(a, 3, '0')",
    "regexp_matches(a, '^a.b$')",
    "regexp_matches(a, 'b$')",
    "regexp_matches(a, '[^a]')",
    "regexp_matches(a, '^.*$')",
    "regexp_full_match(a, '.*')",
    "regexp_full_match(a, '[^:]*|x+')",
    "regexp_full_match(a, '\\$\\{x\\}|\\\\1')",
    "regexp_extract(a, '^([^/:]*)([/:])?', 1)",
    "regexp_extract(a, '([/:])|x', 1)",
    "regexp_extract(a, '.$')",
    "regexp_replace(a, '^(.)', '\\1$1')",
    "regexp_replace(a, '[^a-z]', '<\\0>', 'g')",
    "regexp_replace(a, '^a|x', '', 'g')",
    "l[1]",
    "l[3]",
    "l[1:2]",
    "l[2:9]",
    "list_contains(l, 'a')",
    "list_sort(l)",
    "greatest(n, 3)",
    "least(n, m)",
    "n // 10",
    "n // -7",
    "-n - m + 1",
    "n * 3",
    "1000000000 / m",
    "CAST(ceil(1000000000 / m) AS BIGINT)",
    "hour(ts)",
    "lpad(CAST(hour(ts) AS VARCHAR), 2, '0')",
    "date_trunc('minute', ts)",
    "date_trunc('hour', ts)",
    "date_diff('second', date_trunc('hour', ts), date_trunc('second', ts))",
    "CASE WHEN n > m THEN 'x' WHEN n IS NULL THEN a END",
    "l IS NULL",
    "n",
)
OF_MANY = (
    "count(*)",
    "count(a)",
    "count(DISTINCT a)",
    "count(DISTINCT a) FILTER (WHERE n > 0)",
    "count(*) FILTER (WHERE a > 'a')",
    "min(a)",
    "max(a)",
    "min(ts)",
    "max(n)",
    "CAST(sum(n) AS BIGINT)",
    "CAST(coalesce(sum(n) FILTER (WHERE a = 'no'), 0) AS BIGINT)",
    "list_sort(list(DISTINCT coalesce(a, '')))[1:50]",
)
IN_ORDER = (
    "lag(a) OVER (PARTITION BY g ORDER BY n DESC, i)",
    "first_value(a) OVER (PARTITION BY g ORDER BY n DESC, i)",
    "row_number() OVER (PARTITION BY g ORDER BY a, i)",
    "row_number() OVER (PARTITION BY g ORDER BY a DESC, i)",
    "row_number() OVER (PARTITION BY b ORDER BY n DESC, ts, i)",
)


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each hostile text beside some others, with numbers, times and lists, null now and then."""
    texts = [*TEXTS, None]
    rows = [
        {
            "i": 7 * n + k,
            "g": n % 5,
            "a": text,
            "b": texts[(n * (k + 1) + k) % len(texts)],
            "l": None if k == 1 else [texts[(n + j) % len(texts)] for j in range(k % 4)] + ["a"] * (n % 3),
            "n": None if n % 11 == 0 else (n - 30) * (k + 1),
            "m": n % 9 + k + 1,
            "ts": datetime(1850 + 5 * n, 3, 31, (n + k) % 24, 59, 59, 999_999, UTC),
        }
        for n, text in enumerate(texts)
        for k in range(7)
    ]
    types = {"i": pa.int64(), "g": pa.int64(), "a": pa.string(), "b": pa.string(), "l": pa.list_(pa.string())}
    schema = pa.schema({**types, "n": pa.int64(), "m": pa.int64(), "ts": pa.timestamp("us", "UTC")})
    path = tmp_path_factory.mktemp("values") / "values.parquet"
    pq.write_table(pa.Table.from_pylist(rows, schema), path)
    return path


@pytest.mark.parametrize(
    "sql",
    [
        f"SELECT i, {', '.join(f'{e} AS v{n}' for n, e in enumerate((*OF_A_ROW, *IN_ORDER)))} FROM t",
        f"SELECT g AS i, {', '.join(f'{e} AS v{n}' for n, e in enumerate(OF_MANY))} FROM t GROUP BY g",
    ],
    ids=["rows", "groups"],
)
def test_spark_finds_what_duckdb_finds(spark: SparkSession, values: Path, tmp_path: Path, sql: str) -> None:
    with duckdb.connect() as engine:
        engine.execute(f"SET TimeZone = 'UTC'; CREATE VIEW t AS FROM '{values}'")
        ours = engine.sql(f"{sql} ORDER BY i").to_arrow_table()
    spark.read.parquet(str(values)).createOrReplaceTempView("t")
    spark.sql(translated(sql, "spark")).write.parquet(str(tmp_path / "out"))
    theirs = pq.read_table(tmp_path / "out").sort_by("i").select(ours.column_names)
    assert not differing(ours.rename_columns(_named(sql)), theirs.rename_columns(_named(sql)))


def _named(sql: str) -> list[str]:
    """Columns named by their expressions, so that a difference says of what."""
    return [p.sql("duckdb") for p in sqlglot.parse_one(sql, read="duckdb").selects]


def test_everything_that_may_pass_is_tried_here() -> None:
    sql = f"SELECT {', '.join((*OF_A_ROW, *OF_MANY, *IN_ORDER))} FROM t"
    tried = {type(node) for node in sqlglot.parse_one(sql, read="duckdb").walk()}
    assert not [kind.__name__ for kind in (*_FUNCTIONS, *_OPERATORS) if kind not in tried]
