"""One thread makes what others ask for."""

from __future__ import annotations

import signal
import threading
import time
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from pipelines.stages.made_here import made_here


class _Large:
    """Something that can be watched."""


def test_whoever_asks_this_thread_makes_it() -> None:
    found: list[int] = []

    def threads() -> Iterator[int]:
        for _ in range(4):
            yield threading.get_ident()

    def use(made: Iterator[int]) -> None:
        with ThreadPoolExecutor(1) as other:
            found.extend([next(made), other.submit(next, made).result(), next(made), *made])

    made_here(threads(), use)
    assert found == [threading.get_ident()] * 4


def test_all_comes_in_order_and_then_it_ends() -> None:
    found: list[int] = []
    made_here(iter(range(5)), found.extend)
    assert found == [0, 1, 2, 3, 4]


def test_what_is_raised_here_ends_the_use_and_is_raised() -> None:
    found: list[int] = []

    def broken() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        made_here(broken(), found.extend)
    assert found == [1]


def test_what_the_use_raises_is_raised_and_nothing_more_is_made() -> None:
    asked: list[int] = []

    def counted() -> Iterator[int]:
        for nth in range(3):
            asked.append(nth)
            yield nth

    def use(made: Iterator[int]) -> None:
        next(made)
        raise ValueError("used up")

    before = threading.active_count()
    with pytest.raises(ValueError, match="used up"):
        made_here(counted(), use)
    assert asked == [0]
    assert threading.active_count() == before


def test_what_was_handed_over_is_not_held_meanwhile() -> None:
    made = (_Large() for _ in range(3))
    left: list[bool] = []

    def use(found: Iterator[_Large]) -> None:
        for one in found:
            watched = weakref.ref(one)
            del one
            left.append(watched() is not None)

    made_here(made, use)
    assert left == [False, False, False]


@pytest.mark.parametrize("waits", [True, False], ids=["while it is made", "while it is used"])
def test_a_signal_is_heard_whoever_works(waits: bool) -> None:
    class Told(BaseException):
        pass

    def told(*_: object) -> None:
        raise Told

    def slow() -> Iterator[int]:
        yield 1
        if waits:
            time.sleep(30)
        yield 2

    def use(made: Iterator[int]) -> None:
        for _ in made:
            if not waits:
                time.sleep(0.5)

    before = signal.signal(signal.SIGALRM, told)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    start = time.monotonic()
    try:
        with pytest.raises(Told):
            made_here(slow(), use)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert time.monotonic() - start < 5


@pytest.mark.parametrize("where", ["submit", "add_done_callback"])
def test_a_signal_while_the_use_begins_leaves_nobody_waiting(monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    class Told(BaseException):
        pass

    class Interrupted(ThreadPoolExecutor):
        def submit(self, *asked: Any, **more: Any) -> Any:
            future = super().submit(*asked, **more)
            if where == "submit":
                raise Told
            monkeypatch.setattr(future, "add_done_callback", lambda _: (_ for _ in ()).throw(Told()))
            return future

    monkeypatch.setattr("pipelines.stages.made_here.ThreadPoolExecutor", Interrupted)
    raised: list[BaseException] = []

    def caught() -> None:
        try:
            made_here(iter(range(3)), lambda found: list(found).clear())
        except Told as told:
            raised.append(told)

    # a daemon, or a wait without an end would be one of the tests, too
    running = threading.Thread(target=caught, daemon=True)
    running.start()
    running.join(10)
    assert not running.is_alive()
    assert len(raised) == 1
