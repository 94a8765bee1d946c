"""The stage of the sweep, set up once a process; and the table of a whole sweep."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

import pytest
from faults.scenes import Stage, stage
from faults.table import table

FOUND = Path(__file__).parents[2] / "build" / "sweep"
"""What each test of the whole sweep found; the table stands beside it."""


def pytest_sessionstart(session: pytest.Session) -> None:
    """Forget the last sweep."""
    if os.environ.get("SWEEP") and not hasattr(session.config, "workerinput"):
        shutil.rmtree(FOUND, ignore_errors=True)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the table, once, when all processes are done."""
    if not hasattr(session.config, "workerinput") and (text := table(FOUND)) and os.environ.get("SWEEP"):
        FOUND.with_suffix(".txt").write_text(text)


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """An emulator behind a proxy, and jobs to run against it."""
    folder = tmp_path_factory.mktemp("sweep")
    with chdir(folder), stage(folder) as ready:
        yield ready
