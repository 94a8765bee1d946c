"""What a feature counts beside requests: small tables made of the night's tallies, each one query.

Times are whole numbers, so that every engine counts the same. tests/features/test_tables.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from features.predicates import ACTION_IN_RAW_PLACE, SUCCEEDED


@dataclass(frozen=True)
class SmallTable:
    """Its SQL, with a column principal; `evidence` are the requests behind it: principal, audit_id, ts, thing."""

    sql: str
    evidence: str


_COUNTED = "grain = 'alike' AND NOT left_out"
_REQUEST = "r.principal, r.audit_id, r.ts"
_COUNTS = "NOT r.left_out"

PAUSE_CAP_S = 86_400
"""A pause counts up to a day: a forged time must not outweigh a night."""

MINUTES = f"""
SELECT principal, minute, n, nth, minutes, date_diff('second', first_s, last_s) AS span_s,
  CASE WHEN previous_s IS NULL THEN 0 ELSE least(date_diff('second', previous_s, first_s), {PAUSE_CAP_S}) END AS pause_s
FROM (
  SELECT *, row_number() OVER (PARTITION BY principal ORDER BY n DESC, minute) AS nth,
    count(*) OVER (PARTITION BY principal) AS minutes,
    lag(last_s) OVER (PARTITION BY principal ORDER BY minute) AS previous_s
  FROM (
    SELECT principal, unit AS minute, n, date_trunc('second', ts) AS first_s, date_trunc('second', last_ts) AS last_s
    FROM tallies WHERE grain = 'minute' AND NOT left_out))
"""
"""SQL: minutes with a request, `nth` by the number of them, the busiest first; how long they were at it in the minute,
and how long before it nothing came."""


def _span(fits: str) -> str:
    """SQL: when, in each hour, each (verb, resource, namespace) was asked for by requests that fit."""
    return (
        f"SELECT principal, {ACTION_IN_RAW_PLACE} AS thing, unit, min(ts) AS first_ts, max(last_ts) AS last_ts "
        f"FROM tallies WHERE {_COUNTED} AND {fits} GROUP BY 1, 2, 3"
    )


REGAINED = f"""
SELECT DISTINCT r.principal, r.thing
FROM ({_span("code = 403")}) AS r JOIN ({_span(SUCCEEDED)}) AS a ON a.principal = r.principal AND a.thing = r.thing
WHERE a.last_ts > r.first_ts
  AND date_diff('second', date_trunc('second', r.last_ts), date_trunc('second', a.first_ts)) <= 3600
"""
"""SQL: each (verb, resource, namespace) allowed to a principal at most an hour after it was refused.

By the first and the last of each hour, which is exact: what is allowed later in the hour of a refusal is within one."""


def _writer(of: str) -> str:
    """SQL: who was the last to write the owner of each object before it came; the control plane where nobody else."""
    return (
        "SELECT m.maker, m.namespace, m.made, m.made_from, m.n, m.last_ts, w.principal, w.type, w.owner, "
        "row_number() OVER (PARTITION BY m.maker, m.namespace, m.made, m.made_from "
        "ORDER BY CASE WHEN w.type = 'control plane' THEN 1 ELSE 0 END, w.ts DESC, w.principal, w.owner) AS nth "
        f"FROM ({of}) AS m JOIN written AS w ON w.namespace = m.namespace AND w.thing = m.owner AND w.ts <= m.last_ts"
    )


CARRIED = f"""
WITH owned AS (
  SELECT principal AS maker, namespace, object AS made, owner AS made_from, owner,
    verb = 'create' AND host_access AS bold,
    CAST(sum(n) AS BIGINT) AS n, max(last_ts) AS last_ts
  FROM tallies WHERE {_COUNTED} AND owner IS NOT NULL AND {SUCCEEDED}
  GROUP BY principal, namespace, object, owner, verb = 'create' AND host_access
),
written AS (
  SELECT t.principal, t.type, t.namespace, o.owner AS thing, t.owner, min(t.ts) AS ts
  FROM tallies AS t JOIN (SELECT DISTINCT namespace, owner FROM owned) AS o
  ON o.namespace = t.namespace AND o.owner = t.resource || '/' || t.name
  WHERE t.grain = 'alike' AND t.verb IN ('create', 'update', 'patch') AND t.subresource IS NULL AND t.code < 400
  GROUP BY t.principal, t.type, t.namespace, o.owner, t.owner
),
parents AS (SELECT * FROM ({_writer("SELECT * FROM owned WHERE bold")}) AS p WHERE nth = 1),
grandparents AS (
  SELECT * FROM ({_writer("SELECT * FROM parents WHERE owner IS NOT NULL")}) AS g
  WHERE nth = 1 AND type <> 'control plane'
)
SELECT coalesce(g.principal, p.principal) AS principal, p.maker, p.namespace, p.made, p.made_from, p.n
FROM parents AS p LEFT JOIN grandparents AS g
ON g.maker = p.maker AND g.namespace = p.namespace AND g.made = p.made AND g.made_from = p.made_from
WHERE (g.principal IS NOT NULL OR p.type <> 'control plane') AND coalesce(g.principal, p.principal) <> p.maker
"""
"""SQL: privileged objects that controllers made, under who wrote tonight what they are made from: a daemon set, or a
deployment behind its replica set, a cron job behind its job."""


def _most(of: str, per: str) -> SmallTable:
    """The number of different `of` for each `per` of a principal."""
    sql = (
        f"SELECT principal, {per}, count(DISTINCT {of}) AS n FROM tallies "
        f"WHERE {_COUNTED} AND {per} IS NOT NULL AND credential_id IS NOT NULL GROUP BY principal, {per}"
    )
    told = f"r.{of} IS NOT NULL AND r.{per} IS NOT NULL AND r.credential_id IS NOT NULL"
    return SmallTable(sql, f"SELECT {_REQUEST}, r.{of} AS thing FROM requests AS r WHERE {_COUNTS} AND {told}")


TABLES: Mapping[str, SmallTable] = {
    "minutes": SmallTable(
        MINUTES,
        f"SELECT {_REQUEST}, 1 AS thing FROM requests AS r JOIN ({MINUTES}) AS t "
        f"ON t.principal = r.principal AND t.minute = date_trunc('minute', r.ts) WHERE t.nth = 1 AND {_COUNTS}",
    ),
    "hours": SmallTable(
        "SELECT * FROM hours",
        f"SELECT {_REQUEST}, t.hour AS thing FROM requests AS r JOIN hours AS t "
        f"ON t.principal = r.principal AND t.hour = hour(r.ts) WHERE {_COUNTS}",
    ),
    "regained": SmallTable(
        REGAINED,
        f"SELECT {_REQUEST}, t.thing FROM requests AS r JOIN ({REGAINED}) AS t "
        f"ON t.principal = r.principal AND t.thing = {ACTION_IN_RAW_PLACE} WHERE {_COUNTS} AND r.code IS NOT NULL",
    ),
    "carried": SmallTable(
        CARRIED,
        f"SELECT t.principal, r.audit_id, r.ts, t.made_from AS thing FROM requests AS r JOIN ({CARRIED}) AS t "
        "ON t.maker = r.principal AND t.namespace = r.namespace AND t.made = r.object AND t.made_from = r.owner "
        f"WHERE r.verb = 'create' AND r.host_access AND r.code < 400 AND {_COUNTS}",
    ),
    "pods": _most("credential_id", "pod_name"),
    "credentials": _most("address", "credential_id"),
    "crowds": SmallTable(
        "SELECT principal, member FROM crowds",
        f"SELECT {_REQUEST}, r.username AS thing FROM requests AS r "
        f"JOIN (SELECT DISTINCT principal FROM crowds) AS t ON t.principal = r.principal WHERE {_COUNTS}",
    ),
}
"""Tables that a feature may count instead of requests."""
