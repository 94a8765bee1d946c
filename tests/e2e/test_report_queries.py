"""The ready queries of a report find exactly the events they are made for."""

from __future__ import annotations

import html
import re
from contextlib import chdir
from pathlib import Path

import duckdb
from e2e.job import Ended, object_of, ranking_of
from e2e.world import CLUSTER, LAST

Built = tuple[Path, Ended]


def _queries(root: Path) -> list[str]:
    """Those of the first rank: for DuckDB, Athena and CloudWatch."""
    page = object_of(root, "reports", LAST, "report.html").read_text(encoding="utf-8")
    section = page.partition('id="of-1"')[2].partition("</tbody>\n<tbody")[0]
    return [html.unescape(query) for query in re.findall(r"<pre>(.*?)</pre>", section, re.DOTALL)]


def _shown(root: Path) -> list[str]:
    first = ranking_of(root, LAST)["ranking"][0]
    assert first["rank"] == 1
    return [request["audit_id"] for request in first["detail"]["requests"]]


def test_the_query_for_duckdb_runs_in_the_archive_and_finds_these_events_alone(built: Built) -> None:
    with chdir(built[0]):
        found = duckdb.sql(_queries(built[0])[0]).to_arrow_table()["audit_id"].to_pylist()
    assert sorted(found) == sorted(_shown(built[0]))
    assert found


def test_the_query_for_athena_is_of_the_table_that_docs_archive_declares(built: Built) -> None:
    parts = f"{built[0]}/events/*/*/part-*.parquet"
    with duckdb.connect() as connection:
        connection.execute(
            f"CREATE VIEW events AS FROM read_parquet('{parts}', hive_partitioning = true, hive_types_autocast = false)"
        )
        found = connection.sql(_queries(built[0])[1]).to_arrow_table()["audit_id"].to_pylist()
    assert sorted(found) == sorted(_shown(built[0]))


def test_the_query_for_cloudwatch_names_the_stream_the_log_group_and_these_events(built: Built) -> None:
    query = _queries(built[0])[2]
    assert re.findall(r'"([^"]+)"', query) == _shown(built[0])
    page = object_of(built[0], "reports", LAST, "report.html").read_text(encoding="utf-8")
    assert f"log group /aws/eks/{CLUSTER}/cluster, {LAST} UTC" in page
