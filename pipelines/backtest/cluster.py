"""The names a cluster's night shows, and the habits of its principals: what a back-test's calls are made of.

Everything is sorted and bounded, so the same night gives the same names in any engine, however large the night."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from features.predicates import WORKLOADS, listed
from features.principal import PRINCIPAL, TYPE

_MOST = 500
"""Names kept of one sort."""

_DEEDS = 60
_FACES = 5

IDENTITY = (
    "username", "uid", "groups", "iam_role_arn", "session_name", "access_key_id", "pod_name", "credential_id",
)  # fmt: skip
"""Columns of events that a credential decides."""

AUTHORISED = ("reason", "authz_mode", "authz_binding", "authz_role", "authz_subject_kind", "authz_subject")
"""Columns of events that say why a request was allowed."""

_DEED = ("verb", "resource", "api_group", "namespace", "name", "subresource", "code", "request_uri")
_NAMED = f"(SELECT {PRINCIPAL} AS principal, {TYPE} AS type, * FROM events)"


@dataclass(frozen=True)
class Name:
    """One object: where it lives and what it is called."""

    namespace: str
    name: str
    resource: str = ""
    group: str | None = None


@dataclass(frozen=True)
class Cluster:
    """What a night and its history name, and how the night was logged."""

    namespaces: tuple[str, ...]
    secrets: tuple[Name, ...]
    pods: tuple[Name, ...]
    workloads: tuple[Name, ...]
    accounts: tuple[Name, ...]
    nodes: tuple[str, ...]
    people: tuple[str, ...]
    listed: tuple[tuple[str | None, str], ...]
    """(group, resource) that somebody listed with success."""
    hours: tuple[int, ...]
    levels: Mapping[tuple[bool, str | None, str | None], str]
    """By whether it writes, group and resource: the audit level it is mostly logged at."""
    retold: bool
    """The source carries no line as the API server wrote it."""


@dataclass(frozen=True)
class Face:
    """One way in which a principal shows itself: columns of IDENTITY, and from where by what."""

    identity: Mapping[str, Any]
    addresses: tuple[str, ...]
    agent: str | None


@dataclass(frozen=True)
class Actor:
    """A principal as its own events show it."""

    principal: str
    type: str
    faces: tuple[Face, ...]
    """The most used first; the nodes of a group have one each."""
    hours: tuple[int, ...]
    authorised: Mapping[str, Any]
    deeds: tuple[Mapping[str, Any], ...]
    """Some of its requests."""


def cluster_of(engine: duckdb.DuckDBPyConnection) -> Cluster:
    """What the views `events` and `past_items` name."""
    return Cluster(
        namespaces=_texts(
            engine,
            "SELECT namespace FROM events WHERE code < 400 UNION SELECT item FROM past_items WHERE kind = 'namespace'",
        ),
        secrets=_names(
            engine,
            "SELECT namespace, name FROM events WHERE resource = 'secrets' AND code < 400 UNION "
            "SELECT split_part(item, '/', 1), split_part(item, '/', 2) FROM past_items WHERE kind = 'secret' "
            "AND item NOT LIKE '-/%' AND item NOT LIKE '%/*'",
        ),
        pods=_names(engine, "SELECT namespace, name FROM events WHERE resource = 'pods' AND code < 400"),
        workloads=_names(
            engine,
            "SELECT namespace, name, resource, api_group FROM events WHERE code < 400 AND subresource IS NULL "
            f"AND resource IN ({listed(w for w in WORKLOADS if w != 'pods')})",
        ),
        accounts=_names(
            engine,
            "SELECT split_part(username, ':', 3) AS namespace, split_part(username, ':', 4) AS name FROM events "
            "WHERE username LIKE 'system:serviceaccount:%'",
        ),
        nodes=_texts(engine, "SELECT substr(username, 13) FROM events WHERE username LIKE 'system:node:%'"),
        people=_texts(engine, f"SELECT username FROM {_NAMED} WHERE type = 'person'"),
        listed=tuple(
            engine.sql(
                "SELECT DISTINCT api_group, resource FROM events WHERE verb = 'list' AND code < 400 AND resource IS "
                f"NOT NULL ORDER BY ALL LIMIT {_MOST}"
            ).fetchall()
        ),
        hours=tuple(h for (h,) in engine.sql("SELECT DISTINCT hour(stage_ts) FROM events ORDER BY 1").fetchall()),
        levels=_levels(engine),
        retold=not engine.sql("SELECT count(bytes) FROM events").fetchall()[0][0],
    )


def _texts(engine: duckdb.DuckDBPyConnection, source: str) -> tuple[str, ...]:
    rows = engine.sql(
        f"SELECT DISTINCT t FROM ({source}) AS s(t) WHERE t IS NOT NULL AND t <> '' ORDER BY md5(t), t LIMIT {_MOST}"
    ).fetchall()
    return tuple(text for (text,) in rows)


def _names(engine: duckdb.DuckDBPyConnection, source: str) -> tuple[Name, ...]:
    rows = engine.sql(
        f"SELECT DISTINCT * FROM ({source}) WHERE namespace <> '' AND name <> '' "
        f"ORDER BY md5(namespace || '/' || name), namespace, name LIMIT {_MOST}"
    ).fetchall()
    return tuple(Name(*row) for row in rows)


def _levels(engine: duckdb.DuckDBPyConnection) -> dict[tuple[bool, str | None, str | None], str]:
    writes = "verb IN ('create', 'update', 'patch', 'delete', 'deletecollection')"
    rows = engine.sql(
        f"SELECT {writes} AS writes, api_group, resource, level, count(*) AS n FROM events "
        "WHERE level IS NOT NULL AND code < 400 GROUP BY ALL ORDER BY n, level DESC"
    ).fetchall()
    # the most frequent comes last, and stays
    return {(bool(writes), group, resource): level for writes, group, resource, level, _ in rows}


def actors_of(engine: duckdb.DuckDBPyConnection, principals: Sequence[str]) -> dict[str, Actor]:
    """Habits of these principals, as the view `events` shows them."""
    engine.register("wanted", pa.table({"principal": list(principals)}))
    try:
        engine.execute(
            f"CREATE OR REPLACE TEMP TABLE theirs AS SELECT * FROM {_NAMED} SEMI JOIN wanted USING (principal)"
        )
    finally:
        engine.unregister("wanted")
    faces = _first(engine, ("type", *IDENTITY, "source_ips", "user_agent"), _FACES)
    allowed = _first(engine, AUTHORISED, 1, "decision = 'allow'")
    deeds = _first(engine, _DEED, _DEEDS, "code IS NOT NULL", "md5(id), id")
    hours = _first(engine, ("hour(coalesce(received_ts, stage_ts)) AS hour",), 24)
    engine.execute("DROP TABLE theirs")
    return {
        name: Actor(
            name,
            found[0]["type"],
            tuple(map(_face, found)),
            tuple(sorted(row["hour"] for row in hours[name])),
            allowed[name][0] if name in allowed else dict.fromkeys(AUTHORISED),
            tuple(deeds.get(name, ())),
        )
        for name, found in faces.items()
    }


def _face(row: Mapping[str, Any]) -> Face:
    identity = {column: row[column] for column in IDENTITY}
    return Face(identity, tuple(row["source_ips"] or ()), row["user_agent"])


def _first(
    engine: duckdb.DuckDBPyConnection, columns: Sequence[str], most: int, where: str = "true", order: str = ""
) -> dict[str, list[dict[str, Any]]]:
    """Of each principal the values of these columns that most of its events have; `order` says otherwise."""
    names = ", ".join(columns)
    keys = order or ", ".join(["n DESC", *(column.split(" AS ")[-1] for column in columns)])
    rows = engine.sql(
        f"SELECT * EXCLUDE (n, id) FROM (SELECT principal, {names}, count(*) AS n, min(audit_id) AS id FROM theirs "
        f"WHERE {where} GROUP BY ALL) QUALIFY row_number() OVER (PARTITION BY principal ORDER BY {keys}) <= {most} "
        f"ORDER BY principal, {keys}"
    ).to_arrow_table()
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows.to_pylist():
        found[row.pop("principal")].append(row)
    return dict(found)
