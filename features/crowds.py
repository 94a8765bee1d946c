"""Floods of invented names: beyond a bound the newcomers of a night are one principal, a crowd.

Whoever may choose session names, or user names, could else make each request a principal of its own: below every
count's notice, and a night without end. Who is known from earlier nights stays what he is.
tests/features/test_crowds.py."""

from __future__ import annotations

from features.requests import COLUMNS
from features.tallies import ALIKE, TOGETHER

MOST_SESSIONS = 1_000
"""New sessions of one role in a night that stay principals of their own."""

MOST_NAMES = 10_000
"""New names of one type in a night that do."""

_CROWD = "'crowd:' || CASE WHEN n.principal LIKE 'iam-role:%/%' THEN split_part(n.principal, '/', 1) ELSE n.type END"

CROWDS = f"""
SELECT member, principal FROM (
  SELECT member, principal, count(*) OVER (PARTITION BY principal) AS members FROM (
    SELECT n.principal AS member, {_CROWD} AS principal
    FROM (SELECT DISTINCT principal, type FROM tallies WHERE grain = 'alike') AS n
    LEFT JOIN (SELECT DISTINCT principal, true AS known FROM past_items) AS p ON p.principal = n.principal
    WHERE p.known IS NULL) AS newcomers) AS counted
WHERE members > CASE WHEN principal LIKE 'crowd:iam-role:%' THEN {MOST_SESSIONS} ELSE {MOST_NAMES} END
"""
"""SQL over `tallies` and `past_items`: newcomers that are too many, and the crowd that each joins; mostly none."""

_OTHERS = ", ".join(f"t.{name}" for name in (*ALIKE, "grain", "unit") if name != "principal")

CROWDED_TALLIES = f"""
SELECT coalesce(c.principal, t.principal) AS principal, {_OTHERS}, {TOGETHER}
FROM tallies AS t LEFT JOIN crowds AS c ON c.member = t.principal
GROUP BY coalesce(c.principal, t.principal), {_OTHERS}
"""
"""SQL over `tallies` and `crowds`: the tallies, those of a crowd's members its own."""

_KEPT = ", ".join(f"r.{name}" for name in COLUMNS if name != "principal")


def crowded(requests: str) -> str:
    """SQL over `crowds` and a query of requests: the same, those of a crowd's members its own."""
    return (
        f"SELECT coalesce(c.principal, r.principal) AS principal, {_KEPT} "
        f"FROM ({requests}) AS r LEFT JOIN crowds AS c ON c.member = r.principal"
    )
