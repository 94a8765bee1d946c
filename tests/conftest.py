"""What every test can ask for."""

from __future__ import annotations

from contextlib import chdir
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from e2e.job import Ended


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--golden`, which `make golden` passes."""
    parser.addoption("--golden", action="store_true", help="rewrite the golden files instead of comparing with them")


@pytest.fixture
def rewrite_golden(pytestconfig: pytest.Config) -> bool:
    """Whether a golden file is to be written, not read."""
    return bool(pytestconfig.getoption("--golden"))


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small cluster's log: ten nights, the attack on the last. Not to be changed."""
    from e2e.world import LAST, NIGHTS, ordinary, theft, written

    nights = {night: ordinary(night) for night in NIGHTS}
    nights[LAST] += theft(LAST)
    return written(tmp_path_factory.mktemp("world"), nights)


@pytest.fixture(scope="session")
def ten_nights(world: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ended]:
    """The archive of all ten nights, and how the back-fill ended. Not to be changed."""
    from e2e.job import nightly
    from e2e.world import LAST, NIGHTS

    folder = tmp_path_factory.mktemp("built")
    with chdir(folder):
        return folder / "archive", nightly(world, folder / "archive", NIGHTS[0], LAST)
