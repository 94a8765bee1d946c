"""The ranking table: one principal of the night a row, every column declared from the first day."""

from __future__ import annotations

import pyarrow as pa

REASON = pa.struct(
    [
        ("feature", pa.string()),
        ("value", pa.int64()),
        ("expected", pa.float64()),
        ("usual", pa.float64()),
        ("surprise", pa.float64()),
        ("share", pa.float64()),
    ]
)
EVIDENCE = pa.struct(
    [
        ("feature", pa.string()),
        ("requests", pa.int64()),
        ("audit_ids", pa.list_(pa.string())),
        ("first_ts", pa.timestamp("us", "UTC")),
        ("last_ts", pa.timestamp("us", "UTC")),
    ]
)
SCHEMA = pa.schema(
    [
        ("rank", pa.int64()),
        ("rank_lo", pa.int64()),
        ("rank_hi", pa.int64()),
        ("principal", pa.string()),
        ("usernames", pa.list_(pa.string())),
        ("type", pa.string()),
        ("peer_group", pa.string()),
        ("requests", pa.int64()),
        ("score", pa.float64()),
        ("codisp", pa.float64()),
        ("norm", pa.float64()),
        ("aws_score", pa.float64()),
        ("one_in", pa.float64()),
        ("reasons", pa.list_(REASON)),
        ("evidence", pa.list_(EVIDENCE)),
        ("marks", pa.list_(pa.string())),
        ("first_seen", pa.date32()),
        ("history_nights", pa.int64()),
    ]
)
"""Columns mean what pipelines/report/columns.py says of the fields of the same names."""
