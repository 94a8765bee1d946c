"""The ranking table: one principal of the night a row, every column declared from the first day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from pipelines.report.columns import COLUMNS

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
_TEXT = pa.string()
_TYPES: dict[str, pa.DataType] = {
    "rank": pa.int64(),
    "rank_lo": pa.int64(),
    "rank_hi": pa.int64(),
    "principal": _TEXT,
    "usernames": pa.list_(_TEXT),
    "type": _TEXT,
    "peer_group": _TEXT,
    "requests": pa.int64(),
    "score": pa.float64(),
    "codisp": pa.float64(),
    "norm": pa.float64(),
    "aws_score": pa.float64(),
    "one_in": pa.float64(),
    "reasons": pa.list_(REASON),
    "evidence": pa.list_(EVIDENCE),
    "marks": pa.list_(_TEXT),
    "first_seen": pa.date32(),
    "history_nights": pa.int64(),
}
SCHEMA = pa.schema([pa.field(c.name, _TYPES[c.name], metadata={"meaning": c.meaning}) for c in COLUMNS])
"""The report's columns, in their order and with their meanings."""

LATER = frozenset({"rank_lo", "rank_hi", "one_in"})
"""Columns that are null in every ranking so far."""


def table(records: Sequence[Mapping[str, Any]]) -> pa.Table:
    """The ranking, one record a row.

    Raises:
        ValueError: a record lacks a column or has one too many.
    """
    for record in records:
        if record.keys() != set(SCHEMA.names) - LATER:
            raise ValueError(f"a ranking's record has {sorted(record)}; expected {sorted(set(SCHEMA.names) - LATER)}")
    return pa.Table.from_pylist(list(records), SCHEMA)
