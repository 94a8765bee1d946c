"""The requests behind a feature: its own predicate, run over the night's requests."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import pyarrow as pa

from features.feature import Feature
from features.items import KINDS
from features.tables import TABLES

MAX_AUDIT_IDS = 20


def _source(f: Feature) -> str:
    """SQL of the requests that count; `thing` is what they are told apart by."""
    if f.over is not None:
        return TABLES[f.over].evidence
    if f.new is not None:
        name, whom = f.new
        kind = next(k for k in KINDS if k.name == name)
        return (
            f"SELECT r.principal, r.audit_id, r.ts, r.item AS thing FROM ({kind.found('requests')}) AS r "
            "JOIN new_items AS n "
            f"ON n.principal = r.principal AND n.kind = '{name}' AND n.item = r.item AND n.{whom}_share > 0"
        )
    thing = f.distinct or "1"
    counted = f"NOT left_out AND coalesce({f.counts}, false)"
    return f"SELECT principal, audit_id, ts, {thing} AS thing FROM requests WHERE {counted} AND ({thing}) IS NOT NULL"


def evidence(engine: duckdb.DuckDBPyConnection, f: Feature, principals: Sequence[str]) -> pa.Table:
    """Of each principal: how many requests count towards the feature, when, and the first of them.

    Every different item comes before a second request for the same one.
    Returns:
        principal, requests, audit_ids (at most MAX_AUDIT_IDS) and the times of these very requests, for one ID may lead
        to several; first_ts, last_ts. Needs a prepared night.
    """
    engine.register("wanted", pa.table({"principal": list(principals)}))
    try:
        return engine.sql(
            f"""
WITH found AS NOT MATERIALIZED (SELECT * FROM ({_source(f)}) SEMI JOIN wanted USING (principal)),
each_thing AS MATERIALIZED (
  SELECT principal, thing, count(*) AS requests, min(ts) AS first_ts, max(ts) AS last_ts
  FROM found GROUP BY principal, thing
),
whole AS MATERIALIZED (
  SELECT principal, CAST(sum(requests) AS BIGINT) AS requests, min(first_ts) AS first_ts, max(last_ts) AS last_ts,
    min(first_ts, {MAX_AUDIT_IDS})[-1] AS shown_to
  FROM each_thing GROUP BY principal
),
shown AS (
  SELECT t.principal, t.thing FROM each_thing AS t JOIN whole AS w ON w.principal = t.principal
  WHERE t.first_ts <= w.shown_to
),
first_of_thing AS (
  SELECT t.principal, min({{'ts': t.ts, 'audit_id': t.audit_id}}, {MAX_AUDIT_IDS}) AS first
  FROM found AS t JOIN shown AS s ON s.principal = t.principal AND s.thing IS NOT DISTINCT FROM t.thing
  GROUP BY t.principal, t.thing
),
first AS (
  SELECT principal, min({{'nth': nth, 'ts': one.ts, 'audit_id': one.audit_id}}, {MAX_AUDIT_IDS}) AS first
  FROM (SELECT principal, unnest(first) AS one, unnest(range(len(first))) AS nth FROM first_of_thing)
  GROUP BY principal
)
SELECT whole.* EXCLUDE (shown_to), [one.audit_id FOR one IN first] AS audit_ids, [one.ts FOR one IN first] AS times
FROM whole JOIN first USING (principal) ORDER BY principal"""
        ).to_arrow_table()
    finally:
        engine.unregister("wanted")
