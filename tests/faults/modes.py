"""The ways a call can fail, and the exit codes a run may then end with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from signal import SIGKILL, SIGTERM

from faults import actions
from faults.actions import Action
from faults.proxy import Call

Kill = Callable[[int], None]
"""Sends a signal to the job under way."""


@dataclass(frozen=True)
class Mode:
    """A fault at one call.

    `codes` are the exit codes it may end in, and those of `at_source` where it harms what is read of the source, which
    is passed on before its end is seen; `action` makes it, given a way to signal the job; `times` is None for a fault
    that stays; `fits` says of which calls, by the log of a clean run, it is a fault at all."""

    name: str
    codes: frozenset[int]
    action: Callable[[Kill], Action]
    times: int | None = 1
    fits: Callable[[Call], bool] = lambda _: True
    at_source: frozenset[int] = frozenset()

    @property
    def kills(self) -> bool:
        """Does it need a process of its own?"""
        return bool(self.codes & {-SIGKILL, 128 + SIGTERM})


def _killing(signal: int, *, after: bool) -> Callable[[Kill], Action]:
    return lambda kill: actions.hold_and_kill(lambda: kill(signal), after=after)


def _torn(more_than: int) -> Callable[[Call], bool]:
    return lambda call: call.size > more_than


def _object(call: Call) -> bool:
    return call.status == 200 and call.size > 0


_DONE = frozenset({0})
_RETRY = frozenset({4})
_REFUSED = frozenset({3})
_KILLED = frozenset({-SIGKILL})
_TERMINATED = frozenset({128 + SIGTERM})
_HTML = actions.status(200, "text/html", b"<html><body>Sign in to the network</body></html>")
_EMPTY = actions.status(200, "application/x-amz-json-1.1", b"")
_BROKEN = actions.status(500, "application/xml", b"<Error><Code>InternalError</Code><Message>x</Message></Error>")


def _half(size: int) -> int:
    return size // 2


def _last(size: int) -> int:
    return size - 1


MODES = (
    Mode("kill before", _KILLED, _killing(SIGKILL, after=False)),
    Mode("kill after", _KILLED, _killing(SIGKILL, after=True)),
    Mode("SIGTERM before", _TERMINATED, _killing(SIGTERM, after=False)),
    Mode("SIGTERM after", _TERMINATED, _killing(SIGTERM, after=True)),
    Mode("reset once", _DONE, lambda _: actions.reset_before),
    Mode("reset for ever", _RETRY, lambda _: actions.reset_before, None),
    Mode("lost answer", _DONE, lambda _: actions.lost_response),
    Mode("torn at 0", _DONE, lambda _: actions.truncate(0), fits=_torn(0)),
    Mode("torn at 1", _DONE, lambda _: actions.truncate(1), fits=_torn(1)),
    Mode("torn at half", _DONE, lambda _: actions.truncate(_half), fits=_torn(1)),
    Mode("torn at len-1", _DONE, lambda _: actions.truncate(_last), fits=_torn(1)),
    Mode("reset at half", _DONE, lambda _: actions.reset_mid(_half), fits=_torn(1)),
    Mode("duplicate", _DONE, lambda _: actions.dup),
    Mode("throttle once", _DONE, lambda _: actions.throttle),
    Mode("throttle for ever", _RETRY, lambda _: actions.throttle, None),
    Mode("500 once", _DONE, lambda _: _BROKEN),
    Mode("SlowDown once", _DONE, lambda _: actions.slowdown),
    Mode("HTML 200", _DONE, lambda _: _HTML),
    Mode("empty 200", _DONE, lambda _: _EMPTY),
    Mode("expired token", _RETRY, lambda _: actions.expired),
    Mode("clock skew", _RETRY, lambda _: actions.skew),
    Mode("flipped byte", _DONE, lambda _: actions.flip(_half), fits=_object, at_source=_REFUSED),
    Mode("flipped, unguarded", frozenset({0, 3}), lambda _: actions.flip(_half, checksums=False), fits=_object),
)
"""The product's; a mode is an entry here."""

BY_NAME = {mode.name: mode for mode in MODES}
