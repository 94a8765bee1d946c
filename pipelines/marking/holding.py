"""What of all marks holds on a night, and which nights are confirmed attacks.

Pure. tests/pipelines/test_marks_holding.py."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from pipelines.marking.record import CONFIRMED, EXPECTED, INVESTIGATING, NONE, Mark, in_order

_TOLD = timedelta(days=7)
"""So long after its end a report tells that a mark as expected ended: a week, for whoever was away."""


@dataclass(frozen=True)
class Held:
    """What holds of one principal on a night.

    `marks` holds the latest mark of each scope, the one that counts last; where `ended` is true, only the one that was
    the last to end, in the week before the night. `contrary` are those that say the opposite of another about the same
    night, superseded or not; none where all agree."""

    marks: tuple[Mark, ...]
    ended: bool
    contrary: tuple[Mark, ...]

    @property
    def mark(self) -> Mark:
        """The one that counts."""
        return self.marks[-1]

    @property
    def expected(self) -> tuple[Mark, ...]:
        """The marks by which the principal is expected; none where what counts says otherwise."""
        return tuple(m for m in self.marks if m.state == EXPECTED) if self.mark.state == EXPECTED else ()


def holding(marks: Iterable[Mark], night: date) -> dict[str, Held]:
    """By principal what holds of it on the night: marks of this night and of earlier ones, whenever they were made."""
    by_principal: dict[str, list[Mark]] = defaultdict(list)
    for mark in marks:
        if mark.night <= night:
            by_principal[mark.principal].append(mark)
    found = {principal: _held(theirs, night) for principal, theirs in sorted(by_principal.items())}
    return {principal: held for principal, held in found.items() if held is not None}


def _held(marks: Sequence[Mark], night: date) -> Held | None:
    standing = _standing(marks)
    latest = _latest(standing)
    in_force = tuple(mark for mark in latest if mark.until >= night)
    if in_force:
        return Held(in_force, False, _contrary([mark for mark in standing if mark.until >= night]))
    gone = sorted(latest, key=lambda mark: mark.until)[-1:]
    # only of what stood apart must be told that it does so no more
    told = tuple(mark for mark in gone if mark.state == EXPECTED and night - mark.until <= _TOLD)
    return Held(told, True, ()) if told else None


def _standing(marks: Iterable[Mark]) -> list[Mark]:
    """In order, those that no later `none` took back."""
    standing: list[Mark] = []
    for mark in in_order(list(marks)):
        if mark.state == NONE:
            standing = [one for one in standing if not _denies(mark, one)]
        else:
            standing.append(mark)
    return standing


def _latest(standing: Iterable[Mark]) -> list[Mark]:
    """In order the latest of each scope."""
    latest: dict[frozenset[str], Mark] = {}
    for mark in standing:
        # out and in again: the dictionary keeps the order in which they were made
        latest.pop(mark.scope, None)
        latest[mark.scope] = mark
    return list(latest.values())


def statuses(marks: Iterable[Mark], night: date) -> dict[str, str]:
    """By id what has become of each mark by the night.

    It `holds`, or it `ended`; a later one of the same features has `superseded` it, or a `none` has it `taken back`;
    such a none `takes back`; a mark for a later night holds only `later`."""
    by_principal: dict[str, list[Mark]] = defaultdict(list)
    for mark in marks:
        by_principal[mark.principal].append(mark)
    found: dict[str, str] = {}
    for theirs in by_principal.values():
        standing = _standing(_until(theirs, night))
        found |= {mark.id: "takes back" if mark.state == NONE else "taken back" for mark in theirs}
        found |= {mark.id: "superseded" for mark in standing}
        found |= {mark.id: "holds" if mark.until >= night else "ended" for mark in _latest(standing)}
        found |= {mark.id: "later" for mark in theirs if mark.night > night}
    return found


def standing_of(marks: Iterable[Mark], principal: str) -> list[Mark]:
    """In order those of a principal that nobody took back on their own night, whichever that is."""
    theirs = [mark for mark in marks if mark.principal == principal]
    kept = {mark.id for night in {mark.night for mark in theirs} for mark in _standing(_until(theirs, night))}
    return [mark for mark in in_order(theirs) if mark.id in kept]


def _until(marks: Iterable[Mark], night: date) -> list[Mark]:
    return [mark for mark in marks if mark.night <= night]


def _denies(later: Mark, one: Mark) -> bool:
    """Whether the later mark speaks of all that one does: its night is no earlier, its features are the same or all."""
    return one.night <= later.night and (not later.scope or later.scope == one.scope)


def taken_back(marks: Iterable[Mark], none: Mark) -> list[Mark]:
    """In order those of the marks that stood on its night until this one, which is among them and says `none`."""
    theirs = in_order([mark for mark in marks if mark.principal == none.principal and mark.night <= none.night])
    return [mark for mark in _standing(theirs[: theirs.index(none)]) if _denies(none, mark)]


def moment(now: datetime, marks: Iterable[Mark]) -> datetime:
    """When a mark is made that follows these: now, or just after the latest where another machine's clock ran ahead."""
    return max([now, *(mark.made_at + timedelta(microseconds=1) for mark in marks)])


def _contrary(standing: Sequence[Mark]) -> tuple[Mark, ...]:
    """Marks of one night that contradict each other: harmless by one and an attack by another.

    To investigate denies neither, and who was attacked one night may be as expected on another."""
    states = {(mark.night, mark.state) for mark in standing}
    both = {night for night, _ in states if {(night, EXPECTED), (night, CONFIRMED)} <= states}
    return tuple(mark for mark in standing if mark.night in both and mark.state != INVESTIGATING)


def confirmed(marks: Iterable[Mark]) -> Mapping[date, Mapping[str, str]]:
    """By night who is confirmed as an attack by a mark of that very night, each with the latest such mark's id.

    Only `none` and `expected` of that night deny it. That the mark has ended, that the night is investigated, too, and
    what is said of other nights does not matter: what was an attack remains one."""
    found: dict[date, dict[str, str]] = defaultdict(dict)
    by_night: dict[tuple[str, date], list[Mark]] = defaultdict(list)
    for mark in marks:
        by_night[mark.principal, mark.night].append(mark)
    for (principal, night), theirs in sorted(by_night.items()):
        attacks: list[Mark] = []
        for mark in in_order(theirs):
            if mark.state == CONFIRMED:
                attacks.append(mark)
            elif mark.state != INVESTIGATING:
                attacks = [one for one in attacks if not _denies(mark, one)]
        if attacks:
            found[night][principal] = attacks[-1].id
    return found
