"""A principal's night in whole numbers: SQL made from the catalogue, over `tallies` and `new_items`.

A feature whose audit level the source lacks is null for the whole night, never zero."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import duckdb
import pyarrow as pa

from features.blind import SHOWN, blind, number
from features.catalogue import FEATURES
from features.crowds import CROWDED_TALLIES, CROWDS, crowded
from features.feature import FIRST_NIGHT, Feature
from features.history import SETTINGS
from features.hours import HOURS
from features.items import ITEMS, NEW_ITEMS, SHARE
from features.requests import REQUESTS
from features.slices import MOST_EVENTS, tally
from features.tables import TABLES
from features.tallies import TALLIES

MAX_USERNAMES = 50
"""Raw user names kept of one principal; a flood of invented ones is counted, not stored."""


def _aggregate(f: Feature) -> str:
    if f.new is not None:
        kind, whom = f.new
        found = f"coalesce(sum({whom}_share) FILTER (WHERE kind = '{kind}'), 0)"
        if whom == "principal":
            found = f"CASE WHEN max(newcomer) = 1 THEN least({found}, {FIRST_NIGHT * SHARE}) ELSE {found} END"
        return f"CAST({found} // {SHARE} AS BIGINT) AS {f.name}"
    if f.over is not None:
        return f"CAST({f.aggregate} AS BIGINT) AS {f.name}"
    counted = f"NOT left_out AND coalesce({f.counts}, false)"
    if f.distinct is not None:
        return f"count(DISTINCT {f.distinct}) FILTER (WHERE {counted}) AS {f.name}"
    if f.aggregate is not None:
        return f"CAST(coalesce({f.aggregate} FILTER (WHERE {counted}), 0) AS BIGINT) AS {f.name}"
    return f"{number(counted)} AS {f.name}"


_COUNTED = [f for f in FEATURES if f.new is None and f.over is None and f.at_most is None]
_NEW = [f for f in FEATURES if f.new is not None]
_BOUNDED = [f for f in FEATURES if f.at_most is not None]


def _value(f: Feature) -> str:
    return f.name if f in _COUNTED else f"coalesce({f.name}, 0) AS {f.name}"


def _of_table(name: str) -> str:
    found = ", ".join(_aggregate(f) for f in FEATURES if f.over == name)
    rows = f"({TABLES[name].sql}) AS {name}_rows"
    return f"LEFT JOIN (SELECT principal, {found} FROM {rows} GROUP BY principal) AS of_{name} USING (principal)"


def _bounded() -> str:
    return " ".join(
        f"LEFT JOIN (SELECT principal, CAST(sum(least(n, {f.at_most})) AS BIGINT) AS {f.name} "
        "FROM (SELECT principal, sum(n) AS n FROM tallies WHERE grain = 'alike' AND NOT left_out "
        f"AND coalesce({f.counts}, false) GROUP BY principal, {f.distinct}) GROUP BY principal) USING (principal)"
        for f in _BOUNDED
    )


NOVEL = f"SELECT principal, {', '.join(_aggregate(f) for f in _NEW)} FROM new_items GROUP BY principal"
"""SQL: of each principal with something new, the features that count it."""

_NAMES = f"""
  SELECT principal, list_sort(list(coalesce(username, ''))) AS usernames, max(names) AS distinct_usernames FROM (
    SELECT principal, username, count(*) OVER (PARTITION BY principal) AS names,
      row_number() OVER (PARTITION BY principal ORDER BY username) AS nth
    FROM (SELECT DISTINCT principal, coalesce(username, '') AS username FROM tallies WHERE grain = 'alike') AS each_name
  ) AS numbered WHERE nth <= {MAX_USERNAMES} GROUP BY principal
"""

DAYS = f"""
WITH names AS ({_NAMES}),
counted AS (
  SELECT principal, min(type) AS type, {", ".join(_aggregate(f) for f in _COUNTED)}
  FROM tallies WHERE grain = 'alike' GROUP BY principal
),
novel AS ({NOVEL})
SELECT principal, type, type AS peer_group, usernames, distinct_usernames, {", ".join(_value(f) for f in FEATURES)}
FROM counted JOIN names USING (principal) LEFT JOIN novel USING (principal)
{" ".join(_of_table(name) for name in TABLES)} {_bounded()}
ORDER BY principal
"""
"""SQL over `tallies`, `crowds`, `new_items` and `hours`: one row a principal, one column a feature, whole numbers."""

_SUMS = {"left_out": "left_out", "allowed": "decision = 'allow'", "unparsed": "unparsed"}
NIGHT = (
    f"SELECT {', '.join(f'{number(fits)} AS {name}' for name, fits in _SUMS.items())}, {SHOWN} "
    "FROM tallies WHERE grain = 'alike'"
)
"""SQL: one row of what the night as a whole has: the requests left out of counting, those that were authorized and
those of them with a reason of no known form, and the columns of SHOWN."""

BEFORE_CROWDS: Mapping[str, str] = {"tallies": TALLIES, "crowds": CROWDS}
"""SQL by the name of the table it makes, in the order in which they are made. Where there is a crowd, CROWDED_TALLIES
take the place of tallies then."""
AFTER_CROWDS: Mapping[str, str] = {"items": ITEMS, "new_items": NEW_ITEMS, "hours": HOURS}
"""The further ones, in order."""

_TABLES = (*BEFORE_CROWDS.values(), CROWDED_TALLIES, crowded(REQUESTS), *AFTER_CROWDS.values())
_WAY = (FEATURES, REQUESTS, _TABLES, DAYS, NIGHT, sorted(SETTINGS.items()))
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
    allowed: int
    """Requests that were authorized, as far as the source says."""
    unparsed: int
    """Those of them whose reason is of no known form."""


def prepare(
    engine: duckdb.DuckDBPyConnection,
    *,
    keep_requests: bool = False,
    folder: Path | None = None,
    most_events: int = MOST_EVENTS,
) -> None:
    """Make the night's tables, from `requests` to `hours`, of the views `events` and `past_items`.

    Args:
        keep_requests: for who reads them time and again; else they are a view of the events.
        folder: where those of a large night are kept, which is then counted slice by slice.
        most_events: of a slice.
    """
    requests = tally(engine, keep=keep_requests, folder=folder, most=most_events)
    engine.execute(f"CREATE OR REPLACE TEMP VIEW requests AS {requests}")
    engine.execute(f"CREATE OR REPLACE TEMP TABLE crowds AS {CROWDS}")
    if engine.sql("SELECT 1 FROM crowds LIMIT 1").fetchall():
        engine.execute(f"CREATE OR REPLACE TEMP TABLE tallies AS {CROWDED_TALLIES}")
        engine.execute(f"CREATE OR REPLACE TEMP VIEW requests AS {crowded(requests)}")
    for table, sql in AFTER_CROWDS.items():
        engine.execute(f"CREATE OR REPLACE TEMP TABLE {table} AS {sql}")


def forget(engine: duckdb.DuckDBPyConnection) -> None:
    """Give back what a prepared night takes."""
    for table in (*AFTER_CROWDS, *BEFORE_CROWDS, "kept_requests"):
        engine.execute(f"DROP TABLE IF EXISTS {table}")


def blinded(days: pa.Table, features: Iterable[str]) -> pa.Table:
    """The rows with these features null."""
    for name in features:
        at = days.schema.get_field_index(name)
        days = days.set_column(at, name, pa.nulls(days.num_rows, pa.int64()))
    return days


def count(engine: duckdb.DuckDBPyConnection, lacking: Collection[str] = ()) -> Counted:
    """Count a prepared night; rows are in a total order, so the same night gives the same table.

    Args:
        lacking: columns of `events` that the archive has for none of them.
    """
    days = engine.sql(DAYS).to_arrow_table()
    items = engine.sql("SELECT * FROM items ORDER BY principal, kind, item").to_arrow_table()
    return counted(days, items, engine.sql(NIGHT).to_arrow_table(), lacking)


def counted(days: pa.Table, items: pa.Table, night: pa.Table, lacking: Collection[str]) -> Counted:
    """A night out of the tables that DAYS, ITEMS and NIGHT make, of events that lack these columns."""
    (whole,) = night.to_pylist()
    unseen = blind(whole, lacking)
    sums = {name: whole[name] for name in _SUMS}
    return Counted(blinded(days.cast(_DAYS), unseen), items.cast(_ITEMS), unseen, **sums)
