"""A line that compiled code takes has the row that the SQL makes of it, whatever is done to the line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from builders import event, line
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.compiled.lane import Extracted, extract
from pipelines.config import ParseConfig
from pipelines.engine import engine
from pipelines.parsing.events import SCHEMA as EVENTS
from pipelines.parsing.handed import SCHEMA, record_batches
from pipelines.parsing.lines import Lines, lines_of
from pipelines.parsing.parse import EARLY, reading
from pipelines.sources.base import Batch
from pipelines.sources.files import SourceFile
from tests.pipelines.test_damage import EVERY

SAMPLE = Path(__file__).parents[2] / "data" / "sample"
NIGHT, EVE = date(2026, 9, 15), date(2026, 9, 14)
TYPES = {"pos": pa.int64(), "night": pa.date32(), "mistyped": pa.bool_()} | {n: EVENTS.field(n).type for n in EARLY}
FEW = settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def connection() -> Iterator[Any]:
    with engine(ParseConfig()) as made:
        yield made


def of(*texts: bytes) -> Lines:
    """Lines as they are, with nothing taken off."""
    offsets = np.cumsum([0, *map(len, texts)]).astype(np.int32)
    whole = pa.StringArray.from_buffers(len(texts), pa.py_buffer(offsets), pa.py_buffer(b"".join(texts)))
    sizes = np.array([len(t.rstrip(b"\r\n")) for t in texts], np.int32)
    digests = b"".join(i.to_bytes(16, "big") for i in range(len(texts)))
    return Lines(whole, offsets[:-1].astype(np.int64), sizes, digests, None, 0)


def by_sql(connection: Any, lines: Lines, nights: Sequence[date] | None, *, raw: bool = True) -> pa.Table:
    connection.register("lines", pa.Table.from_batches(record_batches(lines, 0, raw), SCHEMA))
    try:
        return connection.sql(f"SELECT * FROM ({reading(nights)}) ORDER BY pos").to_arrow_table()
    finally:
        connection.unregister("lines")


def without_dictionaries(rows: pa.RecordBatch) -> pa.Table:
    def plain(column: pa.Array) -> pa.Array:
        if pa.types.is_dictionary(column.type):
            return column.dictionary_decode()
        if pa.types.is_list(column.type):
            return pa.ListArray.from_arrays(
                column.offsets, plain(column.values), mask=column.is_null() if column.null_count else None
            )
        return column

    rows.validate(full=True)
    return pa.table({n: plain(c) for n, c in zip(rows.schema.names, rows.columns, strict=True)})


def holds(connection: Any, lines: Lines, nights: Sequence[date] | None = None) -> Extracted:
    """Every line taken has the row that the SQL makes of it; what was extracted comes back."""
    found = extract(lines, nights)
    sql = by_sql(connection, lines, nights)
    assert sql["pos"].to_pylist() == lines.pos.tolist()
    taken = sql.filter(pa.array(found.taken, pa.bool_()))
    assert taken["night"].null_count == 0, "a bad line was taken"
    rows = without_dictionaries(found.rows)
    assert {f.name: f.type for f in rows.schema} == TYPES
    wanted = taken.filter(taken["wanted"]).select(rows.column_names).cast(rows.schema)
    for name in rows.column_names:
        assert rows[name].combine_chunks().to_pylist() == wanted[name].combine_chunks().to_pylist(), name
    outside = [n for n, w in zip(taken["night"].to_pylist(), taken["wanted"].to_pylist(), strict=True) if not w]
    assert dict(found.outside) == {n: outside.count(n) for n in set(outside)}
    return found


def sample(name: str) -> Iterator[Lines]:
    path = SAMPLE / name
    with SourceFile(path, path.name).open() as stream:
        for batch in stream.batches():
            assert isinstance(batch, Batch)
            yield lines_of(batch)


@pytest.mark.parametrize("nights", [None, [EVE]], ids=["all-nights", "the-eve-only"])
def test_rows_of_a_recorded_night_are_those_of_the_sql_and_few_lines_are_left_to_it(
    connection: Any, nights: Sequence[date] | None
) -> None:
    counts = [
        (holds(connection, lines, nights).taken.sum(), len(lines))
        for lines in sample("audit-prod-usw2-2026-09-15.ndjson.zst")
    ]
    taken, every = np.sum(counts, axis=0)
    assert taken > 0.95 * every


def recorded() -> list[bytes]:
    """Lines of every shape in the sample: one for each set of keys, level, verb and resource."""
    shapes: dict[tuple[Any, ...], bytes] = {}
    for lines in sample("audit-prod-usw2-2026-09-12.ndjson.zst"):
        for text in lines.text.to_pylist()[::7]:
            one = json.loads(text)
            shape = (*sorted(one), *sorted(one.get("user", {}).get("extra", {})), one["level"], one["verb"])
            shapes.setdefault(shape, text.encode())
    return sorted(shapes.values(), key=len)


RICH = event(
    name="cart-1",
    subresource="log",
    group="apps",
    arn="arn:aws:iam::1:role/ops",
    session="ann",
    impersonates="bob",
    uri="/api/v1/pods?limit=5&watch=1",
    body={"kind": "Pod", "x": [1, -2.5e3, True, None, {"a": []}]},
    agent="ünïcode/1 ☃",
)
BASES = [
    *recorded(),
    line(RICH),
    json.dumps(RICH).encode() + b"\r\n",
    line(RICH | {"annotations": {}}),
    json.dumps(RICH | {"userAgent": "𝄞/1.0 ü"}, ensure_ascii=False).encode(),
]

INSERTED = st.one_of(
    st.binary(min_size=1, max_size=3),
    st.sampled_from(
        [
            b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b" ", b"\t", b"\n", b"\r", b"\0", b"\x7f", b"\xff",
            b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xf0\x9f\x98\x80", b"\xe2\x98\x83", b"\\u0041",
            b"\\ud83d\\ude00", b"\\ud800", b"\\u0000", b"\\u00e9", b"\\u2603", b"\\n", b"\\/", b"\\x", b"1e999", b"-0",
            b"00", b"1.", b".5", b"1e5", b"-", b"+1", b"NaN", b"Infinity", b"null", b"true", b"nul", b"//", b"/**/",
            b"'", b"?", b"&", b";", b"\\u003f", b"\\u0026", b"=", b"?token=1", b"&limit=7", b"/proxy", b"#", b"%3f",
            b"eyJhbGciOiJS", b"Bearer ", b"basic+", b"&labelSelector=a", b"&fieldSelector=metadata.name%3D", b"%2C",
            b"9" * 50, b"\xef\xbb\xbf",
        ]
    ),
)  # fmt: skip


@st.composite
def damaged(draw: Callable[..., Any]) -> bytes:
    """A line with some bytes replaced, taken out, doubled or put in."""
    text = bytearray(draw(st.sampled_from(BASES)))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(text)))
        length = draw(st.sampled_from([0, 0, 1, 2, 9]))
        with_what = draw(st.one_of(INSERTED, st.just(b""), st.just(bytes(text[at : at + 30]))))
        text[at : at + length] = with_what
    return bytes(text)


@FEW
@given(texts=st.lists(damaged(), min_size=1, max_size=40))
def test_a_line_with_damaged_bytes_is_left_or_right(connection: Any, texts: list[bytes]) -> None:
    holds(connection, of(*texts))


JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**70), 2**70),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=8),
        st.sampled_from(["", "get", "create", "pods", "true", "2026-09-15T00:00:00Z", "/api?watch=true&x=1"]),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=6,
)
PLACES = [
    ("auditID",), ("stage",), ("level",), ("verb",), ("requestURI",), ("userAgent",), ("sourceIPs",), ("sourceIPs", 0),
    ("user",), ("user", "username"), ("user", "uid"), ("user", "groups"), ("user", "groups", 0), ("user", "extra"),
    ("user", "extra", "canonicalArn"), ("user", "extra", "accessKeyId"), ("impersonatedUser",),
    ("impersonatedUser", "username"), ("objectRef",), ("objectRef", "resource"), ("objectRef", "namespace"),
    ("objectRef", "name"), ("objectRef", "apiGroup"), ("objectRef", "subresource"), ("responseStatus",),
    ("responseStatus", "code"), ("responseStatus", "reason"), ("stageTimestamp",), ("requestReceivedTimestamp",),
    ("timestamp",), ("metadata",), ("requestObject",), ("responseObject",), ("annotations",),
    ("annotations", "authorization.k8s.io/reason"), ("annotations", "authorization.k8s.io/decision"),
    ("annotations", "audit.k8s.io/truncated"), ("verb",), ("unknown",),
]  # fmt: skip
SPELLINGS: list[Callable[[Any], str]] = [
    lambda one: json.dumps(one),
    lambda one: json.dumps(one, separators=(",", ":"), ensure_ascii=False),
    lambda one: json.dumps(one).replace(": ", " :\t").replace(", ", "\r , "),
    lambda one: json.dumps(one).replace("&", r"\u0026").replace("/", r"\/"),
]


@st.composite
def retyped(draw: Callable[..., Any]) -> bytes:
    """An event with other values in some places, written in one of several ways."""
    one = json.loads(draw(st.sampled_from(BASES)))
    for path in draw(st.lists(st.sampled_from(PLACES), max_size=3)):
        at = one
        for key in path[:-1]:
            at = at[key] if isinstance(at, dict) and key in at else {}
        if isinstance(at, dict):
            at[path[-1]] = draw(JSON)
        elif isinstance(at, list):
            at.append(draw(JSON))
    # a lone surrogate cannot be written as it is
    return draw(st.sampled_from(SPELLINGS))(one).encode(errors="replace")


@FEW
@given(texts=st.lists(retyped(), min_size=1, max_size=40))
def test_a_line_with_values_of_other_types_is_left_or_right(connection: Any, texts: list[bytes]) -> None:
    holds(connection, of(*texts))


@settings(FEW, max_examples=200)
@given(texts=st.lists(st.one_of(st.binary(max_size=80), damaged()), max_size=8))
def test_no_bytes_make_it_crash(texts: list[bytes]) -> None:
    found = extract(of(*texts), None)
    assert len(found.taken) == len(texts)
    assert found.rows.num_rows == found.taken.sum()


def with_member(member: bytes) -> bytes:
    return line(RICH)[:-2] + b"," + member + b"}\n"


LEFT = {
    "a key twice": with_member(b'"verb":"get"'),
    "a key of an object twice": line(RICH).replace(b'"user":{', b'"user":{"uid":"a","uid":"a",'),
    "an escaped key": with_member(rb'"ver\u0062":"get"'),
    "an escaped key further in": line(RICH).replace(b'"username"', rb'"user\u006eame"'),
    "a surrogate": line(event(agent="\U0001f600")),
    "U+0000": line(event(agent="\0")),
    "a long text": line(event(agent="x" * 1025)),
    "a long reason": line(event(annotations={"authorization.k8s.io/reason": "x" * 4097})),
    "a long entry of a list": line(event(sourceIPs=["10.0.0.7", "x" * 1025])),
    "a list of too many": line(event(sourceIPs=["10.0.0.7"] * 257)),
    "a body with facts": line(event(verb="create", resource="pods", body={"spec": {}})),
    "a secret in the URI": line(event(uri="/api?token=abc")),
    "a secret in the path": line(event(uri="/api;abc")),
    "a secret behind a proxy": line(event(uri="/api/v1/nodes/n/proxy/run/abc")),
    "a token in the URI": line(event(uri="/api/eyJhbGciOiJS")),
    "a label's value": line(event(uri="/api?labelSelector=a%3Db")),
    "no id": line({k: v for k, v in RICH.items() if k != "auditID"}),
    "no time": line({k: v for k, v in RICH.items() if k != "stageTimestamp"}),
    "a day that is none": line(event() | {"stageTimestamp": "2026-02-30T00:00:00Z"}),
    "deep nesting": with_member(b'"x":' + b"[" * 300 + b"]" * 300),
    "a trailing comma": line(RICH)[:-2] + b",}\n",
    "two events": line(RICH).rstrip() + line(RICH),
    "a number for a text": line(event(verb=5)),
    "a code in quotes": line(event() | {"responseStatus": {"code": "200"}}),
    "a list with a number": line(event() | {"sourceIPs": ["::1", 4]}),
    "a bare control character": with_member(b'"x":"\t"'),
    "an overlong character": with_member(b'"x":"\xc0\xaf"'),
}
TAKEN = {
    "rich": line(RICH),
    "not ASCII": json.dumps(RICH | {"userAgent": "𝄞/1.0 ü ☃"}, ensure_ascii=False).encode(),
    "spaces around": b" \t" + line(RICH).rstrip() + b" \t \r\n",
    "spaces within": json.dumps(RICH, indent=1).replace("\n", "\r").encode(),
    "no newline": line(RICH).rstrip(),
    "an escaped text": line(event(agent='a"b\\c\n\t\b\f\r/é☃')),
    "a body without facts": line(event(verb="get", body={"spec": {}})),
    "an unknown key twice": with_member(b'"x":1,"x":[]'),
    "a key of another object": with_member(b'"x":{"verb":1,"user":[],"verb":2}'),
    "nested 200 deep": with_member(b'"x":' + b"[" * 200 + b"]" * 200),
    "2 MB": line(event(padding="x" * 2_000_000)),
    "nulls": line(event() | {"user": None, "objectRef": None, "annotations": None, "sourceIPs": None}),
    "empty texts": line(event(user="", namespace="", name="", subresource="", group="") | {"userAgent": ""}),
    "empty lists": line(event() | {"sourceIPs": [], "user": {"groups": [], "extra": {"canonicalArn": []}}}),
    "truncated": line(event(annotations={"audit.k8s.io/truncated": "true"})),
    "not truncated": line(event(annotations={"audit.k8s.io/truncated": "false"})),
    "nanoseconds": line(event() | {"stageTimestamp": "2026-09-15T12:00:00.123456789Z"}),
    "whole seconds": line(event() | {"stageTimestamp": "2024-02-29T23:59:59Z"}),
    "a long text": line(event(agent="x" * 1024, uri="/" + "x" * 1023)),
    "a list of many": line(event(sourceIPs=["10.0.0.7"] * 256)),
    "a large number": with_member(b'"x":1' + b"0" * 30),
    "an agent with a token": line(event(agent="curl/8 Authorization: Bearer abc")),
    "a reason with a token": line(event(annotations={"authorization.k8s.io/reason": "hook: basic abc"})),
    "a name that is a token": line(event(name="eyJhbGciOiJS.eyJzdWIi.c2ln", uri="/api")),
    "selectors": line(event(uri="/api?fieldSelector=metadata.name%3Da&labelSelector=%21b")),
    "a word behind a proxy": line(event(uri="/api/v1/nodes/n/proxy/metrics")),
}


@pytest.mark.parametrize("text", TAKEN.values(), ids=TAKEN)
def test_an_ordinary_line_is_taken(connection: Any, text: bytes) -> None:
    # between others and last: nothing may be read behind the end
    assert holds(connection, of(text, line(RICH), text)).taken.tolist() == [True] * 3


@pytest.mark.parametrize("text", LEFT.values(), ids=LEFT)
def test_a_line_that_is_not_certain_is_left_to_the_sql(connection: Any, text: bytes) -> None:
    assert holds(connection, of(line(RICH), text, line(RICH), text)).taken.tolist() == [True, False, True, False]


def test_each_known_damage_is_left_or_right(connection: Any) -> None:
    holds(connection, of(*(one.raw for one in EVERY.values())))


def test_a_line_of_20_mb_is_taken(connection: Any) -> None:
    assert holds(connection, of(line(event(padding="x" * 20_000_000)))).taken.all()


def test_a_line_cut_off_at_the_end_of_the_buffer_is_left() -> None:
    whole = line(RICH).rstrip()
    assert [extract(of(whole[:cut]), None).taken.any() for cut in range(len(whole) + 1)] == [False] * len(whole) + [
        True
    ]


def test_no_lines_are_no_rows() -> None:
    found = extract(of(), None)
    assert (len(found.taken), found.rows.num_rows, found.outside) == (0, 0, {})


def test_without_raw_lines_there_is_no_length(connection: Any) -> None:
    found, sql = extract(of(line(RICH)), None, raw=False).rows, by_sql(connection, of(line(RICH)), None, raw=False)
    assert found["bytes"].to_pylist() == sql["bytes"].to_pylist() == [None]


def test_lines_without_the_first_are_those_that_are_left(connection: Any) -> None:
    some = of(line(event(name="one")), line(event(name="two")), line(event(name="three")))
    rest = Lines(some.text.slice(1), some.pos[1:], some.sizes[1:], some.digests[16:], None, 0)
    assert holds(connection, rest).rows["name"].to_pylist() == ["two", "three"]


def test_columns_of_few_texts_hold_each_once() -> None:
    rows = extract(of(*[line(event())] * 50), None).rows
    assert len(rows["username"].dictionary) == len(rows["groups"].values.dictionary) == 1
