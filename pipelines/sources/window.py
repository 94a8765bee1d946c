"""The one type of time window, and what each API of CloudWatch Logs must be told to read exactly it.

The windows here do not count their end in, the APIs do: no other module converts.
tests/pipelines/test_window.py reads one window through all of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

HOUR_MS = 3_600_000
_MARGIN_MS = HOUR_MS
"""After the last night: an event reaches CloudWatch, and gets its time there, a little after the API server's."""


@dataclass(frozen=True)
class Window:
    """Half-open, in UTC epoch milliseconds: `start_ms` is in, `end_ms` is not."""

    start_ms: int
    end_ms: int
    nights_ms: tuple[int, int] | None = None
    """Start and end of the asked nights, half-open; None when the whole window is asked for."""

    def __post_init__(self) -> None:
        if not 0 <= self.start_ms <= self.end_ms:
            raise ValueError(f"window from {self.start_ms} to {self.end_ms} ms: 0 <= start <= end expected")

    @property
    def asked_ms(self) -> tuple[int, int]:
        """What must not be missing, half-open."""
        return self.nights_ms or (self.start_ms, self.end_ms)

    def __contains__(self, at_ms: int) -> bool:
        return self.start_ms <= at_ms < self.end_ms


def of_nights(first: date, last: date, reread_hours: int, now_ms: int) -> Window:
    """The window in which CloudWatch holds the events of the nights, the last one included.

    Args:
        reread_hours: hours before the first night that are read, too.
        now_ms: the window ends here at the latest.
    """
    start_ms = midnight_ms(first)
    end_ms = midnight_ms(last + timedelta(days=1))
    from_ms = max(0, start_ms - reread_hours * HOUR_MS)
    return Window(from_ms, max(from_ms, min(end_ms + _MARGIN_MS, now_ms)), (start_ms, end_ms))


def midnight_ms(night: date) -> int:
    """The night's first millisecond."""
    return int(datetime.combine(night, time(), UTC).timestamp()) * 1000


def hours(window: Window) -> tuple[Window, ...]:
    """The window cut at each full hour; the first and the last may be shorter."""
    if window.start_ms == window.end_ms:
        return ()
    edges = range(window.start_ms - window.start_ms % HOUR_MS, window.end_ms, HOUR_MS)
    return tuple(Window(max(at, window.start_ms), min(at + HOUR_MS, window.end_ms)) for at in edges)


def hour_name(at_ms: int) -> str:
    """The hour an instant lies in, such as 2026-09-15T05."""
    return _moment(at_ms).strftime("%Y-%m-%dT%H")


def shown_ms(at_ms: int) -> str:
    """An instant for a person, to the second."""
    return _moment(at_ms).strftime("%Y-%m-%d %H:%M:%S UTC")


def _moment(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms // 1000, UTC)


def filter_bounds(window: Window) -> dict[str, int]:
    """For FilterLogEvents, which counts its end in."""
    return {"startTime": window.start_ms, "endTime": _last_ms(window)}


def export_bounds(window: Window) -> dict[str, int]:
    """For CreateExportTask, which counts its end in."""
    return {"fromTime": window.start_ms, "to": _last_ms(window)}


def _last_ms(window: Window) -> int:
    if window.start_ms == window.end_ms:
        raise ValueError(f"window at {window.start_ms} ms: it is empty, and an API that counts its end in has no such")
    return window.end_ms - 1
