"""One value of very many values in an envelope: found where it stands, in a few times the memory of its text."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Iterator

import pytest
from builders import event, line
from envelope_builders import LINES, compact, record

from pipelines.envelopes import outline, values
from pipelines.sources import stored
from pipelines.sources.base import LongLine

ONE, TWO = (line(event(audit_id=name)).rstrip() for name in ("one", "two"))
LISTS = b"[" + b"[]," * 200_000 + b"[]]"
OBJECTS = b"[" + b'{"":{}},' * 75_000 + b"{}]"
RECORD = compact(record(LINES[:1]))


def heavy(many: bytes) -> bytes:
    return ONE[:-1] + b',"requestObject":' + many + b"}"


FORMS: dict[str, tuple[bytes, list[bytes]]] = {
    "an event of a list": (
        b'{"kind":"EventList",\n"items":[' + TWO + b"," + heavy(LISTS) + b"," + TWO + b"]}",
        [TWO, heavy(LISTS), TWO],
    ),
    "an event of objects": (
        b'{"kind":"EventList",\n"items":[' + heavy(OBJECTS) + b"," + TWO + b"]}",
        [heavy(OBJECTS), TWO],
    ),
    "an event after an event": (TWO + heavy(LISTS) + TWO, [TWO, heavy(LISTS), TWO]),
    "metadata of a list": (
        b'{"kind":"EventList",\n"metadata":' + LISTS + b',"items":[' + ONE + b"," + TWO + b"]}",
        [ONE, TWO],
    ),
    "the tail of a list": (
        b'{"kind":"EventList",\n"items":[' + ONE + b'],"metadata":' + LISTS + b"}" + TWO,
        [ONE, TWO],
    ),
    "a member of a record": (RECORD[:-1] + b',"more":' + LISTS + b"}" + RECORD, [LINES[0], LINES[0]]),
    "a record that begins otherwise": (b'{"more":' + LISTS + b"," + RECORD[1:] + RECORD, [LINES[0], LINES[0]]),
    "one line": (b'{"kind":"EventList","items":[' + heavy(LISTS) + b"]}", [heavy(LISTS)]),
}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """All bounds a hundredth, and memory is watched."""
    monkeypatch.setattr(outline, "_ROOMY", 50_000)
    monkeypatch.setattr(outline, "_VALUES", 5_000)
    monkeypatch.setattr(values, "_WINDOW_BYTES", 40_000)
    monkeypatch.setattr(stored, "_BATCH_BYTES", 150_000)
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(("data", "lines"), FORMS.values(), ids=FORMS)
def test_many_values_in_one_take_a_few_times_its_memory(data: bytes, lines: list[bytes]) -> None:
    found = []
    before = tracemalloc.get_traced_memory()[0]
    with stored.reading("o", "/o", io.BytesIO(data)) as reading:
        for batch in reading.batches():
            assert not isinstance(batch, LongLine)
            found += batch.data.splitlines()
    # made into values it would be twenty times
    assert tracemalloc.get_traced_memory()[1] - before < 9 * len(data) + 2_500_000
    if found != [data]:
        assert found == lines


@pytest.mark.usefixtures("small")
def test_behind_an_event_of_many_values_that_is_cut_reading_goes_on() -> None:
    data = b'{"kind":"EventList",\n"items":[' + ONE + b"," + heavy(LISTS)[:-1] + b",\n" + TWO + b"," + ONE + b"]}"
    with stored.reading("o", "/o", io.BytesIO(data)) as reading:
        found = [
            one for batch in reading.batches() if not isinstance(batch, LongLine) for one in batch.data.splitlines()
        ]
    assert (found[0], found[-2:]) == (ONE, [TWO, ONE])
