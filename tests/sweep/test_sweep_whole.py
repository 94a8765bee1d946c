"""Every way of failing, at every call of two scenes and at calls of each kind in the others: `make sweep`.

build/sweep.txt holds its table."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest
from faults import cases
from faults.feeds import FEEDS
from faults.modes import BY_NAME, Mode
from faults.scenes import STATES, Stage
from faults.sweep import Faults, Scene
from faults.table import kept

FOUND = Path(__file__).parents[2] / "build" / "sweep"
ASKED = os.environ.get("SWEEP", "")
"""`all`; or `kinds`, which takes one call of each kind in every scene."""
DRAWN = {"all": 30, "kinds": 10}
"""Cases of two faults a scene."""
EVERY_CALL = (("files", "late"), ("cloudwatch", "new"))
"""The scenes that `all` sweeps at every call; they come first. In the others it takes two calls of each kind."""
SCENES = sorted(product(FEEDS, STATES), key=lambda scene: scene not in EVERY_CALL)

pytestmark = pytest.mark.skipif(ASKED not in DRAWN, reason="SWEEP=all sweeps every call, SWEEP=kinds one of each kind")

each_scene = pytest.mark.parametrize(("source", "state"), SCENES)


def violations(played: Stage, scene: Scene, name: str, swept: list[Faults]) -> list[str]:
    """What a list of cases violates; also left for the table."""
    began = time.monotonic()
    verdicts = [played.sweep.judge(scene, faults) for faults in swept]
    kept(FOUND, scene.name, name, verdicts, time.monotonic() - began)
    return [str(verdict) for verdict in verdicts if verdict.violations]


@pytest.mark.parametrize(("source", "state", "mode"), [(*scene, mode) for scene in SCENES for mode in BY_NAME])
def test_no_call_that_fails_violates_anything(played: Stage, source: str, state: str, mode: str) -> None:
    scene = played.scene(source, state)
    assert violations(played, scene, mode, _chosen((source, state))(scene, BY_NAME[mode])) == []


def _chosen(scene: tuple[str, str]) -> Callable[[Scene, Mode], list[Faults]]:
    if ASKED == "kinds":
        return cases.last_of_each_kind
    return cases.single if scene in EVERY_CALL else cases.ends_of_each_kind


@each_scene
def test_no_two_faults_in_one_run_violate_anything(played: Stage, source: str, state: str) -> None:
    scene = played.scene(source, state)
    assert violations(played, scene, "two faults", cases.pairs(scene, DRAWN[ASKED])) == []


@each_scene
def test_no_fault_in_the_run_that_mends_violates_anything(played: Stage, source: str, state: str) -> None:
    scene = played.scene(source, state)
    assert violations(played, scene, "fault while mending", cases.recoveries(scene, DRAWN[ASKED])) == []
