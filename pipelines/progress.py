"""What a run shows while it works, on stderr: a bar on a terminal, one JSON object a line otherwise."""

from __future__ import annotations

import json
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import Protocol, TextIO

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.text import Text

from pipelines.report.text import clip, visible


class Progress(Protocol):
    """What the stages tell of themselves."""

    def stage(self, name: str, night: date | None = None) -> None:
        """A stage begins."""

    def update(self, text: str, share: float) -> None:
        """Of the stage, this share (0 to 1) is done."""

    def pause(self) -> None:
        """Results are about to be printed; the next stage shows again."""

    def wait(self, where: str, why: str | None) -> None:
        """Something is waited for, and why, told at once; None: it has come."""

    @property
    def waited_for(self) -> str | None:
        """What is waited for now, and why; None: nothing."""


@contextmanager
def told() -> Iterator[None]:
    """What cannot be told on stderr, for its device is full or its reader has left, ends no run."""
    try:
        yield
    except OSError:
        silenced(sys.stderr)


def silenced(stream: TextIO) -> None:
    """Let a stream that takes no more go nowhere, or the interpreter would fail once more when it flushes it."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


class _Waits(ABC):
    """What is waited for, by where; threads wait for several things at once."""

    def __init__(self) -> None:
        self._waits: dict[str, str] = {}

    @property
    def waited_for(self) -> str | None:
        return next(iter(self._waits.values()), None)

    def wait(self, where: str, why: str | None) -> None:
        if why is None:
            self._waits.pop(where, None)
        else:
            self._waits[where] = why
            self._tell(why)

    @abstractmethod
    def _tell(self, why: str) -> None:
        """Say what is waited for."""


class _Lines(_Waits):
    """One JSON line for each stage and each wait; ASCII only, never content of the log."""

    def __init__(self, run_id: str, cluster: str, now: Callable[[], datetime]) -> None:
        super().__init__()
        self._fixed = {"run_id": run_id, "cluster": cluster}
        self._now = now

    def stage(self, name: str, night: date | None = None) -> None:
        self._write({"stage": name} if night is None else {"stage": name, "night": night.isoformat()})

    def update(self, text: str, share: float) -> None:
        """Too fine for a log."""

    def pause(self) -> None:
        """Lines are in nobody's way."""

    def _tell(self, why: str) -> None:
        self._write({"waiting": why})

    def _write(self, said: dict[str, str]) -> None:
        line = {"time": self._now().isoformat(timespec="seconds"), **self._fixed, **said}
        with told():
            sys.stderr.write(json.dumps(line) + "\n")


class _Bar(_Waits):
    def __init__(self, bar: Bar) -> None:
        super().__init__()
        self._bar = bar
        self._task = bar.add_task("", total=1.0)

    def stage(self, name: str, night: date | None = None) -> None:
        self._bar.start()
        self._bar.reset(self._task, description=f"{name} {night or ''}".strip())

    def update(self, text: str, share: float) -> None:
        self._bar.update(self._task, completed=min(share, 1.0), description=clip(visible(text), 48))

    def pause(self) -> None:
        self._bar.stop()

    def _tell(self, why: str) -> None:
        self._bar.console.print(Text(visible(why)), soft_wrap=True)


@contextmanager
def shown(run_id: str, cluster: str, now: Callable[[], datetime]) -> Iterator[Progress]:
    """A bar if stderr is a terminal, else log lines."""
    if not sys.stderr.isatty():
        yield _Lines(run_id, cluster, now)
        return
    column = TextColumn("{task.description}", markup=False)
    console = Console(stderr=True)
    with Bar(column, BarColumn(), TimeElapsedColumn(), console=console, transient=True) as bar:
        yield _Bar(bar)


def complain(message: str) -> None:
    """One line of error on stderr, safe for a terminal."""
    with told():
        sys.stderr.write(f"auditforest: {visible(message)}\n")
