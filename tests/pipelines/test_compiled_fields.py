"""What compiled code reads of an event follows from its declarations, and who changes those hears of it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.compiled import fields
from pipelines.compiled.fields import ALWAYS_NULL, BY_HAND, FIELDS, OF_THE_LINE, Field, Kind, body_words
from pipelines.parsing import events
from pipelines.parsing.body_facts import reads_body
from pipelines.parsing.events import COLUMNS, EVENT, EventColumn
from pipelines.parsing.parse import EARLY
from pipelines.parsing.redact import REDACTED_URI

SQL = {c.name: c.sql for c in COLUMNS}
GUARD = "'[12][0-9]{3}-[0-9]{2}-[0-9]{2}[T ][0-9][^(]*'"


def time(field: str) -> str:
    return f"CASE WHEN regexp_full_match({field}, {GUARD}) THEN try_cast({field} AS TIMESTAMPTZ) END"


def of_token(key: str) -> str:
    keys = (f"authentication.kubernetes.io{slash}{key}" for slash in ("/", "_slash_"))
    paths = [f'e.user.extra."{key}"[1]' for key in keys]
    return f"coalesce({', '.join(paths)})"


def test_each_early_column_is_read_or_measured_or_null() -> None:
    assert sorted(EARLY) == sorted([*FIELDS, *OF_THE_LINE, *ALWAYS_NULL])


def test_what_is_done_by_hand_is_what_this_sql_says() -> None:
    """Whoever changes one of these in pipelines/parsing/events.py changes pipelines/compiled, and then this test."""
    assert {name: SQL[name] for name in (*BY_HAND, *OF_THE_LINE)} == {
        "stage_ts": f"CASE WHEN e.stageTimestamp IS NOT NULL THEN {time('e.stageTimestamp')} ELSE "
        f"coalesce({time('e.timestamp')}, {time('e.metadata.creationTimestamp')}, "
        "CASE WHEN cut THEN make_timestamptz(logged_ms * 1000) END) END",
        "code": "try_cast(CASE WHEN regexp_full_match(e.responseStatus.code, '-?[0-9]+') "
        "THEN e.responseStatus.code END AS INTEGER)",
        "received_ts": time("e.requestReceivedTimestamp"),
        "request_uri": REDACTED_URI,
        "truncated": """CASE WHEN cut THEN 'text' WHEN e.annotations."audit.k8s.io/truncated" = 'true' """
        "THEN 'bodies' END",
        "pod_name": of_token("pod-name"),
        "credential_id": of_token("credential-id"),
        "bytes": "CASE WHEN raw THEN line_bytes END",
        "content_hash": "line_hash",
    }


@pytest.mark.parametrize("name", FIELDS)
def test_the_type_of_a_value_is_that_of_the_event(name: str) -> None:
    at: Any = json.loads(EVENT)
    for key in FIELDS[name].path:
        at = at[key]
    kinds = {
        Kind.TEXT: "VARCHAR", Kind.TIME: "VARCHAR", Kind.INTEGER: "INTEGER", Kind.TEXTS: ["VARCHAR"],
        Kind.FIRST: ["VARCHAR"],
    }  # fmt: skip
    # the text of a code: the SQL makes a whole number of it, or none
    assert at == ("VARCHAR" if name == "code" else kinds[FIELDS[name].kind])


@pytest.mark.parametrize(
    ("sql", "type_", "field"),
    [
        ("e.a", "VARCHAR", Field(("a",), Kind.TEXT)),
        ("nullif(e.a.b, '')", "VARCHAR", Field(("a", "b"), Kind.TEXT, True)),
        ('e.a."b.c/d"[1]', "VARCHAR", Field(("a", "b.c/d"), Kind.FIRST)),
        ("e.a.b", "VARCHAR[]", Field(("a", "b"), Kind.TEXTS)),
        ("e.a", "INTEGER", Field(("a",), Kind.INTEGER)),
    ],
)
def test_a_new_column_that_is_a_path_follows_by_itself(sql: str, type_: str, field: Field) -> None:
    assert fields._derived(EventColumn("new", type_, "", sql)) == field


@pytest.mark.parametrize(
    ("sql", "type_"),
    [
        ("lower(e.a)", "VARCHAR"), ("e.a", "DOUBLE"), ("e.a[2]", "VARCHAR"), ("nullif(e.a, 'x')", "VARCHAR"),
        ("e.a || e.b", "VARCHAR"), ("e.a[1]", "VARCHAR[]"), ("a", "VARCHAR"), ("nullif(e.a, ''", "VARCHAR"),
    ],
)  # fmt: skip
def test_a_new_column_that_is_more_ends_the_import_and_says_what_to_do(sql: str, type_: str) -> None:
    column = replace(COLUMNS[0], name="new", sql=sql, type=type_)
    with pytest.raises(ValueError, match=r"column new .* BY_HAND of pipelines/compiled/fields.py"):
        fields._derived(column)


def test_the_event_holds_nothing_beside_what_is_read_but_what_can_make_no_difference() -> None:
    def paths(at: Any, *before: str) -> list[tuple[str, ...]]:
        if not isinstance(at, dict):
            return [before]
        return [path for key, inner in at.items() for path in paths(inner, *before, key)]

    renamed = {(*f.path[:-1], f.renamed) for f in FIELDS.values()}
    rest = set(paths(json.loads(events.EVENT))) - {f.path for f in FIELDS.values()} - renamed - {fields.BODY}
    # the first is in no column, the others are read only where stageTimestamp is null
    assert rest == {("responseStatus", "reason"), ("timestamp",), ("metadata", "creationTimestamp")}


TEXTS = [*body_words(), "get", "secrets", "", None]


@settings(deadline=None)
@given(values=st.fixed_dictionaries({n: st.sampled_from(TEXTS) for n in ("verb", "resource", "subresource", "name")}),
       group=st.sampled_from(TEXTS), namespace=st.sampled_from(TEXTS))  # fmt: skip
def test_a_fact_reads_a_body_only_where_it_knows_verb_and_resource(
    values: dict[str, str | None], group: str | None, namespace: str | None
) -> None:
    named = {**values, "api_group": group, "namespace": namespace}
    row = ", ".join(f"{'NULL' if v is None else repr(v)}::VARCHAR AS {n}" for n, v in named.items())
    reads = duckdb.sql(f"SELECT {reads_body()} FROM (SELECT {row})").fetchall()[0][0]
    if named["verb"] not in body_words() or named["resource"] not in body_words():
        assert not reads
