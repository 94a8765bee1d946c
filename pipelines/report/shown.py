"""What `show` and `compare` say of one principal: records of plain values, text exactly as logged.

Imports only the model. Tested with the writers, in tests/report/test_shown.py and test_compared.py."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from pipelines.report.model import Night, RankedPrincipal


@dataclass(frozen=True)
class PastRank:
    """Where the principal stood on one night; no rank where it did nothing or the night was not ranked."""

    night: date
    principals: int | None  # ranked that night
    rank: int | None = None
    rank_lo: int | None = None
    rank_hi: int | None = None
    score: float | None = None
    requests: int | None = None
    reason: str | None = None  # the feature of the first reason
    value: int | None = None  # its count


@dataclass(frozen=True)
class Items:
    """Things of one kind."""

    kind: str
    meaning: str
    items: tuple[str, ...]


@dataclass(frozen=True)
class Request:
    """One request that a reason rests on."""

    features: tuple[str, ...]  # the reasons it is evidence of
    time: datetime
    verb: str | None
    what: str  # the resource with group and subresource, or the path
    namespace: str | None
    name: str | None
    code: int | None
    address: str | None
    user_agent: str | None
    impersonated_user: str | None
    audit_id: str
    alike: int  # requests of the principal that night that bear this audit ID


@dataclass(frozen=True)
class Grant:
    """What allowed a request, as the API server said; both empty where it names no binding."""

    binding: str
    role: str


@dataclass(frozen=True)
class Used:
    """One permission that was used: a verb on a resource in a namespace, or on a path."""

    verb: str
    api_group: str
    resource: str  # empty for a path
    subresource: str
    namespace: str | None  # None: cluster-wide
    path: str | None
    as_other: bool  # asked as somebody else
    requests: int
    first: datetime
    last: datetime
    grants: tuple[Grant, ...]

    @property
    def what(self) -> str:
        """`deployments.apps/scale`, or the path."""
        if self.path is not None:
            return self.path
        group = f".{self.api_group}" if self.api_group else ""
        return f"{self.resource}{group}{'/' if self.subresource else ''}{self.subresource}"


@dataclass(frozen=True)
class Shown:
    """One principal, as it stands on a night and the nights before."""

    night: Night  # with this principal alone in `ranked`
    principals: int  # ranked that night
    past: tuple[PastRank, ...]  # this night the last
    new: tuple[Items, ...]  # against the nights it was judged by, confirmed attacks left out
    evidence: tuple[Request, ...]  # in the order of the reasons, then of time
    events_gone: bool  # then the evidence is what the ranking kept
    used: tuple[Used, ...]  # allowed requests of `used_nights`, most requests first
    used_nights: tuple[date, ...]  # those of `past` whose events are archived and on which it did something

    @property
    def row(self) -> RankedPrincipal:
        """Its row of the ranking."""
        return self.night.ranked[0]


@dataclass(frozen=True)
class Changed:
    """One count on two nights; None where there is none."""

    feature: str
    meaning: str
    unit: str
    before: int | None
    after: int | None
    surprise_before: float | None  # decades, the least of three; None where the forest does not read it
    surprise_after: float | None

    @property
    def surprise(self) -> float:
        """The larger of the two."""
        return max(self.surprise_before or 0.0, self.surprise_after or 0.0)


@dataclass(frozen=True)
class Touched:
    """Things of one kind that only one of two nights has."""

    kind: str
    meaning: str
    new: tuple[str, ...]
    vanished: tuple[str, ...]


@dataclass(frozen=True)
class Compared:
    """One principal on two nights."""

    cluster: str
    principal: str
    before: PastRank
    after: PastRank
    counts: tuple[Changed, ...]  # those that differ, the most surprising first
    items: tuple[Touched, ...]
