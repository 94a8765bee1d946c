"""Texts that a client chose are archived up to a length, by whichever lane, and two that differ stay two."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from builders import event, line

from pipelines.compiled.fields import FIELDS, Kind
from pipelines.compiled.lane import extract
from pipelines.envelopes.ocsf import event as of_record
from pipelines.parsing.caps import ENTRIES, LONG, NAME, capped, capped_list, capped_text
from pipelines.parsing.events import COLUMNS
from pipelines.parsing.handed import SCHEMA, record_batches
from pipelines.parsing.lines import lines_of
from pipelines.parsing.parse import reading
from pipelines.sources.base import Batch

CAPS = {c.name: c.cap for c in COLUMNS if c.cap is not None}
MASKED = [c.name for c in COLUMNS if c.masked]
TOKEN = "s3cr3t" * 400
CREDENTIALS = {"Bearer": f"Bearer {TOKEN}", "JWT": "eyJs3cr3t" + TOKEN}


class Lanes:
    """Rows of events by both lanes: those that the compiled one takes must be what the SQL makes of them."""

    def __init__(self, engine: duckdb.DuckDBPyConnection) -> None:
        self._engine = engine

    def rows(self, *events: dict[str, Any]) -> list[dict[str, Any]]:
        lines = lines_of(Batch("a.log", 0, b"".join(map(line, events))))
        self._engine.register("lines", pa.Table.from_batches(record_batches(lines, 0, True), SCHEMA))
        found = self._engine.sql(f"SELECT * FROM ({reading(None)}) ORDER BY pos").to_arrow_table().to_pylist()
        self._engine.unregister("lines")
        taken = {row["pos"]: row for row in extract(lines, None).rows.to_pylist()}
        for row in found:
            assert taken.get(row["pos"], row).items() <= row.items()
        return found


@pytest.fixture(scope="module")
def lanes(engine: duckdb.DuckDBPyConnection) -> Lanes:
    return Lanes(engine)


def with_text(column: str, text: Any) -> dict[str, Any]:
    """An event with this text where the column is read."""
    made, field = event(resource="pods", name="p"), FIELDS[column]
    at: dict[str, Any] = made
    for key in field.path[:-1]:
        at[key] = dict(at.get(key) or {})
        at = at[key]
    at[field.path[-1]] = [text] if field.kind in (Kind.FIRST, Kind.TEXTS) else text
    return made


def only(value: Any) -> Any:
    return value[0] if isinstance(value, list) else value


@pytest.mark.parametrize("column", CAPS)
def test_a_text_of_a_clients_choice_is_archived_up_to_its_cap(lanes: Lanes, column: str) -> None:
    most = CAPS[column]
    rows = lanes.rows(*(with_text(column, "é" * count) for count in (NAME // 2, most, most + 1, 60_000)))
    found = [only(row[column]) for row in rows]
    assert found[:2] == ["é" * (NAME // 2), "é" * most]
    assert [len(text) for text in found[2:]] == [most, most]
    assert all(text.startswith("é" * (most - 50)) for text in found[1:])


@pytest.mark.parametrize("column", CAPS)
def test_two_long_texts_that_begin_alike_stay_two(lanes: Lanes, column: str) -> None:
    rows = lanes.rows(*(with_text(column, "x" * 60_000 + end) for end in "aba"))
    first, second, again = (only(row[column]) for row in rows)
    assert first != second
    assert first == again
    assert first.endswith(f"...sha256:{sha256(b'x' * 60_000 + b'a').hexdigest()[:32]}")


@pytest.mark.parametrize("credential", CREDENTIALS.values(), ids=CREDENTIALS)
@pytest.mark.parametrize("column", MASKED)
def test_of_a_token_that_stands_at_the_cut_nothing_is_archived(lanes: Lanes, column: str, credential: str) -> None:
    most = CAPS[column]
    rows = lanes.rows(*(with_text(column, "x" * at + credential) for at in range(most - 70, most + 4)))
    assert [row[column] for row in rows if "s3cr3t" in row[column]] == []


def test_of_a_secret_that_stands_at_the_cut_of_a_uri_nothing_is_archived(lanes: Lanes) -> None:
    uris = (f"/{'x' * (LONG - at)}?token={TOKEN}" for at in range(20, 70))
    rows = lanes.rows(*(event(uri=uri) for uri in uris))
    assert [row["request_uri"] for row in rows if "s3cr3t" in row["request_uri"]] == []


def test_of_a_long_list_the_first_entries_and_the_last_are_archived(lanes: Lanes) -> None:
    lists = ([f"10.0.0.{i}" for i in range(count)] for count in (ENTRIES, ENTRIES + 1, 9_000))
    whole, longer, flood = (row["source_ips"] for row in lanes.rows(*(event(sourceIPs=ips) for ips in lists)))
    assert whole == [f"10.0.0.{i}" for i in range(ENTRIES)]
    assert (longer, flood) == ([*whole[:-1], f"10.0.0.{ENTRIES}"], [*whole[:-1], "10.0.0.8999"])


@pytest.mark.parametrize("text", ["", "x" * 1024, "x" * 1025, "é" * 1024, "é" * 1025, "\U0001f600" * 3000])
def test_a_text_in_memory_is_capped_as_by_the_sql_and_only_once(text: str) -> None:
    query = f"SELECT {capped('t', NAME)}, ({capped_list('[t]', NAME)})[1] FROM (SELECT ?::VARCHAR AS t)"
    (found,) = duckdb.execute(query, [text]).fetchall()
    assert set(found) == {capped_text(text, NAME)}
    assert capped_text(found[0], NAME) == found[0]


@pytest.mark.parametrize("column", CAPS)
def test_the_compiled_lane_takes_no_text_that_may_be_capped(column: str) -> None:
    assert CAPS[column] >= NAME
    assert _taken(*(with_text(column, "x" * count) for count in (NAME, NAME + 1))) == [0]


def test_the_compiled_lane_takes_no_list_that_is_capped() -> None:
    assert _taken(*(event(sourceIPs=["10.0.0.1"] * count) for count in (ENTRIES, ENTRIES + 1))) == [0]


def _taken(*events: dict[str, Any]) -> list[int]:
    """Which of them the compiled lane takes, by their place."""
    rows = extract(lines_of(Batch("a.log", 0, b"".join(map(line, events)))), None).rows
    return sorted(rows["pos"].to_pylist())


@pytest.mark.parametrize("agent", ["x" * 60_000, f"{'é' * 990} Bearer {TOKEN}"], ids=["long", "token"])
def test_a_record_of_security_lake_has_the_agent_of_its_event(lanes: Lanes, agent: str) -> None:
    retold = of_record({"http_request": {"user_agent": agent}})["userAgent"]
    first, second = lanes.rows(event(agent=agent), event(agent=retold))
    assert first["user_agent"] == second["user_agent"]
