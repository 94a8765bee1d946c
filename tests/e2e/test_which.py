"""Which cluster a command is for that names none, and what a mistyped name or a night that is not there is told."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from e2e.job import Ended, auditforest, records
from e2e.world import ATTACKER, CLUSTER, LAST, NIGHTS

COMMANDS = {
    "report": ("report", "--date", LAST),
    "mark": ("mark", ATTACKER, "--as", "investigating", "--because", "x"),
    "marks": ("marks",),
    "show": ("show", "cart", "--days", "1"),
}


@pytest.fixture(scope="module")
def root(built: tuple[Path, Ended], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive of ten nights in a folder of its own, in which marks and reports are made."""
    return shutil.copytree(built[0], tmp_path_factory.mktemp("which") / "archive")


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_the_only_cluster_of_an_archive_is_found_whatever_the_file_of_options_declares(
    root: Path, command: tuple[object, ...]
) -> None:
    assert auditforest(*command, "--archive", root).code == 0
    Path("auditforest.toml").write_text('[clusters.stage]\narchive = "elsewhere"\n')
    ended = auditforest(*command, "--archive", root)
    assert (ended.code, ended.complaints) == (0, [])
    assert not ended.out.startswith("cluster ")


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_of_several_clusters_those_are_meant_that_are_declared(
    root: Path, tmp_path: Path, command: tuple[object, ...]
) -> None:
    several = shutil.copytree(root, tmp_path / "several")
    other = several / "events" / "cluster=other" / "date=2026-09-15"
    other.mkdir(parents=True)
    (other / "_commit-1.json").write_text("{}")
    ended = auditforest(*command, "--archive", several)
    assert (ended.code, ended.complaints) == (
        2,
        [f"auditforest: {several}: holds other, {CLUSTER}, expected the name of one of these clusters"],
    )
    Path("auditforest.toml").write_text(f"[clusters.{CLUSTER}]\n[clusters.stage]\n")
    assert auditforest(*command, "--archive", several).code == 0


def test_a_report_of_a_night_that_is_not_there_names_the_last_that_is(root: Path) -> None:
    before = len(records(root))
    for more in ((), ("--date", LAST + timedelta(days=9))):
        ended = auditforest("report", "--archive", root, *more)
        assert ended.code == 2
        (said,) = ended.complaints
        assert f": only nights from {NIGHTS[0]} to {LAST}; run 'auditforest report --cluster {CLUSTER}" in said
        assert f"--archive {root} --date {LAST}' for the last that is ranked, or to archive this one run" in said
    assert len(records(root)) == before + 2


def test_a_mistyped_cluster_is_told_what_is_like_it(root: Path) -> None:
    for command in COMMANDS.values():
        ended = auditforest(*command, "--archive", root, "--cluster", "prd")
        assert ended.code == 2
        assert f"only events of {CLUSTER}" in ended.complaints[0]
    Path("auditforest.toml").write_text(f'[clusters.{CLUSTER}]\narchive = "{root}"\n[clusters.stage]\n')
    ended = auditforest("report", "--cluster", "prd")
    assert ended.complaints[0].endswith(f"the clusters declared are {CLUSTER}, stage; nearest known: {CLUSTER}")
