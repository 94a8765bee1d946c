"""The small cluster's archive, for tests that act attacks out in it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from e2e.job import Ended
from e2e.world import CLUSTER

from pipelines.archive import Archive
from pipelines.config import Config, ForestConfig, ParseConfig
from pipelines.engine import engine
from pipelines.store import LocalStore

CONFIG = Config(forest=ForestConfig(trees=10, seeds=1))


@pytest.fixture(scope="session")
def built(ten_nights: tuple[Path, Ended], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive of all ten nights, the theft on the last. Not to be changed."""
    assert ten_nights[1].code == 0
    return shutil.copytree(ten_nights[0], tmp_path_factory.mktemp("backtest") / "archive")


@pytest.fixture
def archive(built: Path) -> Archive:
    """That archive."""
    return Archive(LocalStore(built), CLUSTER)


@pytest.fixture
def copied(built: Path, tmp_path: Path) -> Archive:
    """A copy, to do with as one likes."""
    return Archive(LocalStore(shutil.copytree(built, tmp_path / "archive")), CLUSTER)


@pytest.fixture(scope="session")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """An engine as a run has it."""
    with engine(ParseConfig()) as made:
        yield made
