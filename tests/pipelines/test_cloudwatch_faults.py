"""A log read through a server that misbehaves: the same rows, or an error; never fewer rows and success."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from logs_server import CUTS, FOR_EVER, WHOLE_BUT_WRONG, Fault, Stored
from logs_world import HOUR, START_MS, World, data, readers, world

from pipelines.aws.pacing import Limits
from pipelines.errors import AwsError, DataError, Exit

ROWS = 70
PAGES = ("first", "middle", "last")


@pytest.fixture(scope="module")
def served() -> Iterator[World]:
    with world() as made:
        yield made


@pytest.fixture
def logs(served: World) -> Iterator[World]:
    """Seven pages in one hour."""
    served.reset()
    served.fill(ROWS, HOUR)
    served.fake.page_events = 10
    yield served
    assert readers() == []


def whole(logs: World) -> bytes:
    return b"".join(e.message.encode() + b"\n" for e in logs.fake.events)


def passing() -> Iterator[Any]:
    """Faults that a re-issue or a slice begun again mends."""
    for name, cut in CUTS.items():
        for reset in (False, True):
            yield pytest.param(Fault(cut=cut, reset=reset), id=f"{name}, {'RST' if reset else 'FIN'}")
    yield pytest.param(Fault(cut=CUTS["half"], chunked=True), id="half of a chunk")
    for name, wrong in WHOLE_BUT_WRONG.items():
        yield pytest.param(Fault(**wrong), id=name)
    yield pytest.param(Fault.refusal("ThrottlingException"), id="throttled")
    yield pytest.param(Fault.refusal("ServiceUnavailableException", 503), id="unavailable")
    yield pytest.param(Fault.refusal("InternalFailure", 500), id="500")
    yield pytest.param(Fault(status=502, body=b"<html>Bad gateway</html>", kind="text/html"), id="502 of a proxy")
    yield pytest.param(Fault.refusal("ThrottlingException", cut=CUTS["half"]), id="torn refusal")
    yield pytest.param(Fault.refusal("InternalFailure", 500, cut=CUTS["half"]), id="torn 500")


FAULTS = list(passing())


def armed(logs: World, fault: Fault, page: str, times: float) -> None:
    # only the hour's own pages: what discovery looks at begins elsewhere
    logs.fake.faults = [replace(fault, page=page, times=times, fired=0, start_ms=START_MS)]


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_that_passes_costs_no_row(logs: World, fault: Fault, page: str) -> None:
    armed(logs, fault, page, 2)
    assert data(logs.open(HOUR)) == whole(logs)
    assert logs.fake.faults[0].fired == 2


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_that_stays_is_an_error_and_never_a_short_night(logs: World, fault: Fault, page: str) -> None:
    armed(logs, fault, page, FOR_EVER)
    source = logs.open(HOUR, limits=Limits(deadline_s=600))
    with pytest.raises((DataError, AwsError)) as caught:
        data(source)
    told = fault.chunked or fault.status >= 500 or (fault.status >= 400 and fault.cut is None)
    # a reset may come before the client has read what was sent; then it is told as well
    codes = {Exit.TRANSIENT} if told else {Exit.DATA, Exit.TRANSIENT} if fault.reset else {Exit.DATA}
    assert caught.value.exit_code in codes
    assert str(caught.value).isprintable()
    assert logs.fake.faults[0].fired >= 4


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("times", [1, 5, 12])
def test_throttling_is_outlasted_with_growing_pauses(logs: World, page: str, times: int) -> None:
    armed(logs, Fault.refusal("ThrottlingException"), page, times)
    assert data(logs.open(HOUR)) == whole(logs)
    assert [s for s in logs.slept if s >= 5] == [5, 10, 20, 40, 80, 160, *[300] * 6][:times]


def test_throttling_without_an_end_ends_at_the_deadline(logs: World) -> None:
    armed(logs, Fault.refusal("ThrottlingException"), "middle", FOR_EVER)
    source = logs.open(HOUR, limits=Limits(deadline_s=3600))
    with pytest.raises(
        AwsError,
        match=r"\(us-east-1\), 2026-09-15T05: not read to its end within 60 minutes \(last: .*ThrottlingException",
    ):
        data(source)
    assert 3600 <= logs.clock() < 3700


def test_pages_without_an_end_meet_the_deadline(logs: World) -> None:
    logs.fake.empty_pages = 10**6
    source = logs.open(HOUR, limits=Limits(deadline_s=15))
    with pytest.raises(AwsError, match=r"not read to its end within 0\.25 minutes"):
        data(source)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(
    ("code", "mend"),
    [
        ("ExpiredTokenException", "renew the credentials"),
        ("RequestTimeTooSkewed", "set this machine's clock"),
        ("AccessDeniedException", "let the role logs:FilterLogEvents"),
        ("ResourceNotFoundException", "check its name, the account and the region"),
    ],
)
def test_what_does_not_pass_is_told_at_once_with_what_mends_it(logs: World, page: str, code: str, mend: str) -> None:
    armed(logs, Fault.refusal(code), page, 1)
    with pytest.raises(AwsError, match=f"{code}, .*{mend}"):
        data(logs.open(HOUR))


@pytest.mark.parametrize("page", ["middle", "last"])
def test_a_token_that_has_gone_bad_has_its_hour_begun_again(logs: World, page: str) -> None:
    armed(logs, Fault.refusal("InvalidParameterException"), page, 2)
    assert data(logs.open(HOUR)) == whole(logs)
    assert [s for s in logs.slept if s >= 5] == [5, 10]


def test_a_request_that_is_refused_without_a_token_is_not_sent_again(logs: World) -> None:
    armed(logs, Fault.refusal("InvalidParameterException"), "first", 1)
    with pytest.raises(AwsError, match="InvalidParameterException"):
        data(logs.open(HOUR))


@pytest.mark.parametrize("same", [False, True], ids=["own tokens", "one token"])
@pytest.mark.parametrize("empty_pages", [1, 9])
def test_an_empty_page_with_a_token_is_not_the_end(logs: World, empty_pages: int, same: bool) -> None:
    logs.fake.empty_pages, logs.fake.same_token = empty_pages, same
    assert data(logs.open(HOUR)) == whole(logs)


def test_a_token_that_comes_back_for_ever_is_an_integrity_error(logs: World) -> None:
    logs.fake.empty_pages, logs.fake.same_token = 10, True
    with pytest.raises(DataError, match="11 pages in a row lead to the same next page"):
        data(logs.open(HOUR))


def test_a_slice_that_is_begun_again_holds_nothing_twice(logs: World) -> None:
    armed(logs, Fault.refusal("ThrottlingException"), "last", 1)
    logs.fake.faults.append(Fault.refusal("ServiceUnavailableException", 503, page="middle", start_ms=START_MS))
    assert data(logs.open(HOUR)) == whole(logs)
    firsts = [r for n, r in logs.fake.asked if n == "FilterLogEvents" and r["startTime"] and "nextToken" not in r]
    assert len(firsts) == 3


@pytest.mark.parametrize("key", ["logStreamName", "timestamp", "message", "eventId"])
def test_an_event_without_one_of_its_parts_is_an_integrity_error(logs: World, key: str) -> None:
    event = {k: v for k, v in logs.fake.events[0].shown().items() if k != key}
    armed(logs, Fault(body=_json({"events": [event]})), "first", 9)
    with pytest.raises(DataError, match=f"an event without its '{key}' came"):
        data(logs.open(HOUR))


@pytest.mark.parametrize("at_ms", [START_MS - 1, HOUR.end_ms])
def test_an_answer_to_another_question_is_an_integrity_error(logs: World, at_ms: int) -> None:
    armed(logs, Fault(body=_json({"events": [Stored(at_ms, "x").shown()]})), "middle", 9)
    with pytest.raises(DataError, match=r"came, events from 2026-09-15 05:00:00 UTC to .* were asked for"):
        data(logs.open(HOUR))


def test_the_stock_paginator_would_have_ended_the_night_early(logs: World) -> None:
    # what all this is for: the naive reader ends with success and fewer rows
    armed(logs, Fault(**WHOLE_BUT_WRONG["html called JSON"]), "middle", 1)
    pages = logs.logs.get_paginator("filter_log_events").paginate(
        logGroupName="/aws/eks/prod/cluster", startTime=START_MS, endTime=HOUR.end_ms - 1, limit=10_000
    )
    assert 0 < sum(len(page.get("events", [])) for page in pages) < ROWS


def _json(answer: dict[str, Any]) -> bytes:
    return json.dumps(answer).encode()
