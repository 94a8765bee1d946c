"""Which permissions a principal used, and which bindings granted them: its allowed requests, put together."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import duckdb

from features.predicates import DENIED
from pipelines.report.shown import Grant, Used

# a source without annotations does not tell the decision: then success does
_ALLOWED = f"coalesce(decision = 'allow', code < 400, false) AND NOT {DENIED}"
"""SQL over a request. One that found nothing (404) or came too late (409) took the permission all the same."""

_PERMISSION = """
  coalesce(verb, '') AS verb, coalesce(api_group, '') AS api_group, coalesce(resource, '') AS resource,
  coalesce(subresource, '') AS subresource, namespace,
  CASE WHEN resource IS NULL THEN regexp_extract(coalesce(request_uri, ''), '^[^?]*') END AS path,
  impersonated_user IS NOT NULL AS as_other
"""


def used(connection: duckdb.DuckDBPyConnection, requests: duckdb.DuckDBPyRelation) -> tuple[Used, ...]:
    """Each permission that these requests used with success, most requests first.

    Args:
        requests: of one principal, as OpenArchive.requests gives them.
    """
    requests.create_view("asked_by_one")
    rows = connection.sql(f"""
SELECT verb, api_group, resource, subresource, namespace, path, as_other, CAST(sum(n) AS BIGINT) AS requests,
  min(first) AS first, max(last) AS last, list(struct_pack(binding, role) ORDER BY binding, role) AS grants
FROM (
  SELECT {_PERMISSION}, coalesce(authz_binding, '') AS binding, coalesce(authz_role, '') AS role,
    count(*) AS n, min(ts) AS first, max(ts) AS last
  FROM asked_by_one WHERE {_ALLOWED} GROUP BY ALL)
GROUP BY ALL ORDER BY requests DESC, verb, api_group, resource, subresource, namespace, path, as_other""")
    return tuple(_used(row) for row in rows.to_arrow_table().to_pylist())


def _used(row: dict[str, Any]) -> Used:
    times = {name: row[name].astimezone(UTC) for name in ("first", "last")}
    return Used(**(row | times | {"grants": tuple(Grant(**grant) for grant in row["grants"])}))
