"""The small readers of compiled code against what they stand for: JSON, the engine's times, the redaction of URIs."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.compiled.fields import keys
from pipelines.compiled.query import harmless
from pipelines.compiled.strict import ESCAPED, PLACE, literal_end, number_end, past_space, string_end
from pipelines.compiled.times import NO_TIME, microseconds
from pipelines.compiled.vectors import WIDTH
from pipelines.parsing.events import COLUMNS
from pipelines.parsing.redact import REDACTED_URI

# a first call compiles
ANY_TIME = settings(deadline=None)


def at(data: bytes, reader: Any, *more: int) -> int:
    """What a reader says of the bytes, as a place in them where it gives one."""
    held = np.frombuffer(data + bytes(1), np.uint8)
    start = held.ctypes.data
    found = int(reader(start, start + len(data), *(m if m >= 0 else start + len(data) for m in more)))
    return found if found < 0 else found - start


def end_of_string(data: bytes) -> int:
    return at(data, string_end, -1)


@ANY_TIME
@given(text=st.text(max_size=100), more=st.binary(max_size=WIDTH + 2), ascii_only=st.booleans())
def test_a_string_ends_at_its_quote(text: str, more: bytes, ascii_only: bool) -> None:
    text = text.encode(errors="ignore").decode()
    written = json.dumps(text, ensure_ascii=ascii_only).encode()
    found = end_of_string(written[1:] + more)
    certain = "\0" not in text and not (ascii_only and any(c > "\uffff" for c in text))
    assert found == ((len(written) - 2) | (ESCAPED if b"\\" in written else 0) if certain else -1)


@ANY_TIME
@given(data=st.binary(max_size=80))
def test_no_other_bytes_are_a_string(data: bytes) -> None:
    found = end_of_string(data)
    if found >= 0:
        text = json.loads(b'"' + data[: found & PLACE] + b'"')
        assert isinstance(text, str)


@pytest.mark.parametrize("text", [r"\u00e9", r"\n", "é", "☃", "𝄞"])
@pytest.mark.parametrize("before", [0, 5, WIDTH - 2, WIDTH])
def test_no_quote_ends_a_character_that_is_cut_off(text: str, before: int) -> None:
    whole = b"x" * before + text.encode()
    assert end_of_string(whole + b'"') & PLACE == len(whole)
    assert end_of_string(whole[:-1] + b'"') == -1


def test_utf_8_is_what_python_decodes() -> None:
    """All first bytes, and second ones around every border."""
    for first in range(128, 256):
        for second in (0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0):
            for more in (b"", b"\x80", b"\xbf\x80", b"\x80\x80\x80", b"\x80\x7f"):
                text = bytes([first, second]) + more
                try:
                    text.decode()
                    expected = len(text)
                except UnicodeDecodeError:
                    expected = -1
                assert end_of_string(text + b'"') == expected, text


def is_json(data: bytes) -> bool:
    try:
        json.loads(data, parse_constant=float.fromhex)
    except ValueError:
        return False
    return True


@ANY_TIME
@given(data=st.text("0123456789-+.eE", max_size=8).map(str.encode))
def test_a_number_is_one_of_json(data: bytes) -> None:
    end = at(data, number_end)
    assert end < 0 or is_json(data[:end])
    if is_json(data) and not (b"e" in data.lower() and len(data) > 4):
        assert end == len(data)


@pytest.mark.parametrize("text", ["true", "false", "null"])
def test_literals_end_where_they_end(text: str) -> None:
    assert at(text.encode() + b"x", literal_end) == len(text)
    assert at(text.encode()[:-1], literal_end) == at(text.upper().encode(), literal_end) == -1


def test_whitespace_is_what_json_calls_so() -> None:
    assert [c for c in range(256) if at(bytes([c]), past_space) == 1] == [9, 10, 13, 32]


STAMP = next(c.sql for c in COLUMNS if c.name == "received_ts").replace("e.requestReceivedTimestamp", "t")


def micros(text: str) -> int:
    held = np.frombuffer(text.encode() + bytes(1), np.uint8)
    return int(microseconds(held.ctypes.data, len(text.encode())))


def by_engine(text: str) -> int | None:
    found = duckdb.execute(
        f"SELECT epoch_us({STAMP}) FROM (SELECT ?::VARCHAR AS t)", [text], connection=CONNECTION
    ).fetchall()[0][0]
    return None if found is None else int(found)


CONNECTION = duckdb.connect()
CONNECTION.execute("SET TimeZone = 'UTC'")
TIME = st.datetimes(datetime(1000, 1, 1), datetime(2999, 12, 31))  # noqa: DTZ001 - the time of a text
FRACTION = st.from_regex(r"(\.[0-9]{1,9})?", fullmatch=True)


@ANY_TIME
@given(moment=TIME, fraction=FRACTION)
def test_a_time_is_read_as_the_engine_reads_it(moment: datetime, fraction: str) -> None:
    text = f"{moment:%Y-%m-%dT%H:%M:%S}".rjust(19, "0") + fraction + "Z"
    exact = (moment.replace(microsecond=0, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert micros(text) == by_engine(text) == exact + int(fraction[1:7].ljust(6, "0"))


@settings(ANY_TIME, max_examples=300)
@given(at=st.integers(0, 26), other=st.sampled_from("0123456789:-.TZtz+ /x"), length=st.integers(18, 31))
def test_a_time_in_another_spelling_is_none_or_the_engines(at: int, other: str, length: int) -> None:
    text = "2026-02-28T23:59:59.123456"[: length - 1] + "Z"
    text = text[:at] + other + text[at + 1 :]
    assert micros(text) in (NO_TIME, by_engine(text))


@pytest.mark.parametrize(
    "text",
    ["2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-04-31T00:00:00Z",
     "1900-02-29T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:60Z",
     "0999-01-01T00:00:00Z", "3000-01-01T00:00:00Z", "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00",
     "2026-01-01T00:00:00.1234567890Z"],
)  # fmt: skip
def test_a_time_that_is_none_is_not_read(text: str) -> None:
    assert micros(text) == NO_TIME


PIECES = st.sampled_from(
    ["/api", "/v1", "?", "&", "=", ";", "limit", "watch", "true", "token", "command", "labelSelector", "a%3Db", "<",
     "é", "\\", '"', "\n", "1", "", "limit=5", "&watch=true", "/api/v1/nodes/n/proxy", "/metrics", "/", "#", "%3f",
     "%2C", "%21", "!", ",", "&labelSelector=", "&fieldSelector=", "metadata.name%3D", "status.phase!=", "%2F", "%",
     "%2", "eyJ", "eyJhbGciOiJS", ".", "%3A", ":", "-_"]
)  # fmt: skip


@settings(ANY_TIME, max_examples=400)
@given(uri=st.lists(PIECES, max_size=8).map("".join), spelling=st.integers(0, 2))
def test_a_uri_that_is_called_harmless_is_one_that_redaction_leaves_alone(uri: str, spelling: int) -> None:
    written = json.dumps(uri)[1:-1]
    for plain, escaped in [(), (("&", r"\u0026"),), (("?", r"\u003F"), ("=", r"\u003d"))][spelling]:
        written = written.replace(plain, escaped)
    held = np.frombuffer(written.encode() + bytes(1), np.uint8)
    start, end = held.ctypes.data, held.ctypes.data + len(written.encode())
    if harmless(start, end, end, keys().ctypes.data):
        redacted = CONNECTION.execute(
            f"SELECT {REDACTED_URI} FROM (SELECT {{'requestURI': ?::VARCHAR}} AS e)", [uri]
        ).fetchall()[0][0]
        assert redacted == uri


@pytest.mark.parametrize(
    "uri",
    [
        "/a", "/a?", "/a?limit=5", r"/a?limit\u003d5\u0026watch=true&", "/a?&&force&timeout=",
        r"/a?fieldSelector=metadata.name%3Da.b-c\u0026limit=5",
        "/a?fieldSelector=status.phase%21%3DFailed%2Cspec.nodeName=",
        "/a?labelSelector=%21a%2Fb%2C%21c,d", "/a?labelSelector&fieldSelector=", "/api/v1/nodes/n/proxy/metrics",
        "/api/v1/nodes/n/proxy/", "/api/v1/nodes/n/proxy",
    ],
)  # fmt: skip
def test_an_everyday_uri_is_called_harmless(uri: str) -> None:
    held = np.frombuffer(uri.encode(), np.uint8)
    end = held.ctypes.data + len(uri)
    assert harmless(held.ctypes.data, end, end, keys().ctypes.data)
