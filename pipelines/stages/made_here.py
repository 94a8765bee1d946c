"""What the threads of an engine ask for, made by the thread that calls: by one, whoever asks, and in reach of a signal.

In the C library each thread keeps room of its own for what it frees: large lines read now by one thread, now by another
would take it several times. And of all threads the main one alone hears Ctrl-C. tests/pipelines/test_made_here.py."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")


def made_here(made: Iterator[T], use: Callable[[Iterator[T]], None]) -> None:
    """Call `use` in a thread of its own, with an iterator whose elements this thread makes, one when one is asked for.

    Raises:
        Exception: what `made` raises, for `use` as if it had ended, or else what `use` raises.
    """
    asked: SimpleQueue[bool] = SimpleQueue()
    answers: SimpleQueue[list[T]] = SimpleQueue()
    with ThreadPoolExecutor(1) as other:
        try:
            try:
                using = other.submit(use, _handed(asked, answers))
                using.add_done_callback(lambda _: asked.put(False))
                while asked.get():
                    answers.put(_next(made))
            finally:
                # who still asks, or will, is told that this is the end
                answers.put([])
        finally:
            # a second signal may have come before it was told, and nobody could end the wait for it
            answers.put([])
        using.result()


def _handed(asked: SimpleQueue[bool], answers: SimpleQueue[list[T]]) -> Generator[T]:
    while True:
        asked.put(True)
        found = answers.get()
        if not found:
            return
        # not held here while it is used
        yield found.pop()


def _next(made: Iterator[T]) -> list[T]:
    """One, or none at the end."""
    for found in made:
        return [found]
    return []
