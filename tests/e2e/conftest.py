"""The small cluster and its archive, made once for all tests of a whole night; and the demo's, which takes longer."""

from __future__ import annotations

import fcntl
import os
import shlex
import shutil
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

import duckdb
import pytest
from e2e.job import Ended, auditforest, nightly
from e2e.refusals import FIRST
from e2e.world import ordinary, written
from s3_server import moto_server

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working directory without anybody's auditforest.toml."""
    folder = tmp_path / "empty"
    folder.mkdir()
    monkeypatch.chdir(folder)


@pytest.fixture(autouse=True)
def own_connection() -> Iterator[None]:
    """DuckDB's connection of the process as a reader's snippet finds it in a process of its own."""
    with duckdb.connect() as connection:
        duckdb.set_default_connection(connection)
        yield
        duckdb.set_default_connection(duckdb.connect())


@pytest.fixture(scope="session")
def built(ten_nights: tuple[Path, Ended]) -> tuple[Path, Ended]:
    """The archive of all ten nights, and how the back-fill ended. Not to be changed."""
    return ten_nights


@pytest.fixture
def archive(built: tuple[Path, Ended], tmp_path: Path) -> Path:
    """A copy of that archive, to do with as one likes."""
    return shutil.copytree(built[0], tmp_path / "archive")


@pytest.fixture(scope="session")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A source of the first night alone. Not to be changed."""
    return written(tmp_path_factory.mktemp("night"), {FIRST: ordinary(FIRST)})


@pytest.fixture(scope="session")
def ranked(night: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive of the first night. Not to be changed."""
    folder = tmp_path_factory.mktemp("ranked") / "archive"
    assert nightly(night, folder, FIRST).code == 0
    return folder


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str], str]:
    """The demo's archive, the words of its command, and what it printed. No table of it is to be changed.

    One for all workers: the first makes it, the others wait.
    """
    base = tmp_path_factory.getbasetemp()
    root = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "demo"
    root.mkdir(exist_ok=True)
    typed = next(line for line in (ROOT / "Makefile").read_text().splitlines() if " nightly " in line)
    words = shlex.split(typed.partition(" nightly ")[2].replace("data/sample", str(ROOT / "data" / "sample")))
    words[words.index("--archive") + 1] = str(root / "archive")
    printed = root / "printed"
    with (root / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not printed.exists():
            with chdir(root):
                ended = auditforest("nightly", *words)
            assert (ended.code, ended.complaints) == (0, [])
            printed.write_text(ended.out)
    return root / "archive", words, printed.read_text()


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    """An empty AWS on loopback."""
    with moto_server() as endpoint:
        yield endpoint
