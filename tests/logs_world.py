"""A cluster whose audit log lies on loopback, read as the job reads it, by a clock that only sleeping moves."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from logs_server import AUDIT_STREAM, FakeLogs, Stored, logs_server

from pipelines.aws.pacing import Limits
from pipelines.aws.session import client
from pipelines.sources.base import Batch, Source
from pipelines.sources.cloudwatch import open_logs
from pipelines.sources.window import HOUR_MS, Window

START_MS = 1_789_448_400_000
"""2026-09-15 05:00 UTC."""
HOUR = Window(START_MS, START_MS + HOUR_MS)
THREE_HOURS = Window(START_MS, START_MS + 3 * HOUR_MS)
NOW_MS = START_MS + 24 * HOUR_MS
PREFIX = "cloudwatch/aws/eks/prod/cluster/2026-09-15T"


class World:
    """The services' state, clients that ask once, and the pauses that were made."""

    def __init__(self, endpoint: str, fake: FakeLogs) -> None:
        self.fake = fake
        self.logs = client("logs", region=None, endpoint_url=endpoint, attempts=1)
        self.eks = client("eks", region=None, endpoint_url=endpoint, attempts=1)
        self.slept: list[float] = []

    def reset(self) -> None:
        """A cluster with an empty log."""
        self.fake.reset()
        self.slept.clear()
        self.fake.add_group()
        self.fake.add_cluster()

    def clock(self) -> float:
        """Seconds slept so far."""
        return sum(self.slept)

    def pause(self, _: threading.Event, seconds: float) -> None:
        """Sleeps in no time."""
        self.slept.append(seconds)

    def open(self, window: Window = THREE_HOURS, *, limits: Limits | None = None, **more: Any) -> Source:
        """The source, as the job opens it."""
        asked: dict[str, Any] = {"cluster": "prod", "group": None, "eks": self.eks, "now_ms": NOW_MS, **more}
        asked = {"window": window, "limits": limits or Limits(), "clock": self.clock, "pause": self.pause, **asked}
        return open_logs(self.logs, **asked)

    def fill(self, count: int = 300, window: Window = THREE_HOURS) -> None:
        """Events at even distances over the window."""
        step_ms = (window.end_ms - window.start_ms) // count
        self.fake.add(*spread(count, window.start_ms, step_ms, ("kube-apiserver-audit-a", "kube-apiserver-audit-b")))


@contextmanager
def world() -> Iterator[World]:
    """A server of its own."""
    with logs_server() as (endpoint, fake):
        made = World(endpoint, fake)
        with closing(made.logs), closing(made.eks):
            yield made


def batches(source: Source) -> list[Batch]:
    """All batches of all objects."""
    found = []
    for one in source.objects:
        with one.open() as reading:
            found += [b for b in reading.batches() if isinstance(b, Batch)]
    return found


def data(source: Source) -> bytes:
    """All lines."""
    return b"".join(b.data for b in batches(source))


def readers() -> list[threading.Thread]:
    """Threads that read ahead."""
    return [t for t in threading.enumerate() if t.name.startswith("logs-")]


def spread(count: int, first_ms: int, step_ms: int, streams: Iterable[str] = (AUDIT_STREAM,)) -> list[Stored]:
    """Events at even distances, over the streams in turn."""
    names = list(streams)
    return [
        Stored(first_ms + i * step_ms, json.dumps({"auditID": str(i)}), names[i % len(names)], f"{i:056d}")
        for i in range(count)
    ]
