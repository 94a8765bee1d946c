"""Scratch folders: gone when a run ends, swept when it was killed, and never anybody else's."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipelines.scratch import scratch

_HOLDER = """
import os, sys
from pathlib import Path
from pipelines.scratch import scratch
with scratch() as folder:
    (folder / "rows").write_bytes(b"x")
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for temporary files of this test alone."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@contextmanager
def another_process(temporary: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A run of another process, and its folder."""
    environment = os.environ | {"TMPDIR": str(temporary), "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(
        [sys.executable, "-c", _HOLDER], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process, Path(process.stdout.readline().strip())
        finally:
            process.kill()


def leftover(temporary: Path, name: str = "auditforest-left") -> Path:
    """What a killed run leaves: a folder, a lock that nobody holds, files in it."""
    folder = temporary / name
    (folder / "deep").mkdir(parents=True)
    (folder / ".lock").write_bytes(b"")
    (folder / "deep" / "rows").write_bytes(b"x")
    return folder


def listed(temporary: Path) -> list[str]:
    return sorted(p.name for p in temporary.iterdir())


def test_a_folder_is_empty_but_for_its_lock_and_only_its_owners(temporary: Path) -> None:
    with scratch() as folder:
        assert folder.parent == temporary
        assert folder.name.startswith("auditforest-")
        assert [p.name for p in folder.iterdir()] == [".lock"]
        assert folder.stat().st_mode & 0o777 == 0o700


def test_a_folder_is_gone_after_the_block(temporary: Path) -> None:
    with scratch() as folder:
        (folder / "deep").mkdir()
        (folder / "deep" / "rows").write_bytes(b"x")
    assert listed(temporary) == []


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_folder_is_gone_after_an_exception(temporary: Path, error: type[BaseException]) -> None:
    def fail() -> None:
        with scratch() as folder:
            (folder / "rows").write_bytes(b"x")
            raise error

    with pytest.raises(error):
        fail()
    assert listed(temporary) == []


def test_a_folder_that_is_gone_already_is_no_error(temporary: Path) -> None:
    with scratch() as folder:
        (folder / ".lock").unlink()
        folder.rmdir()
    assert listed(temporary) == []


def test_the_folder_of_a_killed_process_is_swept_by_the_next_run(temporary: Path) -> None:
    with another_process(temporary) as (process, theirs):
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        assert (theirs / "rows").read_bytes() == b"x"
        with scratch() as folder:
            assert listed(temporary) == [folder.name]


def test_the_folder_of_a_living_process_stays(temporary: Path) -> None:
    with another_process(temporary) as (process, theirs):
        with scratch():
            assert (theirs / "rows").read_bytes() == b"x"
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(10) == 0
    assert listed(temporary) == []


def test_two_runs_of_one_process_do_not_sweep_each_other(temporary: Path) -> None:
    with scratch() as one, scratch() as two:
        assert one != two
        assert one.is_dir()
        with scratch():
            assert one.is_dir()
            assert two.is_dir()
    assert listed(temporary) == []


def test_a_leftover_goes_with_all_that_is_in_it(temporary: Path) -> None:
    leftover(temporary, "auditforest-a")
    leftover(temporary, "auditforest-b")
    with scratch() as folder:
        assert listed(temporary) == [folder.name]


def test_a_folder_without_a_lock_or_of_another_name_stays(temporary: Path) -> None:
    (temporary / "auditforest-report").mkdir()
    (temporary / "auditforest-notes.txt").write_text("mine")
    for name in ("other", "my-auditforest-x", ".auditforest-being-made", "auditforest"):
        leftover(temporary, name)
    before = listed(temporary)
    with scratch():
        pass
    assert listed(temporary) == before
    assert (temporary / "other" / "deep" / "rows").read_bytes() == b"x"


def test_a_lock_that_is_a_folder_costs_nothing(temporary: Path) -> None:
    (temporary / "auditforest-odd" / ".lock").mkdir(parents=True)
    with scratch():
        pass
    assert listed(temporary) == ["auditforest-odd"]


def test_a_symlink_is_not_followed(temporary: Path, tmp_path: Path) -> None:
    elsewhere = leftover(tmp_path, "precious")
    (temporary / "auditforest-link").symlink_to(elsewhere)
    inner = leftover(temporary)
    (inner / "link").symlink_to(elsewhere)
    with scratch() as folder:
        assert listed(temporary) == sorted(["auditforest-link", folder.name])
    assert (elsewhere / "deep" / "rows").read_bytes() == b"x"


def test_a_lock_held_through_another_open_file_keeps_the_folder(temporary: Path) -> None:
    folder = leftover(temporary)
    with (folder / ".lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        with scratch():
            assert (folder / "deep" / "rows").exists()
    with scratch():
        assert not folder.exists()


def aged(folder: Path, seconds: float) -> Path:
    then = folder.stat().st_mtime - seconds
    os.utime(folder, (then, then))
    return folder


@pytest.mark.parametrize("locked", [False, True], ids=["without a lock", "with a lock that nobody holds"])
def test_what_a_process_left_that_was_killed_while_it_made_its_folder_goes_after_an_hour(
    temporary: Path, locked: bool
) -> None:
    for name in (".auditforest-old", ".auditforest-new"):
        (temporary / name).mkdir()
        if locked:
            (temporary / name / ".lock").write_bytes(b"")
    aged(temporary / ".auditforest-old", 3700)
    with scratch() as folder:
        assert listed(temporary) == sorted([".auditforest-new", folder.name])


def test_an_old_folder_of_such_a_name_that_holds_anything_stays(temporary: Path) -> None:
    aged(leftover(temporary, ".auditforest-mine"), 3700)
    aged(temporary, 0)
    (temporary / "auditforest-report").mkdir()
    aged(temporary / "auditforest-report", 3700)
    with scratch():
        pass
    assert listed(temporary) == [".auditforest-mine", "auditforest-report"]
    assert (temporary / ".auditforest-mine" / "deep" / "rows").read_bytes() == b"x"


def test_the_lock_is_the_last_to_go(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    real = shutil.rmtree

    def watched(path: Path, *, ignore_errors: bool) -> None:
        seen.append((path.name, (temporary / "auditforest-left" / ".lock").exists()))
        real(path, ignore_errors=ignore_errors)

    (leftover(temporary) / "rows").write_bytes(b"x")
    monkeypatch.setattr("pipelines.scratch.shutil.rmtree", watched)
    with scratch():
        assert seen == [("deep", True), ("auditforest-left", True)]
