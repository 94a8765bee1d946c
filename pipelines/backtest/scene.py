"""Where a kind acts: the actor, the cluster's names, the night, and chance by a seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import TypeVar

from pipelines.backtest.cluster import Actor, Cluster, Name

# addresses that are reserved for documentation: no cluster's own
_FOREIGN = ("192.0.2", "198.51.100", "203.0.113")
_T = TypeVar("_T")


class LackingError(ValueError):
    """What a kind needs and the cluster does not show; the text says it to a person."""


@dataclass(frozen=True)
class Scene:
    """One case on one of its nights."""

    chance: Random
    night: date
    cluster: Cluster
    actor: Actor

    def some(self, things: Sequence[_T], least: int, most: int, what: str) -> list[_T]:
        """Between least and most of the things, in an order of chance; all of them where there are fewer.

        Raises:
            LackingError: there is none.
        """
        if not things:
            raise LackingError(f"the night and its history name no {what}")
        return self.chance.sample(things, min(len(things), self.chance.randint(least, most)))

    def one(self, things: Sequence[_T], what: str) -> _T:
        """One of the things.

        Raises:
            LackingError: there is none.
        """
        return self.some(things, 1, 1, what)[0]

    def secrets(self, least: int, most: int) -> list[Name]:
        """Secrets by name."""
        return self.some(self.cluster.secrets, least, most, "secret")

    def namespaces(self, least: int, most: int) -> list[str]:
        """Namespaces by name."""
        return self.some(self.cluster.namespaces, least, most, "namespace")

    def hours(self) -> tuple[int, ...]:
        """Hours in which the actor works, of those that the night has; else those that it has."""
        own = tuple(hour for hour in self.actor.hours if hour in self.cluster.hours)
        return own or self.cluster.hours

    def idle_hours(self) -> tuple[int, ...]:
        """Hours of the night farthest from those in which the actor works.

        Raises:
            LackingError: it works in every hour.
        """
        distance = {hour: min(_apart(hour, own) for own in self.actor.hours) for hour in self.cluster.hours}
        farthest = max(distance.values(), default=0)
        if not farthest:
            raise LackingError("no principal of this type leaves an hour of the night idle")
        return tuple(hour for hour, apart in distance.items() if apart == farthest)

    def times(self, number: int, minutes: float, hours: Sequence[int] = ()) -> list[datetime]:
        """Times in order within so many minutes, from a moment in one of the hours (of the actor's, unsaid)."""
        hour = self.chance.choice(hours or self.hours())
        opened = datetime.combine(self.night, time(hour), UTC)
        # what runs over midnight would be another night's
        last = opened.replace(hour=23, minute=59, second=58)
        start = min(opened + timedelta(seconds=self.chance.uniform(0, 3599)), last - timedelta(minutes=minutes))
        start = max(start, opened.replace(hour=0))
        room = min(timedelta(minutes=minutes), last - start)
        return sorted(start + self.chance.random() * room for _ in range(number))

    def all_day(self, number: int) -> list[datetime]:
        """Times in order, spread over the hours in which the actor works."""
        hours = self.hours()
        starts = [datetime.combine(self.night, time(self.chance.choice(hours)), UTC) for _ in range(number)]
        return sorted(start + timedelta(seconds=self.chance.uniform(0, 3598)) for start in starts)

    def foreign_address(self) -> str:
        """A public address that no cluster uses."""
        return f"{self.chance.choice(_FOREIGN)}.{self.chance.randint(1, 254)}"

    def agent(self) -> str:
        """A client that people attack with."""
        return self.chance.choice(
            ("kubectl/v1.29.3 (linux/amd64) kubernetes/6813625", "curl/8.5.0", "python-requests/2.31.0")
        )

    def word(self) -> str:
        """A name that looks like others and is nobody's."""
        return f"{self.chance.choice(('metrics', 'backup', 'sync', 'debug'))}-{self.chance.randrange(16**6):06x}"


def _apart(hour: int, other: int) -> int:
    away = abs(hour - other) % 24
    return min(away, 24 - away)
