"""What a line becomes: each fact of the audit format is one claim; no JSON stops the parser, no line is lost."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from itertools import accumulate
from typing import Any

import pyarrow as pa
import pytest
from builders import event, line, lines
from hypothesis import given, settings
from hypothesis import strategies as st
from parsing import Parsed, parse

from pipelines.config import ParseConfig
from pipelines.engine import engine
from pipelines.parsing.events import COLUMNS, IDENTITY, NAMES, ORDER
from pipelines.parsing.lists import apart
from pipelines.parsing.parse import QUARANTINE_SCHEMA
from pipelines.parsing.wrapped import MOST
from pipelines.sources.base import Batch

Read = Callable[..., Parsed]
Row = Callable[[Mapping[str, Any]], dict[str, Any]]
Rows = Callable[[Iterable[Mapping[str, Any]]], list[dict[str, Any]]]

REASON = "authorization.k8s.io/reason"
WHO = ("username", "uid", "groups", "iam_role_arn", "session_name", "access_key_id", "pod_name", "credential_id")
AUTHORISED = ("authz_mode", "authz_binding", "authz_role", "authz_subject_kind", "authz_subject")
SECRET = "hunter2-canary"
FULL = event(
    subresource="log",
    group="apps",
    name="cart-1",
    impersonates="alice",
    user=None,
    annotations=None,
) | {
    "user": {
        "username": "eve",
        "uid": "7",
        "groups": ["system:authenticated"],
        "extra": {
            "canonicalArn": ["arn:aws:iam::123456789012:role/Dev"],
            "sessionName": ["eve@example"],
            "accessKeyId": ["ASIAEXAMPLE"],
            "authentication.kubernetes.io/pod-name": ["cart-1"],
            "authentication.kubernetes.io/credential-id": ["JTI=1"],
        },
    },
    "annotations": {
        "authorization.k8s.io/decision": "allow",
        REASON: 'RBAC: allowed by RoleBinding "b/shop" of Role "r" to ServiceAccount "cart/shop"',
        "audit.k8s.io/truncated": "true",
    },
}
READ_OF = {
    "user": WHO,
    "verb": ("verb",),
    "stage": ("stage",),
    "level": ("level",),
    "userAgent": ("user_agent",),
    "sourceIPs": ("source_ips",),
    "requestURI": ("request_uri",),
    "requestReceivedTimestamp": ("received_ts",),
    "impersonatedUser": ("impersonated_user",),
    "objectRef": ("api_group", "resource", "subresource", "namespace", "name"),
    "responseStatus": ("code",),
    "annotations": ("decision", "reason", *AUTHORISED, "truncated"),
}
"""Members of an event, and the columns read from each."""


@pytest.fixture(scope="module")
def read() -> Iterator[Read]:
    with engine(ParseConfig()) as made:
        yield lambda data, offset=0: parse(made, Batch("a.ndjson", offset, data))


@pytest.fixture(scope="module")
def rows(read: Read) -> Rows:
    def each(events: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        data = lines(events)
        parsed = read(data)
        assert (parsed.rows.num_rows, parsed.quarantine.num_rows) == (data.count(b"\n"), 0)
        return parsed.rows.to_pylist()

    return each


@pytest.fixture(scope="module")
def row(rows: Rows) -> Row:
    return lambda one: rows([one])[0]


@pytest.fixture(scope="module")
def full(row: Row) -> dict[str, Any]:
    return row(FULL)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_every_declared_column_is_read_and_no_other(read: Read) -> None:
    assert set(read(line(FULL)).rows.column_names) == {"pos", *NAMES}


def test_column_names_and_meanings_are_declared_once() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert all(c.meaning.endswith(".") for c in COLUMNS)
    assert set(IDENTITY) | set(ORDER) <= set(NAMES)


def test_the_order_of_the_archive_is_total() -> None:
    assert "content_hash" in ORDER


def test_the_members_of_a_full_event_fill_their_columns(full: dict[str, Any]) -> None:
    assert [name for names in READ_OF.values() for name in names if full[name] is None] == []


@pytest.mark.parametrize("missing", [True, False], ids=["missing", "null"])
def test_a_member_that_is_not_there_leaves_its_columns_null_and_no_other(
    rows: Rows, full: dict[str, Any], missing: bool
) -> None:
    cut = [{k: v for k, v in FULL.items() if k != m} if missing else FULL | {m: None} for m in READ_OF]
    for found, nulls in zip(rows(cut), READ_OF.values(), strict=True):
        changed = {n for n in NAMES if full[n] != found[n]} - {"bytes", "content_hash"}
        assert {n: found[n] for n in changed} == dict.fromkeys(nulls)


@pytest.mark.parametrize("value", [5, True, "text", [], [1], {}, {"a": [{}]}], ids=json.dumps)
def test_a_member_of_another_type_costs_neither_the_row_nor_other_members(rows: Rows, value: Any) -> None:
    found = rows(FULL | {member: value} for member in READ_OF)
    for one, member in zip(found, READ_OF, strict=True):
        kept = [n for m, names in READ_OF.items() if m != member for n in names]
        assert [n for n in kept if one[n] is None] == []


@pytest.mark.parametrize("user", [None, ""], ids=["empty-object", "empty-name"])
def test_a_user_without_name_has_no_username(row: Row, user: str | None) -> None:
    assert row(event(user=user))["username"] is None


def test_an_object_that_is_no_event_is_quarantined(read: Read) -> None:
    parsed = read(b'{"kind":0}\n')
    assert parsed.rows.num_rows == 0
    assert parsed.quarantine["reason"].to_pylist() == ["no audit event: auditID and time missing or unreadable"]


def test_an_old_event_takes_its_time_from_its_creation(row: Row) -> None:
    old = {k: v for k, v in FULL.items() if k not in ("apiVersion", "stageTimestamp")}
    found = row(old | {"metadata": {"creationTimestamp": "2018-03-01T05:06:07Z"}})
    assert found["stage_ts"] == at("2018-03-01T05:06:07")


def test_timestamp_stands_in_for_a_missing_stage_timestamp(row: Row) -> None:
    old = {k: v for k, v in FULL.items() if k != "stageTimestamp"}
    found = row(old | {"timestamp": "2017-10-01T01:02:03Z", "metadata": {"creationTimestamp": "2016-01-01T00:00:00Z"}})
    assert found["stage_ts"] == at("2017-10-01T01:02:03")


def test_an_unreadable_stage_timestamp_is_not_replaced_by_another(read: Read) -> None:
    parsed = read(line(event() | {"stageTimestamp": "yesterday", "timestamp": "2017-10-01T01:02:03Z"}))
    assert parsed.quarantine["reason"].to_pylist() == ["no audit event: time missing or unreadable"]


def test_a_time_is_read_in_every_form(rows: Rows) -> None:
    forms = {
        "2026-09-15 12:00:00.123456Z": "2026-09-15T12:00:00.123456",
        "2026-09-15 12:00:00.123456": "2026-09-15T12:00:00.123456",
        "2026-09-15T12:00:00Z": "2026-09-15T12:00:00",
        "2026-09-15T12:00:00+05:30": "2026-09-15T06:30:00",
        "2026-09-15T00:30:00.5+02:00": "2026-09-14T22:30:00.5",
    } | {
        f"2026-09-15T12:00:00.{'123456789'[:digits]}Z": f"2026-09-15T12:00:00.{'123456'[:digits]}"
        for digits in range(2, 10)
    }
    found = rows(event() | {"stageTimestamp": form, "requestReceivedTimestamp": form} for form in forms)
    assert dict(zip(forms, [r["stage_ts"] for r in found], strict=True)) == {f: at(t) for f, t in forms.items()}
    assert [r["received_ts"] for r in found] == [r["stage_ts"] for r in found]


def test_a_text_that_is_no_time_is_quarantined(read: Read) -> None:
    texts = [
        "",
        "infinity",
        "-infinity",
        "epoch",
        "now",
        "2026-09-15",
        "1789387200",
        "12:00:00",
        "99999-01-01T00:00:00Z",
    ]
    texts += ["2026-09-15 (BC)", "0000-01-01T00:00:00Z", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z"]
    parsed = read(lines(event(audit_id=text) | {"stageTimestamp": text} for text in texts))
    assert parsed.rows["audit_id"].to_pylist() == []


def test_an_unreadable_time_of_arrival_costs_only_itself(row: Row) -> None:
    assert row(event() | {"requestReceivedTimestamp": "infinity"})["received_ts"] is None


def test_a_code_becomes_an_integer_or_null(rows: Rows) -> None:
    codes = [200, "403", 101, 0, "soon", 2**40, None, [200]]
    found = rows(event() | {"responseStatus": {"metadata": {}, "code": code}} for code in codes)
    assert [r["code"] for r in found] == [200, 403, 101, 0, None, None, None, None]


def test_of_a_failure_only_the_code_is_kept(row: Row) -> None:
    failure = {"status": "Failure", "message": SECRET, "reason": "Forbidden", "details": {"name": SECRET}, "code": 403}
    found = row(event() | {"responseStatus": failure})
    assert found["code"] == 403
    assert SECRET not in repr(found)


def test_a_request_just_received_has_no_answer(row: Row) -> None:
    received = {k: v for k, v in event(stage="RequestReceived", code=None).items() if k != "annotations"}
    found = row(received)
    assert [found[n] for n in ("stage", "code", "decision", "reason")] == ["RequestReceived", None, None, None]


def test_an_escaped_ampersand_parts_parameters(read: Read) -> None:
    data = line(event(uri="/api/v1/pods?limit=500&token=hunter2&watch=true")).replace(b"&", rb"\u0026")
    found = read(data).rows["request_uri"].to_pylist()
    assert found == ["/api/v1/pods?limit=500&REDACTED&watch=true"]


def test_an_address_is_kept_as_text(rows: Rows) -> None:
    addresses = ["2001:db8::7", "::1", "12.000.22.33", "::ffff:10.0.0.1", "not an address", ""]
    assert [r["source_ips"] for r in rows(event(ip=a) for a in addresses)] == [[a] for a in addresses]


def test_all_addresses_are_kept_client_first(row: Row) -> None:
    assert row(event() | {"sourceIPs": ["198.51.100.1", "10.0.0.1"]})["source_ips"] == ["198.51.100.1", "10.0.0.1"]


def test_a_subresource_is_kept_beside_its_resource(rows: Rows) -> None:
    subresources = ["exec", "attach", "portforward", "log", "token", "status", "scale", "eviction", "binding"]
    subresources += ["approval", "ephemeralcontainers", "proxy"]
    found = rows(event(subresource=s) for s in subresources)
    assert [(r["resource"], r["subresource"]) for r in found] == [("pods", s) for s in subresources]


def test_an_empty_name_group_or_namespace_is_null(row: Row) -> None:
    names = ("apiGroup", "namespace", "name", "subresource")
    found = row(event() | {"objectRef": {"resource": "nodes"} | dict.fromkeys(names, "")})
    assert [found[n] for n in ("api_group", "namespace", "name", "subresource")] == [None] * 4


def test_a_url_that_is_no_resource_keeps_its_method(rows: Rows) -> None:
    methods = ("get", "head", "post")
    found = rows(event(resource=None, verb=method, uri="/healthz") for method in methods)
    assert [(r["verb"], r["resource"], r["request_uri"]) for r in found] == [(m, None, "/healthz") for m in methods]


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        (
            'RBAC: allowed by ClusterRoleBinding "b" of ClusterRole "r" to Group "system:masters"',
            ("RBAC", "b", "r", "Group", "system:masters"),
        ),
        (
            'RBAC: allowed by ClusterRoleBinding "b" of ClusterRole "system:node" to User "eve"',
            ("RBAC", "b", "system:node", "User", "eve"),
        ),
        (
            'RBAC: allowed by RoleBinding "b/shop" of Role "r" to ServiceAccount "cart/shop"',
            ("RBAC", "b/shop", "r", "ServiceAccount", "cart/shop"),
        ),
        (
            'RBAC: allowed by RoleBinding "b/shop" of ClusterRole "view" to User "eve"',
            ("RBAC", "b/shop", "view", "User", "eve"),
        ),
        (
            'EKS Access Policy: allowed by ClusterRoleBinding "arn:aws:iam::1:role/R+arn:aws:eks::aws:p/V" of '
            'ClusterRole "arn:aws:eks::aws:p/V" to User "AROAEXAMPLE"',
            (
                "EKS Access Policy",
                "arn:aws:iam::1:role/R+arn:aws:eks::aws:p/V",
                "arn:aws:eks::aws:p/V",
                "User",
                "AROAEXAMPLE",
            ),
        ),
        (
            r'RBAC: allowed by RoleBinding "b/n" of Role "r" to User "eve\" of Role \"x\\"',
            ("RBAC", "b/n", "r", "User", r"eve\" of Role \"x\\"),
        ),
        ("", (None,) * 5),
        ("no relationship found between node 'ip-10-0-0-1' and this object", (None,) * 5),
        ('RBAC: allowed by magic "x"', (None,) * 5),
        ('said eve: RBAC: allowed by ClusterRoleBinding "b" of ClusterRole "r" to User "eve"', (None,) * 5),
    ],
    ids=["group", "user", "role", "binding-to-cluster-role", "eks", "quoted", "empty", "node", "unknown", "not-first"],
)
def test_the_reason_of_an_authorisation_is_taken_apart(row: Row, reason: str, expected: tuple[str | None, ...]) -> None:
    found = row(event() | {"annotations": {"authorization.k8s.io/decision": "allow", REASON: reason}})
    assert (found["decision"], found["reason"]) == ("allow", reason)
    assert tuple(found[n] for n in AUTHORISED) == expected


def test_a_reason_is_capped_and_a_hostile_one_costs_no_time(row: Row) -> None:
    found = row(event() | {"annotations": {REASON: "RBAC: allowed by " + 'ClusterRoleBinding "' * 50_000}})
    assert len(found["reason"]) == 4096
    assert found["authz_mode"] is None


@pytest.mark.parametrize(("column", "key"), [("pod_name", "pod-name"), ("credential_id", "credential-id")])
def test_a_vendors_name_of_a_key_is_known_and_the_api_servers_holds(row: Row, column: str, key: str) -> None:
    own, renamed = (f"authentication.kubernetes.io{slash}{key}" for slash in ("/", "_slash_"))
    told = [
        {"username": "eve", "extra": extra} for extra in ({renamed: ["b"]}, {renamed: ["b"], own: ["a"]}, {own: ["a"]})
    ]
    assert [row(event() | {"user": user})[column] for user in told] == ["b", "a", "a"]


def test_extra_values_are_the_first_of_their_arrays(row: Row) -> None:
    extra = {"canonicalArn": ["arn:1", "arn:2"], "sessionName": [], "accessKeyId": "AKIA", "other": ["x"]}
    found = row(event() | {"user": {"username": "eve", "extra": extra}})
    assert [found[n] for n in ("iam_role_arn", "session_name", "access_key_id")] == ["arn:1", None, None]


def test_the_caller_and_whom_they_act_as_stand_apart(row: Row) -> None:
    found = row(event(user="eve", impersonates="system:admin"))
    assert (found["username"], found["impersonated_user"]) == ("eve", "system:admin")


def test_bodies_cut_by_the_api_server_are_marked(rows: Rows) -> None:
    found = rows(event() | {"annotations": {"audit.k8s.io/truncated": text}} for text in ("true", "false", ""))
    assert [r["truncated"] for r in found] == ["bodies", None, None]


def test_what_no_column_declares_reaches_no_column(rows: Rows) -> None:
    patch = {"mutation.webhook.admission.k8s.io/round_0_index_0": json.dumps({"patch": SECRET}), "data": [SECRET]}
    members = ("responseObject", "annotations", "metadata", "user", "objectRef", "impersonatedUser")
    assert SECRET not in repr(rows(event() | {member: patch} for member in members))


def test_annotation_keys_by_the_thousand_make_no_columns(read: Read) -> None:
    many = {f"example.com/{i}": "x" for i in range(3000)} | {"authorization.k8s.io/decision": "forbid"}
    parsed = read(line(event() | {"annotations": many}))
    assert parsed.rows["decision"].to_pylist() == ["forbid"]
    assert set(parsed.rows.column_names) == {"pos", *NAMES}


def test_an_audit_id_used_twice_is_two_rows(read: Read) -> None:
    parsed = read(lines([event(audit_id="1", verb="get"), event(audit_id="1", verb="delete")]))
    assert parsed.rows["verb"].to_pylist() == ["get", "delete"]


HOSTILE = (
    "<img src=x onerror=alert(1)>", "</script><script>alert(1)</script>", '=HYPERLINK("x")', "+1", "-1", "@SUM(1)",
    "\ttab", "\rcr", "a,b\n=1", "\u202etxt", "a\u200bb", "\x1b[2J", "\x9b31m", "\x7f", "a\x00b", "x" * 1024, "   ",
    "\uff45\uff56\uff45", "../../etc", "a=b", "%2F..", "\U0001f600",
)  # fmt: skip


def test_hostile_text_is_archived_as_it_is(rows: Rows) -> None:
    found = rows(event(user=text, agent=text, namespace=text) for text in HOSTILE)
    assert [(r["username"], r["user_agent"], r["namespace"]) for r in found] == [(text,) * 3 for text in HOSTILE]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""], ids=["lf", "crlf", "none"])
def test_hash_and_length_are_those_of_the_line_without_its_end(read: Read, end: bytes) -> None:
    raw = line(event(agent="caf\u00e9")).rstrip()
    rows = read(raw + end).rows
    assert rows["content_hash"].to_pylist() == [sha256(raw).hexdigest()[:32]]
    assert rows["bytes"].to_pylist() == [len(raw)]


def test_the_hash_sees_white_space_that_json_does_not(read: Read) -> None:
    one = line(event())
    assert len(set(read(one + one[:-1] + b" \n").rows["content_hash"].to_pylist())) == 2


def test_rows_stand_in_the_order_of_their_lines(read: Read) -> None:
    events = [event(at=f"2026-09-15T{23 - i % 24:02}:00:00Z", agent="x" * (i * 997 % 5000)) for i in range(3000)]
    rows = read(lines(events)).rows
    assert rows["audit_id"].to_pylist() == [e["auditID"] for e in events]
    assert rows["pos"].to_pylist() == [0, *accumulate(len(line(e)) for e in events)][:-1]


MIXED = [line(FULL), b"\n", b"cut off {\n", line(event()), b"  \r\n", b"[]\n", line(event(user=None)), b'{"kind":0}']


@pytest.fixture(scope="module")
def whole(read: Read) -> Parsed:
    return read(b"".join(MIXED))


@pytest.mark.parametrize("cut", range(len(MIXED) + 1))
def test_a_batch_cut_at_any_line_gives_the_same_rows(read: Read, whole: Parsed, cut: int) -> None:
    offset = len(b"".join(MIXED[:cut]))
    one, two = read(b"".join(MIXED[:cut])), read(b"".join(MIXED[cut:]), offset)
    assert pa.concat_tables([one.rows, two.rows]).to_pylist() == whole.rows.to_pylist()
    assert pa.concat_tables([one.quarantine, two.quarantine]).to_pylist() == whole.quarantine.to_pylist()
    assert one.blank + two.blank == whole.blank == 2


def test_no_bytes_are_no_rows(read: Read) -> None:
    parsed = read(b"")
    assert (parsed.rows.num_rows, parsed.quarantine.num_rows, parsed.blank) == (0, 0, 0)
    assert parsed.quarantine.schema == QUARANTINE_SCHEMA


def test_a_batch_leaves_nothing_in_the_engine() -> None:
    with engine(ParseConfig()) as made:
        parse(made, Batch("a", 0, line(event())))
        assert made.sql("SELECT count(*) FROM duckdb_views() WHERE NOT internal").fetchall() == [(0,)]


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=12)
    | st.sampled_from(["2026-09-15T12:00:00Z", "create", "patch", "pods", "roles", "?a=b&command=x"])
)
INNER = ("username", "extra", "groups", "canonicalArn", "resource", "code", "metadata", "requestObject", "spec")
KEYS = st.sampled_from(sorted({*FULL, *INNER}))
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)
ANY_EVENT = st.dictionaries(KEYS, VALUES, max_size=8).map(lambda fields: json.dumps(FULL | fields).encode())
ANY_JSON = VALUES.map(lambda value: json.dumps(value).encode())
ANY_LINE = ANY_EVENT | ANY_JSON | st.binary(max_size=60).map(lambda raw: raw.replace(b"\n", b""))


def held_by(line: bytes, deep: int = 0) -> int:
    """Lines in a line: a list may stand in a list, to a bound."""
    parts = apart(line) if deep < MOST else None
    return 1 if parts is None else sum(held_by(part, deep + 1) for _, part in parts)


@settings(max_examples=25, deadline=None)
@given(st.lists(ANY_LINE, max_size=40), st.sampled_from([b"\n", b"\r\n"]))
def test_every_line_ends_as_a_row_in_quarantine_or_blank(read: Read, raw: list[bytes], end: bytes) -> None:
    parsed = read(b"".join(one + end for one in raw))
    held = sum(map(held_by, raw))
    assert parsed.rows.num_rows + parsed.quarantine.num_rows + parsed.blank == held
    assert parsed.rows["pos"].to_pylist() == sorted(set(parsed.rows["pos"].to_pylist()))
    assert parsed.blank == sum(not one.strip() for one in raw)
