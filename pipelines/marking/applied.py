"""A night's report with what analysts marked: who is expected stands apart, the others bear their marks.

Ranks and scores stay as they are. Pure. tests/pipelines/test_marks_applied.py."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from features.counts import STRANGE
from pipelines.marking.holding import Held
from pipelines.marking.record import CONFIRMED, Mark
from pipelines.marking.telling import contradiction
from pipelines.report.model import Marked, MarkedRange, Night, RankedPrincipal

Counts = Mapping[str, Mapping[str, int | None]]
"""By principal, of the night: each count of it, None where the log cannot show it."""


def applied(night: Night, held: Mapping[str, Held], counts: Counts) -> Night:
    """The night with the marks that hold on it.

    Args:
        counts: of everybody who is expected.
    """
    ranked: list[RankedPrincipal] = []
    expected: list[RankedPrincipal] = []
    marks: list[Marked] = []
    contradictions: list[str] = []
    for row in night.ranked:
        if row.principal not in held:
            ranked.append(row)
            continue
        theirs = held[row.principal]
        reopened = tuple(_reopened(theirs, row, counts.get(row.principal, {})))
        said = replace(row, marks=(*_said(theirs, reopened), *row.marks))
        (expected if theirs.expected and not reopened else ranked).append(said)
        marks.append(_marked(theirs.mark, reopened))
        if (contrary := contradiction(theirs)) is not None:
            contradictions.append(contrary)
    return replace(
        night,
        ranked=tuple(ranked),
        expected=tuple(expected),
        marks=tuple(marks),
        notices=(*night.notices, *contradictions),
    )


def _reopened(held: Held, row: RankedPrincipal, counts: Mapping[str, int | None]) -> Iterator[str]:
    """Why an expected principal is to be looked at again; nothing where it is not, or was not expected."""
    if not held.expected:
        return
    if held.ended:
        yield f"its mark as expected ended with {held.mark.until}"
        return
    # of one feature the latest range: whoever widens it has seen the earlier one
    most = {watched.feature: watched.most for mark in held.expected for watched in mark.watched}
    for feature, marked in most.items():
        value = counts.get(feature)
        if value is None:
            yield f"{feature} cannot be seen this night, marked 0 to {marked:,}"
        elif value > marked:
            yield f"{feature} left the marked range: {value:,}, marked 0 to {marked:,}"
    # a reason that was not named is expected as it was, and no further
    seen = {one.feature: one.most for mark in held.expected for one in mark.features}
    for reason in row.reasons:
        if reason.feature in most or reason.surprise < STRANGE:
            continue
        if reason.feature not in seen:
            yield f"{reason.feature} is strange and was not when it was marked: {reason.value:,}"
        elif reason.value > seen[reason.feature]:
            then = seen[reason.feature]
            yield f"{reason.feature} is strange and was less when it was marked: {reason.value:,}, then {then:,}"


def _said(held: Held, reopened: tuple[str, ...]) -> Iterator[str]:
    """What stands beside the principal, the mark that counts first."""
    yield from (f"re-opened because {why}" for why in reopened)
    for mark in reversed(held.marks):
        of = f" on {mark.night}" if mark.state == CONFIRMED else ""
        yield f"{mark.state}{of} until {mark.until}: {mark.because}"


def _marked(mark: Mark, reopened: tuple[str, ...]) -> Marked:
    return Marked(
        id=mark.id,
        principal=mark.principal,
        state=mark.state,
        because=mark.because,
        night=mark.night,
        until=mark.until,
        made_at=mark.made_at,
        features=tuple(MarkedRange(one.feature, one.most, one.named) for one in mark.features),
        reopened=reopened,
    )
