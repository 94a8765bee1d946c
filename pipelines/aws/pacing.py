"""Keeping to a service's quota, and outlasting its bad hours: a bucket of tokens, a back-off, one deadline.

Clock and sleep are handed in. tests/pipelines/test_pacing.py drives both by hand."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from pipelines.aws.guard import passes
from pipelines.errors import AwsError

_FIRST_PAUSE_S = 5.0
_LONGEST_PAUSE_S = 300.0
_SILENCE_S = 45.0
"""So long a service that has answered nothing yet is asked: a machine without network is no bad hour of the service."""
_T = TypeVar("_T")


@dataclass(frozen=True)
class Limits:
    """How hard and how long a service is asked."""

    calls_per_second: float = 4
    """Of one operation, all threads together."""
    deadline_s: float = 7200
    """From opening the source to its last byte."""


Waits = Callable[[str, str | None], None]
"""Told what is waited for and, after each failed try, why and how long; then None, once it has come."""


class StaleError(AwsError):
    """What had been begun cannot be gone on with; from its start it may succeed."""


class Pace:
    """Tokens for calls; each account and operation has a bucket of its own, which threads share."""

    def __init__(
        self,
        per_second: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """
        Args:
            per_second: tokens that a bucket gains; it holds one, since a quota counts in any second.
        """
        self._interval_s = 1 / per_second
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._next_s: dict[tuple[str, str], float] = {}

    def take(self, scope: str, operation: str) -> None:
        """Wait for a token.

        Args:
            scope: account and region whose quota the call counts against.
        """
        with self._lock:
            now = self._clock()
            turn = max(now, self._next_s.get((scope, operation), now))
            self._next_s[scope, operation] = turn + self._interval_s
        if turn > now:
            self._sleep(turn - now)


class Patience:
    """Begins work again that failed for a reason that passes, until one deadline for all of it."""

    def __init__(
        self,
        deadline_s: float,
        *,
        answered: Callable[[], bool] = lambda: True,
        waits: Waits = lambda _where, _why: None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """
        Args:
            deadline_s: counted from now.
            answered: has the service answered a call, however badly?
        """
        self._deadline_s = deadline_s
        self._begun_s = clock()
        self._end_s = self._begun_s + deadline_s
        self._answered = answered
        self._waits = waits
        self._clock = clock
        self._sleep = sleep

    def check(self, where: str, last: AwsError | None = None) -> None:
        """Nothing, while there is time.

        Args:
            last: what went wrong, if anything did.
        Raises:
            AwsError: the time is up.
        """
        if self._clock() >= self._end_s:
            why = f" (last: {last})" if last else ""
            raise AwsError(
                f"{where}: not read to its end within {self._deadline_s / 60:g} minutes{why}; run again later, or "
                "raise logs_deadline_minutes under [export]"
            ) from last

    def through(self, where: str, work: Callable[[], _T]) -> _T:
        """What `work` returns; it is begun anew after each failure that passes, with growing pauses.

        Raises:
            AwsError: the time is up, the failure does not pass, or the service has not answered one call.
        """
        pause = _FIRST_PAUSE_S
        while True:
            self.check(where)
            try:
                made = work()
            except AwsError as error:
                if not isinstance(error, StaleError) and not passes(error):
                    raise
                self.check(where, error)
                pause = min(pause, self._end_s - self._clock())
                self._refuse_silence(where, pause, error)
                self._waits(where, self._told(pause, error))
                self._sleep(pause)
                self.check(where, error)
                pause = min(2 * pause, _LONGEST_PAUSE_S)
            else:
                self._waits(where, None)
                return made

    def _refuse_silence(self, where: str, pause: float, last: AwsError) -> None:
        silent_s = self._clock() - self._begun_s
        if not self._answered() and silent_s + pause > _SILENCE_S:
            raise AwsError(f"{where}: not one call was answered in {silent_s:.0f} s (last: {last})") from last

    def _told(self, pause: float, last: AwsError) -> str:
        # without the advice: to run again is what this run does
        reason, left_s = str(last).partition("; ")[0], self._end_s - self._clock()
        end = f"in {left_s / 60:.0f} minutes (logs_deadline_minutes)"
        if not self._answered():
            end = f"{_SILENCE_S:.0f} s after its start, where nothing has answered by then"
        return f"{reason}; next try in {pause:.0f} s, given up {end}"
