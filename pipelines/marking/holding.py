"""What of all marks holds on a night, and which nights are confirmed attacks. Pure.

tests/pipelines/test_marks_holding.py."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from pipelines.marking.record import CONFIRMED, EXPECTED, NONE, Mark, in_order


@dataclass(frozen=True)
class Held:
    """What holds of one principal on a night.

    `marks` holds the latest mark of each scope, the one that counts last; all of them ended before the night where
    `ended` is true. `contrary` are those that say the opposite of another, superseded or not; none where all agree."""

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
    latest: dict[frozenset[str], Mark] = {}
    for mark in standing:
        # out and in again: the dictionary keeps the order in which they were made
        latest.pop(mark.scope, None)
        latest[mark.scope] = mark
    in_force = tuple(mark for mark in latest.values() if mark.until >= night)
    if in_force:
        return Held(in_force, False, _contrary([mark for mark in standing if mark.until >= night]))
    gone = tuple(latest.values())[-1:]
    # only of what stood apart must be told that it does so no more
    return Held(gone, True, ()) if gone and gone[0].state == EXPECTED else None


def _standing(marks: Iterable[Mark]) -> list[Mark]:
    """In order, those that no later `none` took back: one without a feature takes back all, else those of its scope."""
    standing: list[Mark] = []
    for mark in in_order(list(marks)):
        if mark.state == NONE:
            standing = [one for one in standing if mark.scope and one.scope != mark.scope]
        else:
            standing.append(mark)
    return standing


def _contrary(standing: Sequence[Mark]) -> tuple[Mark, ...]:
    """Marks that contradict each other: harmless by one and an attack by another. To investigate denies neither."""
    found = tuple(mark for mark in standing if mark.state in (EXPECTED, CONFIRMED))
    return found if len({mark.state for mark in found}) > 1 else ()


def confirmed(marks: Iterable[Mark]) -> Mapping[date, Mapping[str, str]]:
    """By night the principals whose latest mark about that very night confirms an attack, each with that mark's id.

    That it has ended does not matter: what was an attack that night remains one."""
    by_principal: dict[str, list[Mark]] = defaultdict(list)
    for mark in marks:
        by_principal[mark.principal].append(mark)
    found: dict[date, dict[str, str]] = defaultdict(dict)
    for principal, theirs in sorted(by_principal.items()):
        latest = {mark.night: mark for mark in _standing(theirs)}
        for night, mark in latest.items():
            if mark.state == CONFIRMED:
                found[night][principal] = mark.id
    return found
