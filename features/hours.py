"""Hours of the day in which a principal is seldom active, as whole numbers: integer arithmetic alone.

tests/features/test_hours.py."""

from __future__ import annotations

RARE_PERCENT = 8
"""Of its nights: an hour in which a principal is active on fewer is rare for it."""
PSEUDO_NIGHTS = 3
"""Nights of its type that a principal's own are mixed with."""
ENOUGH_REQUESTS = 5
"""With fewer in it, an hour counts as less rare."""
_DECADE_TENTHS = range(60, 10, -1)
_RARITY = " ".join(f"WHEN 1000 * out_of >= {round(1000 * 10 ** (t / 10))} * active THEN {t}" for t in _DECADE_TENTHS)
_CLOSE = "s.hour - t.hour IN (-23, -1, 0, 1, 23)"
_TWICE = "CASE WHEN s.hour = t.hour THEN 2 * s.nights ELSE s.nights END"

PAST_HOURS = """
SELECT principal, type, CAST(item AS INTEGER) AS hour, count(DISTINCT CAST(first_ts AS DATE)) AS nights
FROM past_items WHERE kind = 'hour' GROUP BY principal, type, item
"""
"""SQL over `past_items`: on how many of its nights a principal was active in an hour."""

PAST_NIGHTS = """
SELECT principal, type, count(DISTINCT CAST(first_ts AS DATE)) AS nights
FROM past_items WHERE kind = 'hour' GROUP BY principal, type
"""
"""SQL over `past_items`: how many nights a principal has."""

TONIGHT = "SELECT principal, type, CAST(item AS INTEGER) AS hour, requests FROM items WHERE kind = 'hour'"
"""SQL over `items`: the hours with a request."""


def rare_hours(tonight: str, past_hours: str, past_nights: str) -> str:
    """SQL over three queries such as TONIGHT, PAST_HOURS and PAST_NIGHTS: the rare ones of tonight's hours.

    Their types may be any names: a principal is compared with those of its own.
    """
    # active / out_of: the share of nights, smoothed over the neighbouring hours 1/4, 1/2, 1/4, as two whole numbers
    return f"""
WITH tonight AS ({tonight}), seen AS ({past_hours}), own_nights AS ({past_nights}),
type_nights AS (SELECT type, sum(nights) AS nights FROM own_nights GROUP BY type),
own AS (
  SELECT t.principal, t.hour, sum({_TWICE}) AS active
  FROM tonight AS t JOIN seen AS s ON s.principal = t.principal AND s.type = t.type AND {_CLOSE}
  GROUP BY t.principal, t.hour
),
peers AS (
  SELECT t.type, t.hour, sum({_TWICE}) AS active
  FROM (SELECT DISTINCT type, hour FROM tonight) AS t
  JOIN (SELECT type, hour, sum(nights) AS nights FROM seen GROUP BY type, hour) AS s ON s.type = t.type AND {_CLOSE}
  GROUP BY t.type, t.hour
),
shares AS (
  SELECT t.principal, t.hour, t.requests,
    coalesce(own.active, 0) * y.nights + {PSEUDO_NIGHTS} * coalesce(peers.active, 0) AS active,
    4 * y.nights * (coalesce(o.nights, 0) + {PSEUDO_NIGHTS}) AS out_of
  FROM tonight AS t JOIN type_nights AS y ON y.type = t.type
  LEFT JOIN own_nights AS o ON o.principal = t.principal AND o.type = t.type
  LEFT JOIN own ON own.principal = t.principal AND own.hour = t.hour
  LEFT JOIN peers ON peers.type = t.type AND peers.hour = t.hour
)
SELECT principal, hour, requests,
  (CASE {_RARITY} ELSE 0 END) * least(requests, {ENOUGH_REQUESTS}) // {ENOUGH_REQUESTS} AS tenths
FROM shares WHERE 100 * active < {RARE_PERCENT} * out_of
"""


HOURS = rare_hours(TONIGHT, PAST_HOURS, PAST_NIGHTS)
"""SQL over `items` and `past_items`: tonight's hours in which the principal is active on few nights, and how rare each
is: ten times the decades of nights on one of which it was to be expected, less where few requests fell in it.

Of a type without any past night nobody knows what is rare."""
