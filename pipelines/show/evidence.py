"""The requests that the reasons of one principal rest on: out of the archive, or as the ranking kept them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import duckdb
import pyarrow as pa

from pipelines.report.model import RankedPrincipal
from pipelines.report.shown import Request

_LOGGED = ("verb", "namespace", "name", "code", "address", "user_agent", "impersonated_user", "audit_id", "alike")

Proofs = Mapping[tuple[str, datetime], tuple[str, ...]]
"""By audit ID and time of a request the features it is evidence of."""


def archived(
    connection: duckdb.DuckDBPyConnection, requests: duckdb.DuckDBPyRelation, row: RankedPrincipal
) -> tuple[Request, ...]:
    """In the order of the reasons, then of time: the very requests, for a client may give their ID to harmless ones.

    Args:
        requests: of this principal on the night, as OpenArchive.requests gives them.
    """
    of = _proofs(row)
    requests.create_view("asked_that_night")
    ids, times = zip(*of, strict=True)
    wanted = {"audit_id": pa.array(ids, pa.string()), "ts": pa.array(times, pa.timestamp("us", "UTC"))}
    connection.register("proofs", pa.table(wanted))
    found = connection.sql(f"""
SELECT ts, resource, object, request_uri, {", ".join(_LOGGED)}
FROM (SELECT * FROM asked_that_night SEMI JOIN proofs USING (audit_id, ts))
JOIN (SELECT audit_id, count(*) AS alike FROM asked_that_night SEMI JOIN proofs USING (audit_id) GROUP BY audit_id)
USING (audit_id)""")
    return _in_order(row, (_request(one, of) for one in found.to_arrow_table().to_pylist()))


def kept(row: RankedPrincipal) -> tuple[Request, ...]:
    """In the same order those that the ranking keeps, for a night whose events are gone."""
    of = _proofs(row)
    requests = () if row.detail is None else row.detail.requests
    return _in_order(
        row,
        (
            Request(
                features=of[one.audit_id, one.ts],
                time=one.ts,
                verb=one.verb,
                what=(one.request_uri or one.object) if one.object == "url" else one.object,
                namespace=one.namespace,
                name=one.name,
                code=one.code,
                address=one.address,
                user_agent=one.agent,
                impersonated_user=one.impersonated_user,
                audit_id=one.audit_id,
                alike=one.alike,
            )
            for one in requests
        ),
    )


def _proofs(row: RankedPrincipal) -> Proofs:
    of: dict[tuple[str, datetime], tuple[str, ...]] = {}
    for proof in row.evidence:
        for one in dict.fromkeys(zip(proof.audit_ids, proof.times, strict=True)):
            of[one] = (*of.get(one, ()), proof.feature)
    return of


def _request(row: dict[str, Any], of: Proofs) -> Request:
    path = row["resource"] is None and row["request_uri"]
    logged = {name: row[name] for name in _LOGGED}
    return Request(of[row["audit_id"], row["ts"]], row["ts"], what=path or row["object"], **logged)


def _in_order(row: RankedPrincipal, requests: Iterable[Request]) -> tuple[Request, ...]:
    order = {proof.feature: place for place, proof in enumerate(row.evidence)}
    return tuple(sorted(requests, key=lambda r: (order[r.features[0]], r.time, r.audit_id, r.verb or "")))
