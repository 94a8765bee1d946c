"""The ranking table: one principal of the night a row, every column declared from the first day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

import pyarrow as pa

from pipelines.report.columns import COLUMNS

REASON = pa.struct(
    [
        ("feature", pa.string()),
        ("value", pa.int64()),
        ("expected", pa.float64()),
        ("usual", pa.float64()),
        ("usual_low", pa.float64()),
        ("usual_high", pa.float64()),
        ("peers_low", pa.float64()),
        ("peers_high", pa.float64()),
        ("surprise", pa.float64()),
        ("share", pa.float64()),
    ]
)
COUNTERFACTUAL = pa.struct(
    [
        ("feature", pa.string()),
        ("value", pa.int64()),
        ("instead", pa.int64()),
        ("rank", pa.int64()),
        ("rank_without_all", pa.int64()),
        ("score_without_all", pa.float64()),
    ]
)
PLACES = pa.struct([("codisp", pa.int64()), ("norm", pa.int64()), ("aws_score", pa.int64())])
BEGUN = pa.struct([("feature", pa.string()), ("value", pa.int64()), ("before", pa.int64())])
NEWCOMER = pa.struct([("absent", pa.date32()), ("last_night", pa.date32()), ("new", pa.list_(BEGUN))])
TOGETHER = pa.struct([("kind", pa.string()), ("item", pa.string()), ("principals", pa.int64())])
EVIDENCE = pa.struct(
    [
        ("feature", pa.string()),
        ("requests", pa.int64()),
        ("audit_ids", pa.list_(pa.string())),
        ("times", pa.list_(pa.timestamp("us", "UTC"))),
        ("first_ts", pa.timestamp("us", "UTC")),
        ("last_ts", pa.timestamp("us", "UTC")),
    ]
)
_TEXT = pa.string()
_TIME = pa.timestamp("us", "UTC")
HOUR = pa.struct([(name, pa.int64()) for name in ("hour", "succeeded", "refused", "failed")])
NEW_ITEM = pa.struct([("item", _TEXT), ("first_ts", _TIME), ("new_to", _TEXT)])
NEW = pa.struct([("kind", _TEXT), ("items", pa.int64()), ("first", pa.list_(NEW_ITEM))])
BINDING = pa.struct([("item", _TEXT), ("requests", pa.int64())])
REQUEST = pa.struct(
    [
        ("audit_id", _TEXT),
        ("ts", _TIME),
        ("verb", _TEXT),
        ("object", _TEXT),
        ("namespace", _TEXT),
        ("name", _TEXT),
        ("request_uri", _TEXT),
        ("code", pa.int64()),
        ("alike", pa.int64()),
        ("address", _TEXT),
        ("agent", _TEXT),
        ("impersonated_user", _TEXT),
    ]
)
DETAIL = pa.struct(
    [
        ("hours", pa.list_(HOUR)),
        ("new", pa.list_(NEW)),
        ("bindings", pa.struct([("items", pa.int64()), ("first", pa.list_(BINDING))])),
        ("requests", pa.list_(REQUEST)),
    ]
)
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
    "counterfactual": COUNTERFACTUAL,
    "strange_nights": pa.int64(),
    "together": TOGETHER,
    "places": PLACES,
    "newcomer": NEWCOMER,
    "evidence": pa.list_(EVIDENCE),
    "detail": DETAIL,
    "marks": pa.list_(_TEXT),
    "first_seen": pa.date32(),
    "history_nights": pa.int64(),
}
SCHEMA = pa.schema([pa.field(c.name, _TYPES[c.name], metadata={"meaning": c.meaning}) for c in COLUMNS])
"""The report's columns, in their order and with their meanings."""

_AT_ONCE = 1000
"""Records held at once."""


def table(records: Iterable[Mapping[str, Any]]) -> pa.Table:
    """The ranking, one record a row.

    Raises:
        ValueError: a record lacks a column or has one too many.
    """
    rest, made = iter(records), [SCHEMA.empty_table()]
    # a record takes many times what its row does
    while some := list(islice(rest, _AT_ONCE)):
        for record in some:
            if record.keys() != set(SCHEMA.names):
                raise ValueError(f"a ranking's record has {sorted(record)}; expected {sorted(SCHEMA.names)}")
        made.append(pa.Table.from_pylist(some, SCHEMA))
    return pa.concat_tables(made).combine_chunks()
