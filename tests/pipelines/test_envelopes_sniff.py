"""What the beginning of an object says about how to read it; a damaged first line must not mislead."""

from __future__ import annotations

import json
import re

import pyarrow as pa
import pytest
from builders import event, line, lines
from envelope_builders import CONTROL, LINES, compact, firehose, record, walked

from pipelines.envelopes import sniff
from pipelines.envelopes.sniff import Form, form
from pipelines.parsing.lines import lines_of
from pipelines.sources import stored
from pipelines.sources.base import Batch

ONE = line(event()).rstrip()
LOG = lines(event() for _ in range(3))
PRETTY = json.dumps(event(), indent=2).encode()
LONG = 64 * 1024 * 1024

FORMS: dict[str, tuple[bytes, Form]] = {
    "nothing": (b"", Form.LINES),
    "blank lines": (b" \r\n\n", Form.LINES),
    "lines": (LOG, Form.LINES),
    "lines behind blank ones": (b"\n \n" + LOG, Form.LINES),
    "one line": (ONE, Form.LINES),
    "a line with a time before": (b"2026-09-15T12:00:00.000Z " + LOG, Form.LINES),
    "a line wrapped by a shipper": (compact({"date": 1.5, "log": ONE.decode()}) + b"\n" + LOG, Form.LINES),
    "a list on one line": (b'{"kind":"EventList","items":[' + ONE + b"," + ONE + b"]}\n" + LOG, Form.LINES),
    "an array on one line": (b" [" + ONE + b"," + ONE + b"]", Form.LINES),
    "a first line cut off": (ONE[:150] + b"\n" + LOG, Form.LINES),
    "a first line cut off, alone": (ONE[:150], Form.LINES),
    "a first line cut off in a list": (b"[" + ONE + b"," + ONE[:99] + b"\n" + LOG, Form.LINES),
    "a first line of other text": (b"[WARN] audit backend restarted\n" + LOG, Form.LINES),
    "a first line of noise": (b"\x00\xff{[,\n" + LOG, Form.LINES),
    "a first line cut by its sender": (ONE[:150] + b"[Truncated...]\n" + LOG, Form.LINES),
    "a body that quotes a record": (compact(event(body=record([ONE]))) + b"\n" + LOG, Form.LINES),
    "the same behind a time": (b"2026-09-15T12:00:00Z " + compact(event(body=record([ONE]))) + b"\n" + LOG, Form.LINES),
    "Azure": (compact({"category": "kube-audit", "properties": {"log": ONE.decode()}}) + b"\n", Form.LINES),
    "records": (firehose(LINES), Form.VALUES),
    "one record a line": (firehose(LINES, between=b"\n"), Form.VALUES),
    "one record": (compact(record([ONE])), Form.VALUES),
    "a probe first": (CONTROL + firehose(LINES), Form.VALUES),
    "a record with other keys first": (b'{ "logGroup" : "x", "logEvents": []}', Form.VALUES),
    "a record that lacks its beginning": (firehose(LINES)[100:], Form.VALUES),
    "a record cut off": (firehose(LINES)[:500], Form.VALUES),
    "events without separator": (ONE + ONE, Form.VALUES),
    "events without separator, the first damaged": (ONE.replace(b":", b"", 1) + ONE, Form.VALUES),
    "an array, one event a line": (b"[\n" + ONE + b",\n" + ONE + b"\n]", Form.VALUES),
    "the same, begun on the first": (b"[" + ONE + b",\n" + ONE + b"\n]", Form.VALUES),
    "the same, commas first": (b"[" + ONE + b"\n," + ONE + b"\n]", Form.VALUES),
    "the same, closed below": (b"[" + ONE + b"\n]", Form.VALUES),
    "a list, one event a line": (b'{"kind":"EventList","items":[\n' + ONE + b"\n]}", Form.VALUES),
    "a pretty list": (json.dumps({"items": [event()]}, indent=1).encode(), Form.VALUES),
    "a pretty event": (PRETTY + b"\n" + PRETTY, Form.VALUES),
    "Parquet": (b"PAR1\x15\x04", Form.PARQUET),
}


@pytest.mark.parametrize(("data", "expected"), FORMS.values(), ids=FORMS)
def test_the_form_is_told_by_the_beginning(data: bytes, expected: Form) -> None:
    assert form(data, ended=True, line_bytes=LONG) is expected


@pytest.mark.parametrize(("data", "expected"), FORMS.values(), ids=FORMS)
def test_the_answer_does_not_depend_on_how_much_was_read(data: bytes, expected: Form) -> None:
    early = [form(data[:size], ended=False, line_bytes=LONG) for size in range(len(data))]
    assert set(early) <= {None, expected}


def test_a_line_without_an_end_is_no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sniff, "SNIFF_BYTES", 1000)
    data = b"[" + ONE * 5
    assert form(data, ended=False, line_bytes=LONG) is Form.VALUES
    assert form(b"x" * 2000, ended=False, line_bytes=LONG) is Form.LINES


def test_a_list_on_a_line_longer_than_a_line_may_be_is_taken_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    data = b"[" + b",".join(LINES) + b"]\n"
    monkeypatch.setattr(stored, "MAX_LINE_BYTES", len(data) - 1)
    assert walked(data).plain
    monkeypatch.setattr(stored, "MAX_LINE_BYTES", len(data) - 2)
    assert (walked(data).lines, walked(data).long) == (LINES, [])


@pytest.mark.parametrize("name", [n for n, (_, f) in FORMS.items() if f is Form.LINES])
def test_either_reader_keeps_the_lines_behind_the_first(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    data = FORMS[name][0] + b"\n" + b"\n".join(LINES)
    assert walked(data).good == LINES
    monkeypatch.setattr(sniff, "_whole", lambda _: False)
    monkeypatch.setattr(sniff, "STRICT", re.compile(""))
    assert walked(data).good == LINES


def test_a_byte_order_mark_is_no_part_of_an_envelope() -> None:
    data = b"\xef\xbb\xbf" + firehose(LINES)
    assert walked(data).lines == LINES
    assert walked(data).at == [3 + at for at in walked(firehose(LINES)).at]


BETWEEN = {"mark": b"\xef\xbb\xbf", "hole": bytes(5000), "both": b"\n\0\xef\xbb\xbf\n\0"}
PRINTED = json.dumps({"kind": "EventList", "items": [json.loads(one) for one in LINES]}, indent=1).encode()


@pytest.mark.parametrize("between", BETWEEN.values(), ids=BETWEEN)
@pytest.mark.parametrize("data", [b"\n".join(LINES), firehose(LINES), PRINTED], ids=["lines", "firehose", "printed"])
def test_marks_and_holes_before_and_between_joined_files_cost_no_event(data: bytes, between: bytes) -> None:
    found = lines_of(Batch("o", 0, b"\n".join(walked(between + data + b"\n" + between + data).lines)))
    events = [one for one in found.text.cast(pa.binary()).to_pylist() if one[:1] == b"{" and b'"auditID"' in one]
    assert len(events) == 2 * len(LINES)
