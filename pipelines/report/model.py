"""What a report is made of: one night's ranking and what is known about its making.

Imports nothing of ours but the limit of evidence, the details of a principal and earlier nights.
Checked at birth, so the writers never meet a NaN, a naive time or a 21st audit ID.
Tested in tests/report/test_model.py.
"""

import math
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from features.evidence import MAX_AUDIT_IDS
from pipelines.report.detail import Detail
from pipelines.report.earlier import EarlierNight


def _check_finite(record: object) -> None:
    for name, value in vars(record).items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{type(record).__name__}.{name}: {value}; expected a finite number")


@dataclass(frozen=True)
class Reason:
    """One feature that lifted a principal's score."""

    feature: str
    meaning: str  # one sentence, from the catalogue
    unit: str  # plural: requests, namespaces
    value: int  # tonight
    expected: float | None  # mean count a night in the reference that found it least strange
    usual: float | None  # median of the principal's own usual nights; None without one
    usual_low: float | None  # four of five of its usual nights lie between these two
    usual_high: float | None
    peers_low: float | None  # and of its peers' nights
    peers_high: float | None
    surprise: float  # decades: expected less than once in 10**surprise nights
    share: float | None  # of the score, 0 to 1

    def __post_init__(self) -> None:
        _check_finite(self)


@dataclass(frozen=True)
class Counterfactual:
    """What rank the principal would have, had it done only what is usual."""

    feature: str  # of the first reason
    unit: str
    value: int  # tonight
    instead: int  # the usual count
    rank: int  # with this count alone as usual
    rank_without_all: int  # with the counts of all its reasons as usual
    score_without_all: float  # and its score then

    def __post_init__(self) -> None:
        _check_finite(self)


@dataclass(frozen=True)
class Places:
    """Ranks by each measure alone."""

    codisp: int
    norm: int
    aws_score: int

    @property
    def each(self) -> tuple[int, int, int]:
        """All three, as declared."""
        return self.codisp, self.norm, self.aws_score


@dataclass(frozen=True)
class Begun:
    """A reason that was none on the principal's last night."""

    feature: str
    meaning: str  # one sentence, from the catalogue
    unit: str
    value: int  # tonight
    before: int | None  # on its last night; None where the source was blind


@dataclass(frozen=True)
class Newcomer:
    """A principal at the top that was not there the night before."""

    absent: date | None  # the night before, where it made no request then but on an earlier one
    last_night: date | None  # its own last one; None where the history knows none
    new: tuple[Begun, ...]


@dataclass(frozen=True)
class Together:
    """Something that several principals began to use on this night."""

    kind: str  # of items
    item: str
    principals: int  # how many began it


@dataclass(frozen=True)
class Evidence:
    """The requests behind one feature, as audit IDs to look up in the archive."""

    feature: str
    requests: int
    audit_ids: tuple[str, ...]  # the first of them, new items first
    times: tuple[datetime, ...]  # of these very requests: one ID may lead to several
    first_ts: datetime | None
    last_ts: datetime | None

    def __post_init__(self) -> None:
        if len(self.audit_ids) > MAX_AUDIT_IDS:
            raise ValueError(f"{len(self.audit_ids)} audit IDs; expected at most {MAX_AUDIT_IDS}")
        if len(self.times) != len(self.audit_ids):
            raise ValueError(f"{len(self.audit_ids)} audit IDs and {len(self.times)} times; expected one time for each")
        for time in (self.first_ts, self.last_ts, *self.times):
            if time is not None and time.utcoffset() != timedelta(0):
                raise ValueError(f"{time}; expected an aware time in UTC")


@dataclass(frozen=True)
class RankedPrincipal:
    """One row of the ranking; the fields are its columns, columns.py says what each means."""

    rank: int
    rank_lo: int | None
    rank_hi: int | None
    principal: str
    usernames: tuple[str, ...]
    type: str
    peer_group: str
    requests: int
    score: float
    codisp: float
    norm: float
    aws_score: float | None
    one_in: float | None
    reasons: tuple[Reason, ...]
    counterfactual: Counterfactual | None
    strange_nights: int
    together: Together | None
    places: Places | None
    newcomer: Newcomer | None
    evidence: tuple[Evidence, ...]
    detail: Detail | None
    marks: tuple[str, ...]
    first_seen: date | None
    history_nights: int

    def __post_init__(self) -> None:
        _check_finite(self)


@dataclass(frozen=True)
class MarkedRange:
    """What a mark says of one feature."""

    feature: str
    most: int  # marked from 0 to this
    named: bool  # by the analyst; else one of the reasons of the marked night


@dataclass(frozen=True)
class Marked:
    """A mark that holds on this night, or of which the report must tell that it ended."""

    id: str
    principal: str
    state: str  # expected, investigating or confirmed
    because: str
    night: date  # the marked one
    until: date
    made_at: datetime
    features: tuple[MarkedRange, ...]
    reopened: tuple[str, ...]  # why an expected principal stands in the ranking again; empty where it does not


@dataclass(frozen=True)
class Coverage:
    """What became of every event that was read; read = archived + duplicate + quarantined + outside."""

    read: int
    archived: int
    duplicate: int
    quarantined: int
    outside: int  # of the nights asked for
    collisions: int  # one identity, two contents; both are archived
    truncated: int  # archived, but cut short at the source
    mistyped: int  # archived, with a field of a type it must not have
    hours_seen: tuple[int, ...]  # 0 to 23 UTC, with at least one event
    gaps: tuple[int, ...]  # hours without one, between two that have some
    blind: tuple[str, ...]  # features this source cannot show

    def __post_init__(self) -> None:
        if strange := sorted(set(self.hours_seen) - set(range(24))):
            raise ValueError(f"hours_seen holds {strange}; expected 0 to 23")

    @property
    def missing_hours(self) -> tuple[int, ...]:
        """The hours of the UTC day without a single event, ascending."""
        return tuple(hour for hour in range(24) if hour not in self.hours_seen)

    @property
    def accounted(self) -> int:
        """Events whose fate is known; equal to `read`, or something was lost."""
        return self.archived + self.duplicate + self.quarantined + self.outside


@dataclass(frozen=True)
class Night:
    """All that one night's reports show; `ranked` in the order of rank, `expected` those that marks set apart."""

    cluster: str
    date: date
    generation: int
    coverage: Coverage
    history_nights: int
    history_expected: int
    ranked: tuple[RankedPrincipal, ...]
    notices: tuple[str, ...]
    seed: int
    trees: int
    version: str
    expected: tuple[RankedPrincipal, ...] = ()
    marks: tuple[Marked, ...] = ()  # of one principal the one that counts last
    before: tuple[EarlierNight, ...] = ()  # at most LOOK_BACK, ascending

    @property
    def principals(self) -> tuple[RankedPrincipal, ...]:
        """Everybody, those set apart behind the others."""
        return self.ranked + self.expected

    @property
    def badges(self) -> dict[str, str]:
        """By principal what analysts say of it, in one word."""
        return {mark.principal: "re-opened" if mark.reopened else mark.state for mark in self.marks}
