"""Pace and patience by a clock that only moves when someone sleeps."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, InvalidRegionError

from pipelines.aws.pacing import Pace, Patience
from pipelines.errors import AwsError, DataError, Exit


class Hand:
    """A clock moved by sleeping alone."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []
        self._lock = threading.Lock()

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.slept.append(seconds)
            self.now += seconds


def refused(code: str, status: int = 400) -> AwsError:
    answer = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    error = AwsError(f"log group g: {code}")
    error.__cause__ = ClientError(answer, "FilterLogEvents")  # type: ignore[arg-type]
    return error


def unreachable() -> AwsError:
    error = AwsError("log group g: no answer")
    error.__cause__ = ConnectTimeoutError(endpoint_url="http://x")
    return error


def failing(times: float, error: Callable[[], Exception]) -> tuple[list[int], Callable[[], str]]:
    tries: list[int] = []

    def work() -> str:
        tries.append(1)
        if len(tries) <= times:
            raise error()
        return "done"

    return tries, work


def test_calls_go_out_at_the_rate_and_no_faster() -> None:
    hand = Hand()
    pace = Pace(4, clock=hand.clock, sleep=hand.sleep)
    at = []
    for _ in range(9):
        pace.take("111122223333/us-east-1", "filter_log_events")
        at.append(hand.now - 100)
    assert at == [i * 0.25 for i in range(9)]


def test_idle_time_saves_up_no_burst() -> None:
    hand = Hand()
    pace = Pace(4, clock=hand.clock, sleep=hand.sleep)
    pace.take("a", "x")
    hand.now += 60
    pace.take("a", "x")
    pace.take("a", "x")
    assert hand.slept == [0.25]


@pytest.mark.parametrize("other", [("b", "x"), ("a", "y")], ids=["another account", "another operation"])
def test_each_account_and_operation_has_a_bucket_of_its_own(other: tuple[str, str]) -> None:
    hand = Hand()
    pace = Pace(1, clock=hand.clock, sleep=hand.sleep)
    pace.take("a", "x")
    pace.take(*other)
    assert hand.slept == []


def test_threads_share_one_bucket() -> None:
    turns: list[float] = []
    pace = Pace(4, clock=lambda: 0.0, sleep=turns.append)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: pace.take("a", "x"), range(200)))
    assert sorted(turns) == [i * 0.25 for i in range(1, 200)]


@pytest.mark.parametrize(
    "error",
    [
        lambda: refused("ThrottlingException"),
        lambda: refused("Throttling"),
        lambda: refused("ServiceUnavailableException", 503),
        lambda: refused("500", 500),
        lambda: refused("slow", 429),
        unreachable,
    ],
    ids=["throttled", "old code", "503", "500", "429", "no network"],
)
def test_what_passes_is_begun_again_with_growing_pauses(error: Callable[[], AwsError]) -> None:
    hand = Hand()
    tries, work = failing(8, error)
    assert Patience(7200, clock=hand.clock, sleep=hand.sleep).through("g", work) == "done"
    assert len(tries) == 9
    assert hand.slept == [5, 10, 20, 40, 80, 160, 300, 300]


@pytest.mark.parametrize(
    "error",
    [
        lambda: refused("AccessDeniedException"),
        lambda: refused("ResourceNotFoundException"),
        lambda: refused("ExpiredTokenException"),
        lambda: refused("RequestTimeTooSkewed", 403),
        lambda: DataError("torn"),
        lambda: AwsError("of our own"),
    ],
    ids=["no right", "not there", "expired", "clock", "torn", "no cause"],
)
def test_what_does_not_pass_is_told_at_once(error: Callable[[], Exception]) -> None:
    hand = Hand()
    tries, work = failing(1, error)
    with pytest.raises((AwsError, DataError)):
        Patience(7200, clock=hand.clock, sleep=hand.sleep).through("g", work)
    assert (len(tries), hand.slept) == (1, [])


def test_a_setting_that_botocore_refuses_does_not_pass() -> None:
    error = AwsError("x")
    error.__cause__ = InvalidRegionError(region_name="?")
    hand = Hand()
    with pytest.raises(AwsError):
        Patience(7200, clock=hand.clock, sleep=hand.sleep).through("g", failing(1, lambda: error)[1])
    assert hand.slept == []


def test_at_the_deadline_it_is_given_up_with_the_last_reason() -> None:
    hand = Hand()
    tries, work = failing(float("inf"), lambda: refused("ThrottlingException"))
    with pytest.raises(AwsError) as caught:
        Patience(600, clock=hand.clock, sleep=hand.sleep).through("log group g", work)
    assert caught.value.exit_code == Exit.TRANSIENT
    assert "log group g: not read to its end within 10 minutes (last: log group g: ThrottlingException)" in str(
        caught.value
    )
    assert "raise logs_deadline_minutes under [export]" in str(caught.value)
    assert hand.now == 700
    assert len(tries) == len(hand.slept)


def test_a_service_that_never_answered_is_given_up_within_a_minute() -> None:
    hand = Hand()
    tries, work = failing(float("inf"), unreachable)
    told: list[tuple[str, str | None]] = []
    patience = Patience(
        7200, answered=lambda: False, waits=lambda *one: told.append(one), clock=hand.clock, sleep=hand.sleep
    )
    with pytest.raises(
        AwsError, match=r"^log group g: not one call was answered in 35 s \(last: log group g: no answer"
    ):
        patience.through("log group g", work)
    assert hand.slept == [5, 10, 20]
    assert len(tries) == 4
    assert [
        str(why).endswith("given up 45 s after its start, where nothing has answered by then") for _, why in told
    ] == [True] * 3


def test_each_failed_try_is_told_with_its_reason_the_next_try_and_the_deadline() -> None:
    hand = Hand()
    told: list[tuple[str, str | None]] = []
    patience = Patience(600, waits=lambda *one: told.append(one), clock=hand.clock, sleep=hand.sleep)
    patience.through("g", failing(2, lambda: refused("ThrottlingException"))[1])
    reason = "log group g: ThrottlingException"
    assert told == [
        ("g", f"{reason}; next try in 5 s, given up in 10 minutes (logs_deadline_minutes)"),
        ("g", f"{reason}; next try in 10 s, given up in 10 minutes (logs_deadline_minutes)"),
        ("g", None),
    ]


def test_work_that_goes_on_without_an_end_meets_the_deadline_too() -> None:
    hand = Hand()
    patience = Patience(60, clock=hand.clock, sleep=hand.sleep)
    patience.check("g")
    hand.now += 60
    with pytest.raises(AwsError, match="within 1 minutes"):
        patience.check("g")
