"""One thread makes what several ask for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from pipelines.stages.one_thread import by_one_thread


def _threads(count: int) -> Iterator[int]:
    for _ in range(count):
        yield threading.get_ident()


def test_whoever_asks_one_thread_makes_it() -> None:
    made = by_one_thread(_threads(4))
    with ThreadPoolExecutor(1) as other:
        found = [next(made), other.submit(next, made).result(), next(made), other.submit(next, made).result()]
    assert len(set(found)) == 1
    assert found[0] != threading.get_ident()


def test_all_comes_in_order_and_then_it_ends() -> None:
    assert list(by_one_thread(iter(range(5)))) == [0, 1, 2, 3, 4]


def test_what_is_raised_there_is_raised_here() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    made = by_one_thread(broken())
    assert next(made) == 1
    with pytest.raises(ValueError, match="broken"):
        next(made)


def test_nothing_is_made_ahead_and_the_thread_ends_when_it_is_closed() -> None:
    asked: list[int] = []

    def counted() -> Iterator[int]:
        for nth in range(3):
            asked.append(nth)
            yield nth

    before = threading.active_count()
    made = by_one_thread(counted())
    assert next(made) == 0
    made.close()
    assert asked == [0]
    assert threading.active_count() == before
