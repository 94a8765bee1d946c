"""What the report shows of a principal beside its reasons, kept for those that are read: the first ranks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import chain, zip_longest
from typing import Any

import duckdb

from features.detail import details

DETAILED = 100
"""Ranks whose details are kept; it takes as many passes over the night's requests, however many they are."""

MOST_REQUESTS = 10
"""Requests shown of one principal."""


def detailed(engine: duckdb.DuckDBPyConnection, records: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The ranking's records, in the order of rank, with `detail`, null after the first DETAILED.

    Needs a prepared night."""
    found = details(engine, {r["principal"]: _chosen(r["evidence"]) for r in records[:DETAILED]})
    return [{**r, "detail": found.get(r["principal"])} for r in records]


def _chosen(evidence: Sequence[Mapping[str, Any]]) -> list[tuple[str, datetime]]:
    """Audit IDs and times of the requests to show: the first of each reason, then the second of each, and so on."""
    turns = chain.from_iterable(zip_longest(*(zip(one["audit_ids"], one["times"], strict=True) for one in evidence)))
    return list(dict.fromkeys(one for one in turns if one is not None))[:MOST_REQUESTS]
