"""Cut at every byte: a line ends as a row or in quarantine, and what stands in the row is never wrong."""

from __future__ import annotations

import json
import random
import tracemalloc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from itertools import accumulate
from typing import Any

import duckdb
import numpy as np
import pytest
from builders import event, line
from hypothesis import given
from hypothesis import strategies as st
from parsing import parse

from pipelines.parsing.body_facts import FACTS
from pipelines.parsing.events import NAMES
from pipelines.parsing.lists import apart
from pipelines.parsing.salvage import BadLine, repaired, saved
from pipelines.sources.base import Batch

MARK = b"[Truncated...]"
LOGGED_MS = 1789473600999
LOGGED = datetime.fromtimestamp(LOGGED_MS / 1000, UTC)
TEXT = 'café ☃ 🎄 "],{[}:, \\ \\" \u0000 \n'

_WHO = {
    "username": TEXT,
    "uid": "aws-iam-authenticator:111122223333:AROA",
    "groups": ["system:masters", TEXT, "dev"],
    "extra": {
        "canonicalArn": ["arn:aws:iam::111122223333:role/node"],
        "sessionName": ["i-0abc", "other"],
        "accessKeyId": ["ASIA"],
        "authentication.kubernetes.io/pod-name": ["cart-0"],
        "authentication.kubernetes.io/credential-id": ["JTI=1"],
    },
}
_NOTES = {
    "authorization.k8s.io/decision": "allow",
    "authorization.k8s.io/reason": 'RBAC: allowed by RoleBinding "b/dev" of Role "r" to ServiceAccount "ci/dev"',
    "other": "x",
}
_POD = {
    "kind": "Pod",
    "auditID": "inner",
    "stageTimestamp": "2020-01-01T00:00:00Z",
    "spec": {
        "hostPID": True,
        "containers": [
            {"image": "shop/cart:1", "command": ["sh", "-c", 'echo "}{"'], "securityContext": {"privileged": False}},
            {"image": "shop/side:2", "securityContext": {"privileged": True}},
        ],
        "hostNetwork": True,
        "volumes": [{"name": "a"}, {"name": "b", "hostPath": {"path": "/"}}],
    },
}
_ROLE = {"rules": [{"verbs": ["get"], "resources": ["pods"]}, {"verbs": ["*", "bind"], "resources": ["secrets"]}]}
_BINDING = {
    "subjects": [{"kind": "User", "name": "eve"}, {"kind": "Group", "name": "dev"}],
    "roleRef": {"kind": "ClusterRole", "name": "cluster-admin"},
}
_RBAC = "rbac.authorization.k8s.io"
_ACCESS = {"spec": {"resourceAttributes": {"verb": "get", "resource": "secrets", "namespace": "shop", "group": "x"}}}
_PATCH = [{"op": "add", "path": "/spec/hostIPC", "value": True}, {"op": "add", "path": "/spec/hostPID", "value": True}]
_AUTH = {"data": {"mapUsers": "arn:aws:iam::111122223333:user/a", "mapRoles": "arn:aws:iam::111122223333:role/b"}}


def rich(**more: Any) -> dict[str, Any]:
    """An event with every member that a column is read from."""
    asked: dict[str, Any] = {"verb": "create", "code": 403, "level": "RequestResponse", "agent": TEXT} | more
    uri = "/api/v1/namespaces/shop/pods/p/exec?command=sh&command=x&stdin=true"
    made: dict[str, Any] = event(**{"uri": uri, "impersonates": "root", "audit_id": "the-id"} | asked)
    return made | {"user": _WHO, "sourceIPs": ["203.0.113.9", "10.0.0.1"], "annotations": _NOTES}


EVENTS: dict[str, dict[str, Any]] = {
    "a pod": rich(body=_POD, name="cart"),
    "a role": rich(body=_ROLE, group=_RBAC, resource="roles", name="r"),
    "a binding": rich(body=_BINDING, group=_RBAC, resource="rolebindings"),
    "a review": rich(body=_ACCESS, group="authorization.k8s.io", resource="selfsubjectaccessreviews"),
    "a token": rich(body={"spec": {"expirationSeconds": 3600}}, resource="serviceaccounts", subresource="token"),
    "a patch": rich(body=_PATCH, verb="patch", group="apps", resource="deployments"),
    "a webhook": rich(
        body={"webhooks": [{"clientConfig": {"url": "https://a.example/x"}}, {"clientConfig": {"url": "https://b"}}]},
        group="admissionregistration.k8s.io",
        resource="mutatingwebhookconfigurations",
    ),
    "aws-auth": rich(body=_AUTH, verb="update", resource="configmaps", namespace="kube-system", name="aws-auth"),
}
ORDERS: dict[str, Callable[[list[str]], list[str]]] = {
    "as the API server writes it": list,
    "sorted": sorted,
    "the other way round": lambda names: names[::-1],
}


@dataclass
class Ended:
    """Where each line ended: its rows and its entries in quarantine, by its number; and how many were blank."""

    rows: dict[int, list[dict[str, Any]]]
    bad: dict[int, list[dict[str, Any]]]
    blank: int


def read(engine: duckdb.DuckDBPyConnection, lines: Sequence[bytes], logged_ms: int = 0) -> Ended:
    """All lines in one batch, with the time of an envelope if there is one."""
    starts = np.array(list(accumulate((len(one) + 1 for one in lines), initial=0))[:-1])
    times = np.full(len(lines), logged_ms) if logged_ms else None
    data = b"".join(one + b"\n" for one in lines)
    parsed = parse(engine, Batch("o", 0, data, starts if logged_ms else None, times_ms=times))
    found = Ended({}, {}, parsed.blank)
    for kept, table, place in ((found.rows, parsed.rows, "pos"), (found.bad, parsed.quarantine, "byte_offset")):
        for one in table.to_pylist():
            kept.setdefault(int(np.searchsorted(starts, one[place], side="right")) - 1, []).append(one)
    return found


def wrong(row: Mapping[str, Any], whole: Mapping[str, Any], *apart_from: str) -> dict[str, tuple[Any, Any]]:
    """Columns that hold neither what the whole event says nor nothing, with what they hold."""
    own = ("bytes", "content_hash", "truncated", *apart_from)
    return {c: (row[c], whole[c]) for c in NAMES if c not in own and row[c] is not None and row[c] != whole[c]}


def end_of(raw: bytes, member: str, value: str) -> int:
    """Where the value of a member of the event itself ends."""
    text = json.dumps({member: value}, separators=(",", ":")).encode()[1:-1]
    assert raw.count(text) == 1
    return raw.index(text) + len(text)


WRITTEN, SORTED, REVERSED = ORDERS
CUTS = [
    ("a pod", WRITTEN, b"", LOGGED_MS, 1),
    ("a pod", WRITTEN, MARK, 0, 1),
    ("a pod", SORTED, MARK, LOGGED_MS, 3),
    ("a pod", REVERSED, b"", 0, 3),
    *((name, WRITTEN, b"", LOGGED_MS, 5) for name in EVENTS if name != "a pod"),
]
"""Event, order of its members, what follows the cut, when the envelope says it was logged, and bytes between cuts."""


@pytest.mark.parametrize(("name", "order", "mark", "logged_ms", "step"), CUTS)
def test_a_line_cut_at_any_byte_is_a_row_if_id_and_time_are_known_and_no_value_is_wrong(
    engine: duckdb.DuckDBPyConnection, name: str, order: str, mark: bytes, logged_ms: int, step: int
) -> None:
    one = EVENTS[name]
    raw = line({member: one[member] for member in ORDERS[order](list(one))}).rstrip()
    has_id, has_time = end_of(raw, "auditID", "the-id"), end_of(raw, "stageTimestamp", one["stageTimestamp"])
    cuts = range(0, len(raw), step)
    lines = [raw[:cut] + mark for cut in cuts]
    ended = read(engine, [*lines, raw], logged_ms)
    (whole,) = ended.rows[len(lines)]
    assert ended.blank == (not mark)
    for i, cut in enumerate(cuts[1:], 1):
        rows, bad = ended.rows.get(i, []), ended.bad.get(i, [])
        known = has_id <= cut and (logged_ms > 0 or has_time <= cut)
        assert (len(rows), len(bad)) == ((1, 0) if known else (0, 1)), lines[i][-60:]
        for row in rows:
            at = whole["stage_ts"] if has_time <= cut else LOGGED
            assert (row["stage_ts"], row["truncated"], row["audit_id"]) == (at, "text", "the-id")
            assert (row["bytes"], row["content_hash"]) == (len(lines[i]), sha256(lines[i]).hexdigest()[:32])
            assert not wrong(row, whole, "stage_ts"), lines[i][-60:]
        for entry in bad:
            assert (entry["length"], entry["sha256"]) == (len(lines[i]), sha256(lines[i]).hexdigest())
            assert entry["reason"] == ("cut off by the sender" if mark else "not a JSON object")


def test_what_stands_whole_before_the_cut_is_kept(engine: duckdb.DuckDBPyConnection) -> None:
    raw = line(EVENTS["a pod"]).rstrip()
    (whole,) = read(engine, [raw]).rows[0]
    cut = raw.index(b'"annotations"')
    (row,) = read(engine, [raw[:cut]]).rows[0]
    lost = {"decision", "reason", "bytes", "content_hash", "truncated"} | {n for n in NAMES if n.startswith("authz_")}
    assert {n for n in NAMES if row[n] != whole[n]} == lost
    assert row["privileged"] is True


# What is at the cut


AT_THE_CUT: list[tuple[bytes, str, Any]] = [
    (b'"responseStatus":{"code":40', "code", None),
    (b'"responseStatus":{"code":403', "code", None),
    (b'"responseStatus":{"code":403,', "code", 403),
    (b'"responseStatus":{"code":403}', "code", 403),
    (b'"responseStatus":{"metadata":{},"code":403,"rea', "code", 403),
    (b'"user":{"username":"system:no', "username", None),
    (b'"user":{"username":"eve"', "username", "eve"),
    (b'"user":{"username":"eve","groups":["a","b"', "groups", None),
    (b'"user":{"username":"eve","groups":["a","b"]', "groups", ["a", "b"]),
    (b'"user":{"username":"eve","groups":["a","b', "username", "eve"),
    (b'"sourceIPs":["203.0.113.9"', "source_ips", None),
    (b'"sourceIPs":["203.0.113.9"]', "source_ips", ["203.0.113.9"]),
    (b'"user":{"extra":{"sessionName":["a","b"', "session_name", None),
    (b'"user":{"extra":{"sessionName":["a"],"x', "session_name", "a"),
    (b'"userAgent":"a\\', "user_agent", None),
    (b'"userAgent":"a\\u00', "user_agent", None),
    (b'"userAgent":"\\ud83c', "user_agent", None),
    (b'"userAgent":"a"', "user_agent", "a"),
    (b'"userAgent"', "user_agent", None),
    (b'"userAgent":', "user_agent", None),
    (b'"level":nul', "level", None),
    (b'"level":null', "level", None),
    (b'"level":', "verb", "get"),
]


def test_of_what_stands_at_the_cut_only_whole_values_are_kept(engine: duckdb.DuckDBPyConnection) -> None:
    front = line({"auditID": "the-id", "stageTimestamp": "2026-09-15T12:00:00.001000Z", "verb": "get"}).rstrip()[:-1]
    marks = (b"", MARK, b" " + MARK, b"...")
    made = [(end + mark, column, expected) for end, column, expected in AT_THE_CUT for mark in marks]
    ended = read(engine, [front + b"," + end for end, _, _ in made])
    assert not ended.bad
    found = [(end, column, ended.rows[i][0][column]) for i, (end, column, _) in enumerate(made)]
    assert found == made


def test_text_that_is_broken_before_the_cut_goes_to_quarantine(engine: duckdb.DuckDBPyConnection) -> None:
    raw = line(rich(agent="AGENT")).rstrip()[:-20]
    broken = [raw.replace(b"AGENT", agent) for agent in (b"\xff", rb"\ud800", rb"\u12")]
    ended = read(engine, broken, LOGGED_MS)
    assert [b[0]["reason"] for b in ended.bad.values()] == ["not a JSON object"] * 2
    # what stands before the broken escape is kept
    (row,) = ended.rows[2]
    assert (row["audit_id"], row["user_agent"], row["username"]) == ("the-id", None, TEXT)


# Truncated by the API server


@pytest.mark.parametrize(("value", "expected"), [("true", "bodies"), ("false", None), ("TRUE", None)])
def test_bodies_that_the_api_server_left_out_are_told_and_leave_no_fact(
    engine: duckdb.DuckDBPyConnection, value: str, expected: str | None
) -> None:
    one = EVENTS["a pod"] | {"annotations": _NOTES | {"audit.k8s.io/truncated": value}}
    del one["requestObject"]
    (row,) = read(engine, [line(one).rstrip()]).rows[0]
    assert row["truncated"] == expected
    assert [row[fact.name] for fact in FACTS] == [None] * len(FACTS)
    assert row["username"] == TEXT


def test_a_line_that_is_cut_after_its_bodies_were_left_out_is_cut(engine: duckdb.DuckDBPyConnection) -> None:
    raw = line(rich(annotations={"audit.k8s.io/truncated": "true"}) | {"z": "zz"}).rstrip()
    (row,) = read(engine, [raw[:-3]]).rows[0]
    assert row["truncated"] == "text"


# Several on one line, lists in lists, others' envelopes

A, B = (line(rich(audit_id=name, user=name)).rstrip() for name in "ab")


def test_events_side_by_side_on_one_line_are_as_many_rows(engine: duckdb.DuckDBPyConnection) -> None:
    between = [b"", b" ", b"\t\r "]
    ended = read(engine, [A + gap + B + gap + A for gap in between])
    start = 0
    for i, gap in enumerate(between):
        assert [r["audit_id"] for r in ended.rows[i]] == ["a", "b", "a"]
        offsets = [0, len(A + gap), len(A + B) + 2 * len(gap)]
        assert [r["pos"] for r in ended.rows[i]] == [start + at for at in offsets]
        assert [r["content_hash"] for r in ended.rows[i]] == [sha256(x).hexdigest()[:32] for x in (A, B, A)]
        assert {r["truncated"] for r in ended.rows[i]} == {None}
        start += len(A + B + A) + 2 * len(gap) + 1
    assert not ended.bad


@pytest.mark.parametrize("mark", [b"", MARK])
def test_a_cut_event_beside_whole_ones_is_salvaged_or_quarantined_alone(
    engine: duckdb.DuckDBPyConnection, mark: bytes
) -> None:
    cuts = range(1, len(B), 41)
    ended = read(engine, [A + B[:cut] + mark for cut in cuts])
    for i, cut in enumerate(cuts):
        first, *rest = ended.rows[i]
        bad = ended.bad.get(i, [])
        assert (first["audit_id"], first["truncated"]) == ("a", None)
        assert len(rest) + len(bad) == 1
        for row in rest:
            assert (row["audit_id"], row["truncated"], row["bytes"]) == ("b", "text", len((B[:cut] + mark).rstrip()))
        for entry in bad:
            assert entry["byte_offset"] > len(A) - 1
            assert entry["reason"].startswith("inside another line: ")
    assert len(ended.rows[len(cuts) - 1]) == 2


NESTED = {
    "a list in a list": (b"[[" + A + b"]]", ["not a JSON object"]),
    "an empty list": (b"[]", ["not a JSON object"]),
    "an empty EventList": (
        b'{"kind":"EventList","items":[]}',
        ["no audit event: auditID and time missing or unreadable"],
    ),
}


def test_a_list_beside_an_event_is_read_too(engine: duckdb.DuckDBPyConnection) -> None:
    ended = read(engine, [b"[" + A + b",[" + B + b"]]"])
    assert [row["audit_id"] for row in ended.rows[0]] == ["a", "b"]
    assert not ended.bad


def test_lists_without_events_are_quarantined_with_the_reason(engine: duckdb.DuckDBPyConnection) -> None:
    ended = read(engine, [A, *(data for data, _ in NESTED.values())])
    assert list(ended.rows) == [0]
    found = [[entry["reason"] for entry in ended.bad[i]] for i in range(1, len(NESTED) + 1)]
    assert found == [reasons for _, reasons in NESTED.values()]


AZURE = "an Azure diagnostics record; expected the audit events of Amazon EKS"
_AZURE = {"category": "kube-audit", "operationName": "x", "properties": {"log": A.decode(), "pod": "p"}}


def test_a_record_of_azure_is_named_as_one(engine: duckdb.DuckDBPyConnection) -> None:
    forms: tuple[Any, ...] = (_AZURE, {"records": [_AZURE]}, [_AZURE])
    ended = read(engine, [line(made).rstrip() for made in forms])
    assert [entry["reason"] for i in range(3) for entry in ended.bad[i]] == [
        AZURE,
        AZURE,
        f"inside another line: {AZURE}",
    ]
    assert not ended.rows


def test_an_event_that_is_cut_in_its_wrapper_is_no_event(engine: duckdb.DuckDBPyConnection) -> None:
    outer = line({"date": 1.5, "log": A.decode()}).rstrip()
    ended = read(engine, [A, *(outer[:cut] for cut in range(1, len(outer), 31))])
    assert list(ended.rows) == [0]
    assert {entry[0]["reason"] for entry in ended.bad.values()} == {"not a JSON object"}


# In wrappers


def wrapped(text: str, key: str = "log") -> str:
    return json.dumps({"date": 1.5, key: text})


_EVENT = A.decode()
WRAPPED = {
    "behind a prefix": wrapped(f"2026-09-15T10:00:00Z stdout F {_EVENT}"),
    "in a wrapper": wrapped(wrapped(_EVENT, "message")),
    "in a list": wrapped(f"[{_EVENT}]"),
    "in a list of wrappers": wrapped(f"[{wrapped(_EVENT)}]"),
    "wrapped, behind a prefix": f"2026-09-15T10:00:00Z stdout F {wrapped(_EVENT)}",
    "in a wrapper, each behind a prefix": wrapped(f"2026-09-15T10:00:00Z stdout F {wrapped(f'2026-09-15Z {_EVENT}')}"),
    "in three wrappers": wrapped(wrapped(wrapped(_EVENT))),
    "in four wrappers": wrapped(wrapped(wrapped(wrapped(_EVENT)))),
    "cut off": wrapped(f"2026-09-15T10:00:00Z stdout F {_EVENT[:-40]}"),
    "cut off, without a time": wrapped(f"2026-09-15T10:00:00Z stdout F {_EVENT[: _EVENT.index('requestReceived')]}"),
    "no event": wrapped('{"a":1}'),
    "blank": wrapped(""),
    "as an object": '{"date":1.5,"log":' + _EVENT + "}",
}
FIRST = {
    "a wrapped event": wrapped(B.decode()).encode(),
    "a blank line": b"",
    "a plain event": B,
    "no event": b"text",
}


@pytest.mark.parametrize("one", WRAPPED.values(), ids=WRAPPED)
def test_a_wrapped_line_ends_the_same_wherever_it_stands(engine: duckdb.DuckDBPyConnection, one: str) -> None:
    data = one.encode()
    ends = []
    for first in FIRST.values():
        found = parse(engine, Batch("o", 0, first + b"\n" + data + b"\n"))
        rows, bad = (
            [(r[p] - len(first), r) for r in t.to_pylist() if r[p] > len(first)]
            for t, p in ((found.rows, "pos"), (found.quarantine, "byte_offset"))
        )
        place = {"pos": None, "byte_offset": None}
        ends.append(([(at, r | place) for at, r in rows], [(at, r | place) for at, r in bad]))
        ends[-1] += (found.blank - (not first),)
    assert ends == ends[:1] * len(FIRST)
    assert sum(map(len, ends[0][:2])) + ends[0][2] == 1


def test_three_lines_around_an_event_are_taken_off_and_no_more(engine: duckdb.DuckDBPyConnection) -> None:
    found = read(engine, [one.encode() for one in WRAPPED.values()])
    read_ids = {name: found.rows[i][0]["audit_id"] for i, name in enumerate(WRAPPED) if i in found.rows}
    lost = {"in four wrappers", "no event", "blank"}
    assert read_ids == {name: "a" for name in WRAPPED if name not in lost}


def test_an_event_that_a_shipper_took_apart_is_read_and_its_bytes_are_not_those_of_the_server(
    engine: duckdb.DuckDBPyConnection,
) -> None:
    other = b'{"log":{"level":"info"},"a":{"auditID":"b"}}'
    found = read(engine, [A, WRAPPED["as an object"].encode(), other])
    (alone,), (held,) = found.rows[0], found.rows[1]
    assert (held["bytes"], alone["bytes"]) == (None, len(A))
    assert held | {"bytes": 0, "pos": 0} == alone | {"bytes": 0, "pos": 0}
    assert list(found.bad) == [2]


def test_a_mended_line_that_fails_all_the_same_is_filed_as_it_was_read(engine: duckdb.DuckDBPyConnection) -> None:
    stamped = rb'"stageTimestamp":"2026-W38-2T10:00:00+00:00"'
    one = b'{"auditID":"x",' + stamped + b',"verb":"ge'
    assert repaired(one) is not None
    (entry,) = read(engine, [one]).bad[0]
    assert (entry["length"], entry["sha256"]) == (len(one), sha256(one).hexdigest())


# Any damage


def damaged(dice: random.Random, raw: bytes) -> bytes:
    """The line cut, with some bytes overwritten, removed or doubled; one line still."""
    body = bytearray(raw[: dice.randrange(1, len(raw) + 1)])
    for _ in range(dice.randrange(4)):
        at = dice.randrange(len(body))
        some = bytes(dice.choices(b'{}[]",:\\\0\xff 0e-', k=dice.randrange(3)))
        body[at : at + dice.randrange(3)] = some or b"x"
    return bytes(body).replace(b"\n", b" ") + dice.choice([b"", b"", MARK])


@pytest.mark.parametrize("logged_ms", [0, LOGGED_MS], ids=["undated", "dated by its envelope"])
def test_no_damage_raises_and_every_line_ends_somewhere(engine: duckdb.DuckDBPyConnection, logged_ms: int) -> None:
    dice = random.Random(5)
    made = [damaged(dice, line(dice.choice(list(EVENTS.values()))).rstrip()) for _ in range(800)]
    ended = read(engine, made, logged_ms)
    ended_somewhere = ended.rows.keys() | ended.bad.keys()
    assert len(ended_somewhere) + ended.blank == len(made)
    assert len(ended.rows) > 50
    assert len(ended.bad) > 50


_RAW = line(EVENTS["a pod"]).rstrip()
_DAMAGED = st.builds(damaged, st.randoms(use_true_random=False), st.just(_RAW)) | st.binary(max_size=60)


@given(_DAMAGED, st.booleans())
def test_what_is_repaired_is_an_object_with_members_of_the_line(data: bytes, dated: bool) -> None:
    found = repaired(data, dated)
    if found is not None:
        assert isinstance(json.loads(found)["auditID"], str)
        assert len(found) <= len(data) + 4


@given(_DAMAGED)
def test_what_stands_side_by_side_is_the_line_piece_by_piece(data: bytes) -> None:
    for at, piece in apart(data + _RAW) or []:
        assert (data + _RAW)[at : at + len(piece)] == piece


@given(_DAMAGED, st.booleans(), st.integers(0, 3), st.none() | st.integers(1, 10**13))
def test_no_bad_line_raises(data: bytes, is_object: bool, inside: int, logged_ms: int | None) -> None:
    bad = BadLine(0, 5, data, is_object, False, False, True, False, logged_ms, inside)
    for inner in saved(bad) or []:
        assert inner.pos >= 5
        assert inner.line in data or inner.inside
    assert bad.reason


def test_of_a_line_of_very_many_parts_each_is_made_when_it_is_asked_for() -> None:
    line = b"[" + b"{}," * 100_000 + b"{}]"
    bad = BadLine(0, 0, line, False, False, False, True, False, None, 0)
    tracemalloc.start()
    count = sum(one.line == b"{}" for one in saved(bad) or ())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 100_001
    # all at once they would be 50 MB; their places are 14
    assert peak < 22_000_000
