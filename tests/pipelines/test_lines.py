"""Bytes to lines: what a shipper wrote is taken off; place, length and hash are those of what is left."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from builders import event, line
from hypothesis import given
from hypothesis import strategies as st
from parsing import parse

from pipelines.config import ParseConfig
from pipelines.engine import engine
from pipelines.parsing import handed as module
from pipelines.parsing.handed import SCHEMA, record_batches
from pipelines.parsing.lines import HASH_BYTES, Lines, lines_of, split, without
from pipelines.parsing.wrapped import unwrap
from pipelines.sources.base import Batch

ONE = line(event(audit_id="one", agent="café ☃")).rstrip()
TWO = line(event(audit_id="two")).rstrip()
BOM = b"\xef\xbb\xbf"
STAMP = "2026-09-15T12:00:00.123"
STAMP_MS = 1789473600123


def read(data: bytes, offset: int = 0, **more: Any) -> Lines:
    return lines_of(Batch("o", offset, data, **more))


def texts(found: Lines) -> list[bytes]:
    """What the engine is given, the ends of lines apart."""
    return [one.rstrip(b"\r\n") for one in found.text.cast(pa.binary()).to_pylist()]


def digests(found: Lines) -> list[bytes]:
    return [found.digests[i : i + HASH_BYTES] for i in range(0, len(found.digests), HASH_BYTES)]


def digest(text: bytes) -> bytes:
    return sha256(text).digest()[:HASH_BYTES]


def times(found: Lines) -> list[int | None]:
    return [None] * len(found) if found.logged_ms is None else found.logged_ms.to_pylist()


def delimited(found: Lines, data: bytes, offset: int = 0) -> list[bytes]:
    """The bytes of the object that place and length name; they must be those hashed and those handed on."""
    named = [data[p - offset :][:n] for p, n in zip(found.pos.tolist(), found.sizes.tolist(), strict=True)]
    assert digests(found) == [digest(one) for one in named]
    assert texts(found) == named
    return named


# Prefixes

PREFIXES = {
    "none": (b"", None),
    "export task": (f"{STAMP}Z ".encode(), STAMP_MS),
    "CRI, whole": (b"2026-09-15T12:00:00.123456789Z stdout F ", STAMP_MS),
    "CRI, part": (b"2026-09-15T12:00:00.123456789Z stderr P ", STAMP_MS),
    "no fraction": (b"2026-09-15T12:00:00Z ", STAMP_MS - 123),
    "space for the T": (b"2026-09-15 12:00:00.123 ", None),
    "epoch": (b"1789473600.123 ", None),
    "syslog": (b"34 <6> host audit: ", None),
    "as long as may be": (b"2" + b"x" * 62 + b" ", None),
    "a byte order mark": (BOM, None),
    "a hole": (b"\0" * 100_000, None),
    "a hole, marks and a time": (b"\0" + BOM + b"\0\0" + BOM + f"{STAMP}Z ".encode(), STAMP_MS),
}


@pytest.mark.parametrize(("prefix", "at_ms"), PREFIXES.values(), ids=PREFIXES)
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""], ids=["lf", "crlf", "unterminated"])
def test_a_prefix_is_taken_off_and_place_length_and_hash_are_those_of_the_event(
    prefix: bytes, at_ms: int | None, end: bytes
) -> None:
    data = prefix + ONE + (end or b"\n") + b"\r\n" + prefix + TWO + end
    found = read(data, 1000)
    assert delimited(found, data, 1000) == [ONE, TWO]
    assert times(found) == [at_ms, at_ms]
    assert found.blank == 1


NO_PREFIXES = {
    "a list": b"[" + ONE + b"," + TWO + b"]",
    "a list behind a time": f"{STAMP}Z [".encode() + ONE + b"]",
    "quoted text": b'"{' + b'a}"',
    "quoted behind a time": f'{STAMP}Z "'.encode() + ONE + b'"',
    "text first": b"audit: " + ONE,
    "a brace too far": b"2" + b"x" * 63 + b" " + ONE,
    "no space before the brace": f"{STAMP}Z".encode() + ONE,
    "no brace": f"{STAMP}Z stdout F audit backend restarted".encode(),
    "only digits": b"0",
    "a brace on the next line only": f"{STAMP}Z".encode(),
    "bytes that are no text": b"\xff\xfe2026 " + ONE,
    "spaces": b"  \t",
    "nothing but a hole": b"\0" * 9,
    "nothing but a mark": BOM,
    "half a mark": BOM[:2] + ONE,
    "a hole inside": ONE[:50] + b"\0" * 9 + ONE[50:],
}


@pytest.mark.parametrize("other", NO_PREFIXES.values(), ids=NO_PREFIXES)
def test_what_is_no_prefix_stays_where_it_is(other: bytes) -> None:
    data = other + b"\n" + ONE + b"\n" + other
    found = read(data, 7)
    assert delimited(found, data, 7) == [other, ONE, other]
    assert times(found) == [None] * 3


def test_lines_with_and_without_a_prefix_keep_their_own_times_and_places() -> None:
    stamps = [f"2026-09-15T12:00:0{n}.00{n}Z " if n % 2 else "" for n in range(6)]
    data = b"".join(s.encode() + one + b"\n" for s, one in zip(stamps, [ONE, TWO] * 3, strict=True))
    found = read(data)
    assert delimited(found, data) == [ONE, TWO] * 3
    assert times(found) == [None, STAMP_MS + 878, None, STAMP_MS + 2880, None, STAMP_MS + 4882]


# Times


@pytest.mark.parametrize(
    "stamp",
    [
        "2024-02-29T00:00:00.000",
        "2028-02-29T23:59:59.999",
        "2000-02-29T12:00:00.500",
        "2100-03-01T00:00:00.000",
        "2026-01-31T23:59:59.999",
        "2026-02-28T23:59:59.999",
        "2026-03-01T00:00:00.000",
        "2026-04-30T00:00:00.001",
        "2026-12-31T23:59:59.999",
        "1970-01-01T00:00:00.001",
    ],
)
def test_a_stamp_is_read_as_the_calendar_has_it(stamp: str) -> None:
    expected = datetime.fromisoformat(stamp).replace(tzinfo=UTC)
    assert times(read(f"{stamp}Z ".encode() + ONE)) == [round(expected.timestamp() * 1000)]


@given(st.datetimes(datetime(1970, 1, 2), datetime(2999, 12, 31)))  # noqa: DTZ001 (hypothesis takes naive bounds)
def test_any_stamp_comes_back_to_the_millisecond(moment: datetime) -> None:
    stamp = moment.isoformat(timespec="milliseconds")
    expected = datetime.fromisoformat(stamp).replace(tzinfo=UTC)
    assert times(read(f"{stamp}Z {{}}\n".encode())) == [round(expected.timestamp() * 1000)]


BAD_STAMPS = (
    "2026-13-01T00:00:00.000",
    "2026-00-10T00:00:00.000",
    "2026-02-29T00:00:00.000",
    "2026-04-31T00:00:00.000",
    "2026-01-00T00:00:00.000",
    "2026-01-32T00:00:00.000",
    "2026-01-01T24:00:00.000",
    "2026-01-01T00:60:00.000",
    "2026-01-01T00:00:61.000",
    "2026/01/01T00:00:00.000",
    "2o26-01-01T00:00:00.000",
    "2026-01-01T0a:00:00.000",
    "1969-12-31T23:59:59.999",
    "0000-00-00T00:00:00.000",
    "9999-99-99T99:99:99.999",
)


@pytest.mark.parametrize("stamp", BAD_STAMPS)
def test_a_stamp_that_is_no_time_dates_nothing_and_is_taken_off_all_the_same(stamp: str) -> None:
    data = f"{stamp}Z ".encode() + ONE + b"\n" + f"{STAMP}Z ".encode() + TWO
    found = read(data)
    assert delimited(found, data) == [ONE, TWO]
    assert times(found) == [None, STAMP_MS]


@pytest.mark.parametrize(("zone", "hours"), [("+02:00", -2), ("-05:00", 5), ("+00:00", 0)])
def test_a_stamp_of_another_zone_dates_by_that_zone(zone: str, hours: int) -> None:
    assert times(read(f"{STAMP}456789{zone} stdout F ".encode() + ONE)) == [STAMP_MS + hours * 3_600_000]


def test_a_stamp_without_a_zone_dates_nothing() -> None:
    assert times(read(f"{STAMP} stdout F ".encode() + ONE)) == [None]


# Fluent Bit and its like


def wrapped(text: str, key: str = "log") -> bytes:
    return json.dumps({"date": 1.5, key: text, "stream": "stdout"}).encode()


@pytest.mark.parametrize("key", ["log", "message"])
@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\n\n"])
@pytest.mark.parametrize("last", [b"\n", b""], ids=["terminated", "unterminated"])
def test_an_event_that_a_shipper_wrapped_as_text_has_its_own_bytes_back(key: str, end: str, last: bytes) -> None:
    outer = [wrapped(one.decode() + end, key) for one in (ONE, TWO, ONE)]
    found = read(b"\n".join(outer) + last, 50)
    assert texts(found) == [ONE, TWO, ONE]
    assert digests(found) == [digest(ONE), digest(TWO), digest(ONE)]
    assert found.sizes.tolist() == [len(ONE), len(TWO), len(ONE)]
    assert found.pos.tolist() == [50, 51 + len(outer[0]), 52 + len(outer[0]) + len(outer[1])]
    assert found.blank == 0


def test_among_wrapped_lines_others_stay_as_they_are() -> None:
    others = [ONE, b'{"log":5}', b'{"log":', b'["log"]', b'{"auditID":"x","log":"y"}', b"text", b"\xff", b'{"a":1}']
    data = b"\n".join([wrapped(TWO.decode()), *others, wrapped(TWO.decode()), b""])
    assert texts(read(data)) == [TWO, *others, TWO]


def test_a_time_inside_the_wrapper_dates_the_line() -> None:
    found = read(wrapped(f"{STAMP}Z stdout F {ONE.decode()}") + b"\n" + wrapped(TWO.decode()) + b"\n")
    assert texts(found) == [ONE, TWO]
    assert times(found) == [STAMP_MS, None]


def test_a_line_break_inside_the_wrapper_makes_no_second_line() -> None:
    pretty = json.dumps({"a": 1}, indent=1)
    found = read(wrapped(pretty) + b"\n" + wrapped(TWO.decode()) + b"\n")
    assert texts(found) == [pretty.replace("\n", " ").encode(), TWO]


def test_what_is_no_text_is_taken_out_of_its_wrapper_byte_by_byte() -> None:
    data = [rb'{"log":"{\"a\":\"\ud800\"}"}', b'{"log":"{\\"a\\":\\"\xff\\"}"}']
    assert texts(read(b"\n".join(data))) == [b'{"a":"\xed\xa0\x80"}', b'{"a":"\xff"}']


@pytest.mark.parametrize("escape", [rb"\x", rb"\u12", b"\\"])
def test_what_is_no_escape_keeps_the_line_in_its_wrapper(escape: bytes) -> None:
    broken = b'{"log":"{}' + escape + b'"}'
    data = wrapped(ONE.decode()) + b"\n" + broken + b"\n"
    assert texts(read(data)) == [ONE, broken]
    assert unwrap(broken) is None


@pytest.mark.parametrize("text", ["", "\n", "\r\n"])
@pytest.mark.parametrize("end", [b"\n", b""], ids=["terminated", "unterminated"])
def test_a_wrapped_blank_line_is_blank_wherever_it_stands(text: str, end: bytes) -> None:
    blank = wrapped(text)
    found = read(wrapped(ONE.decode()) + b"\n" + blank + b"\n" + wrapped(TWO.decode()) + b"\n" + blank + end)
    assert texts(found) == [ONE, TWO]
    assert (len(found), found.blank) == (2, 2)


def test_events_of_an_envelope_are_never_unwrapped_again() -> None:
    inner = wrapped(ONE.decode())
    found = read(inner + b"\n" + inner + b"\n", starts=np.array([3, 900]))
    assert texts(found) == [inner, inner]


# Blank lines, ends, what the batch brings along


def test_blank_lines_are_counted_and_move_no_place() -> None:
    data = b"\n\r\n\n" + ONE + b"\r\n\n" + TWO + b"\n\r\r\n"
    found = read(data, 9)
    assert delimited(found, data, 9) == [ONE, TWO]
    assert found.blank == 5


@pytest.mark.parametrize("data", [b"", b"\n", b"\r\n\r\n"])
def test_nothing_but_blank_lines_is_no_line(data: bytes) -> None:
    found = read(data)
    assert (len(found), found.blank, found.digests) == (0, data.count(b"\n"), b"")
    assert list(record_batches(found, 0, raw=True)) == []


def test_places_behind_a_million_blank_lines_are_true() -> None:
    data = ONE + b"\n" * 1_000_000 + b"\r\n" + TWO + b"\n\n" + ONE
    found = read(b"\n" + data, 9)
    assert delimited(found, b"\n" + data, 9) == [ONE, TWO, ONE]
    assert found.blank == 1_000_002


def test_places_and_times_of_an_envelope_are_carried_through() -> None:
    data = ONE + b"\n\n" + f"{STAMP}Z ".encode() + TWO + b"\n"
    found = read(data, 100, starts=np.array([5, 900, 1700]), times_ms=np.array([STAMP_MS, 7, 0]))
    assert texts(found) == [ONE, TWO]
    assert found.pos.tolist() == [105, 1800 + len(STAMP) + 2]
    assert times(found) == [STAMP_MS, None]
    assert found.blank == 1


def test_the_time_of_an_envelope_stands_above_that_of_a_prefix() -> None:
    data = f"{STAMP}Z ".encode() + ONE + b"\n"
    assert times(read(data, starts=np.array([0]), times_ms=np.array([5]))) == [5]


def test_known_lines_are_left_out_with_all_that_belongs_to_them() -> None:
    data = b"".join(f"{STAMP[:-1]}{n}Z ".encode() + line(event(audit_id=f"{n}")) for n in range(6))
    found = read(data + b"\n")
    rest = without(found, np.array([n % 2 == 0 for n in range(6)]))
    assert delimited(rest, data) == delimited(found, data)[1::2]
    assert times(rest) == times(found)[1::2]
    assert rest.blank == found.blank == 1
    assert len(without(found, np.full(6, True))) == 0


# What the engine is handed


@pytest.mark.parametrize("raw", [True, False])
def test_the_engine_is_handed_every_line_with_what_is_known_of_it(raw: bool) -> None:
    data = f"{STAMP}Z ".encode() + ONE + b"\n\n" + TWO + b"\n"
    (batch,) = record_batches(read(data, 10), 3, raw)
    assert batch.schema == SCHEMA
    start = 10 + len(STAMP) + 2
    assert batch.drop_columns(["line"]).to_pylist() == [
        {
            "source": 3,
            "pos": pos,
            "line_bytes": len(one),
            "line_hash": sha256(one).hexdigest()[:32],
            "raw": raw,
            "cut": False,
            "logged_ms": at_ms,
            "inside": 0,
            "left_out": None,
            "whole_sha256": None,
        }
        for pos, one, at_ms in ((start, ONE, STAMP_MS), (start + len(ONE) + 2, TWO, None))
    ]


@pytest.mark.parametrize("sizes", [[100] * 200, [5, 3000, 5, 5, 900, 1200] * 9, [9000], [9000, 9000, 1]])
def test_batches_for_the_engine_are_cut_fairly(monkeypatch: pytest.MonkeyPatch, sizes: Sequence[int]) -> None:
    monkeypatch.setattr(module, "_SLICE_BYTES", 1000)
    data = b"".join(b"%05d" % i + b"x" * (size - 5) + b"\n" for i, size in enumerate(sizes))
    cut = list(record_batches(read(data), 0, raw=True))
    handed = [row for batch in cut for row in batch["line"].to_pylist()]
    assert handed == data.decode().splitlines(keepends=True)
    weights = [sum(batch["line_bytes"].to_pylist()) for batch in cut]
    assert min(batch.num_rows for batch in cut) > 0
    assert max(weights) < 1000 + max(sizes)
    # a long line stands alone or ends a batch
    assert len(cut) <= 1 + sum(weights) // 1000 + sum(size > 1000 for size in sizes)


# Any bytes

PIECES = (
    b"\n", b"\r\n", b"{", b"}", b" ", b"0", b"2026-09-15T12:00:00.123Z ", b"\xff", b"\0", ONE, b'{"log":"x"}',
    BOM, b'{"log":""}', b'{"log":"\\n"}', b'{"message":"{}\\r\\n"}', b'{"log":"\\ud800"}', b"[", b'"', b"2 {",
)  # fmt: skip


_ANY_BYTES = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join),
    st.lists(st.sampled_from(PIECES), max_size=6).map(b"\n".join),
    st.binary(max_size=80),
)


def whole_lines(data: bytes) -> list[bytes]:
    """Lines as anybody would count them, without their ends."""
    parts = data.split(b"\n")
    if not parts[-1]:
        parts.pop()
    return [part.rstrip(b"\r") for part in parts]


@given(_ANY_BYTES)
def test_no_line_of_any_bytes_is_lost(data: bytes) -> None:
    found = read(data, 11)
    assert len(found) + found.blank == len(whole_lines(data))
    assert len(found.pos) == len(found.sizes) == len(found.text) == len(digests(found)) == len(found)
    assert found.pos.tolist() == sorted(found.pos.tolist())
    assert sum(batch.num_rows for batch in record_batches(found, 0, raw=True)) == len(found)


@given(
    st.lists(st.sampled_from([p for p in PIECES if b"log" not in p and b"mess" not in p]), max_size=12).map(b"".join)
)
def test_place_and_length_name_the_bytes_of_the_hash_in_any_bytes(data: bytes) -> None:
    found = read(data, 11)
    ends = [p + n for p, n in zip(found.pos.tolist(), found.sizes.tolist(), strict=True)]
    for one, text, end in zip(delimited(found, data, 11), texts(found), ends, strict=True):
        assert one == text
        assert data[end - 11 :].lstrip(b"\r")[:1] in (b"", b"\n")
    assert len(found) == sum(bool(one) for one in whole_lines(data))


@given(st.binary(max_size=200))
def test_lines_are_split_at_line_feeds_only(data: bytes) -> None:
    edges = split(data).tolist()
    assert [data[a:b] for a, b in pairwise(edges)] == [p for p in _kept(data) if p]


def _kept(data: bytes) -> list[bytes]:
    parts = data.split(b"\n")
    return [*(part + b"\n" for part in parts[:-1]), parts[-1]]


WRAPPED = json.dumps(line(event(audit_id="wrapped")).decode())


@pytest.mark.parametrize(
    ("wrapper", "found"),
    [
        (f'{{"log":"","message":{WRAPPED}}}', ["wrapped"]),
        (f'{{"log":{WRAPPED},"message":""}}', ["wrapped"]),
        (f'{{"log":{json.loads(WRAPPED).strip()},"message":"x"}}', ["wrapped"]),
        (f'{{"log":{WRAPPED},"log":""}}', []),
        (f'{{"log":"x","log":{WRAPPED}}}', []),
    ],
)
def test_a_wrapper_that_says_more_than_one_thing_loses_no_event(wrapper: str, found: list[str]) -> None:
    with engine(ParseConfig()) as made:
        parsed = parse(made, Batch("o", 0, wrapper.encode()))
    assert parsed.rows["audit_id"].to_pylist() == found
    assert (parsed.quarantine.num_rows, parsed.blank) == (1 - len(found), 0)
