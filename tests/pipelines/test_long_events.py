"""Nights of long events, and of bad lines by the thousand, fit into the memory that the engine is given."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from builders import NIGHT, event, line
from parsing import Parsed, parse

from pipelines.archive import Archive
from pipelines.compiled.lane import extract
from pipelines.config import ParseConfig
from pipelines.engine import COUNTING_BYTES, READING_BYTES, engine, modest
from pipelines.parsing.handed import inner_batches, record_batches
from pipelines.parsing.heavy import MAX_VALUES, lightened
from pipelines.parsing.lines import lines_of
from pipelines.parsing.salvage import BadLine, saved
from pipelines.sources.base import Batch
from pipelines.sources.files import select
from pipelines.stages.export import Exported, export
from pipelines.store import LocalStore

Run = Callable[..., Exported]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def archived(body: bytes) -> Exported:
        (tmp_path / "a.log").write_bytes(body)
        with engine(ParseConfig()) as made:
            source, night = select(str(tmp_path / "a.log")), date.fromisoformat(NIGHT)
            return export(Archive(LocalStore(tmp_path / "archive"), "prod"), made, source, [night], (), lambda *_: None)

    return archived


def test_a_night_of_events_of_a_megabyte_is_archived(run: Run) -> None:
    long = [line(event(body={"data": {"x": f"{n}" * 900_000}})) for n in range(10)]
    done = run(b"".join(long * 2) + b"".join(line(event(body={"data": "y" * 900_000})) for _ in range(20)))
    assert (done.ended["a.log"].archived, done.ended["a.log"].duplicate) == (30, 10)


def test_a_night_of_groups_and_addresses_that_never_repeat_is_archived(run: Run) -> None:
    def made(n: int) -> bytes:
        user = {"username": f"u{n}", "groups": [f"{n}-{k}" * 20 for k in range(3)]}
        return line(event() | {"user": user, "sourceIPs": [f"10.{n}"]})

    done = run(b"".join(map(made, range(15_000))))
    assert done.ended["a.log"].archived == 15_000


def test_bad_lines_by_the_thousand_are_all_filed(run: Run) -> None:
    done = run(b"".join(b"%d is no event\n" % n for n in range(30_000)) + line(event()))
    assert (done.bad, done.ended["a.log"].quarantined, done.ended["a.log"].archived) == (30_000, 30_000, 1)


@pytest.mark.parametrize(
    ("given", "beside", "left"),
    [
        ("300MB", READING_BYTES, 300),
        ("1GB", READING_BYTES, 500),
        ("8GB", READING_BYTES, 7400),
        ("450MB", COUNTING_BYTES, 400),
        ("1GB", COUNTING_BYTES, 400),
        ("8GB", COUNTING_BYTES, 7300),
    ],
)
def test_the_engine_keeps_what_the_user_gave_it_beyond_what_the_rest_needs(given: str, beside: int, left: int) -> None:
    with engine(ParseConfig(memory_limit=given)) as made:
        limit = "SELECT parse_formatted_bytes(current_setting('memory_limit')) / 1e6"
        before = made.sql(limit).fetchall()
        with modest(made, beside):
            assert made.sql(limit).fetchall()[0][0] == pytest.approx(left, rel=0.01)
        assert made.sql(limit).fetchall()[0][0] == pytest.approx(before[0][0], rel=0.02)


# Many values


def holding(body: str, **more: Any) -> bytes:
    """An event with this body."""
    return line(event(audit_id="heavy", body="BODY", **more)).replace(b'"BODY"', body.encode())


def flat(count: int) -> str:
    return "[" + "[]," * (count - 1) + "[]]"


DEEP = "[" * 1500 + "]" * 1500
POD = {"verb": "create", "resource": "pods"}
LIST = {"verb": "get", "resource": "pods"}
PLAIN = line(event(audit_id="plain"))


def parsed(data: bytes, memory: str = "300MB") -> Parsed:
    with engine(ParseConfig(memory_limit=memory, threads=2)) as made:
        return parse(made, Batch("o", 0, data))


HEAVY = {
    "a body of a million values": flat(1_000_000),
    "a body a million deep": "[" * 1_000_000 + "]" * 1_000_000,
    "a pod of a million containers": '{"spec":{"containers":' + flat(1_000_000) + "}}",
}


@pytest.mark.parametrize("body", HEAVY.values(), ids=HEAVY)
def test_an_event_of_a_million_values_is_a_row_without_its_body(body: str) -> None:
    one = holding(body, **POD)
    with_it, without = (parsed(PLAIN + data).rows.to_pylist()[1] for data in (one, holding("{}", **POD)))
    assert (with_it["truncated"], with_it["bytes"]) == ("bodies", len(one) - 1)
    assert with_it["content_hash"] == sha256(one[:-1]).hexdigest()[:32]
    differ = {name for name in with_it if with_it[name] != without[name]}
    facts = {"privileged", "host_pid", "host_network", "host_ipc", "host_path", "images"}
    assert differ == {"truncated", "bytes", "content_hash"} | facts
    assert {with_it[name] for name in facts} == {None}


def test_deep_events_are_handed_on_a_few_at_a_time() -> None:
    data = holding(DEEP, **POD) * 200
    batches = list(record_batches(lines_of(Batch("o", 0, data)), 0, raw=True))
    assert max(one.num_rows for one in batches) == 9
    assert parsed(data).rows.num_rows == 200


def test_events_taken_out_of_a_list_are_handed_on_a_few_at_a_time() -> None:
    data = b"[" + b",".join([holding(DEEP, **POD).rstrip()] * 100) + b"]"
    found = list(saved(BadLine(0, 0, data, False, False, False, True, False, None, 0)) or ())
    assert max(batch.num_rows for batch in inner_batches(found)) == 9
    assert parsed(PLAIN + data).rows.num_rows == 101


def test_a_body_that_no_fact_reads_is_left_out_without_a_mark_as_the_lane_would() -> None:
    one = holding(flat(MAX_VALUES + 9), **LIST)
    (row,) = parsed(one).rows.to_pylist()
    assert (row["truncated"], row["bytes"]) == (None, len(one) - 1)
    assert lightened(one) is not None


def test_a_response_of_many_values_costs_no_fact() -> None:
    one = line(event(**POD, body={"spec": {"hostPID": True}}) | {"responseObject": [[]] * (MAX_VALUES + 1)})
    (row,) = parsed(one).rows.to_pylist()
    assert (row["host_pid"], row["truncated"]) == (True, None)


def test_a_text_of_many_commas_is_one_value() -> None:
    one = line(event(**POD, body={"spec": {"hostPID": True}, "x": ',"[{' * MAX_VALUES}))
    (row,) = parsed(one).rows.to_pylist()
    assert (row["host_pid"], row["truncated"]) == (True, None)


WRAPS = {
    "in a list": lambda one: b"[" + one + b"," + PLAIN.rstrip() + b"]",
    "side by side": lambda one: one + PLAIN.rstrip(),
    "in text": lambda one: json.dumps({"log": one.decode()}).encode(),
    "in an object": lambda one: b'{"log":' + one + b"}",
}


@pytest.mark.parametrize("wrap", WRAPS.values(), ids=WRAPS)
def test_an_event_of_many_values_inside_another_line_is_a_row(wrap: Callable[[bytes], bytes]) -> None:
    one = holding(flat(300_000), **POD).rstrip()
    found = parsed(wrap(one))
    row = found.rows.to_pylist()[0]
    assert (row["audit_id"], row["truncated"]) == ("heavy", "bodies")
    assert row["content_hash"] == sha256(one).hexdigest()[:32]
    assert found.quarantine.num_rows == 0


def test_an_event_cut_in_a_body_of_many_values_keeps_what_stands_before() -> None:
    one = b'{"auditID":"x","stageTimestamp":"2026-09-15T10:00:00Z","verb":"get","requestObject":[' + b"[]," * 200_000
    (row,) = parsed(one).rows.to_pylist()
    assert (row["audit_id"], row["verb"], row["truncated"], row["bytes"]) == ("x", "get", "text", len(one))


def test_a_line_of_many_values_outside_its_bodies_is_quarantined_as_it_was_read() -> None:
    one = line(event() | {"sourceIPs": ["x"] * (MAX_VALUES + 1)}).rstrip()
    found = parsed(PLAIN + one)
    (entry,) = found.quarantine.to_pylist()
    assert entry["reason"] == "more bytes or JSON values than are read, and not in a body"
    assert (entry["length"], entry["sha256"]) == (len(one), sha256(one).hexdigest())
    assert found.rows.num_rows == 1


def test_a_line_of_many_values_that_is_no_event_is_filed_with_its_own_hash() -> None:
    one = b'{"kind":"Event","requestObject":' + flat(200_000).encode() + b"}"
    (entry,) = parsed(one).quarantine.to_pylist()
    assert (entry["length"], entry["sha256"]) == (len(one), sha256(one).hexdigest())


def test_the_lane_leaves_lines_of_too_many_values_to_the_engine() -> None:
    heavy = line(event() | {"sourceIPs": ["x"] * (MAX_VALUES + 1)})
    found = extract(lines_of(Batch("o", 0, PLAIN + heavy + PLAIN)), None)
    assert found.taken.tolist() == [True, False, True]
    assert found.rows.num_rows == 2


def test_heavy_lines_that_differ_only_in_what_is_left_out_are_told_apart() -> None:
    def made(n: int) -> bytes:
        one = event(audit_id="x", agent="BAD") | {"responseObject": [n] * 150_000}
        return line(one).replace(b"BAD", b"a\\x")

    entries = parsed(made(1) + made(2)).quarantine.to_pylist()
    assert {entry["sha256"] for entry in entries} == {sha256(made(n).rstrip()).hexdigest() for n in (1, 2)}


def test_a_line_of_20_mb_takes_little_beside_itself() -> None:
    lines = lines_of(Batch("o", 0, b"[" + b"0," * 10_000_000 + b"0]"))
    tracemalloc.start()
    made = list(record_batches(lines, 0, True))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (sum(batch.num_rows for batch in made), peak < 60_000_000) == (1, True)
