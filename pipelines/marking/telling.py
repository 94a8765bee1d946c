"""Marks in words: what commands say of them, and of marks that contradict each other the reports, too.

Pure. tests/pipelines/test_marks_told.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from pipelines.marking.holding import Held, holding
from pipelines.marking.record import CONFIRMED, EXPECTED, INVESTIGATING, Mark, flags
from pipelines.report.text import shown_name

NAME = 80
"""Characters of a principal's name."""

_SHOWN = {EXPECTED: "apart as expected", INVESTIGATING: "as investigated", CONFIRMED: "as confirmed"}


def ranges(mark: Mark) -> list[str]:
    """`secret_reads 0 to 41` for each range of a mark as expected; of any other the features that it names.

    Only what is expected is watched, so the counts of another mark's night mean nothing later."""
    if mark.state == EXPECTED:
        return [f"{one.feature} 0 to {one.most:,}" for one in mark.watched]
    return sorted(mark.scope)


def contradiction(held: Held) -> str | None:
    """Which marks, what they say, which counts and what settles it; None where they agree.

    Who made them stands in the marks alone: a report goes to more people."""
    if not held.contrary:
        return None
    told = ", ".join(
        f"{mark.state} for {mark.night} (mark {mark.id}, made {mark.made_at:%Y-%m-%d %H:%M:%S} UTC)"
        for mark in held.contrary
    )
    settled = ", or with ".join(dict.fromkeys(flags(mark) for mark in held.contrary))
    return (
        f"Marks of {shown_name(held.mark.principal, NAME)} contradict each other: {told}. The latest counts: "
        f"{held.mark.state}. 'auditforest marks --all' tells who made them. To settle it, take back what is wrong, by "
        f"'auditforest mark PRINCIPAL --as none' with {settled}, then mark again."
    )


@dataclass(frozen=True)
class Changes:
    """What a mark changes in the reports of ranked nights, once they are made again."""

    nights: tuple[date, ...]
    said: str
    """Of the principal, where it is ranked on these nights; what each shows, and what it showed until now."""


def changes(marks: Sequence[Mark], made: Mark, nights: Sequence[date]) -> Changes:
    """Of the nights those whose reports tell another mark of the principal than without the one that was made.

    Args:
        marks: every one, the one that was made among them.
        nights: ascending.
    """
    theirs = [mark for mark in marks if mark.principal == made.principal]
    before = [mark for mark in theirs if mark.id != made.id]
    found: dict[tuple[str, str], list[date]] = {}
    for night in nights:
        was, now = (holding(some, night).get(made.principal) for some in (before, theirs))
        if was != now:
            found.setdefault((_shown(now), _shown(was)), []).append(night)
    told = (
        f"{_span(when)} shows it {now}, {'as until now but by other marks' if was == now else f'until now {was}'}"
        for (now, was), when in found.items()
    )
    return Changes(tuple(sorted(night for when in found.values() for night in when)), "; ".join(told))


def _shown(held: Held | None) -> str:
    if held is None:
        return "without a mark"
    return "with a mark that ended" if held.ended else _SHOWN[held.mark.state]


def _span(nights: Sequence[date]) -> str:
    first, last = nights[0], nights[-1]
    return f"that of {first}" if first == last else f"each of {len(nights):,} from {first} to {last}"
