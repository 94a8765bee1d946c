"""A night's archived events of any number, made from the recorded sample's: new ids, times and generated names.

The recorded nights are laid end to end, again and again, and squeezed into one UTC day. A busier cluster has more
teams: every few copies are another team's, with namespaces, workloads, nodes, people and addresses of its own; the
control plane and kube-system are everybody's. The same number gives the same rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date
from functools import partial

import duckdb
import pyarrow as pa

from benchmarks.corpus import NIGHT
from pipelines.archive import EVENTS, Addition, Archive
from pipelines.commits import Commit, Counts
from pipelines.parsing.events import NAMES, ORDER, SCHEMA
from pipelines.stages.parts import read_parts

COPIES_OF_A_TEAM = 4
_DAY_US = 86_400_000_000
# the letters of generated names (k8s.io/apimachinery/pkg/util/rand)
_GENERATED = "-[bcdfghjklmnpqrstvwxz2456789]{5}$"
_TEAM = "CASE WHEN team = 0 THEN '' ELSE '-' || team END"
_SHARED = "namespace IS NULL OR namespace IN ('kube-system', 'default')"
_OF_ONE = "PARTITION BY nth, username ORDER BY md5(audit_id), audit_id, stage, content_hash"
_TIME = f"make_timestamptz(epoch_us(TIMESTAMPTZ '{NIGHT.decode()}') + {{}})"
_USERNAME = f"""CASE
  WHEN username LIKE 'system:serviceaccount:kube-system:%' THEN username
  WHEN username LIKE 'system:serviceaccount:%'
    THEN regexp_replace(username, '^(system:serviceaccount:[^:]*)', '\\1' || {_TEAM})
  WHEN username LIKE 'arn:%' OR username LIKE 'system:node:%' THEN username || {_TEAM}
  ELSE username END"""
_CHANGED = {
    "audit_id": "CAST(CAST(md5(audit_id || copy) AS UUID) AS VARCHAR)",
    "content_hash": "md5(content_hash || copy)",
    "username": _USERNAME,
    "session_name": f"CASE WHEN username LIKE 'arn:%' THEN session_name || {_TEAM} ELSE session_name END",
    "namespace": f"CASE WHEN {_SHARED} THEN namespace ELSE namespace || {_TEAM} END",
    "name": f"CASE WHEN regexp_matches(name, '{_GENERATED}') THEN left(name, -5) || left(md5(name || copy), 5) "
    "ELSE name END",
    "source_ips": "CASE WHEN team = 0 THEN source_ips ELSE list_transform(source_ips, lambda ip: "
    "regexp_replace(ip, '[0-9]+$', CAST(1 + (ascii(right(ip, 1)) * 7 + team * 31) % 250 AS VARCHAR))) END",
    "stage_ts": _TIME.format(f"(slot * {_DAY_US} + clock) // slots"),
    "received_ts": _TIME.format(f"greatest((slot * {_DAY_US} + clock - lasted) // slots, 0)"),
}


def archived(
    archive: Archive, recorded: Archive, count: int, everybody: str | None = None, each: int | None = None
) -> int:
    """Makes the night NIGHT of `archive` out of all nights of another; its events, `count` or up to half a night off.

    A night that stands there is taken for it.

    Args:
        everybody: the user name of all requests, which then stand in no order; None for those recorded.
        each: so many events at most of a user, of the last recorded night alone, and every copy another team's: a
            night of many who do little. None for all events of all nights.
    """
    night = date.fromisoformat(NIGHT.decode())
    with ExitStack() as stack:
        engine = stack.enter_context(duckdb.connect(config={"memory_limit": "4GB"}))
        engine.execute("SET TimeZone = 'UTC'")
        nights = recorded.nights(EVENTS) if each is None else recorded.nights(EVENTS)[-1:]
        commits = [recorded.newest(EVENTS, one) for one in nights]
        parts = [stack.enter_context(recorded.files(commit)) for commit in commits]
        rows = " UNION ALL ".join(f"SELECT *, {n} AS nth FROM {read_parts(p)}" for n, p in enumerate(parts))
        engine.execute(
            f"CREATE TABLE recorded AS SELECT *, epoch_us(stage_ts) % {_DAY_US} AS clock, "
            f"epoch_us(stage_ts) - epoch_us(received_ts) AS lasted FROM ({rows})"
            + ("" if each is None else f" QUALIFY row_number() OVER ({_OF_ONE}) <= {each}")
        )
        ((number,),) = engine.sql("SELECT count(*) FROM recorded").fetchall()
        team = COPIES_OF_A_TEAM if each is None else 1
        slots = round(count * len(commits) / number)
        engine.execute(
            f"CREATE TABLE copies AS SELECT CAST(copy AS VARCHAR) AS copy, copy // {team} AS team, slot, "
            f"slot % {len(commits)} AS nth, {slots} AS slots "
            f"FROM (SELECT slot, slot // {len(commits)} AS copy FROM range({slots}) AS s(slot))"
        )
        archive.append(EVENTS, night, partial(_added, engine, everybody, small=each is not None))
    made = archive.newest(EVENTS, night)
    return made.counts.archived if made else 0


def _added(
    engine: duckdb.DuckDBPyConnection, everybody: str | None, before: Commit | None, *, small: bool
) -> Addition | None:
    if before is not None:
        return None
    count = engine.sql("SELECT count(*) FROM recorded JOIN copies USING (nth)").fetchall()[0][0]
    rows = _sorted(engine) if small else _batches(engine, everybody)
    return Addition(rows, SCHEMA, (), Counts(read=count, archived=count, hours_seen=tuple(range(24))))


def _sorted(engine: duckdb.DuckDBPyConnection) -> Iterator[pa.RecordBatch]:
    """The rows in the archive's order, sorted at once: a query for each of many users would take longer."""
    columns = ", ".join(f"{_CHANGED[name]} AS {name}" if name in _CHANGED else name for name in NAMES)
    yield from engine.sql(
        f"SELECT * FROM (SELECT {columns} FROM recorded JOIN copies USING (nth)) ORDER BY {', '.join(ORDER)}"
    ).to_arrow_reader(32_768)


def _batches(engine: duckdb.DuckDBPyConnection, everybody: str | None) -> Iterator[pa.RecordBatch]:
    """The rows in the archive's order, user by user: so no more is sorted at once than one user's."""
    users = engine.sql(
        f"SELECT {_USERNAME} AS called, username, team FROM (SELECT DISTINCT username FROM recorded), "
        "(SELECT DISTINCT team FROM copies) ORDER BY ALL"
    ).fetchall()
    changed = _CHANGED
    if everybody is not None:
        changed = changed | {"username": f"'{everybody}'", "iam_role_arn": "NULL", "session_name": "NULL"}
    columns = ", ".join(f"{changed[name]} AS {name}" if name in changed else name for name in NAMES)
    for _, username, team in users:
        yield from engine.sql(
            f"SELECT {columns} FROM recorded JOIN copies USING (nth) WHERE username IS NOT DISTINCT FROM $1 "
            f"AND team = $2 ORDER BY {', '.join(ORDER[1:])}",
            params=[username, team],
        ).to_arrow_reader(32_768)
