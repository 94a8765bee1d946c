"""Damage where nothing, or only a body, is read costs no event: who sends a patch chooses its bytes."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import duckdb
import pytest
from builders import event, line
from parsing import Parsed, parse

from pipelines.parsing.body_facts import FACTS
from pipelines.parsing.handed import Inner
from pipelines.parsing.heavy import MAX_VALUES
from pipelines.parsing.salvage import BadLine, saved
from pipelines.sources.base import Batch

POD = event(audit_id="x", verb="create", resource="pods", body={"spec": {"hostPID": True}, "note": "IN BODY"})
SOUND = line(POD | {"responseObject": {"note": "IN RESPONSE"}, "other": ["IN OTHER"]}).rstrip()
DAMAGE = {
    "half a surrogate pair": rb'"\ud800"',
    "bytes that are no text": b'"\xff"',
    "a control character": b'"\x01"',
    "no value": b"",
    "an escape that is none": rb'"\x"',
    "a number that is none": b"01",
    "a name without a value": b'{"a"}',
}
PLACES = (b'"IN BODY"', b'"IN RESPONSE"', b'"IN OTHER"')


def read(engine: duckdb.DuckDBPyConnection, data: bytes) -> Parsed:
    return parse(engine, Batch("o", 0, data))


def rows_of(engine: duckdb.DuckDBPyConnection, events: Sequence[bytes]) -> list[dict[str, object]]:
    """The row of each event as it is read among all of them, but for its place."""
    found = read(engine, b"\n".join(events))
    assert found.quarantine.num_rows == 0
    return [row | {"pos": 0} for row in found.rows.to_pylist()]


def facts_of(row: dict[str, object]) -> set[object]:
    return {row[fact.name] for fact in FACTS}


@pytest.fixture(scope="module")
def whole(engine: duckdb.DuckDBPyConnection) -> dict[str, object]:
    """The row of the sound event, read on its own."""
    (row,) = read(engine, SOUND).rows.to_pylist()
    assert row["host_pid"] is True
    return row


@pytest.fixture(scope="module")
def damaged(engine: duckdb.DuckDBPyConnection) -> dict[bytes, dict[str, object]]:
    """The row of each event with one damage in one place."""
    events = [SOUND.replace(place, damage) for place in PLACES for damage in DAMAGE.values()]
    return dict(zip(events, rows_of(engine, events), strict=True))


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_an_event_with_a_damaged_body_is_a_row_without_it(
    whole: dict[str, object], damaged: dict[bytes, dict[str, object]], damage: bytes
) -> None:
    data = SOUND.replace(b'"IN BODY"', damage)
    told = {"truncated": "bodies", "bytes": len(data), "content_hash": sha256(data).hexdigest()[:32]}
    assert damaged[data] == whole | told | {fact.name: None for fact in FACTS}


@pytest.mark.parametrize("place", PLACES[1:])
@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_damage_where_nothing_is_read_costs_nothing(
    whole: dict[str, object], damaged: dict[bytes, dict[str, object]], damage: bytes, place: bytes
) -> None:
    data = SOUND.replace(place, damage)
    assert damaged[data] == whole | {"bytes": len(data), "content_hash": sha256(data).hexdigest()[:32]}


def test_a_damaged_body_that_no_fact_reads_leaves_no_mark(engine: duckdb.DuckDBPyConnection) -> None:
    data = line(event(verb="get", resource="pods", body={"note": "IN BODY"})).replace(b'"IN BODY"', rb'"\ud800"')
    (row,) = read(engine, data).rows.to_pylist()
    assert row["truncated"] is None


def test_what_is_read_must_be_sound(engine: duckdb.DuckDBPyConnection) -> None:
    data = SOUND.replace(b'"IN BODY"', rb'"\ud800"').replace(b"cart/v1.0", rb"\ud800")
    found = read(engine, data)
    (entry,) = found.quarantine.to_pylist()
    assert (found.rows.num_rows, entry["length"], entry["sha256"]) == (0, len(data), sha256(data).hexdigest())


def test_damage_in_what_is_read_leaves_what_stands_before_it(engine: duckdb.DuckDBPyConnection) -> None:
    before = b'{"auditID":"x","stageTimestamp":"2026-09-15T10:00:00Z","verb":"get"'
    found = read(engine, before + rb',"responseObject":{},"userAgent":"\x"}')
    assert [(row["verb"], row["user_agent"], row["truncated"]) for row in found.rows.to_pylist()] == [
        ("get", None, "text")
    ]


WRAPS = {
    "in a list": (b"[", b"]"),
    "in a wrapper": (b'{"log":', b"}"),
    "in a list of events": (b'{"kind":"EventList","items":[', b"]}"),
    "in two wrappers": (b'{"log":{"message":', b"}}"),
    "in a list in a wrapper": (b'{"log":[', b"]}"),
    "in a list of events in a wrapper": (b'{"log":{"kind":"EventList","items":[', b"]}}"),
}
INNER = {"damaged": rb'"\ud800"', "sound": b'"IN BODY"'}


@pytest.fixture(scope="module")
def within(engine: duckdb.DuckDBPyConnection) -> dict[tuple[str, bytes], dict[str, object]]:
    """By what it stands in, "" on its own, and what stands in its body: the row of the event, but for its length."""
    around = {"": (b"", b"")} | WRAPS
    asked = {
        (wrap, inner): before + SOUND.replace(b'"IN BODY"', inner) + behind
        for wrap, (before, behind) in around.items()
        for inner in INNER.values()
    }
    # of a line that a shipper took apart, the length is not the API server's
    rows = [row | {"bytes": 0} for row in rows_of(engine, list(asked.values()))]
    return dict(zip(asked, rows, strict=True))


@pytest.mark.parametrize("wrap", WRAPS)
@pytest.mark.parametrize("inner", INNER.values(), ids=INNER)
def test_an_event_within_another_line_is_read_as_on_its_own(
    within: dict[tuple[str, bytes], dict[str, object]], wrap: str, inner: bytes
) -> None:
    assert within[wrap, inner] == within["", inner]


AS_TEXT = {
    "bytes that are no text": (b"\xff", b"\xff"),
    "half a surrogate pair": (rb"\ud800", "\ud800".encode(errors="surrogatepass")),
    "a surrogate pair": (rb"\ud83c\udf84", "\U0001f384".encode()),
}
KEYS = (b"log", b"message")


@pytest.fixture(scope="module")
def as_text(engine: duckdb.DuckDBPyConnection) -> dict[tuple[bytes | None, str], dict[str, object]]:
    """By the key it is wrapped under as text, None on its own, and by what it holds: the row of the event."""
    text = SOUND.replace(b"\\", rb"\\").replace(b'"', rb"\"")
    asked = {
        (key, what): b'{"' + key + b'":"' + text.replace(b"IN BODY", written) + rb'\n"}'
        for key in KEYS
        for what, (written, _) in AS_TEXT.items()
    } | {(None, what): SOUND.replace(b"IN BODY", meant) for what, (_, meant) in AS_TEXT.items()}
    return dict(zip(asked, rows_of(engine, list(asked.values())), strict=True))


@pytest.mark.parametrize("what", AS_TEXT)
@pytest.mark.parametrize("key", KEYS)
def test_an_event_wrapped_as_text_is_read_as_on_its_own(
    as_text: dict[tuple[bytes | None, str], dict[str, object]], key: bytes, what: str
) -> None:
    assert as_text[key, what] == as_text[None, what]


def heavy(status: bytes, body: bytes) -> bytes:
    many = b"[" + b"0," * (MAX_VALUES // 2) + b"0]"
    found = SOUND.replace(b'"IN BODY"', body + b',"many":' + many).replace(b'"IN RESPONSE"', many)
    return found.replace(b'"responseStatus":{', b'"responseStatus":{' + status)


def test_a_line_of_many_values_with_a_damaged_body_is_a_row_that_bears_its_own_hash(
    engine: duckdb.DuckDBPyConnection,
) -> None:
    data = heavy(b"", rb'"\ud800"')
    (row,) = read(engine, data).rows.to_pylist()
    assert (row["bytes"], row["content_hash"]) == (len(data), sha256(data).hexdigest()[:32])
    assert (row["truncated"], facts_of(row)) == ("bodies", {None})


def test_of_a_member_that_is_read_only_what_is_read_counts(
    engine: duckdb.DuckDBPyConnection, whole: dict[str, object]
) -> None:
    data = heavy(b'"details":[' + b"0," * MAX_VALUES + b"0],", b'"sound"')
    (row,) = read(engine, data).rows.to_pylist()
    assert row == whole | {"bytes": len(data), "content_hash": sha256(data).hexdigest()[:32]}


def test_what_the_engine_refuses_again_is_not_tried_for_ever() -> None:
    bad = BadLine(0, 0, SOUND, False, False, False, True, False, None, 0)
    tried = []
    while (found := saved(bad)) is not None and len(tried) < 9:
        (inner,) = found
        assert isinstance(inner, Inner)
        tried.append((inner.left_out, inner.cut))
        told = {"line_bytes": inner.told[0], "whole_sha256": inner.told[1], "left_out": inner.left_out}
        bad = BadLine(0, 0, inner.parsed, False, False, False, True, inner.cut, None, 0, **told)
    assert tried == [(None, False), ("body", False)]
