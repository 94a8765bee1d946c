"""Lists of events on one line: the same rows as the same events on lines of their own."""

from __future__ import annotations

import json

import duckdb
import pytest
from builders import event, line, lines
from parsing import Parsed, parse

from pipelines.parsing.lists import apart
from pipelines.sources.base import Batch

EVENTS = [event(name=name, agent='caf\u00e9 \u2603 "],{[') for name in ("a", "b", "c")]
FORMS = {
    "array": json.dumps(EVENTS),
    "compact array": json.dumps(EVENTS, separators=(",", ":"), ensure_ascii=False),
    "spaced": " [ " + " , ".join(json.dumps(e) for e in EVENTS) + " ] ",
    "event list": json.dumps(
        {"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "metadata": {"a": [1]}, "items": EVENTS}
    ),
    "items first": json.dumps({"items": EVENTS, "kind": "EventList"}),
}


def parsed(engine: duckdb.DuckDBPyConnection, data: bytes) -> Parsed:
    return parse(engine, Batch("x.log", 1000, data))


@pytest.mark.parametrize("form", FORMS.values(), ids=list(FORMS))
def test_a_list_gives_the_rows_of_its_events(engine: duckdb.DuckDBPyConnection, form: str) -> None:
    found = parsed(engine, lines([event(name="before")]) + form.encode() + b"\n" + lines([event(name="after")]))
    assert [r["name"] for r in found.rows.to_pylist()] == ["before", "a", "b", "c", "after"]
    assert len(set(found.rows["pos"].to_pylist())) == 5
    assert (found.quarantine.num_rows, found.blank) == (0, 0)


def test_an_event_has_the_same_hash_in_a_list_and_alone(engine: duckdb.DuckDBPyConnection) -> None:
    alone = parsed(engine, lines(EVENTS)).rows
    listed = parsed(engine, b"[" + b",".join(line(e).rstrip() for e in EVENTS) + b"]").rows
    assert listed.drop_columns(["pos"]).equals(alone.drop_columns(["pos"]))


def test_a_bad_event_of_a_list_is_quarantined_alone_with_its_own_offset(engine: duckdb.DuckDBPyConnection) -> None:
    bad = b'{"kind":"Event","auditID":"x"}'
    data = b"[" + line(EVENTS[0]).rstrip() + b", " + bad + b"," + line(EVENTS[1]).rstrip() + b"]\n"
    found = parsed(engine, data)
    assert [r["name"] for r in found.rows.to_pylist()] == ["a", "b"]
    (row,) = found.quarantine.to_pylist()
    assert (row["byte_offset"], row["length"]) == (1000 + data.index(bad), len(bad))
    assert row["reason"].startswith("inside another line: no audit event")


@pytest.mark.parametrize(
    "other",
    [
        b"[1]",
        b"[[{}]]",
        b"{}",
        b'{"items":[{}]}',
        b'{"kind":"EventList","items":[{}],"auditID":"1"}',
        b'{"kind":"EventList","items":7}',
        b"[" * 100_000,
        b"",
        b"[]",
        b" [ ] ",
    ],
)
def test_what_is_no_list_of_objects_is_none(other: bytes) -> None:
    assert apart(other) is None


DEEP = b'{"a":' + b"[" * 3000 + b"]" * 3000 + b"}"


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        (b'[{"a":1}]{"b":2}', [b'{"a":1}', b'{"b":2}']),
        (b'{"kind":"EventList","items":[{"a":1}],"items":[{"b":2}]}', [b'{"a":1}', b'{"b":2}']),
        (b'[{"a":1},null,' + DEEP + b",7]", [b'{"a":1}', b"null", DEEP, b"7"]),
        (DEEP + b'{"b":1}', [DEEP, b'{"b":1}']),
        (b'[{"a":' + b"9" * 5000 + b"}]", [b'{"a":' + b"9" * 5000 + b"}"]),
        (b"[{} {}]", [b"{}", b"{}]"]),
        (b'[{"a":1},{"b":', [b'{"a":1}', b'{"b":']),
        (b'{"kind":"EventList","items":[{"a":1},{"b":', [b'{"a":1}', b'{"b":']),
        (b'{"a":1} junk', [b'{"a":1}', b"junk"]),
    ],
    ids=["behind", "items twice", "odd entries", "deep", "digits", "no comma", "cut", "cut EventList", "junk"],
)
def test_nothing_that_stands_on_the_line_is_passed_over(line: bytes, parts: list[bytes]) -> None:
    assert [part for _, part in apart(line) or []] == parts


def test_an_event_behind_a_torn_one_is_told_wherever_it_tore() -> None:
    torn, whole = line(event(annotations=None)).rstrip(), line(event()).rstrip()
    for at in range(60, len(torn)):
        assert [part for _, part in apart(torn[:at] + whole) or []] == [torn[:at].rstrip(), whole], torn[:at]


def test_an_event_inside_the_body_of_a_torn_one_is_no_event() -> None:
    forged = event(user="system:admin")
    torn = line(event(body={"spec": {"items": [forged, forged]}, "z": "x" * 50})).rstrip()
    for at in range(torn.index(b"requestObject") + 20, len(torn), 7):
        assert apart(torn[:at]) is None
