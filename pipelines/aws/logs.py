"""The audit log of one cluster in CloudWatch Logs: is it there, what does it still hold, and its pages.

The pager is our own: botocore's gives up at the first repeated token and takes a torn page for the end.
tests/pipelines/test_cloudwatch_discovery.py and test_cloudwatch_faults.py drive it against servers on loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

from pipelines.aws.guard import Guarded, code_of
from pipelines.aws.pacing import Pace, StaleError
from pipelines.errors import AwsError, ConfigError, DataError, EmptyNightError
from pipelines.sources.base import AUDIT_STREAMS
from pipelines.sources.window import HOUR_MS, Window, filter_bounds, shown_ms

_DAY_MS = 24 * HOUR_MS
_PAGE_EVENTS = 10_000
_SAME_TOKENS = 10
_LOOK_PAGES = 20
"""After so many pages without an event a mere look ends: the pages of a sparse log may all be empty."""


class Event(NamedTuple):
    """One audit event as CloudWatch keeps it; ordered as a slice is."""

    at_ms: int
    stream: str
    event_id: str
    message: str


class Page(NamedTuple):
    """Audit events of one answer, and how many events of other streams came with them."""

    events: list[Event]
    skipped: int


@dataclass(frozen=True)
class Group:
    """A log group that exists."""

    name: str
    region: str
    account: str
    retention_days: int | None

    @property
    def where(self) -> str:
        """What errors call it."""
        return f"log group {self.name} ({self.region})"


@dataclass(frozen=True)
class AuditLog:
    """The audit streams of a group, read page by page under one pace."""

    logs: Guarded
    group: Group
    pace: Pace

    def pages(self, window: Window, check: Callable[[], None] = lambda: None) -> Iterator[Page]:
        """All pages of the window; their order is the service's, and an event may come twice.

        Args:
            check: called before each request; what it raises ends the reading.
        Raises:
            DataError: an answer is not whole, holds what was not asked for, or the pages lead nowhere.
            StaleError: the window is to be read from its start again.
            AwsError: the service did not answer, or refused.
        """
        asked: dict[str, Any] = {
            "logGroupName": self.group.name,
            "logStreamNamePrefix": AUDIT_STREAMS,
            "limit": _PAGE_EVENTS,
            **filter_bounds(window),
        }
        same = 0
        while True:
            check()
            self.pace.take(f"{self.group.account}/{self.group.region}", "filter_log_events")
            answer = self._answer(asked)
            yield self._page(answer["events"], window)
            # an empty page with a token is not the end, nor is a token that came before: both happen
            token = answer.get("nextToken")
            if token is None:
                return
            same = same + 1 if token == asked.get("nextToken") else 1
            if same > _SAME_TOKENS:
                raise DataError(
                    f"{self.group.where}: {same} pages in a row lead to the same next page; look for a proxy on the "
                    "way, then run again"
                )
            asked["nextToken"] = token

    def _answer(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return self.logs.call("filter_log_events", self.group.where, **asked)
        except AwsError as error:
            # of all we ask with, the token alone can go bad: it lives for 24 hours
            if "nextToken" in asked and code_of(error) == "InvalidParameterException":
                raise StaleError(str(error)) from error
            raise

    def oldest_ms(self, window: Window) -> int | None:
        """About when the window's first audit event was written; None if it holds none.

        A look, not a reading: where it takes too long, the window's start stands for what was not found.
        """
        if window.start_ms == window.end_ms:
            return None
        looked = 0
        for page in islice(self.pages(window), _LOOK_PAGES):
            if page.events:
                return min(event.at_ms for event in page.events)
            looked += 1
        return None if looked < _LOOK_PAGES else window.start_ms

    def _page(self, events: list[Mapping[str, Any]], window: Window) -> Page:
        try:
            found = [_event(e) for e in events]
        except (KeyError, ValueError) as error:
            raise DataError(
                f"{self.group.where}: an event without its {error} came; logStreamName, timestamp, message and "
                "eventId expected; look for a proxy on the way"
            ) from error
        audit = [event for event in found if event.stream.startswith(AUDIT_STREAMS)]
        astray = next((event for event in audit if event.at_ms not in window), None)
        if astray is not None:
            raise DataError(
                f"{self.group.where}: an event of {shown_ms(astray.at_ms)} came, events from "
                f"{shown_ms(window.start_ms)} to {shown_ms(window.end_ms)} were asked for; look for a proxy on the way"
            )
        return Page(audit, len(found) - len(audit))


def discover(
    logs: Guarded, eks: Guarded | None, cluster: str, name: str, window: Window, now_ms: int, pace: Pace
) -> tuple[AuditLog, tuple[str, ...]]:
    """The cluster's audit log, if it can hold the asked nights, and what it cannot show of them.

    Args:
        eks: None where the cluster's account is out of reach.
        name: of the log group.
    Raises:
        ConfigError: EKS does not know the cluster.
        EmptyNightError: the log is off, missing or empty, or no longer holds the nights.
        AwsError: a service did not answer, or refused.
    """
    is_on = None if eks is None else _audit_is_on(eks, cluster)
    group = _find_group(logs, name)
    turn_on = f"turn audit logging on (EKS console, cluster {cluster}, Observability, control plane logs)"
    if group is None:
        if is_on is False:
            raise EmptyNightError(f"cluster {cluster}: audit logging is off; {turn_on}")
        raise EmptyNightError(
            f"log group {name} ({logs.region}): there is none of this name; check the region, set log_group under "
            f"[clusters.{cluster}], or {turn_on}"
        )
    log = AuditLog(logs, group, pace)
    expired = _refuse_expired(group, window, now_ms)
    start_ms, end_ms = window.asked_ms
    if is_on is False and log.oldest_ms(Window(start_ms, max(start_ms, min(end_ms, now_ms)))) is None:
        raise EmptyNightError(
            f"cluster {cluster}: audit logging is off, and of the asked nights nothing is there; {turn_on}"
        )
    oldest_ms = log.oldest_ms(Window(min(_kept_from_ms(group, now_ms), now_ms), now_ms))
    if oldest_ms is None:
        raise EmptyNightError(
            f"{group.where}: it is there, but holds no audit event (streams {AUDIT_STREAMS}*); {turn_on}, or wait some "
            "minutes if it has just been turned on"
        )
    notices = []
    if is_on is None:
        notices.append(
            f"Whether audit logging of cluster {cluster} is on could not be checked; let the role eks:DescribeCluster."
        )
    if is_on is False:
        notices.append(
            f"Audit logging of cluster {cluster} is off now: only what was written before is read. If you did not "
            "turn it off, ask who did."
        )
    if expired:
        notices.append(expired)
    elif oldest_ms >= start_ms + HOUR_MS:
        notices.append(
            f"The oldest audit event in log group {name} is of {shown_ms(oldest_ms)}; the asked nights begin at "
            f"{shown_ms(start_ms)}."
        )
    return log, tuple(notices)


def _event(answered: Mapping[str, Any]) -> Event:
    stream, event_id, message = (str(answered[key]) for key in ("logStreamName", "eventId", "message"))
    return Event(int(answered["timestamp"]), stream, event_id, message)


def _audit_is_on(eks: Guarded, cluster: str) -> bool | None:
    """Whether the control plane writes its audit log; None if the role may not ask."""
    where = f"cluster {cluster} ({eks.region})"
    try:
        answer = eks.call("describe_cluster", where, name=cluster)
    except AwsError as error:
        if code_of(error) == "AccessDeniedException":
            return None
        if code_of(error) == "ResourceNotFoundException":
            raise ConfigError(
                f"{where}: EKS knows no such cluster; check --cluster, the account and the region"
            ) from error
        raise
    kinds = answer["cluster"].get("logging", {}).get("clusterLogging")
    if kinds is None:
        return None
    return any(kind.get("enabled") and "audit" in kind.get("types", ()) for kind in kinds)


def _find_group(logs: Guarded, name: str) -> Group | None:
    asked: dict[str, Any] = {"logGroupNamePrefix": name}
    while True:
        answer = logs.call("describe_log_groups", f"log group {name} ({logs.region})", **asked)
        for found in answer["logGroups"]:
            if found.get("logGroupName") == name:
                # arn:aws:logs:REGION:ACCOUNT:log-group:NAME:*
                account = (found.get("arn", "").split(":") + [""] * 5)[4]
                return Group(name, logs.region, account, found.get("retentionInDays"))
        if "nextToken" not in answer:
            return None
        asked["nextToken"] = answer["nextToken"]


def _kept_from_ms(group: Group, now_ms: int) -> int:
    """Nothing older is there; CloudWatch Logs does not say so when it is asked for it."""
    return 0 if group.retention_days is None else max(0, now_ms - group.retention_days * _DAY_MS)


def _refuse_expired(group: Group, window: Window, now_ms: int) -> str | None:
    """What to say of asked nights of which a part is no longer kept.

    Raises:
        EmptyNightError: nothing of them is.
    """
    kept_ms = _kept_from_ms(group, now_ms)
    start_ms, end_ms = window.asked_ms
    if kept_ms <= start_ms:
        return None
    keeps = f"keeps events for {group.retention_days} days"
    if kept_ms >= end_ms:
        raise EmptyNightError(
            f"{group.where}: {keeps}, so everything before {shown_ms(kept_ms)} is gone, and the asked nights ended at "
            f"{shown_ms(end_ms)}; ask for later nights, and let the group keep events longer"
        )
    return (
        f"Log group {group.name} {keeps}: audit events before {shown_ms(kept_ms)} are gone, and the asked nights begin "
        f"at {shown_ms(start_ms)}."
    )
