"""Damage in an envelope costs what is damaged: its bytes go to quarantine, the neighbours are read, nothing is lost."""

from __future__ import annotations

import gc
import itertools
import json
import random
import time
from hashlib import sha256

import pytest
from builders import event
from envelope_builders import LINES, Walked, compact, firehose, line_of, record, walked
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipelines.envelopes import values
from pipelines.sources import stored

RECORDS = [compact(record(LINES[i : i + 3])) for i in range(0, 12, 3)]
FEW = [line_of(event(name=f"n{i}", audit_id=f"good-{i}", agent='a"}{,[]')) for i in range(6)]


def texts_at(data: bytes, found: Walked) -> list[bytes]:
    """What stands in the object where each line is said to have stood."""
    return [data[at : at + len(text)] for text, at in zip(found.lines, found.at, strict=True)]


@pytest.mark.parametrize(("chunk", "step"), [(50, 13), (16_000_000, 1)])
def test_a_cut_object_keeps_every_whole_record(monkeypatch: pytest.MonkeyPatch, chunk: int, step: int) -> None:
    monkeypatch.setattr(stored, "_BATCH_BYTES", chunk)
    few = [compact(record(FEW[i : i + 2])) for i in (0, 2, 4)]
    data = b"".join(few)
    ends = list(itertools.accumulate(map(len, few)))
    for cut in range(0, len(data), step):
        found = walked(data[:cut])
        whole = sum(end <= cut for end in ends)
        begin = ends[whole - 1] if whole else 0
        assert found.lines[: 2 * whole] == FEW[: 2 * whole]
        assert b"".join(found.lines[2 * whole :]) == data[begin:cut].rstrip(b",")


@pytest.mark.parametrize("between", [b"", b"\n"], ids=["joined", "lines"])
def test_a_record_cut_anywhere_costs_no_other(between: bytes) -> None:
    first, bad, last = (compact(record(FEW[i : i + 2])) for i in (0, 2, 4))
    for cut in range(1, len(bad)):
        data = first + between + bad[:cut] + between + last
        found = walked(data)
        assert found.lines == [*FEW[:2], bad[:cut].strip(b","), *FEW[4:]]
        assert found.at[2] == len(first + between)


@pytest.mark.parametrize("between", [b",", b",\n", b"\n", b""], ids=["array", "array of lines", "lines", "joined"])
def test_an_event_cut_anywhere_costs_no_other(between: bytes) -> None:
    bad = FEW[2]
    for cut in range(1, len(bad)):
        data = b"[\n" + between.join([FEW[0], FEW[1], bad[:cut], FEW[3], FEW[4]]) + b"\n]"
        found = walked(data)
        assert found.lines[:2] == FEW[:2]
        assert {FEW[0], FEW[1], FEW[3], FEW[4]} <= set(found.lines)
        assert bad[:cut].strip(b",") in found.lines


@pytest.mark.parametrize("chunk", [50, 16_000_000])
@pytest.mark.parametrize("indent", [2, None], ids=["pretty", "compact"])
def test_one_wrong_byte_in_a_list_costs_one_event(
    monkeypatch: pytest.MonkeyPatch, chunk: int, indent: int | None
) -> None:
    monkeypatch.setattr(stored, "_BATCH_BYTES", chunk)
    events = [event(audit_id=f"e{i}", body={"a": [{"b": 1}, {"kind": "x"}]}) for i in range(3)]
    data = b"[\n" + json.dumps(events, indent=indent).encode()[1:]
    begins = walked(data).at
    for at in range(begins[0], begins[2], 3):
        found = walked(data[:at] + b"\x01" + data[at + 1 :])
        hit = 0 if at < begins[1] else 1
        assert {"e0", "e1", "e2"} - {f"e{hit}"} <= {_id(text) for text in found.lines}


def _id(text: bytes) -> str | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return str(found.get("auditID")) if isinstance(found, dict) else None


def test_the_lines_of_a_damaged_record_say_where_they_stood() -> None:
    bad = RECORDS[1].replace(b'"logEvents":[', b'"logEvents":[\n garbage,,\n\n', 1)
    data = RECORDS[0] + bad + RECORDS[2]
    found = walked(data)
    assert found.good == LINES[:3] + LINES[6:9]
    damaged = [x for x in found.lines if x not in LINES]
    assert len(damaged) == 3
    assert damaged[1] == b"garbage"
    assert all(text == there for text, there in zip(found.lines, texts_at(data, found), strict=True) if text in damaged)
    assert b"".join(damaged).translate(None, b", \n") == bad.translate(None, b", \n")


@pytest.mark.parametrize("chunk", [100, 16_000_000])
@pytest.mark.parametrize("between", [b"", b"\n"], ids=["joined", "lines"])
def test_a_record_too_long_is_measured_and_costs_no_other(
    monkeypatch: pytest.MonkeyPatch, chunk: int, between: bytes
) -> None:
    monkeypatch.setattr(stored, "_BATCH_BYTES", chunk)
    monkeypatch.setattr(stored, "MAX_LINE_BYTES", 9000)
    first, last = (compact(record(FEW[i : i + 2])) for i in (0, 2))
    long = compact(record([b"x" * 1000] * 40))
    found = walked(first + between + long + between + last)
    assert found.lines == FEW[:4]
    (told,) = found.long
    assert (told.offset, told.length, told.sha256) == (
        len(first + between),
        len(long),
        sha256(long).hexdigest(),
    )
    assert told.start == long[:4096]


def test_a_list_that_is_not_closed_keeps_its_events() -> None:
    for tail in (b"", b"]", b"]}", b'],"kind"', b'],"kind":"EventList"', b",", b",\n"):
        found = walked(b'{"kind":"EventList","items":[\n' + b",\n".join(FEW) + tail)
        assert found.lines[: len(FEW)] == FEW
        assert b"".join(found.lines[len(FEW) :]) == tail.strip(b"],\n} ")


def test_what_stands_behind_a_list_without_belonging_to_it_is_told() -> None:
    found = walked(b'{"kind":"EventList","items":[\n' + b",\n".join(FEW) + b'],"auditID":"lost","verb":"get"}')
    assert found.lines == [*FEW, b'"auditID":"lost","verb":"get"}']


@pytest.mark.parametrize("piece", [b"[[1,2],3]", b"null", b"true", b'"text"', b"0.5", b"\1\1\1", b"\x85\xa0", b"nul"])
def test_what_is_no_object_between_events_is_told(piece: bytes) -> None:
    found = walked(b"[\n" + FEW[0] + b",\n" + piece + b",\n" + FEW[1] + b"]")
    assert found.lines[0] == FEW[0]
    assert found.lines[-1] == FEW[1]
    assert found.lines[1:-1] == [piece.lstrip(b"[")]


def test_deeper_nesting_than_the_scanner_goes_costs_nothing_else() -> None:
    deep = FEW[1].replace(b'"verb"', b'"deep":' + b"[" * 5000 + b"]" * 5000 + b',"verb"', 1)
    found = walked(b"[\n" + b",\n".join([FEW[0], deep, FEW[2]]) + b"]")
    assert found.lines == [FEW[0], deep, FEW[2]]


HEADS = [
    b'{"messageType":"DATA_MESSAGE","logEvents":[',
    RECORDS[0],
    b"[\n",
    b"[\n" + FEW[0] + b",",
    b'{"kind":"EventList","items":[\n',
    b'{"kind":"EventList","items":[' + FEW[0] + b"\n],",
    b'{\n "kind": "Event",',
    FEW[0] + FEW[1],
    b"",
]
PIECES = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b"\n", b" ", b'{"a":1}', b'{"items":[', b"}{", *FEW]
    ),
    st.sampled_from(RECORDS).flatmap(lambda r: st.integers(0, len(r)).map(lambda n: r[:n])),
    st.sampled_from(RECORDS).flatmap(lambda r: st.integers(0, len(r)).map(lambda n: r[n:])),
)


@settings(max_examples=120, deadline=None)
@given(st.sampled_from(HEADS), st.lists(PIECES, max_size=6).map(b"".join), st.sampled_from([5, 300, 16_000_000]))
@example(HEADS[0], b'{"message":"', 5)
@example(HEADS[4], b'{"auditID":[', 300)
def test_no_bytes_behind_an_envelopes_head_raise_or_cost_a_good_neighbour(
    head: bytes, noise: bytes, chunk: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stored, "_BATCH_BYTES", chunk)
        patch.setattr(values, "_CLOSE_BYTES", 200)
        for good, wanted in ((RECORDS[1], LINES[3:6]), (FEW[4] + b"\n" + FEW[5], FEW[4:])):
            found = walked(head + noise + b"\n" + good + b"\n")
            # an object read as plain lines leaves records to quarantine
            assert found.plain or set(wanted) <= set(found.lines)


WORDS = [b"ZQX", b'"ZQX"', b'{"ZQX":1}', b'{"a":"ZQX"}', b"[ZQX]", b'"ZQX":1', b'{"ZQX', b"\nZQX\n", b'{"items":[ZQX']
SIGNS = [b"{", b"}", b"[", b"]", b",", b":", b'"', b"\n", b" "]


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(HEADS),
    st.lists(st.sampled_from([*WORDS, *SIGNS]), min_size=1, max_size=12),
    st.sampled_from([5, 16_000_000]),
)
def test_nothing_between_good_values_is_lost_in_silence(head: bytes, pieces: list[bytes], chunk: int) -> None:
    noise = b"".join(pieces)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stored, "_BATCH_BYTES", chunk)
        patch.setattr(values, "_CLOSE_BYTES", 200)
        found = walked(head + noise + b"\n" + FEW[4] + FEW[5])
    assert b"".join(found.lines).count(b"ZQX") == noise.count(b"ZQX")


@pytest.mark.parametrize("close", [500, 256_000])
def test_random_damage_never_raises(monkeypatch: pytest.MonkeyPatch, close: int) -> None:
    monkeypatch.setattr(values, "_CLOSE_BYTES", close)
    chance = random.Random(11)
    whole = firehose(LINES, size=4) + b"\n" + json.dumps(json.loads(b"[" + b",".join(FEW) + b"]"), indent=1).encode()
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(chance.randrange(1, 6)):
            at = chance.randrange(len(data))
            data[at : at + chance.choice([0, 1, 30])] = chance.randbytes(chance.choice([0, 1, 3, 50]))
        found = walked(bytes(data))
        assert len(found.good) >= len(LINES) - 4 * 6


HOSTILE = {
    "small objects": (b"!", b'{"x":1,'),
    "small objects in a list": (b"!", b',{"a":[1'),
    "objects that never end": (b"", b'{"auditID":['),
    "objects in strings that never end": (b"!", b',{"x":"'),
    "objects that name an event": (b"!", b',{"x":1,"auditID"'),
    "events too deep that never end": (b"", b'{"auditID":"d","o":' + b"[" * 1200 + b"},\n"),
    "records that never end": (b"", b'{"messageType":["x",'),
    "damaged events": (b"", b'{"auditID":"d","requestObject":x},\n'),
}


def _seconds(head: bytes, unit: bytes, size: int) -> float:
    """This thread's own seconds, without the collector: it walks the heap of every test that ran before."""
    data = b"[\n" + FEW[0] + b",\n" + head + unit * (size // len(unit))
    gc.disable()
    try:
        begin = time.thread_time()
        walked(data)
        return time.thread_time() - begin
    finally:
        gc.enable()


@pytest.mark.parametrize(("head", "unit"), HOSTILE.values(), ids=HOSTILE)
def test_eight_times_the_damage_takes_no_more_than_twenty_times_as_long(head: bytes, unit: bytes) -> None:
    for _ in range(3):
        few, many = (_seconds(head, unit, size) for size in (50_000, 400_000))
        if many <= 20 * few:
            return
    assert many <= 20 * few
