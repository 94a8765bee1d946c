"""CloudWatch Logs as a source: every event of the window once, in one order, however the service pages it."""

from __future__ import annotations

import json
import random
import signal
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import pytest
from logs_server import Fault, Stored
from logs_world import HOUR, PREFIX, START_MS, THREE_HOURS, World, batches, data, readers, spread, world

from pipelines.aws.pacing import Limits
from pipelines.errors import AwsError
from pipelines.sources import cloudwatch, spool
from pipelines.sources.base import Batch, LongLine, SourceObject
from pipelines.sources.window import HOUR_MS, Window


@pytest.fixture(scope="module")
def served() -> Iterator[World]:
    with world() as made:
        yield made


@pytest.fixture
def logs(served: World) -> Iterator[World]:
    served.reset()
    yield served
    if served.fake.gate is not None:
        served.fake.gate.set()
    assert readers() == []


def test_each_hour_is_an_object_of_a_name_that_stays(logs: World) -> None:
    logs.fill()
    whole = [o.name for o in logs.open(THREE_HOURS).objects]
    assert whole == [f"{PREFIX}05", f"{PREFIX}06", f"{PREFIX}07"]
    part = logs.open(Window(START_MS + HOUR_MS + 7, START_MS + 3 * HOUR_MS - 7)).objects
    assert [o.name for o in part] == whole[1:]


def test_every_event_of_the_window_is_read_once_and_nothing_else(logs: World) -> None:
    ends = (START_MS - 1, START_MS, START_MS + HOUR_MS - 1, START_MS + HOUR_MS, THREE_HOURS.end_ms - 1)
    logs.fake.add(*(Stored(at, str(at)) for at in (*ends, THREE_HOURS.end_ms)))
    assert data(logs.open()).decode().split() == [str(at) for at in ends[1:]]


@pytest.mark.parametrize("page_events", [1, 7, 10_000])
def test_bytes_depend_on_the_events_alone(logs: World, page_events: int) -> None:
    logs.fill(120)
    tied = spread(30, START_MS, 0, ("kube-apiserver-audit-b", "kube-apiserver-audit-a"))
    expected = sorted([*logs.fake.events, *tied], key=lambda e: (e.at_ms, e.stream, e.event_id))
    logs.fake.add(*tied)
    random.Random(page_events).shuffle(logs.fake.events)
    logs.fake.page_events = page_events
    assert data(logs.open()) == b"".join(e.message.encode() + b"\n" for e in expected)


def test_an_event_that_comes_twice_is_one_and_two_of_one_text_are_two(logs: World) -> None:
    same = [*[Stored(START_MS, "text", event_id="1")] * 3, Stored(START_MS + 1, "text", event_id="1")]
    other_id, other_stream = (
        Stored(START_MS, "text", event_id="2"),
        Stored(START_MS, "text", "kube-apiserver-audit-z", "1"),
    )
    logs.fake.add(*same, other_id, other_stream)
    logs.fake.page_events = 1
    assert data(logs.open()) == b"text\n" * 3


def test_only_audit_streams_are_asked_for_and_others_that_come_are_counted(logs: World) -> None:
    logs.fake.add(*spread(60, START_MS, 60_000, ("kube-apiserver-audit-a", "kube-apiserver-0", "authenticator-1")))
    assert [b.skipped for b in batches(logs.open(HOUR))] == [0]
    logs.fake.heeds_prefix = False
    found = batches(logs.open(HOUR))
    assert (sum(b.data.count(b"\n") for b in found), sum(b.skipped for b in found)) == (20, 40)
    filtered = [request for name, request in logs.fake.asked if name == "FilterLogEvents"]
    assert {r["logStreamNamePrefix"] for r in filtered} == {"kube-apiserver-audit"}
    assert {r["limit"] for r in filtered} == {10_000}


def test_an_hour_of_other_streams_alone_is_counted_too(logs: World) -> None:
    logs.fake.heeds_prefix = False
    logs.fake.add(Stored(START_MS, "x", "scheduler-1"), Stored(START_MS + HOUR_MS, "y"))
    assert [(b.data, b.skipped) for b in batches(logs.open())] == [(b"", 1), (b"y\n", 0)]


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ('{"a":\n 1}', b'{"a":  1}\n'),
        ('{"a": 1}\r\n', b'{"a": 1}\n'),
        ("a\u2028b\x85c", "a\u2028b\x85c\n".encode()),
        ('{"a": "\ud800"}', b'{"a": "\\ud800"}\n'),
    ],
    ids=["line break", "line end", "breaks that are no line's", "half a pair"],
)
def test_a_message_is_one_line_whatever_is_in_it(logs: World, message: str, line: bytes) -> None:
    logs.fake.add(Stored(START_MS, message), Stored(START_MS + 1, "next"))
    assert data(logs.open(HOUR)) == line + b"next\n"


def test_hash_size_offsets_and_times_are_of_the_lines(logs: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "_BATCH_BYTES", 300)
    logs.fill(100, HOUR)
    with logs.open(HOUR).objects[0].open() as reading:
        found = [b for b in reading.batches() if isinstance(b, Batch)]
        whole = b"".join(b.data for b in found)
        assert (reading.sha256, reading.stored_bytes) == (sha256(whole).hexdigest(), len(whole))
    assert len(found) > 3
    assert all(whole[b.offset :].startswith(b.data) and b.data.endswith(b"\n") for b in found)
    times = [at for b in found if b.times_ms is not None for at in b.times_ms.tolist()]
    assert times == [e.at_ms for e in logs.fake.events]
    assert {b.source for b in found} == {f"{PREFIX}05"}


def test_short_lines_are_batched_by_number(logs: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "_BATCH_LINES", 8)
    logs.fill(20, HOUR)
    assert [b.data.count(b"\n") for b in batches(logs.open(HOUR))] == [8, 8, 4]


def test_hours_without_an_event_are_whole_objects_without_a_batch(logs: World) -> None:
    logs.fake.add(Stored(START_MS + HOUR_MS, "x"))
    source = logs.open()
    found = []
    for one in source.objects:
        with one.open() as reading:
            found.append((len(list(reading.batches())), reading.stored_bytes, reading.sha256))
    empty = (0, 0, sha256(b"").hexdigest())
    assert found == [empty, (1, 2, sha256(b"x\n").hexdigest()), empty]
    assert [o.size for o in source.objects] == [HOUR_MS] * 3


def test_hours_are_read_at_once_but_never_more_than_four_ahead(logs: World) -> None:
    logs.fill(240, Window(START_MS, START_MS + 12 * HOUR_MS))
    source = logs.open(Window(START_MS, START_MS + 12 * HOUR_MS))
    logs.fake.gate, logs.fake.asked[:] = threading.Event(), []
    threading.Timer(0.2, logs.fake.gate.set).start()
    with source.objects[0].open() as reading:
        assert logs.fake.most_at_once == 4
        assert all(list(reading.batches()))
    started = {r["startTime"] for name, r in logs.fake.asked if name == "FilterLogEvents"}
    assert len(started) <= 5
    assert sum(b.data.count(b"\n") for o in source.objects[1:] for b in _read(o) if isinstance(b, Batch)) == 220


def _read(one: SourceObject) -> list[Batch | LongLine]:
    with one.open() as reading:
        return list(reading.batches())


def _joined() -> None:
    for thread in readers():
        thread.join(5)


def test_all_threads_keep_to_one_rate(logs: World) -> None:
    logs.fill(300)
    logs.fake.page_events = 10
    source = logs.open(limits=Limits(calls_per_second=4))
    data(source)
    calls = logs.fake.calls("FilterLogEvents")
    # the clock stands still but for sleeping, so threads wait for turns that others have waited for already
    assert calls >= 30
    assert logs.clock() >= (calls - 1) / 4


@pytest.mark.parametrize("ending", ["early", "error", "interrupt"])
def test_threads_end_when_the_reader_does(logs: World, ending: str) -> None:
    logs.fill(900)
    logs.fake.page_events = 10
    source = logs.open()
    if ending == "early":
        with source.objects[0].open() as reading:
            next(iter(reading.batches()))
    else:
        error = KeyboardInterrupt if ending == "interrupt" else ValueError
        with pytest.raises(error), source.objects[0].open():
            raise error
    assert readers() == []
    asked = len(logs.fake.asked)
    time.sleep(0.05)
    assert len(logs.fake.asked) == asked


def test_an_interrupt_while_an_hour_is_awaited_ends_its_threads(logs: World) -> None:
    logs.fill()
    source = logs.open()
    gate = logs.fake.gate = threading.Event()
    ours = signal.signal(signal.SIGINT, signal.default_int_handler)

    def interrupt() -> None:
        while logs.fake.at_once < 1:
            time.sleep(0.001)
        # a real signal: only that ends a wait; nobody answers before
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    try:
        threading.Thread(target=interrupt).start()
        with pytest.raises(KeyboardInterrupt), source.objects[0].open():
            pytest.fail("the hour came")
    finally:
        signal.signal(signal.SIGINT, ours)
    gate.set()
    _joined()
    assert readers() == []


def test_a_request_that_hangs_does_not_hold_up_the_end(logs: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cloudwatch, "_JOIN_S", 0.05)
    logs.fill()
    source = logs.open(Window(START_MS, START_MS + 9 * HOUR_MS))
    _read(source.objects[0])
    _joined()
    gate = logs.fake.gate = threading.Event()
    with source.objects[1].open():
        while logs.fake.at_once < 1:
            time.sleep(0.001)
        began = time.monotonic()  # the sixth hour has been asked for, and nobody answers
    assert time.monotonic() - began < 1
    assert len(readers()) == 1
    gate.set()
    _joined()


def test_a_source_left_early_can_be_read_from_its_start_again(logs: World) -> None:
    logs.fill()
    source = logs.open()
    with source.objects[0].open():
        pass
    assert data(source).count(b"\n") == 300


def test_an_hour_that_fails_is_told_where_it_is_taken_and_ends_the_others(logs: World) -> None:
    logs.fill()
    logs.fake.faults = [Fault.refusal("AccessDeniedException", start_ms=START_MS + HOUR_MS, times=9)]
    source = logs.open()
    assert len(_read(source.objects[0])) == 1
    with pytest.raises(AwsError, match="let the role logs:FilterLogEvents"):
        _read(source.objects[1])
    assert readers() == []


def _temporary() -> list[str]:
    links = []
    for fd in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            links.append(str(fd.readlink()))
    return [link for link in links if "etilqs_" in link]


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="looks for open files in /proc")
@pytest.mark.parametrize("whole", [True, False], ids=["read to the end", "left early"])
def test_no_temporary_file_stays(logs: World, monkeypatch: pytest.MonkeyPatch, whole: bool) -> None:
    monkeypatch.setattr(spool, "_SETUP", spool._SETUP.replace("-2000", "-64"))
    text = json.dumps({"pad": "x" * 20_000})
    logs.fake.add(*(Stored(START_MS + i, text, event_id=str(i)) for i in range(50)))
    with logs.open(HOUR).objects[0].open() as reading:
        assert _temporary()
        # without a name while it is still open: not even a kill leaves it
        assert all(link.endswith("(deleted)") for link in _temporary())
        if whole:
            assert sum(len(b.data) for b in reading.batches() if isinstance(b, Batch)) == 50 * (len(text) + 1)
    assert _temporary() == []


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="looks for open files in /proc")
def test_no_temporary_file_outlives_a_failure(logs: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "_SETUP", spool._SETUP.replace("-2000", "-64"))
    logs.fake.add(*(Stored(START_MS + i, "x" * 20_000, event_id=str(i)) for i in range(101)))
    logs.fake.faults = [Fault.refusal("AccessDeniedException", page="last", start_ms=START_MS)]
    with pytest.raises(AwsError) as caught:
        data(logs.open(HOUR))
    assert caught.value  # alive, and with it all that its traceback holds
    assert _temporary() == []


def test_a_full_disk_is_told_as_one(logs: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "_SETUP", spool._SETUP + "PRAGMA max_page_count = 8;")
    text = "x" * 10_000
    logs.fake.add(*(Stored(START_MS + i, text, event_id=str(i)) for i in range(100)))
    with pytest.raises(OSError, match="temporary file of log events: database or disk is full"):
        data(logs.open(HOUR))


def test_a_source_that_is_dropped_lets_go_of_everything(logs: World) -> None:
    logs.fill()
    source = logs.open()
    _read(source.objects[0])
    _joined()
    kept = [weakref.ref(f.result()) for f, _ in source.objects[0].ahead._under_way.values()]  # type: ignore[attr-defined]
    assert kept
    del source
    assert [ref() for ref in kept] == [None] * len(kept)


def test_a_group_of_another_name_is_read_by_its_name(logs: World) -> None:
    logs.fake.add_group("central/eks.prod")
    logs.fill()
    assert logs.open(group="central/eks.prod").objects[0].name == "cloudwatch/central/eks.prod/2026-09-15T05"
