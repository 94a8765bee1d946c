"""The sweep can fail: over an export as one would write it first, it finds what is wrong with that one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from faults import naive
from faults.checker import Expected, source_rows
from faults.feeds import NIGHT, early
from faults.log_groups import fill
from faults.modes import BY_NAME
from faults.scenes import Stage
from faults.sweep import BUCKET, Fault, Scene, kind

GROUP = "/aws/eks/prod/cluster"
COMMIT = 4
TORN = ("torn at 0", "torn at 1", "torn at half", "torn at len-1")

Violations = Callable[[str, int], str]


@pytest.fixture(scope="module")
def scene(played: Stage) -> Scene:
    """The naive job, and what it makes when nothing fails."""
    lines = early()[NIGHT]
    fill(GROUP, lines)
    run = naive.run(played.sweep.proxy.url, GROUP, BUCKET, NIGHT)
    rows = {NIGHT: source_rows(lines, NIGHT)}
    return played.sweep.scene(Scene("naive", run, None, Expected({}, {}, rows), keeps_records=False))


@pytest.fixture
def violated(played: Stage, scene: Scene) -> Violations:
    """What a mode at a call makes the naive job violate."""
    return lambda mode, at: "; ".join(played.sweep.judge(scene, ((Fault(BY_NAME[mode], at),),)).violations)


def test_the_naive_job_without_a_fault_violates_nothing(scene: Scene) -> None:
    assert [kind(call) for call in scene.calls] == ["FilterLogEvents"] * 3 + ["put part", "put commit"]


@pytest.mark.parametrize(
    ("mode", "page"), [(TORN[0], 0), (TORN[1], 1), (TORN[2], 2), (TORN[3], 1), ("HTML 200", 1), ("empty 200", 2)]
)
def test_a_page_that_is_not_whole_is_found_to_lose_rows(violated: Violations, mode: str, page: int) -> None:
    found = violated(mode, page)
    assert "I2: exit 0, but" in found
    assert "_commit-1.json: other bytes" in found, "and the re-run does not mend it"


@pytest.mark.parametrize("mode", ["lost answer", "duplicate"])
def test_a_commit_of_its_own_taken_for_a_strangers_is_found(violated: Violations, mode: str) -> None:
    found = violated(mode, COMMIT)
    assert "I5: exit 1, 0 expected" in found
    assert "I3: the clean re-run ended with 1" in found


def test_an_end_that_explains_nothing_is_found(violated: Violations) -> None:
    assert "I5: exit 1, 4 expected" in violated("expired token", 0)


@pytest.mark.parametrize("mode", ["throttle once", "500 once"])
def test_of_what_even_the_naive_job_bears_only_the_second_run_is_found(violated: Violations, mode: str) -> None:
    found = violated(mode, 1)
    assert found.startswith("I3: the clean re-run ended with 1: ")
    assert "; I" not in found
