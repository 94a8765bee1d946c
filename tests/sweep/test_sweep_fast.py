"""A short sweep for every day: fifteen modes once each, spread so that every kind of call meets a fault.

test_sweep_whole.py sweeps with all modes, two scenes at every call."""

from __future__ import annotations

import pytest
from faults import cases
from faults.modes import BY_NAME
from faults.scenes import Stage
from faults.sweep import Scene, kind

EVERY_DAY = [
    BY_NAME[name]
    for name in (
        "kill before",
        "kill after",
        "SIGTERM after",
        "reset for ever",
        "lost answer",
        "torn at half",
        "reset at half",
        "duplicate",
        "500 once",
        "HTML 200",
        "empty 200",
        "expired token",
        "throttle once",
        "SlowDown once",
        "flipped, unguarded",
    )
]
KINDS = {
    "get commit",
    "get derived",
    "get part",
    "get quarantine",
    "get report",
    "list marks",
    "list nights",
    "list quarantine",
    "put commit",
    "put derived",
    "put part",
    "put probe",
    "put quarantine",
    "put record",
    "put report",
}


@pytest.fixture(scope="module")
def scene(played: Stage) -> Scene:
    """A night that was ranked before its last events came."""
    return played.scene("files", "late")


def test_the_swept_night_makes_every_kind_of_call(scene: Scene) -> None:
    assert {kind(call) for call in scene.calls} == KINDS


def test_every_kind_of_call_meets_a_fault(scene: Scene) -> None:
    met = {kind(scene.calls[fault.at]) for ((fault,),) in cases.few(scene, EVERY_DAY)}
    assert met == KINDS


@pytest.mark.parametrize("mode", [mode.name for mode in EVERY_DAY])
def test_a_call_that_fails_violates_nothing(played: Stage, scene: Scene, mode: str) -> None:
    swept = {fault.mode.name: ((fault,),) for ((fault,),) in cases.few(scene, EVERY_DAY)}
    assert played.sweep.judge(scene, swept[mode]).violations == ()
