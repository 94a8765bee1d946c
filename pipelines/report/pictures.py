"""The small pictures of the page as SVG paths: scores over the last nights, and requests by hour.

Numbers of our own alone, so nothing here needs escaping. Tested in tests/report/test_pictures.py.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from pipelines.report.detail import Hour
from pipelines.report.earlier import LOOK_BACK, spans
from pipelines.report.model import Night, RankedPrincipal

STRIP = (120, 26)
"""Width and height of a strip; whole numbers are fine enough, and short on a page of hundreds."""

HOURS = (288, 48)
"""Of a day, 24 columns."""

_FEWEST = 7
"""Nights a strip has room for at least, or two nights would stand an inch apart."""


@dataclass(frozen=True)
class Strip:
    """One principal's scores over the last nights, the oldest on the left; tonight is apart."""

    own: str  # a line through the earlier nights on which it was ranked
    tonight: tuple[int, int]
    peers: int  # number of its peers' drawing, shared by all of the group
    said: str


class Strips:
    """Strips on one logarithmic scale for all principals of a night, as high as what is drawn."""

    def __init__(self, night: Night) -> None:
        self._night = night
        back = [(night.date - before.date).days for before in night.before]
        self._columns = min(LOOK_BACK, max([_FEWEST, *back]))
        self.groups = sorted({row.peer_group for row in night.principals})
        scores = [row.score for row in night.principals]
        for before in night.before:
            scores += [one.score for one in before.standings.values()]
            scores += [high for group, (_, high) in before.peers.items() if group in self.groups]
        self._top = math.log1p(max([1.0, *scores]))

    def peers(self) -> list[str]:
        """Of each group a bar a night, between which four of five of its members scored."""
        tonight = spans((row.peer_group, row.score) for row in self._night.principals)
        nights = [*((before.date, before.peers) for before in self._night.before), (self._night.date, tonight)]
        return [self._bars(nights, group) for group in self.groups]

    def _bars(self, nights: Iterable[tuple[dt.date, Mapping[str, tuple[float, float]]]], group: str) -> str:
        return "".join(
            f"M{self._x(night)} {self._y(found[group][0])}V{self._y(found[group][1]) - 1}"
            for night, found in nights
            if group in found
        )

    def strip(self, row: RankedPrincipal) -> Strip:
        """Of one principal of the night."""
        past = [(b.date, b.standings[row.principal]) for b in self._night.before if row.principal in b.standings]
        points = ""
        last: tuple[dt.date, int, int] | None = None
        for night, one in past:
            x, y = self._x(night), self._y(one.score)
            if last is not None and (night - last[0]).days == 1:
                points += f"l{x - last[1]} {y - last[2]}"
            else:  # not joined over a night on which it did nothing
                points += f"M{x} {y}h0"
            last = (night, x, y)
        tonight = (self._x(self._night.date), self._y(row.score))
        return Strip(points, tonight, self.groups.index(row.peer_group), _said([one.score for _, one in past]))

    def _x(self, night: dt.date) -> int:
        step = (STRIP[0] - 8) / self._columns
        return round(STRIP[0] - 4 - step * (self._night.date - night).days)

    def _y(self, score: float) -> int:
        return round(3 + (STRIP[1] - 6) * (1 - math.log1p(max(0.0, score)) / self._top))


def _said(scores: Sequence[float]) -> str:
    if not scores:
        return "ranked on no earlier night"
    low, high = min(scores), max(scores)
    span = f"{low:.3g}" if low == high else f"{low:.3g} to {high:.3g}"
    return f"score on {len(scores)} earlier {'nights' if len(scores) > 1 else 'night'}: {span}"


OUTCOMES: Sequence[tuple[str, Callable[[Hour], int]]] = (
    ("succeeded", lambda hour: hour.succeeded),
    ("refused", lambda hour: hour.refused),
    ("failed", lambda hour: hour.failed),
)
"""Stacked in this order, from below."""


def day(hours: Sequence[Hour]) -> list[tuple[str, int, str]]:
    """Of each outcome its name, its requests and the bars of its hours; a column is as high as its hour was busy."""
    busiest = max((hour.requests for hour in hours), default=1)
    floors = dict.fromkeys((hour.hour for hour in hours), 0)
    found = []
    for name, count in OUTCOMES:
        path = ""
        for hour in hours:
            if number := count(hour):
                # a single refusal among thousands is still to be seen
                height = max(2, round(number / busiest * (HOURS[1] - 6)))
                path += f"M{hour.hour * 12 + 6} {HOURS[1] - floors[hour.hour]}v-{height}"
                floors[hour.hour] += height
        found.append((name, sum(map(count, hours)), path))
    return found
