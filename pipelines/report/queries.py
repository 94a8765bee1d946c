"""Ready queries for single events, where a team may keep its audit log: the archive, Athena, CloudWatch Logs Insights.

What a caller wrote stands in them only where it is plain text: who reads a report pastes them. Imports nothing of ours.
Tested in tests/report/test_queries.py, and against a real archive in tests/e2e/test_report_queries.py.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

_PLAIN = re.compile(r"[0-9A-Za-z][0-9A-Za-z._:-]{0,63}")
_COLUMNS = "stage_ts, username, verb, resource, subresource, namespace, name, code, source_ips, user_agent, audit_id"


def plain(audit_ids: Sequence[str]) -> list[str]:
    """Those that can stand in a query: an audit ID is a UUID unless its caller chose another."""
    return [audit_id for audit_id in audit_ids if _PLAIN.fullmatch(audit_id)]


def queries(cluster: str, night: date, audit_ids: Sequence[str]) -> list[tuple[str, str]]:
    """Of each place its name, where to run it told, and the query; none without a plain audit ID."""
    known = plain(audit_ids)
    if not known or not _PLAIN.fullmatch(cluster):
        return []
    single = ",\n  ".join(f"'{audit_id}'" for audit_id in known)
    double = ",\n  ".join(f'"{audit_id}"' for audit_id in known)
    return [
        (
            "DuckDB, in the archive's folder",
            f"SELECT {_COLUMNS}\nFROM read_parquet('events/cluster={cluster}/date={night}/part-*.parquet', "
            f"union_by_name = true)\nWHERE audit_id IN (\n  {single})\nORDER BY stage_ts;",
        ),
        (
            "Athena",
            f"SELECT {_COLUMNS}\nFROM events\nWHERE cluster = '{cluster}' AND \"date\" = '{night}' AND audit_id IN (\n"
            f"  {single})\nORDER BY stage_ts",
        ),
        (
            f"CloudWatch Logs Insights, log group /aws/eks/{cluster}/cluster, {night} UTC",
            "fields @timestamp, user.username, verb, requestURI, responseStatus.code, sourceIPs.0, userAgent, auditID\n"
            f"| filter @logStream like /^kube-apiserver-audit/ and auditID in [\n  {double}]\n"
            "| sort @timestamp asc\n| limit 1000",
        ),
    ]
