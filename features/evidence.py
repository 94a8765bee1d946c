"""The requests behind a feature: its own predicate, run over the night's requests."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import pyarrow as pa

from features.catalogue import Feature
from features.items import KINDS

MAX_AUDIT_IDS = 20


def _source(f: Feature) -> str:
    """SQL of the requests that count; `thing` is what they are told apart by."""
    counted = f"NOT left_out AND coalesce({f.counts}, false)"
    if f.new is not None:
        name, whom = f.new
        kind = next(k for k in KINDS if k.name == name)
        joined = (
            f"(SELECT *, {kind.item} AS found FROM requests WHERE {counted}) AS r JOIN new_items AS n "
            f"ON n.principal = r.principal AND n.kind = '{name}' AND n.item = r.found AND n.{whom}_share > 0"
        )
        return f"SELECT r.*, r.found AS thing FROM {joined}"
    if f.peak is not None:
        minute = f"date_trunc('{f.peak}', ts)"
        busiest = (
            f"SELECT principal, {minute} AS busiest FROM requests WHERE {counted} GROUP BY principal, busiest "
            "QUALIFY row_number() OVER (PARTITION BY principal ORDER BY count(*) DESC, busiest) = 1"
        )
        return (
            f"SELECT r.*, 1 AS thing FROM requests AS r JOIN ({busiest}) USING (principal) "
            f"WHERE {minute} = busiest AND {counted}"
        )
    thing = f.distinct or "1"
    return f"SELECT *, {thing} AS thing FROM requests WHERE {counted} AND ({thing}) IS NOT NULL"


def evidence(engine: duckdb.DuckDBPyConnection, f: Feature, principals: Sequence[str]) -> pa.Table:
    """Of each principal: how many requests count towards the feature, when, and the first of them.

    Every different item comes before a second request for the same one.
    Returns:
        principal, requests, audit_ids (at most MAX_AUDIT_IDS), first_ts, last_ts; needs a prepared night.
    """
    engine.register("wanted", pa.table({"principal": list(principals)}))
    try:
        return engine.sql(
            f"""
SELECT principal, count(*) AS requests, min(ts) AS first_ts, max(ts) AS last_ts,
  list(audit_id ORDER BY nth, ts, audit_id)[1:{MAX_AUDIT_IDS}] AS audit_ids
FROM (
  SELECT principal, audit_id, ts,
    row_number() OVER (PARTITION BY principal, thing ORDER BY ts, audit_id) AS nth
  FROM ({_source(f)}) SEMI JOIN wanted USING (principal))
GROUP BY principal ORDER BY principal"""
        ).to_arrow_table()
    finally:
        engine.unregister("wanted")
