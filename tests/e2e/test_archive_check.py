"""auditforest archive check: what it prints and how it ends, on archives that the job made."""

from __future__ import annotations

import shutil
from pathlib import Path

from e2e.job import auditforest, everything, object_of
from e2e.world import CLUSTER, LAST, NIGHTS


def check(archive: Path, *more: object) -> tuple[int, list[str], list[str]]:
    """Exit code, lines printed, complaints."""
    ended = auditforest("archive", "check", "--archive", archive, *more)
    return ended.code, ended.out.splitlines(), ended.complaints


def test_a_whole_archive_is_verified_and_left_as_it_is(archive: Path) -> None:
    before = everything(archive, apart_from="none")
    code, said, complaints = check(archive, "--strict")
    assert (code, complaints) == (0, [])
    assert len(said) == 1
    assert said[0].startswith(f"{len(NIGHTS)} nights, {len(before)} objects, ")
    assert said[0].endswith(" verified: 0 damaged, 0 to look at")
    assert everything(archive, apart_from="none") == before


def test_damage_ends_with_3_and_names_the_object(archive: Path) -> None:
    (part,) = object_of(archive, "events", LAST, "x").parent.glob("part-*")
    body = bytearray(part.read_bytes())
    body[100] ^= 1
    part.write_bytes(body)
    code, said, complaints = check(archive)
    assert code == 3
    assert said[0].startswith(f"bytes: {part}: another checksum; ")
    assert len(said) == 2
    assert complaints == [
        f"auditforest: {archive}: 1 finding (bytes), none expected; each line printed names an object and what mends it"
    ]
    assert check(archive, "--cluster", CLUSTER, "--from", NIGHTS[0], "--to", NIGHTS[-2])[0] == 0
    assert check(archive, "--cluster", CLUSTER, "--from", LAST, "--to", LAST)[0] == 3


def test_an_orphan_is_named_and_an_error_only_when_asked(archive: Path) -> None:
    (part,) = object_of(archive, "events", LAST, "x").parent.glob("part-*")
    orphan = part.with_name(f"part-{'0' * 16}.parquet")
    shutil.copy(part, orphan)
    code, said, complaints = check(archive)
    assert (code, complaints) == (0, [])
    assert said[0].startswith(f"orphan: {orphan}: {orphan.stat().st_size} bytes that no commit names; ")
    assert check(archive, "--strict")[0] == 3


def test_no_night_at_all_is_suspicious(archive: Path, tmp_path: Path) -> None:
    assert check(tmp_path / "nothing")[0] == 6
    assert check(archive, "--cluster", "another")[0] == 6


def test_an_archive_must_be_named() -> None:
    ended = auditforest("archive", "check")
    assert ended.code == 2
    assert "--archive" in ended.err
