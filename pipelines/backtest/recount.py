"""A night counted again with what cases add to it: all cases in one pass, each as if it were the only one.

A case changes the rows of those who act in it, and of those who begin to use what they begin to use: an item that
more principals start is worth less to each. Each case's principals and items bear its tag, so the very SQL that counts
a night counts all cases at once. tests/pipelines/backtest compares with the plain way, bit for bit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from features.blind import SHOWN, blind
from features.days import DAYS, NOVEL
from features.hours import PAST_HOURS, PAST_NIGHTS, rare_hours
from features.items import ITEMS, new_items
from features.requests import REQUESTS
from features.tallies import TALLIES
from pipelines.backtest.events import SCHEMA
from pipelines.engine import worker

_WIDTH = 6

ITEM = ("principal", "type", "kind", "item", "first_ts")


@dataclass(frozen=True)
class Night:
    """The loaded night as it was: raw rows (nothing blinded) and what it shows."""

    engine: duckdb.DuckDBPyConnection
    days: pa.Table
    shown: Mapping[str, int]
    lacking: Collection[str] = ()
    """Columns that no event of the night has, for an older version archived it."""

    @classmethod
    def of(cls, engine: duckdb.DuckDBPyConnection, lacking: Collection[str] = ()) -> Night:
        """Of an engine with a prepared night in it."""
        shown = engine.sql(f"SELECT {SHOWN} FROM tallies WHERE grain = 'alike'").to_arrow_table().to_pylist()[0]
        return cls(engine, engine.sql(DAYS).to_arrow_table(), shown, lacking)


@dataclass(frozen=True)
class Changed:
    """What one case changes: raw rows of principal_days, who acts, what is blind then, and the actors' items."""

    days: pa.Table
    acting: frozenset[str]
    blind: tuple[str, ...]
    items: pa.Table


def recount(night: Night, added: Sequence[Sequence[Mapping[str, Any]]], known: Mapping[int, pa.Table]) -> list[Changed]:
    """What each case changes of the night.

    Args:
        added: of each case, rows of the events table.
        known: by case, items that its earlier nights add to the history: ITEM.
    """
    if not added:
        return []
    with _second(night.engine) as other:
        _requests(night.engine, other, added)
        _items(night.engine, other, known)
        _hours(night.engine, other)
        return _changes(night, other, len(added))


@contextmanager
def _second(engine: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection of its own tables beside the night's."""
    other = worker(engine)
    try:
        yield other
    finally:
        other.close()


def _tag(case: int) -> str:
    return f"{case:0{_WIDTH}d}"


def _requests(
    engine: duckdb.DuckDBPyConnection, other: duckdb.DuckDBPyConnection, added: Sequence[Sequence[Mapping[str, Any]]]
) -> None:
    """`added` (what the cases add), `acting`, and `tallies` of those and the actors' own `requests`."""
    other.register("events", pa.Table.from_pylist([dict(row) for rows in added for row in rows], SCHEMA))
    ids = [(row["audit_id"], _tag(case)) for case, rows in enumerate(added) for row in rows]
    other.register("cases", pa.table({"audit_id": [i for i, _ in ids], "tag": [t for _, t in ids]}))
    other.execute(
        f"CREATE TEMP TABLE added AS SELECT r.*, c.tag FROM ({REQUESTS}) AS r JOIN cases AS c USING (audit_id)"
    )
    other.execute("CREATE TEMP TABLE acting AS SELECT DISTINCT tag, principal FROM added")
    with _lent(engine, "acting", other.sql("SELECT * FROM acting").to_arrow_table()):
        own = engine.sql("SELECT r.*, a.tag FROM requests AS r JOIN acting AS a USING (principal)").to_arrow_table()
        crowds = engine.sql("SELECT c.*, a.tag FROM crowds AS c JOIN acting AS a USING (principal)").to_arrow_table()
    with _lent(other, "own", own), _lent(other, "crowded", crowds):
        other.execute("CREATE TEMP TABLE crowds AS SELECT tag || principal AS principal, member FROM crowded")
        other.execute(
            "CREATE TEMP TABLE requests AS SELECT * EXCLUDE (tag) REPLACE (tag || principal AS principal) "
            "FROM (SELECT * FROM added UNION ALL BY NAME SELECT * FROM own)"
        )
    other.execute(f"CREATE TEMP TABLE tallies AS {TALLIES}")


def _items(engine: duckdb.DuckDBPyConnection, other: duckdb.DuckDBPyConnection, known: Mapping[int, pa.Table]) -> None:
    """`items`, `past_items` and `new_items` of all cases, the items tagged; and `moved`: others whose news change."""
    begun = engine.sql("SELECT * FROM items SEMI JOIN new_items USING (principal, kind, item)").to_arrow_table()
    other.register("begun", begun)
    columns = ", ".join(ITEM)
    other.register("past", engine.sql(f"SELECT DISTINCT {columns} FROM past_items").to_arrow_table())
    learnt = [table.append_column("tag", pa.array([_tag(case)] * len(table))) for case, table in known.items()]
    times = {"first_ts": pa.array([], pa.timestamp("us", "UTC"))}
    none = pa.table({name: pa.array([], pa.string()) for name in (*ITEM, "tag")} | times)
    other.register("learnt", pa.concat_tables([none, *learnt]))
    other.execute(f"CREATE TEMP TABLE untagged AS {ITEMS}")
    other.execute(
        f"CREATE TEMP TABLE items AS SELECT * REPLACE (left(principal, {_WIDTH}) || item AS item) FROM untagged"
    )
    _novelty(other)
    other.execute(
        f"CREATE TEMP TABLE started AS SELECT left(principal, {_WIDTH}) AS tag, kind, item[{_WIDTH + 1}:] AS item "
        "FROM new_items"
    )
    other.execute(
        "CREATE TEMP TABLE moved AS SELECT DISTINCT tag, principal FROM started JOIN begun USING (kind, item) "
        "ANTI JOIN acting USING (tag, principal)"
    )
    other.execute(
        "INSERT INTO items BY NAME SELECT b.* REPLACE (w.tag || b.principal AS principal, w.tag || b.item AS item) "
        "FROM begun AS b JOIN (SELECT * FROM started UNION "
        "SELECT tag, kind, item FROM begun JOIN moved USING (principal)) AS w USING (kind, item) "
        "ANTI JOIN acting AS a ON a.tag = w.tag AND a.principal = b.principal"
    )
    _novelty(other)


def _novelty(other: duckdb.DuckDBPyConnection) -> None:
    """`new_items` out of `items`, against what the history says of them and of who has them."""
    other.execute(
        "CREATE OR REPLACE TEMP TABLE past_items AS "
        f"WITH named AS (SELECT DISTINCT left(item, {_WIDTH}) AS tag, kind, item[{_WIDTH + 1}:] AS item FROM items), "
        f"present AS (SELECT DISTINCT left(item, {_WIDTH}) AS tag, principal[{_WIDTH + 1}:] AS principal FROM items) "
        "SELECT tag || principal AS principal, type, kind, tag || item AS item FROM ("
        "SELECT tag, principal, type, kind, item FROM past JOIN named USING (kind, item) "
        "UNION SELECT tag, principal, type, kind, item FROM past JOIN present USING (principal) "
        "UNION SELECT tag, principal, type, kind, item FROM learnt)"
    )
    # each case as if it were the only one: what one has learnt is no history to another
    history = f"((SELECT count(*) FROM past) > 0 OR left(t.principal, {_WIDTH}) IN (SELECT tag FROM learnt))"
    other.execute(f"CREATE OR REPLACE TEMP TABLE new_items AS {new_items(history)}")


def _hours(engine: duckdb.DuckDBPyConnection, other: duckdb.DuckDBPyConnection) -> None:
    """`hours` of all cases: the actors' nights as their case left them, and of each type those of the others."""
    other.register("real_hours", engine.sql(PAST_HOURS).to_arrow_table())
    other.register("real_nights", engine.sql(PAST_NIGHTS).to_arrow_table())
    other.execute(
        "CREATE TEMP TABLE acted AS SELECT DISTINCT tag, principal, type, CAST(item AS INTEGER) AS hour, "
        "CAST(first_ts AS DATE) AS night FROM (SELECT a.tag, p.* FROM past AS p JOIN acting AS a USING (principal) "
        "UNION ALL BY NAME SELECT * FROM learnt) WHERE kind = 'hour'"
    )
    tonight = (
        f"SELECT principal, left(principal, {_WIDTH}) || type AS type, CAST(item AS INTEGER) AS hour, requests "
        "FROM untagged WHERE kind = 'hour'"
    )
    hours, nights = _with_others("real_hours", "type, hour"), _with_others("real_nights", "type")
    other.execute(f"CREATE TEMP TABLE hours AS {rare_hours(tonight, hours, nights)}")


def _with_others(real: str, key: str) -> str:
    """SQL: nights of the actors, and under the bare tag what others of the same type have of `key`."""
    tagged = key.replace("type", "tag || type AS type")
    return (
        f"SELECT tag || principal AS principal, {tagged}, count(DISTINCT night) AS nights "
        f"FROM acted GROUP BY tag, principal, {key} UNION ALL "
        f"SELECT tag AS principal, {tagged}, sum(nights) AS nights FROM ("
        f"SELECT tag, {key}, nights FROM (SELECT DISTINCT tag FROM acting) CROSS JOIN {real} UNION ALL "
        f"SELECT tag, {key}, -nights FROM {real} JOIN acting USING (principal)) GROUP BY tag, {key}"
    )


def _changes(night: Night, other: duckdb.DuckDBPyConnection, number: int) -> list[Changed]:
    acted = other.sql(DAYS).to_arrow_table()
    news = other.sql(f"DESCRIBE {NOVEL}").fetchall()
    novel = ", ".join(f"coalesce(n.{name}, 0) AS {name}" for name, *_ in news if name != "principal")
    other.register("real_days", night.days)
    moved = other.sql(
        f"SELECT d.* REPLACE (m.tag || d.principal AS principal, {novel}) FROM moved AS m "
        f"JOIN real_days AS d USING (principal) LEFT JOIN ({NOVEL}) AS n ON n.principal = m.tag || m.principal "
        "ORDER BY 1"
    ).to_arrow_table()
    shown = other.sql(f"SELECT tag, {SHOWN} FROM added GROUP BY tag").to_arrow_table().to_pylist()
    blinds = {
        row.pop("tag"): blind({name: n + night.shown[name] for name, n in row.items()}, night.lacking) for row in shown
    }
    days = _by_case(pa.concat_tables([acted, moved.cast(acted.schema)]))
    touched = other.sql(f"SELECT {', '.join(ITEM)} FROM untagged ORDER BY ALL").to_arrow_table()
    # who only renews leases touches nothing
    items = defaultdict(lambda: touched.slice(0, 0), _by_case(touched))
    acting: dict[str, set[str]] = {}
    for tag, principal in other.sql("SELECT tag, principal FROM acting").fetchall():
        acting.setdefault(tag, set()).add(principal)
    return [
        Changed(days[tag], frozenset(acting[tag]), blinds[tag], items[tag]) for tag in (_tag(n) for n in range(number))
    ]


def _by_case(table: pa.Table) -> dict[str, pa.Table]:
    """The rows of each tag, their principals without it."""
    rows: dict[str, list[int]] = {}
    names = table["principal"].to_pylist()
    for at, name in enumerate(names):
        rows.setdefault(name[:_WIDTH], []).append(at)
    column = table.schema.get_field_index("principal")
    plain = table.set_column(column, "principal", pa.array([name[_WIDTH:] for name in names], pa.string()))
    return {tag: plain.take(found) for tag, found in rows.items()}


@contextmanager
def _lent(engine: duckdb.DuckDBPyConnection, name: str, table: pa.Table) -> Iterator[None]:
    engine.register(name, table)
    try:
        yield
    finally:
        engine.unregister(name)
