"""What is installed and how: our three packages, the command, the lock and the targets of make."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import entry_points, metadata, packages_distributions, requires, version
from pathlib import Path

import pytest

from pipelines.cli import main

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCK = (ROOT / "requirements.lock").read_text()
TARGETS = (
    "setup", "demo", "test", "test-browser", "test-s3", "test-spark", "sweep", "lint", "kernel", "docs", "sql", "lock",
    "golden", "clean",
)  # fmt: skip


@pytest.mark.parametrize("package", ["pipelines", "features", "models"])
def test_a_package_of_ours_is_nobody_elses(package: str) -> None:
    assert set(packages_distributions()[package]) == {"auditforest"}


def test_the_command_is_installed() -> None:
    (script,) = entry_points(group="console_scripts", name="auditforest")
    assert script.load() is main
    installed = Path(sys.executable).with_name("auditforest")
    done = subprocess.run([installed, "--version"], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == f"auditforest, version {version('auditforest')}"


def test_nobody_uploads_it_by_mistake() -> None:
    assert "Private :: Do Not Upload" in (metadata("auditforest").get_all("Classifier") or [])
    assert "Private :: Do Not Upload" in PROJECT["classifiers"]


def test_setuptools_below_82_is_needed_at_run_time() -> None:
    assert any(re.fullmatch(r"setuptools\s*[<>=0-9, ]+", r) and "<82" in r for r in requires("auditforest") or [])


def test_every_entry_of_the_lock_is_one_version_with_hashes_and_no_url() -> None:
    entries = re.split(r"^(?=[A-Za-z0-9])", re.sub(r"^\s*#.*\n", "", LOCK, flags=re.MULTILINE), flags=re.MULTILINE)
    entries = [entry for entry in entries if entry.strip()]
    assert len(entries) > 50
    for entry in entries:
        first = entry.splitlines()[0]
        assert re.match(r"[A-Za-z0-9._-]+==[0-9][^ ;]*( ; .+)? \\$", first), first
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), first
    assert "://" not in LOCK
    assert " @ " not in LOCK
    assert not re.search(r"^-", LOCK, re.MULTILINE)


def test_the_lock_names_everything_the_project_asks_for() -> None:
    # the rivals of the benchmarks are installed by who measures them
    asked = PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"]
    for requirement in asked:
        name = re.match(r"[A-Za-z0-9._-]+", requirement)
        assert name
        assert re.search(rf"^{re.escape(name[0])}==", LOCK, re.MULTILINE | re.IGNORECASE), requirement


def test_make_alone_lists_the_targets() -> None:
    done = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    listed = re.findall(r"^ *make ([a-z0-9-]+) +\S", done.stdout, re.MULTILINE)
    assert [target for target in listed if target != "help"] == list(TARGETS)
    assert done.stderr == ""
