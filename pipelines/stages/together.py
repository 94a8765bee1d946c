"""Principals that moved together: many that begin to use the same thing on one night have one cause."""

from __future__ import annotations

from typing import Any

import duckdb

from features.predicates import listed

MOST_ALIKE = 3
"""So many principals that start one item are a move."""

CAUSES = ("agent", "address", "network", "authz_role", "namespace", "action")
"""Kinds of items that can be a cause when the whole cluster never saw them, the more telling first."""

_MOVES = f"""
SELECT kind, item, count(*) AS principals FROM new_items
WHERE kind IN ({listed(CAUSES)}) AND cluster_share > 0 AND EXISTS (SELECT 1 FROM past_items)
GROUP BY kind, item HAVING count(*) >= {MOST_ALIKE}
"""
_TOGETHER = f"""
SELECT principal, kind, item, principals FROM (
  SELECT n.principal, n.kind, n.item, m.principals, row_number() OVER (
    PARTITION BY n.principal
    ORDER BY m.principals DESC, list_position([{listed(CAUSES)}], n.kind), n.item) AS nth
  FROM new_items AS n JOIN ({_MOVES}) AS m USING (kind, item))
WHERE nth = 1
"""


def together(engine: duckdb.DuckDBPyConnection) -> dict[str, dict[str, Any]]:
    """Of each principal that moved with others: the kind and item most of them began, and how many they are.

    On an archive's first night nobody did: all is new then. Needs a prepared night."""
    rows = engine.sql(_TOGETHER).fetchall()
    return {who: {"kind": kind, "item": item, "principals": number} for who, kind, item, number in rows}
