"""A principal's night in whole numbers: SQL made from the catalogue, over `requests` and `new_items`.

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

MAX_USERNAMES = 50
"""Raw user names kept of one principal; a flood of invented ones is counted, not stored."""


def _aggregate(f: Feature) -> str:
    if f.new is not None:
        kind, whom = f.new
        return f"CAST(coalesce(sum({whom}_share) FILTER (WHERE kind = '{kind}'), 0) // {SHARE} AS BIGINT) AS {f.name}"
    counted = f"NOT left_out AND coalesce({f.counts}, false)"
    if f.distinct is not None:
        return f"count(DISTINCT {f.distinct}) FILTER (WHERE {counted}) AS {f.name}"
    return f"count(*) FILTER (WHERE {counted}) AS {f.name}"


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
        f"LEFT JOIN (SELECT principal, max(n) AS {f.name} FROM (SELECT principal, count(*) AS n FROM requests "
        f"WHERE NOT left_out AND coalesce({f.counts}, false) GROUP BY principal, date_trunc('{f.peak}', ts)) "
        "GROUP BY principal) USING (principal)"
        for f in _PEAKS
    )


def _bounded() -> str:
    return " ".join(
        f"LEFT JOIN (SELECT principal, CAST(sum(least(n, {f.at_most})) AS BIGINT) AS {f.name} "
        f"FROM (SELECT principal, count(*) AS n FROM requests WHERE NOT left_out AND coalesce({f.counts}, false) "
        f"GROUP BY principal, {f.distinct}) GROUP BY principal) USING (principal)"
        for f in _BOUNDED
    )


NOVEL = f"SELECT principal, {', '.join(_aggregate(f) for f in _NEW)} FROM new_items GROUP BY principal"
"""SQL: of each principal with something new, the features that count it."""

DAYS = f"""
WITH counted AS (
  SELECT principal, min(type) AS type,
    list_sort(list_distinct(list(coalesce(username, ''))))[1:{MAX_USERNAMES}] AS usernames,
    count(DISTINCT coalesce(username, '')) AS distinct_usernames,
    {", ".join(_aggregate(f) for f in _COUNTED)}
  FROM requests GROUP BY principal
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
    return f"count(*) FILTER (WHERE {asked}) AS {f.name}_asked, count(*) FILTER (WHERE {shown}) AS {f.name}_shown"


SHOWN = ", ".join(_shown(f) for f in _BLINDABLE)
"""SQL columns over `requests`: of each feature that can be blind, how many requests it asks of and how many tell.

One that needs bodies asks of the requests that had one, and those tell that were logged whole. One that reads what a
source with words of its own may lack asks of every request."""


def blind(shown: Mapping[str, int]) -> tuple[str, ...]:
    """The features that asked of some requests of which none told, by the columns of SHOWN."""
    return tuple(f.name for f in _BLINDABLE if shown[f"{f.name}_asked"] and not shown[f"{f.name}_shown"])


HASH = sha256(repr((FEATURES, REQUESTS, ITEMS, NEW_ITEMS, DAYS, SHOWN, sorted(SETTINGS.items()))).encode()).hexdigest()
"""Names this way of counting and judging; nights counted in another way are not compared with it."""


@dataclass(frozen=True)
class Counted:
    """A night in numbers: one row a principal, one row an item, the blind features, and what was left out."""

    days: pa.Table
    items: pa.Table
    blind: tuple[str, ...]
    left_out: int


def prepare(engine: duckdb.DuckDBPyConnection) -> None:
    """Make `requests`, `items` and `new_items` of the night out of the views `events` and `past_items`."""
    engine.execute(f"CREATE OR REPLACE TEMP TABLE requests AS {REQUESTS}")
    engine.execute(f"CREATE OR REPLACE TEMP TABLE items AS {ITEMS}")
    engine.execute(f"CREATE OR REPLACE TEMP TABLE new_items AS {NEW_ITEMS}")


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
    unseen = blind(engine.sql(f"SELECT {SHOWN} FROM requests").to_arrow_table().to_pylist()[0])
    days = blinded(days, unseen)
    left_out = int(engine.sql("SELECT count(*) FROM requests WHERE left_out").fetchall()[0][0])
    return Counted(days, items, unseen, left_out)
