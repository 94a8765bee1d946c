"""What `auditforest show` says on a terminal. Text from the log is drawn, never interpreted.

Tested in tests/report/test_shown.py."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import dropwhile

from rich.table import Table

from features.catalogue import feature
from pipelines.report.columns import utc
from pipelines.report.drawing import some, table
from pipelines.report.model import RankedPrincipal
from pipelines.report.sentences import (
    NO_REASON,
    NOTHING,
    SHARED_OUT,
    alike_sentence,
    counted,
    figure,
    lasting,
    moved,
    notices,
    otherwise,
    own_range,
    reason_sentence,
)
from pipelines.report.shown import Grant, PastRank, Request, Shown, Used
from pipelines.report.text import clip, shown_name

_NAME = 100
_ITEMS = 8
_EVIDENCE = 4
"""Requests shown of each reason."""
_PERMISSIONS = 40


def shown_text(found: Shown) -> Iterator[str | Table]:
    """Rank, reasons, past, what was new, evidence, permissions used; a line or a table each."""
    row = found.row
    yield f"{shown_name(row.principal, _NAME)}, {clip(row.type, _NAME)} of {clip(found.night.cluster, _NAME)}"
    yield _rank(found)
    yield from (f"note: {notice}" for notice in notices(found.night))
    yield from _reasons(row)
    # before an archive's first night there is nothing to tell
    yield past_table(list(dropwhile(lambda past: past.principals is None, found.past)))
    yield _new(found)
    if found.new:
        yield SHARED_OUT
    yield _evidence(found)
    yield _used(found)


def _rank(found: Shown) -> str:
    row = found.row
    between = "" if row.rank_lo is None else f" ({figure(row.rank_lo)} to {figure(row.rank_hi)} by any forest)"
    seen = "" if row.first_seen is None else f", first seen {row.first_seen}"
    said = (
        f"night of {found.night.date}: rank {figure(row.rank)}{between} of {found.principals:,}, score "
        f"{figure(row.score)}, {counted(row.requests, 'requests')}, {counted(row.history_nights, 'nights')} of its own "
        f"past{seen}"
    )
    more = (lasting(row), moved(row), *row.marks)
    return "; ".join([said, *(clip(part, _NAME) for part in more if part)])


def _reasons(row: RankedPrincipal) -> Iterator[str]:
    for nth, reason in enumerate(row.reasons, 1):
        share = "" if reason.share is None else f" ({100 * reason.share:.0f} % of the score)"
        yield f"{nth}. {reason_sentence(reason)}{share}"
    if not row.reasons:
        yield f"{NO_REASON}."
    if row.history_nights == 1 and any(own_range(reason) is not None for reason in row.reasons):
        yield "What is usual for it rests on one night alone."
    without = otherwise(row)
    if without is not None:
        yield without


def past_table(past: Sequence[PastRank]) -> Table:
    """Where a principal stood, night by night."""
    heads = ("Night", "Rank", "of", "Score", "Requests", "First reason")
    return table("Ranks", heads, map(_past_row, past), heads[1:5])


def _past_row(past: PastRank) -> tuple[str, ...]:
    if past.rank is None:
        why = "not ranked" if past.principals is None else "no request"
        return (str(past.night), NOTHING, figure(past.principals), NOTHING, NOTHING, why)
    reason = NOTHING
    if past.reason is not None and past.value is not None:
        reason = _reason(past.reason, past.value)
    of = figure(past.principals)
    return (str(past.night), figure(past.rank), of, figure(past.score), figure(past.requests), reason)


def _reason(name: str, value: int) -> str:
    try:
        declared = feature(name)
    except ValueError:  # a night of another version
        return f"{clip(name, _NAME)}: {value:,}"
    return f"{declared.meaning.rstrip('. ')}: {counted(value, declared.unit)}"


def _new(found: Shown) -> Table | str:
    if not found.new:
        return "nothing was new to it"
    heads = ("What", "Number", "New to it")
    rows = ((new.meaning, f"{len(new.items):,}", some(new.items, _ITEMS, _NAME)) for new in found.new)
    return table("New on this night", heads, rows, heads[1:2])


def _evidence(found: Shown) -> Table | str:
    gone = ", the events of the night are gone" if found.events_gone else ""
    if not found.evidence:
        return f"no request that is evidence is kept{gone}" if gone else "no request is evidence of a reason"
    reasons = [proof.feature for proof in found.row.evidence]
    kept: list[Request] = []
    for reason in reasons:
        # what stands under an earlier reason is not told twice
        kept += [request for request in found.evidence if request.features[0] == reason][:_EVIDENCE]
    heads = ("Time (UTC)", "Request", "Outcome", "From", "Audit id", "Kept for")
    rows = (
        (
            f"{request.time:%H:%M:%S}",
            _asked(request),
            figure(request.code),
            clip(f"{request.address or NOTHING} {request.user_agent or ''}".rstrip(), _NAME),
            clip(request.audit_id, _NAME) + alike_sentence(request.alike),
            ", ".join(str(_place(found.row, name)) for name in request.features),
        )
        for request in kept
    )
    title = f"Evidence: {len(kept):,} of {counted(len(found.evidence), 'requests')} kept{gone}"
    return table(title, heads, rows, heads[2:3])


def _place(row: RankedPrincipal, name: str) -> int:
    return 1 + [reason.feature for reason in row.reasons].index(name)


def _asked(request: Request) -> str:
    where = "/".join(part for part in (request.namespace, request.name) if part)
    other = f" as {clip(request.impersonated_user, _NAME)}" if request.impersonated_user else ""
    return clip(f"{request.verb or NOTHING} {request.what} {where}".rstrip(), 2 * _NAME) + other


def _used(found: Shown) -> Table | str:
    nights = counted(len(found.used_nights), "nights")
    if not found.used:
        return f"no request of {nights} was allowed"
    heads = ("Verb", "What", "Namespace", "Requests", "Last (UTC)", "Granted by")
    rows = (
        (
            clip(one.verb, _NAME),
            clip(one.what, _NAME) + (" (as somebody else)" if one.as_other else ""),
            NOTHING if one.namespace is None else clip(one.namespace, _NAME),
            f"{one.requests:,}",
            f"{one.last:%Y-%m-%d %H:%M}",
            "; ".join(map(grant_sentence, one.grants)),
        )
        for one in found.used[:_PERMISSIONS]
    )
    rest = len(found.used) - _PERMISSIONS
    title = f"{counted(len(found.used), 'permissions')} used on {nights}"
    if rest > 0:
        title += f", the {_PERMISSIONS} used most (--format json has all)"
    return table(title, heads, rows, heads[3:4])


def grant_sentence(grant: Grant) -> str:
    """`binding B of R`; the node authorizer and system:masters name none."""
    if not grant.binding:
        return "no binding named"
    return f"{clip(grant.binding, _NAME)} of {clip(grant.role, _NAME)}"


def used_sentence(one: Used) -> str:
    """`41 requests, the last 2026-09-15T03:12:00Z, by BINDING of ROLE`."""
    by = "; ".join(map(grant_sentence, one.grants))
    return f"{counted(one.requests, 'requests')}, the last {utc(one.last)}, by {by}"
