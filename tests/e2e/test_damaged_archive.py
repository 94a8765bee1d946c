"""A damaged archive is left alone and named, and what the message advises mends it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from e2e.job import everything, nightly, object_of
from e2e.refusals import FIRST, refused

from pipelines.errors import Exit


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def _flipped(path: Path) -> None:
    body = bytearray(path.read_bytes())
    body[len(body) // 2] ^= 0xFF
    path.write_bytes(body)


def _emptied(path: Path) -> None:
    path.write_bytes(b"")


def _replaced(path: Path) -> None:
    path.write_bytes(b'{"format": 1}')


def _part(root: Path) -> Path:
    return next((root / "events").rglob("part-*.parquet"))


def _commit(root: Path) -> Path:
    return object_of(root, "events", FIRST, "_commit-1.json")


def _table(name: str) -> Callable[[Path], Path]:
    return lambda root: object_of(root, name, FIRST, f"{name}.parquet")


DAMAGE: dict[str, tuple[Callable[[Path], Path], Callable[[Path], None]]] = {
    "part missing": (_part, Path.unlink),
    "part cut": (_part, _cut),
    "part changed": (_part, _flipped),
    "commit cut": (_commit, _cut),
    "commit empty": (_commit, _emptied),
    "commit of another kind": (_commit, _replaced),
    "principal days cut": (_table("principal_days"), _cut),
    "items cut": (_table("items"), _cut),
    "ranking cut": (_table("ranking"), _cut),
    "ranking changed": (_table("ranking"), _flipped),
}


@pytest.mark.parametrize(("which", "damage"), DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_archive_is_left_alone_and_named(
    ranked: Path, night: Path, tmp_path: Path, which: Callable[[Path], Path], damage: Callable[[Path], None]
) -> None:
    archive = shutil.copytree(ranked, tmp_path / "archive")
    broken = which(archive)
    damage(broken)
    before = everything(archive)
    refused(nightly(night, archive, FIRST), Exit.DATA, str(broken))
    assert everything(archive) == before


@pytest.mark.parametrize(("which", "damage"), DAMAGE.values(), ids=DAMAGE)
def test_what_the_message_advises_mends_a_damaged_archive(
    ranked: Path, night: Path, tmp_path: Path, which: Callable[[Path], Path], damage: Callable[[Path], None]
) -> None:
    archive = shutil.copytree(ranked, tmp_path / "archive")
    broken = which(archive)
    damage(broken)
    if "events" in broken.relative_to(archive).parts:
        shutil.rmtree(broken.parent)
    else:
        broken.unlink()
    assert nightly(night, archive, FIRST).code == 0
    assert everything(archive) == everything(ranked)


def test_parts_that_no_commit_names_are_never_read(ranked: Path, night: Path, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    left = archive / _part(ranked).relative_to(ranked)
    left.parent.mkdir(parents=True)
    shutil.copy(_part(ranked), left)
    stray = left.with_name("part-0123456789abcdef.parquet")
    stray.write_bytes(b"half of a")
    assert nightly(night, archive, FIRST).code == 0
    after = everything(archive)
    assert after.pop(stray.relative_to(archive).as_posix()) == b"half of a"
    assert after == everything(ranked)


def test_an_archive_with_a_file_for_a_table_is_refused(night: Path, tmp_path: Path) -> None:
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive" / "events").write_text("a file")
    refused(nightly(night, tmp_path / "archive", FIRST), Exit.TRANSIENT, str(tmp_path / "archive" / "events"))
    assert (tmp_path / "archive" / "events").read_text() == "a file"
