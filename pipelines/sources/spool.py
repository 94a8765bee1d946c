"""Where the events of an hour wait: a temporary file that sorts and knows each event, whatever order they came in.

tests/pipelines/test_cloudwatch.py looks for what is left of it."""

from __future__ import annotations

import sqlite3
import weakref
from array import array
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from pipelines.aws.logs import Page
from pipelines.parsing.wrapped import one_line

_BATCH_BYTES = 16_000_000
_BATCH_LINES = 100_000

_SETUP = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA page_size = 32768;
PRAGMA cache_size = -2000;
CREATE TABLE events (at_ms INTEGER, stream BLOB, event_id BLOB, line BLOB);
CREATE UNIQUE INDEX known ON events (stream, event_id);
CREATE INDEX by_time ON events (at_ms, stream, event_id);
"""


class Spool:
    """Events on disk, each (stream, event id) once; made in one thread, read in another."""

    def __init__(self) -> None:
        with _disk():
            # "" is a file that SQLite makes when memory is short and unlinks at once: nothing stays, even of a kill
            self._db = sqlite3.connect("", check_same_thread=False)
            self._db.executescript(_SETUP)
        self.close = weakref.finalize(self, self._db.close)
        self.close.atexit = False
        self.skipped = 0
        """Events of other streams that came along."""

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, page: Page) -> None:
        """Keep the page's events that are not there yet.

        Raises:
            OSError: the disk is full.
        """
        self.skipped += page.skipped
        rows = ((e.at_ms, _bytes(e.stream), _bytes(e.event_id), _line(e.message)) for e in page.events)
        with _disk():
            self._db.executemany("INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?)", rows)

    def portions(self) -> Iterator[tuple[bytes, NDArray[np.int64]]]:
        """All lines by (time, stream, event id), about 16 MB at a time, and the time CloudWatch gave each."""
        lines, times = bytearray(), array("q")
        with _disk():
            for at_ms, line in self._db.execute("SELECT at_ms, line FROM events ORDER BY at_ms, stream, event_id"):
                lines += line
                times.append(at_ms)
                if len(lines) >= _BATCH_BYTES or len(times) >= _BATCH_LINES:
                    portion = bytes(lines), np.array(times, np.int64)
                    lines, times = bytearray(), array("q")
                    yield portion
        if times:
            yield bytes(lines), np.array(times, np.int64)


def _line(message: str) -> bytes:
    return _bytes(one_line(message)) + b"\n"


def _bytes(text: str) -> bytes:
    # half a surrogate pair has no UTF-8; JSON knows the escape
    return text.encode("utf-8", "backslashreplace")


@contextmanager
def _disk() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise OSError(f"temporary file of log events: {error}") from error
