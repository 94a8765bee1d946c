"""What several threads ask for, made by one: each thread of the C library keeps memory of its own for what it frees.

Large lines read now by one thread of the engine, now by another, would leave room for some of them behind in each.
tests/e2e/test_bounds.py holds the memory."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def by_one_thread(made: Iterator[T]) -> Generator[T]:
    """The same, whoever asks, made by one thread and one at a time; what it raises is raised here."""
    with ThreadPoolExecutor(1) as thread:
        while True:
            found = thread.submit(_next, made).result()
            if not found:
                return
            yield found.pop()


def _next(made: Iterator[T]) -> list[T]:
    """One, or none at the end."""
    for found in made:
        return [found]
    return []
