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
SELECT principal, count(*) AS requests, min(ts) AS first_ts, max(ts) AS last_ts,
  list(audit_id ORDER BY nth, ts, audit_id)[1:{MAX_AUDIT_IDS}] AS audit_ids,
  list(ts ORDER BY nth, ts, audit_id)[1:{MAX_AUDIT_IDS}] AS times
FROM (
  SELECT principal, audit_id, ts,
    row_number() OVER (PARTITION BY principal, thing ORDER BY ts, audit_id) AS nth
  FROM ({_source(f)}) SEMI JOIN wanted USING (principal))
GROUP BY principal ORDER BY principal"""
        ).to_arrow_table()
    finally:
        engine.unregister("wanted")
