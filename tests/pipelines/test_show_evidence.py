"""Evidence of one principal: the very requests that were counted, out of the archive or as the ranking kept them."""

from __future__ import annotations

from datetime import UTC, datetime

import duckdb
import pyarrow as pa
from report_builders import detail, evidence, ranked, request

from pipelines.show.evidence import archived, kept

AT = [datetime(2026, 11, 22, 3, 12, second, tzinfo=UTC) for second in range(4)]
COLUMNS = ("verb", "namespace", "code", "address", "user_agent", "impersonated_user", "request_uri")


def asked(connection, *requests):
    """A night of requests, given as (audit_id, ts, resource, name)."""
    rows = [
        dict.fromkeys(COLUMNS) | {"audit_id": i, "ts": ts, "resource": of, "object": of, "name": name}
        for i, ts, of, name in requests
    ]
    types = {"code": pa.int64(), "ts": pa.timestamp("us", "UTC")}
    names = (*COLUMNS, "audit_id", "ts", "resource", "object", "name")
    return connection.from_arrow(pa.Table.from_pylist(rows, pa.schema([(n, types.get(n, pa.string())) for n in names])))


def test_a_harmless_request_of_the_same_audit_id_is_no_evidence_and_is_counted():
    row = ranked(
        evidence=(
            evidence(audit_ids=("chosen", "chosen"), times=(AT[1], AT[2])),
            evidence(feature="rbac_writes", audit_ids=("chosen", "own"), times=(AT[2], AT[3])),
        )
    )
    with duckdb.connect() as connection:
        requests = asked(
            connection,
            ("chosen", AT[0], "configmaps", "harmless"),
            ("chosen", AT[1], "secrets", "db"),
            ("chosen", AT[2], "roles", "admin"),
            ("own", AT[0], "configmaps", "harmless"),
            ("own", AT[3], "roles", "other"),
            ("else", AT[1], "pods", None),
        )
        found = archived(connection, requests, row)
    assert [(one.name, one.alike, one.features) for one in found] == [
        ("db", 3, ("secret_reads",)),
        ("admin", 3, ("secret_reads", "rbac_writes")),
        ("other", 2, ("rbac_writes",)),
    ]


def test_where_events_are_gone_the_ranking_has_its_requests():
    row = ranked(
        evidence=(evidence(audit_ids=("a", "b"), times=(AT[1], AT[0])),),
        detail=detail(
            requests=(
                request(audit_id="b", ts=AT[0], object="url", request_uri="/version", agent="curl/8"),
                request(audit_id="a", ts=AT[1], alike=7, impersonated_user="ann"),
            )
        ),
    )
    first, second = kept(row)
    assert (first.what, first.user_agent, first.features) == ("/version", "curl/8", ("secret_reads",))
    assert (second.what, second.namespace, second.name, second.alike) == ("secrets", "shop", "db-password", 7)
    assert (first.impersonated_user, second.impersonated_user) == (None, "ann")
    assert kept(ranked(detail=None)) == ()
