"""Every envelope around the same events: the same lines byte for byte, and each knows where it stood."""

from __future__ import annotations

import gzip
import io
import json
import tracemalloc
from collections.abc import Callable

import pytest
from builders import event
from envelope_builders import CONTROL, EVENTS, LINES, compact, firehose, line_of, record, walked

from pipelines.sources import stored
from pipelines.sources.base import Batch

HEAD = b'{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{"a":[1]},"items":['
TAIL = b'],"kind":"EventList","metadata":{},"apiVersion":"audit.k8s.io/v1"}'
CHUNKS = [7, 64, 1000, 16_000_000]

# each begins with a line that is no value of its own, so the lines must be looked for
WRAPPED: dict[str, bytes] = {
    "firehose": firehose(LINES),
    "firehose, one a line": firehose(LINES, between=b"\n") + b"\n",
    "firehose, one record": firehose(LINES, size=100),
    "firehose, one line each": firehose(LINES, size=1),
    "firehose, pretty": b"\n".join(json.dumps(record(LINES[i : i + 5]), indent=1).encode() for i in range(0, 40, 5)),
    "firehose, all escaped": compact(record(LINES), ascii=True),
    "firehose, keys backwards": b"".join(compact(dict(reversed(record(LINES[i : i + 20]).items()))) for i in (0, 20)),
    "events without separator": b"".join(LINES),
    "events with spaces between": b" \n\t".join([LINES[0] + LINES[1], *LINES[2:]]),
    "array, one event a line": b"[\n" + b",\n".join(LINES) + b"\n]\n",
    "array, spaced": b" [\n" + b" , ".join(LINES) + b" ] ",
    "arrays behind each other": b"[\n" + b",\n".join(LINES[:20]) + b"]\n[" + b",".join(LINES[20:]) + b"]",
    "list": HEAD + b"\n" + b",\n".join(LINES) + b"]}\n",
    "list, items first": b'{\n"items": [' + b",".join(LINES) + TAIL,
    "list, items last": b'{\n"metadata" : {},\n"kind" :"EventList","items" :[' + b",".join(LINES) + b"]\n}",
    "lists behind each other": b"\n".join(
        [HEAD + b"\n" + b",\n".join(LINES[:20]) + TAIL, HEAD + b",".join(LINES[20:]) + b"] }"]
    ),
    "firehose, list and events mixed": firehose(LINES[:10])
    + HEAD
    + b",".join(LINES[10:20])
    + TAIL
    + b"\n"
    + b"".join(LINES[20:]),
}
LINED: dict[str, bytes] = {
    "lines": b"\n".join(LINES),
    "lines, the last ended": b"\n".join(LINES) + b"\n",
    "blank lines first": b"\n \r\n" + b"\n".join(LINES),
    "crlf": b"\r\n".join(LINES),
}


@pytest.mark.parametrize("chunk", CHUNKS)
@pytest.mark.parametrize("data", WRAPPED.values(), ids=WRAPPED)
def test_every_envelope_gives_the_same_lines(monkeypatch: pytest.MonkeyPatch, data: bytes, chunk: int) -> None:
    monkeypatch.setattr(stored, "_BATCH_BYTES", chunk)
    found = walked(data)
    assert found.lines == LINES
    assert (found.skipped, found.long, found.plain) == (0, [], False)
    for text, at in zip(found.lines, found.at, strict=True):
        # in a message the event stands escaped: up to its first quote it stands there as it is
        assert data[at : at + 1] == text[:1] == b"{"
        assert data[at:].startswith((text, b'{"kind', b'{\\"kind'))
    assert len(set(found.at)) == len(LINES)


@pytest.mark.parametrize("chunk", CHUNKS)
@pytest.mark.parametrize("data", LINED.values(), ids=LINED)
def test_plain_lines_pass_as_they_stand(monkeypatch: pytest.MonkeyPatch, data: bytes, chunk: int) -> None:
    monkeypatch.setattr(stored, "_BATCH_BYTES", chunk)
    found = walked(data)
    assert found.plain
    assert b"\n".join(found.lines).rstrip() == data.rstrip()


@pytest.mark.parametrize(
    "data",
    [
        json.dumps(EVENTS, indent=2).encode(),
        json.dumps({"kind": "EventList", "metadata": {}, "items": EVENTS}, indent=4).encode(),
        json.dumps({"items": EVENTS, "kind": "EventList"}, indent="\t").encode(),
        b"\n".join(json.dumps(e, indent=2).encode() for e in EVENTS),
        json.dumps(EVENTS, indent=2).replace("\n", "\r\n").encode(),
    ],
    ids=["array", "list", "items first", "events", "crlf"],
)
@pytest.mark.parametrize("chunk", CHUNKS)
def test_a_pretty_printed_event_becomes_one_line(monkeypatch: pytest.MonkeyPatch, data: bytes, chunk: int) -> None:
    monkeypatch.setattr(stored, "_BATCH_BYTES", chunk)
    found = walked(data)
    assert [json.loads(x) for x in found.lines] == EVENTS
    for text, at in zip(found.lines, found.at, strict=True):
        assert data[at : at + len(text)].replace(b"\n", b" ") == text


def test_messages_keep_their_place_and_time() -> None:
    data = firehose(LINES)
    found = walked(data)
    messages = [e for i in range(0, 40, 9) for e in record(LINES[i : i + 9])["logEvents"]]
    assert found.times_ms == [m["timestamp"] for m in messages]
    after = 0
    for at in found.at:
        after = data.index(b'"message":"', after) + len(b'"message":"')
        assert at == after


@pytest.mark.parametrize("timestamp", [None, "x", -1, 10**20, 1e999, True, [1]])
def test_a_time_that_is_none_costs_no_message(timestamp: object) -> None:
    data = compact(record([], logEvents=[{"id": "1", "timestamp": timestamp, "message": LINES[0].decode()}]))
    assert (walked(data).lines, walked(data).times_ms) == ([LINES[0]], [0])


def test_health_probes_are_counted_and_not_read() -> None:
    found = walked(CONTROL + firehose(LINES[:20]) + CONTROL + b"\n" + CONTROL + firehose(LINES[20:]))
    assert (found.lines, found.skipped) == (LINES, 3)


def test_an_object_of_probes_alone_gives_their_count() -> None:
    found = walked(CONTROL + CONTROL)
    assert (found.lines, found.skipped) == ([], 2)


def test_messages_of_other_streams_are_counted_and_not_read() -> None:
    other = compact(record([b"I0105 scheduler.go:12 bound", b"x"], "kube-scheduler-0a1b"))
    backwards = compact(dict(reversed(record([b"y"], "authenticator-1").items())))
    found = walked(other + firehose(LINES) + backwards)
    assert (found.lines, found.skipped) == (LINES, 3)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (r"a\nb", b"a b"),
        (r"a\n", b"a"),
        (r"a\r\n", b"a"),
        ("a\nb", b"a b"),
        (r"\u00e9\u00C9é", "éÉé".encode()),
        (r"\ud83c\udf84", "🎄".encode()),
        (r"x\ud800y", b"x\xed\xa0\x80y"),
        (r"x\udc80\ud800y", b"x\xed\xb2\x80\xed\xa0\x80y"),
        (r"\u0000\\\"\/\b\f\t", b'\0\\"/\b\f\t'),
        (r"\\u0041\\\u0041", rb"\u0041\A"),
        (r"\\\\\"\u0022", rb'\\""'),
        ("\0" + r"\u0041\\", b"\0A\\"),
        ("", b""),
    ],
)
def test_a_message_is_one_line_of_the_bytes_its_json_says(message: str, expected: bytes) -> None:
    text = '{"messageType":"DATA_MESSAGE","logEvents":[{"message":"' + message + '"},{"message":"next"}]}'
    assert walked(text.encode()).lines == [expected, b"next"]


def test_raw_bytes_that_are_no_utf8_stay_as_they_are() -> None:
    data = b'{"messageType":"DATA_MESSAGE","logEvents":[{"message":"\xff\\u00e9\xfe\\\\"}]}'
    assert walked(data).lines == [b"\xff\xc3\xa9\xfe\\"]


@pytest.mark.parametrize("element", ["7", '"x"', "null", "[]", '{"id":"1"}', '{"message":7}', '{"message":null}', "{}"])
def test_an_entry_without_a_message_comes_out_as_it_stands(element: str) -> None:
    data = '{"messageType":"DATA_MESSAGE","logEvents":[' + element + ',{"message":"next"}]}'
    found = walked(data.encode())
    assert found.lines == [element.encode(), b"next"]
    assert found.at[0] == data.index(element, 40)


@pytest.mark.parametrize("rest", ["", ',"logEvents":null', ',"logEvents":{}', ',"logEvents":"x"'])
def test_a_record_without_messages_comes_out_as_it_stands(rest: str) -> None:
    data = '{"messageType":"DATA_MESSAGE"' + rest + "}"
    assert walked(data.encode() + firehose(LINES)).lines == [data.encode(), *LINES]


def test_deep_and_long_values_inside_a_list_are_events_like_others() -> None:
    events = [
        line_of(event(x=1)).replace(b'"x":1', b'"x":' + value) for value in (b"9" * 10_000, b"[" * 500 + b"]" * 500)
    ]
    assert walked(b"[\n" + b",\n".join(events) + b"]").lines == events


@pytest.mark.parametrize("pack", [gzip.compress, lambda data: gzip.compress(gzip.compress(data))])
def test_offsets_are_those_of_the_inflated_bytes(pack: Callable[[bytes], bytes]) -> None:
    data = firehose(LINES)
    assert walked(pack(data)).at == walked(data).at


@pytest.mark.parametrize(
    "make",
    [
        lambda lines: firehose(lines, size=100),
        lambda lines: b"[\n" + b",\n".join(lines) + b"\n]",
        lambda lines: b'{"kind":"EventList","items":[\n' + b",".join(lines) + b"]}",
        lambda lines: b"".join(lines),
    ],
    ids=["firehose", "array", "list", "events"],
)
def test_a_large_object_is_read_in_little_memory(
    monkeypatch: pytest.MonkeyPatch, make: Callable[[list[bytes]], bytes]
) -> None:
    monkeypatch.setattr(stored, "_BATCH_BYTES", 50_000)
    monkeypatch.setattr("pipelines.envelopes.sniff.SNIFF_BYTES", 100_000)
    data = make(LINES * 100)
    assert len(data) > 3_500_000
    count = 0
    with stored.reading("o", "/o", _Endless(data)) as reading:  # type: ignore[arg-type]
        tracemalloc.start()
        for batch in reading.batches():
            assert isinstance(batch, Batch)
            count += len(batch.data.splitlines())
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert count == len(LINES) * 100
    assert peak < 2_500_000


class _Endless:
    """A file of which nothing but what is read takes memory."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = memoryview(data), 0

    def read(self, size: int) -> memoryview:
        found = self._data[self._at : self._at + size]
        self._at += len(found)
        return found


_HEAD = '"messageType":"DATA_MESSAGE","logStream":"kube-apiserver-audit-1"'
_ONE, _TWO = (json.dumps(json.dumps(event(user=user))) for user in ("one", "two"))
_FIRST, _SECOND = (f'{{"id":"1","timestamp":1,"message":{text}}}' for text in (_ONE, _TWO))
TWICE = {
    "two lists": f'{{{_HEAD},"logEvents":[{_FIRST}],"logEvents":[{_SECOND}]}}',
    "a text, then a list": f'{{{_HEAD},"logEvents":{_ONE},"logEvents":[{_SECOND}]}}',
    "an object, then a list": f'{{{_HEAD},"logEvents":{_FIRST},"logEvents":[{_SECOND}]}}',
    "a list, then an object": f'{{{_HEAD},"logEvents":[{_FIRST}],"logEvents":{_SECOND}}}',
    "two messages": f'{{{_HEAD},"logEvents":[{{"message":{_ONE},"message":{_TWO}}}]}}',
    "an object, then a message": f'{{{_HEAD},"logEvents":[{{"message":{_FIRST},"message":{_TWO}}}]}}',
    "a message, then an object": f'{{{_HEAD},"logEvents":[{{"message":{_ONE},"message":{_SECOND}}}]}}',
    "two messages behind the usual head": f'{{{_HEAD},"logEvents":[{_FIRST[:-1]},"message":{_TWO}}}]}}',
    "another stream behind": f'{{{_HEAD},"logEvents":[{_FIRST},{_SECOND}],"logStream":"authenticator-1"}}',
    "a probe behind": f'{{{_HEAD},"logEvents":[{_FIRST},{_SECOND}],"messageType":"CONTROL_MESSAGE"}}',
}


@pytest.mark.parametrize("record", TWICE.values(), ids=TWICE)
def test_what_is_said_twice_in_a_record_is_never_lost(record: str) -> None:
    data = record.encode()
    with stored.reading("o", "o", io.BytesIO(data + b"\n" + data)) as found:
        batches = [batch for batch in found.batches() if isinstance(batch, Batch)]
    read = b"".join(batch.data for batch in batches)
    assert [read.count(b"one"), read.count(b"two")] == [2, 2]
    assert sum(batch.skipped for batch in batches) == 0
