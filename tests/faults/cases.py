"""Which cases are swept: each mode at every call or at one of each kind, a few of each for every day, and samples of
two faults."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

from faults.modes import MODES, Mode
from faults.sweep import Fault, Faults, Scene, indices, kind

_DECISIVE = ("kill after", "SIGTERM before", "reset for ever", "expired token")


def single(scene: Scene, mode: Mode) -> list[Faults]:
    """A case for each call at which the mode is a fault."""
    return _at(mode, indices(scene, mode))


def last_of_each_kind(scene: Scene, mode: Mode) -> list[Faults]:
    """A case for the last call of each kind."""
    return _at(mode, _last(scene, indices(scene, mode)))


def ends_of_each_kind(scene: Scene, mode: Mode) -> list[Faults]:
    """A case for the first call of each kind and one for its last."""
    fitting = indices(scene, mode)
    return _at(mode, _last(scene, fitting) | _last(scene, fitting[::-1]))


def _last(scene: Scene, among: Sequence[int]) -> set[int]:
    return set({kind(scene.calls[k]): k for k in among}.values())


def _at(mode: Mode, calls: Iterable[int]) -> list[Faults]:
    return [((Fault(mode, k),),) for k in sorted(calls)]


def pairs(scene: Scene, number: int, seed: int = 0) -> list[Faults]:
    """Two faults in one run, drawn by the seed: one to be borne, then any other at a later call."""
    dice = random.Random(seed)
    borne = [mode for mode in MODES if 0 in mode.codes]
    drawn: list[Faults] = []
    for _ in range(number):
        one, two = dice.choice(borne), dice.choice(MODES)
        first = Fault(one, dice.choice(indices(scene, one)))
        later = [k for k in indices(scene, two) if k > first.at]
        drawn.append(((first, Fault(two, dice.choice(later))) if later else (first,),))
    return drawn


def recoveries(scene: Scene, number: int, seed: int = 0) -> list[Faults]:
    """A fault that ends the run, then one in the run that was to mend it."""
    dice = random.Random(seed)
    ending = [mode for mode in MODES if mode.name in _DECISIVE]
    drawn: list[Faults] = []
    for _ in range(number):
        one, two = dice.choice(ending), dice.choice(MODES)
        drawn.append(((Fault(one, dice.choice(indices(scene, one))),), (Fault(two, dice.choice(indices(scene, two))),)))
    return drawn


def few(scene: Scene, modes: Sequence[Mode]) -> list[Faults]:
    """One case for each mode, spread so that every kind of call is met where there are modes enough."""
    waiting = list(dict.fromkeys(kind(call) for call in scene.calls))
    chosen: dict[str, Faults] = {}
    # those that fit few calls choose first
    for mode in sorted(modes, key=lambda mode: len(indices(scene, mode))):
        fitting = indices(scene, mode)
        at = next((k for name in waiting for k in fitting if kind(scene.calls[k]) == name), fitting[-1])
        waiting = [name for name in waiting if name != kind(scene.calls[at])]
        chosen[mode.name] = ((Fault(mode, at),),)
    return [chosen[mode.name] for mode in modes]
