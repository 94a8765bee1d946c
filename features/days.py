"""A principal's night in whole numbers: SQL made from the catalogue, over `tallies` and `new_items`.

A feature whose audit level the source lacks is null for the whole night, never zero."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256

import duckdb
import pyarrow as pa

from features.catalogue import FEATURES, Feature
from features.history import SETTINGS
from features.items import ITEMS, NEW_ITEMS, SHARE
from features.levels import Level
from features.predicates import SUCCEEDED
from features.requests import REQUESTS
from features.tallies import TALLIES

MAX_USERNAMES = 50
"""Raw user names kept of one principal; a flood of invented ones is counted, not stored."""


def _aggregate(f: Feature) -> str:
    if f.new is not None:
        kind, whom = f.new
        return f"CAST(coalesce(sum({whom}_share) FILTER (WHERE kind = '{kind}'), 0) // {SHARE} AS BIGINT) AS {f.name}"
    counted = f"NOT left_out AND coalesce({f.counts}, false)"
    if f.distinct is not None:
        return f"count(DISTINCT {f.distinct}) FILTER (WHERE {counted}) AS {f.name}"
    return f"{_number(counted)} AS {f.name}"


def _number(counted: str) -> str:
    """SQL for how many requests fit."""
    return f"CAST(coalesce(sum(n) FILTER (WHERE {counted}), 0) AS BIGINT)"


_COUNTED = [f for f in FEATURES if f.new is None and f.peak is None and f.at_most is None]
_NEW = [f for f in FEATURES if f.new is not None]
_PEAKS = [f for f in FEATURES if f.peak is not None]
_BOUNDED = [f for f in FEATURES if f.at_most is not None]


def _value(f: Feature) -> str:
    if f.new is not None or f.peak is not None or f.at_most is not None:
        return f"coalesce({f.name}, 0) AS {f.name}"
    return f.name


def _peaks() -> str:
    return " ".join(
        f"LEFT JOIN (SELECT principal, max({f.name}) AS {f.name} FROM tallies WHERE grain = '{f.peak}' "
        "GROUP BY principal) USING (principal)"
        for f in _PEAKS
    )


def _bounded() -> str:
    return " ".join(
        f"LEFT JOIN (SELECT principal, CAST(sum(least(n, {f.at_most})) AS BIGINT) AS {f.name} "
        "FROM (SELECT principal, sum(n) AS n FROM tallies WHERE grain = 'alike' AND NOT left_out "
        f"AND coalesce({f.counts}, false) GROUP BY principal, {f.distinct}) GROUP BY principal) USING (principal)"
        for f in _BOUNDED
    )


NOVEL = f"SELECT principal, {', '.join(_aggregate(f) for f in _NEW)} FROM new_items GROUP BY principal"
"""SQL: of each principal with something new, the features that count it."""

DAYS = f"""
WITH counted AS (
  SELECT principal, min(type) AS type,
    list_sort(list(DISTINCT coalesce(username, '')))[1:{MAX_USERNAMES}] AS usernames,
    count(DISTINCT coalesce(username, '')) AS distinct_usernames,
    {", ".join(_aggregate(f) for f in _COUNTED)}
  FROM tallies WHERE grain = 'alike' GROUP BY principal
),
novel AS ({NOVEL})
SELECT principal, type, type AS peer_group, usernames, distinct_usernames, {", ".join(_value(f) for f in FEATURES)}
FROM counted LEFT JOIN novel USING (principal) {_peaks()} {_bounded()}
ORDER BY principal
"""
"""SQL: one row a principal, one column a feature, whole numbers."""

RETELLING_LACKS = {"impersonated_user": "false", "authz_role": "authz_role IS NOT NULL"}
"""Columns that a source with words of its own may lack, and what shows that it carries them all the same."""

_LEVELS = list(Level)


def _lacks(f: Feature) -> str | None:
    read = f.new[0] if f.new is not None else f"{f.counts} {f.distinct}"
    return next((column for column in RETELLING_LACKS if column in read), None)


_BLINDABLE = [f for f in FEATURES if f.needs is not Level.METADATA or _lacks(f) is not None]


def _shown(f: Feature) -> str:
    column = _lacks(f)
    if column is not None:
        asked, shown = "true", f"NOT retold OR {RETELLING_LACKS[column]}"
    else:
        enough = ", ".join(f"'{level}'" for level in _LEVELS[_LEVELS.index(f.needs) :])
        asked = f"({f.reads_bodies_of}) AND {SUCCEEDED}"
        shown = f"{asked} AND level IN ({enough}) AND truncated IS NULL AND NOT retold"
    return f"{_number(asked)} AS {f.name}_asked, {_number(shown)} AS {f.name}_shown"


SHOWN = ", ".join(_shown(f) for f in _BLINDABLE)
"""SQL columns over `tallies` or `requests`: of each feature that can be blind, how many requests it asks of, and how
many of them tell.

One that needs bodies asks of the requests that had one, and those tell that were logged whole. One that reads what a
source with words of its own may lack asks of every request."""


def blind(shown: Mapping[str, int]) -> tuple[str, ...]:
    """The features that asked of some requests of which none told, by the columns of SHOWN."""
    return tuple(f.name for f in _BLINDABLE if shown[f"{f.name}_asked"] and not shown[f"{f.name}_shown"])


NIGHT = f"SELECT {_number('left_out')} AS left_out, {SHOWN} FROM tallies WHERE grain = 'alike'"
"""SQL: one row of what the night as a whole has: the requests left out of counting, and the columns of SHOWN."""

_WAY = (FEATURES, REQUESTS, TALLIES, ITEMS, NEW_ITEMS, DAYS, NIGHT, sorted(SETTINGS.items()))
HASH = sha256(repr(_WAY).encode()).hexdigest()
"""Names this way of counting and judging; nights counted in another way are not compared with it."""


# whichever engine counted; the name of a list's elements is DuckDB's
_USERNAMES = pa.list_(pa.field("l", pa.string()))
_ITEMS = pa.schema(
    [
        *((name, pa.string()) for name in ("principal", "type", "kind", "item")),
        ("requests", pa.int64()),
        ("first_ts", pa.timestamp("us", "UTC")),
    ]
)
_DAYS = pa.schema(
    [
        *((name, pa.string()) for name in ("principal", "type", "peer_group")),
        ("usernames", _USERNAMES),
        *((name, pa.int64()) for name in ("distinct_usernames", *(f.name for f in FEATURES))),
    ]
)


@dataclass(frozen=True)
class Counted:
    """A night in numbers: one row a principal, one row an item, the blind features, and what was left out."""

    days: pa.Table
    items: pa.Table
    blind: tuple[str, ...]
    left_out: int


def prepare(engine: duckdb.DuckDBPyConnection, *, keep_requests: bool = False) -> None:
    """Make `requests`, `tallies`, `items` and `new_items` of the night out of the views `events` and `past_items`.

    Args:
        keep_requests: for who reads them time and again; else they are a view of the events.
    """
    requests = REQUESTS
    if keep_requests:
        engine.execute(f"CREATE OR REPLACE TEMP TABLE kept_requests AS {REQUESTS}")
        requests = "SELECT * FROM kept_requests"
    engine.execute(f"CREATE OR REPLACE TEMP VIEW requests AS {requests}")
    engine.execute(f"CREATE OR REPLACE TEMP TABLE tallies AS {TALLIES}")
    engine.execute(f"CREATE OR REPLACE TEMP TABLE items AS {ITEMS}")
    engine.execute(f"CREATE OR REPLACE TEMP TABLE new_items AS {NEW_ITEMS}")


def forget(engine: duckdb.DuckDBPyConnection) -> None:
    """Give back what a prepared night takes."""
    for table in ("new_items", "items", "tallies", "kept_requests"):
        engine.execute(f"DROP TABLE IF EXISTS {table}")


def blinded(days: pa.Table, features: Iterable[str]) -> pa.Table:
    """The rows with these features null."""
    for name in features:
        at = days.schema.get_field_index(name)
        days = days.set_column(at, name, pa.nulls(days.num_rows, pa.int64()))
    return days


def count(engine: duckdb.DuckDBPyConnection) -> Counted:
    """Count a prepared night; rows are in a total order, so the same night gives the same table."""
    days = engine.sql(DAYS).to_arrow_table()
    items = engine.sql("SELECT * FROM items ORDER BY principal, kind, item").to_arrow_table()
    return counted(days, items, engine.sql(NIGHT).to_arrow_table())


def counted(days: pa.Table, items: pa.Table, night: pa.Table) -> Counted:
    """A night out of the tables that DAYS, ITEMS and NIGHT make."""
    (whole,) = night.to_pylist()
    unseen = blind(whole)
    return Counted(blinded(days.cast(_DAYS), unseen), items.cast(_ITEMS), unseen, whole["left_out"])
