"""What a principal's night held, for people to read: hours by outcome, what it began to use, its bindings, requests.

Nothing here is counted by a feature. Needs a prepared night. tests/features/test_detail.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import duckdb
import pyarrow as pa

from features.predicates import DENIED, SUCCEEDED, listed

MOST_NEW = 6
"""New items of one kind that are named; all are counted."""

MOST_BINDINGS = 8
"""Bindings that are named, those of the most requests first; all are counted."""

LONGEST = 500
"""Characters kept of each text of a request; a caller may send thousands."""

NEW_KINDS = (
    "address", "agent", "impersonated_user", "namespace", "secret", "action", "denied", "entered", "token_account",
    "authz_role", "image", "mapped_identity",
)  # fmt: skip
"""Kinds of items whose new ones are shown, in this order."""

_HOURS = f"""
SELECT principal,
  list({{'hour': hour, 'succeeded': succeeded, 'refused': refused, 'failed': failed}} ORDER BY hour) AS found
FROM (
  SELECT principal, CAST(hour(unit) AS BIGINT) AS hour,
    CAST(coalesce(sum(n) FILTER (WHERE {SUCCEEDED}), 0) AS BIGINT) AS succeeded,
    CAST(coalesce(sum(n) FILTER (WHERE {DENIED}), 0) AS BIGINT) AS refused,
    CAST(coalesce(sum(n) FILTER (WHERE NOT ({SUCCEEDED}) AND NOT ({DENIED})), 0) AS BIGINT) AS failed
  FROM tallies SEMI JOIN wanted USING (principal) WHERE grain = 'alike' AND NOT left_out GROUP BY principal, hour)
GROUP BY principal
"""

_TO_WHOM = "CASE WHEN cluster_share > 0 THEN 'cluster' WHEN type_share > 0 THEN 'peers' ELSE 'principal' END"
_NEW = f"""
SELECT principal, list({{'kind': kind, 'items': items, 'first': first}}
  ORDER BY list_position([{listed(NEW_KINDS)}], kind)) AS found
FROM (
  SELECT principal, kind, count(*) AS items,
    list({{'item': item, 'first_ts': first_ts, 'new_to': new_to}} ORDER BY
      list_position(['cluster', 'peers', 'principal'], new_to), first_ts, item)[1:{MOST_NEW}] AS first
  FROM (SELECT *, {_TO_WHOM} AS new_to FROM new_items SEMI JOIN wanted USING (principal))
  WHERE kind IN ({listed(NEW_KINDS)}) GROUP BY principal, kind)
GROUP BY principal
"""

_BINDINGS = f"""
SELECT principal, {{'items': count(*),
  'first': list({{'item': item, 'requests': requests}} ORDER BY requests DESC, item)[1:{MOST_BINDINGS}]}} AS found
FROM items SEMI JOIN wanted USING (principal) WHERE kind = 'binding' GROUP BY principal
"""

_TEXTS = {
    "object": "object",
    "namespace": "namespace",
    "name": "name",
    "request_uri": "request_uri",
    "address": "address",
    "agent": "user_agent",
    "impersonated_user": "impersonated_user",
}
_KEY = {"principal": pa.string(), "audit_id": pa.string(), "ts": pa.timestamp("us", "UTC")}
_REQUESTS = f"""
SELECT principal, list({{'audit_id': audit_id, 'ts': ts, 'verb': verb, 'code': code, 'alike': alike,
  {", ".join(f"'{name}': left({column}, {LONGEST})" for name, column in _TEXTS.items())}}}
  ORDER BY ts, audit_id) AS found
FROM (
  SELECT r.*, row_number() OVER (PARTITION BY principal, audit_id, ts ORDER BY verb, request_uri) AS nth
  FROM requests AS r SEMI JOIN wanted_requests USING (principal, audit_id, ts))
JOIN (
  SELECT principal, audit_id, count(*) AS alike
  FROM requests SEMI JOIN wanted_requests USING (principal, audit_id) GROUP BY principal, audit_id)
USING (principal, audit_id)
WHERE nth = 1 GROUP BY principal
"""


def details(
    engine: duckdb.DuckDBPyConnection, wanted: Mapping[str, Sequence[tuple[str, datetime]]]
) -> dict[str, dict[str, Any]]:
    """Of each principal: hours, new, bindings and requests, those in the order of their times.

    A client may give one audit ID to several requests, a harmless one first: only that of the time is shown, with the
    number of the principal's requests that bear the ID, `alike`.
    Args:
        wanted: by principal the audit IDs and times of the requests to show.
    """
    asked_for = [(principal, *one) for principal, requests in wanted.items() for one in requests]
    asked = {
        "wanted": pa.table({"principal": pa.array(list(wanted), pa.string())}),
        "wanted_requests": pa.table(
            {name: pa.array([one[at] for one in asked_for], kind) for at, (name, kind) in enumerate(_KEY.items())}
        ),
    }
    for name, rows in asked.items():
        engine.register(name, rows)
    try:
        found = {
            name: _told(engine, sql)
            for name, sql in (("hours", _HOURS), ("new", _NEW), ("bindings", _BINDINGS), ("requests", _REQUESTS))
        }
    finally:
        for name in asked:
            engine.unregister(name)
    nothing: dict[str, Any] = {"hours": [], "new": [], "bindings": {"items": 0, "first": []}, "requests": []}
    return {who: {name: found[name].get(who, empty) for name, empty in nothing.items()} for who in wanted}


def _told(engine: duckdb.DuckDBPyConnection, sql: str) -> dict[str, Any]:
    return {row["principal"]: row["found"] for row in engine.sql(sql).to_arrow_table().to_pylist()}
