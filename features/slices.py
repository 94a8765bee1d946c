"""A large night in slices: what is counted at once fits the memory, so ten times the events take ten times as long.

A slice is the events of some users, or of some hours of one who alone has more than a slice holds. All lines of a
request have its user and the time it was received, so no request lies in two. Archived events stand in the order of
their users: what is outside a slice is hardly read. tests/features/test_slices.py."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from features.predicates import listed
from features.requests import REQUESTS
from features.tallies import MINUTES_TOGETHER, TALLIES

MOST_EVENTS = 2_000_000
"""Of a slice, which is counted in less than 500 MB."""

_WHOLE = "true"


def tally(engine: duckdb.DuckDBPyConnection, *, keep: bool, folder: Path | None, most: int = MOST_EVENTS) -> str:
    """Make `tallies` of the view `events`, slice by slice; SQL of the requests.

    Args:
        keep: the requests, for who reads them time and again.
        folder: where those of a large night are kept; without one, it is one slice and the engine holds them.
    """
    of_night = [_WHOLE] if keep and folder is None else slices(engine, most)
    kept = []
    for nth, fits in enumerate(of_night):
        engine.execute(f"CREATE OR REPLACE TEMP VIEW slice AS FROM events WHERE {fits}")
        # each of its readers reads but the columns it needs: a copy would hold them all
        requests = f"WITH events AS NOT MATERIALIZED (FROM slice) {REQUESTS}"
        if keep:
            kept.append(_kept(engine, requests, folder / f"{nth}.parquet" if folder and len(of_night) > 1 else None))
            requests = kept[-1]
        tallies = f"WITH requests AS NOT MATERIALIZED ({requests}) {TALLIES}"
        engine.execute(f"{'INSERT INTO tallies' if nth else 'CREATE OR REPLACE TEMP TABLE tallies AS'} {tallies}")
    engine.execute("DROP VIEW slice")
    if len(of_night) > 1:
        engine.execute(f"CREATE OR REPLACE TEMP TABLE minutes AS {MINUTES_TOGETHER}")
        engine.execute("DELETE FROM tallies WHERE grain = 'minute'; INSERT INTO tallies BY NAME FROM minutes")
        engine.execute("DROP TABLE minutes")
    return " UNION ALL ".join(kept) or REQUESTS


def _kept(engine: duckdb.DuckDBPyConnection, requests: str, path: Path | None) -> str:
    if path is None:
        engine.execute(f"CREATE OR REPLACE TEMP TABLE kept_requests AS {requests}")
        return "FROM kept_requests"
    file = listed([str(path)])
    engine.execute(f"COPY ({requests}) TO {file} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 32768)")
    return f"FROM read_parquet({file}, hive_partitioning = false)"


def slices(engine: duckdb.DuckDBPyConnection, most: int = MOST_EVENTS) -> list[str]:
    """SQL conditions on the view `events`, of which each event meets exactly one.

    Args:
        most: events of a slice, or half as many again; more only in an hour of one user.
    """
    ((events,),) = engine.sql("SELECT count(*) FROM events").fetchall()
    if events <= most:
        return [_WHOLE]
    found = []
    for of_users, number in _stretches(engine, "username", "username", _WHOLE, most):
        if number <= most + most // 2:
            found.append(of_users)
        else:
            hours = _stretches(engine, "received_ts", "date_trunc('hour', received_ts)", of_users, most)
            found += [f"{of_users} AND {of_hours}" for of_hours, _ in hours]
    return found


def _stretches(
    engine: duckdb.DuckDBPyConnection, column: str, by: str, where: str, most: int
) -> Iterator[tuple[str, int]]:
    """Ranges of the column, and how many events each has: about half of `most`, or one value that has more."""
    # there may be as many names as events: only where ranges begin comes from the engine
    starts = engine.sql(
        f"""
SELECT min(value) AS start, CAST(sum(number) AS BIGINT) FROM (
  SELECT value, number, number > {most} AS large,
    sum(number) OVER (ORDER BY value NULLS FIRST ROWS UNBOUNDED PRECEDING) // {max(most // 2, 1)} AS step
  FROM (SELECT {by} AS value, count(*) AS number FROM events WHERE {where} GROUP BY ALL))
GROUP BY value IS NULL, large, step ORDER BY start NULLS FIRST"""
    ).fetchall()
    # a large value is a step by itself, so no range of others lies on both sides of it
    for at, (start, number) in enumerate(starts):
        if start is None:
            yield f"{column} IS NULL", number
        else:
            end = f" AND {column} < {_literal(starts[at + 1][0])}" if at + 1 < len(starts) else ""
            yield f"{column} >= {_literal(start)}{end}", number


def _literal(value: str | datetime) -> str:
    """SQL for a value that may be anything a client sends."""
    if isinstance(value, datetime):
        return f"TIMESTAMPTZ '{value.astimezone(UTC).isoformat()}'"
    return f"decode(from_hex('{value.encode().hex()}'))"
