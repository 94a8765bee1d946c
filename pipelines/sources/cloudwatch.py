"""CloudWatch Logs as a source: one object for each hour of the window, read ahead by threads, each hour sorted.

An hour waits in a temporary file until its turn, so that a night of 10 GB needs little memory; its bytes depend on
its events alone, not on how the service paged them.
tests/pipelines/test_cloudwatch.py reads whole windows, test_cloudwatch_faults.py through a server that misbehaves."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pipelines.aws.guard import Guarded
from pipelines.aws.logs import AuditLog, discover
from pipelines.aws.pacing import Limits, Pace, Patience, Waits
from pipelines.sources.base import Batch, LongLine, Source, log_group
from pipelines.sources.spool import Spool
from pipelines.sources.window import Window, hour_name, hours

_AHEAD = 4
"""Hours that are read at once; the one that is being parsed comes on top."""
_JOIN_S = 2.0
"""A request under way cannot be broken off: its thread is waited for so long, then it ends by itself."""

Pause = Callable[[threading.Event, float], object]
"""Waits that many seconds, or until the event is set."""


def open_logs(
    logs: Any,
    eks: Any | None,
    cluster: str,
    group: str | None,
    window: Window,
    limits: Limits,
    now_ms: int,
    *,
    waits: Waits = lambda _where, _why: None,
    clock: Callable[[], float] = time.monotonic,
    pause: Pause = threading.Event.wait,
) -> Source:
    """The audit log of a cluster, one object an hour of the window, earliest first.

    Objects are to be opened in their order. One that is left before its last batch ends all reading ahead.

    Args:
        logs: the boto3 client of CloudWatch Logs in the cluster's region.
        eks: that of EKS; None where the cluster's account is out of reach.
        group: log group; None for the one that EKS writes to.
        now_ms: the current time, for what the group's retention has removed.
        waits: told of each failure that is waited out, perhaps by several threads at once.
    Raises:
        ConfigError: EKS does not know the cluster, or credentials are missing.
        EmptyNightError: the log is off, missing or empty, or no longer holds the nights.
        DataError: an answer is not whole, even after it was asked for again.
        AwsError: a service did not answer until the deadline (within a minute where it never did), or refused.
    """
    name = log_group(cluster) if group is None else group
    stop = _Stop(pause)
    pace = Pace(limits.calls_per_second, clock=clock, sleep=stop.sleep)
    guarded = Guarded(logs, pause=stop.sleep)
    watched = None if eks is None else Guarded(eks, pause=stop.sleep)
    asked = [one for one in (guarded, watched) if one is not None]
    patience = Patience(
        limits.deadline_s,
        answered=lambda: any(one.answered for one in asked),
        waits=waits,
        clock=clock,
        sleep=stop.sleep,
    )
    log, notices = patience.through(
        f"log group {name}", lambda: discover(guarded, watched, cluster, name, window, now_ms, pace)
    )
    slices = hours(window)
    ahead = _Ahead(log, patience, stop, slices)
    prefix = f"cloudwatch/{name.strip('/')}"
    return Source(
        tuple(LogSlice(f"{prefix}/{hour_name(w.start_ms)}", w, ahead, i) for i, w in enumerate(slices)), (), notices
    )


@dataclass(frozen=True)
class LogSlice:
    """The audit events of one hour."""

    name: str
    window: Window
    ahead: _Ahead = field(repr=False)
    index: int

    @property
    def size(self) -> int:
        """Its share of the window in milliseconds: how many bytes it has is not known before it is read."""
        return self.window.end_ms - self.window.start_ms

    @contextmanager
    def open(self) -> Iterator[SliceReading]:
        """The hour, read to its end.

        Raises:
            DataError: an answer is not whole, even after it was asked for again.
            AwsError: the service did not answer until the deadline, or refused.
        """
        reading = None
        try:
            with self.ahead.take(self.index) as spool:
                reading = SliceReading(self.name, spool)
                yield reading
        finally:
            if reading is None or not reading.ended:
                self.ahead.halt()


@dataclass
class SliceReading:
    """An hour while it is handed over: its messages, one a line, by time, stream and event id."""

    name: str
    _spool: Spool
    stored_bytes: int = 0
    """Of the lines handed over so far."""
    ended: bool = False
    """Has the last batch been asked for more?"""
    _digest: Any = field(default_factory=hashlib.sha256)

    @property
    def sha256(self) -> str:
        """Of the lines handed over so far, hex."""
        return str(self._digest.hexdigest())

    def batches(self) -> Iterator[Batch | LongLine]:
        """Whole lines in order, about 16 MB at a time."""
        skipped = self._spool.skipped
        for data, times_ms in self._spool.portions():
            offset = self.stored_bytes
            self._digest.update(data)
            self.stored_bytes += len(data)
            yield Batch(self.name, offset, data, times_ms=times_ms, skipped=skipped)
            skipped = 0
        if skipped:
            yield Batch(self.name, self.stored_bytes, b"", skipped=skipped)
        self.ended = True


class _StoppedError(Exception):
    """Nobody waits for the result any longer."""


class _Stop:
    """Whether the threads are to end, and their only way to sleep."""

    def __init__(self, pause: Pause) -> None:
        self.asked = threading.Event()
        self._pause = pause

    def check(self) -> None:
        if self.asked.is_set():
            raise _StoppedError

    def sleep(self, seconds: float) -> None:
        self._pause(self.asked, seconds)
        self.check()


class _Ahead:
    """Reads hours before they are asked for, each in a thread of its own, `_AHEAD` of them at once."""

    def __init__(self, log: AuditLog, patience: Patience, stop: _Stop, slices: tuple[Window, ...]) -> None:
        self._log = log
        self._patience = patience
        self._stop = stop
        self._slices = slices
        self._under_way: dict[int, tuple[Future[Spool], threading.Thread]] = {}

    @contextmanager
    def take(self, index: int) -> Iterator[Spool]:
        """The hour of that index, once it is read; the hours after it go on being read."""
        self._begin(index, index + _AHEAD)
        spool = self._under_way[index][0].result()
        self._under_way.pop(index)
        with spool:
            self._begin(index + 1, index + 1 + _AHEAD)
            yield spool

    def halt(self) -> None:
        """End all threads and drop what they have read; a spool that nobody holds is gone."""
        self._stop.asked.set()
        left, self._under_way = list(self._under_way.values()), {}
        give_up = time.monotonic() + _JOIN_S
        for _, thread in left:
            thread.join(max(0.0, give_up - time.monotonic()))

    def _begin(self, first: int, last: int) -> None:
        if not self._under_way:
            self._stop.asked.clear()
        for index in range(first, min(last, len(self._slices))):
            if index not in self._under_way:
                future: Future[Spool] = Future()
                # a daemon: a process that ends does not wait for an answer that nobody will read
                thread = threading.Thread(
                    target=self._run, args=(self._slices[index], future), name=f"logs-{index}", daemon=True
                )
                self._under_way[index] = future, thread
                thread.start()

    def _run(self, window: Window, future: Future[Spool]) -> None:
        where = f"{self._log.group.where}, {hour_name(window.start_ms)}"
        try:
            future.set_result(self._patience.through(where, lambda: self._read(where, window)))
        except BaseException as error:  # noqa: BLE001 (raised again where the hour is taken)
            future.set_exception(error)

    def _read(self, where: str, window: Window) -> Spool:
        spool = Spool()
        try:
            for page in self._log.pages(window, lambda: self._check(where)):
                spool.add(page)
        except BaseException:
            spool.close()
            raise
        return spool

    def _check(self, where: str) -> None:
        self._stop.check()
        self._patience.check(where)
