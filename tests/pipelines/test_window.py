"""The window: what of_nights spans, how it is cut into hours, and that every API reads exactly what is in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from logs_server import FakeLogs, Stored, logs_server

from pipelines.aws.session import client
from pipelines.sources.window import (
    HOUR_MS,
    Window,
    export_bounds,
    filter_bounds,
    hour_name,
    hours,
    midnight_ms,
    of_nights,
)

NIGHT = date(2026, 9, 15)
START_MS = midnight_ms(NIGHT)
END_MS = START_MS + 5000
GROUP = {"logGroupName": "/aws/eks/prod/cluster"}
Server = tuple[Any, FakeLogs]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with logs_server() as (endpoint, fake), closing(client("logs", region=None, endpoint_url=endpoint)) as made:
        fake.add_group()
        fake.add(*(Stored(at, str(at)) for at in (START_MS - 1, START_MS, END_MS - 1, END_MS)))
        yield made, fake


def by_filter(server: Server, window: Window) -> list[int]:
    return [e["timestamp"] for e in server[0].filter_log_events(**GROUP, limit=100, **filter_bounds(window))["events"]]


def by_export(server: Server, window: Window) -> list[int]:
    server[0].create_export_task(**GROUP, destination="bucket", **export_bounds(window))
    return [e.at_ms for e in server[1].exported()]


@pytest.mark.parametrize("read", [by_filter, by_export])
def test_every_api_reads_the_start_and_the_last_millisecond_but_not_the_end(
    server: Server, read: Callable[[Server, Window], list[int]]
) -> None:
    assert read(server, Window(START_MS, END_MS)) == [START_MS, END_MS - 1]


@pytest.mark.parametrize("bounds", [filter_bounds, export_bounds])
def test_an_empty_window_has_no_bounds_where_the_end_counts(bounds: Callable[[Window], dict[str, int]]) -> None:
    with pytest.raises(ValueError, match="empty"):
        bounds(Window(START_MS, START_MS))


@pytest.mark.parametrize(("start_ms", "end_ms"), [(2, 1), (-1, 1)])
def test_a_window_runs_forward_from_the_epoch_on(start_ms: int, end_ms: int) -> None:
    with pytest.raises(ValueError, match="start <= end"):
        Window(start_ms, end_ms)


def test_nights_are_read_from_the_hours_before_to_an_hour_after() -> None:
    window = of_nights(NIGHT, date(2026, 9, 16), 6, END_MS * 2)
    assert (window.start_ms, window.end_ms) == (START_MS - 6 * HOUR_MS, START_MS + 49 * HOUR_MS)
    assert window.asked_ms == (START_MS, START_MS + 48 * HOUR_MS)


def test_nothing_is_read_after_now() -> None:
    now_ms = START_MS + 7 * HOUR_MS + 1
    window = of_nights(NIGHT, NIGHT, 6, now_ms)
    assert window.end_ms == now_ms
    assert window.asked_ms == (START_MS, START_MS + 24 * HOUR_MS)


def test_a_night_that_has_not_begun_gives_no_hours() -> None:
    assert hours(of_nights(NIGHT, NIGHT, 6, START_MS - 7 * HOUR_MS)) == ()


def test_the_first_night_of_all_begins_at_the_epoch() -> None:
    assert of_nights(date(1970, 1, 1), date(1970, 1, 1), 6, END_MS).start_ms == 0


@given(st.integers(0, 10**13), st.integers(0, 5 * 10**8))
def test_hours_join_to_the_window_without_a_gap_and_have_names_of_their_own(start: int, length: int) -> None:
    cut = hours(Window(start, start + length))
    assert [w.start_ms for w in cut[1:]] == [w.end_ms for w in cut[:-1]]
    assert [w.start_ms for w in cut[:1]] + [w.end_ms for w in cut[-1:]] == ([start, start + length] if length else [])
    assert all(w.start_ms < w.end_ms and w.start_ms // HOUR_MS == (w.end_ms - 1) // HOUR_MS for w in cut)
    assert len({hour_name(w.start_ms) for w in cut}) == len(cut)


def test_an_hour_is_named_by_its_start() -> None:
    assert hour_name(START_MS + 5 * HOUR_MS + 1234) == "2026-09-15T05"
