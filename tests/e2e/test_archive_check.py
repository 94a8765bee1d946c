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


def test_no_night_at_all_is_suspicious_and_what_is_there_instead_is_told(archive: Path, tmp_path: Path) -> None:
    asked = {
        "there is no archive yet": (tmp_path / "nothing",),
        f"only events of {CLUSTER}": (archive, "--cluster", "another"),
        f"archives lie below: {archive}": (tmp_path,),
    }
    for said, arguments in asked.items():
        code, out, (complaint,) = check(*arguments)
        assert (code, out) == (6, [])
        assert f": {said}; look at --archive" in complaint


def test_an_archive_must_be_named() -> None:
    ended = auditforest("archive", "check")
    assert ended.code == 2
    assert "--archive" in ended.err


def test_an_end_alone_checks_every_night_up_to_it(archive: Path) -> None:
    first, *_, last = (object_of(archive, "events", night, "_commit-1.json") for night in NIGHTS)
    last.write_bytes(b"{}")
    assert check(archive, "--to", NIGHTS[-2])[0] == 0
    assert check(archive, "--to", LAST)[0] == 3
    assert check(archive, "--from", LAST)[0] == 3
    first.write_bytes(b"{}")
    assert check(archive, "--to", NIGHTS[0])[0] == 3
    assert check(archive, "--from", NIGHTS[1], "--to", NIGHTS[-2])[0] == 0
    assert check(archive, "--to", "soon") == (
        2,
        [],
        ["auditforest: --to 'soon': expected a date as YYYY-MM-DD"],
    )


def test_without_a_name_each_archive_of_the_file_of_options_is_checked_once(archive: Path, tmp_path: Path) -> None:
    other = shutil.copytree(archive, tmp_path / "other")
    object_of(archive, "events", LAST, "_commit-1.json").write_bytes(b"{}")
    (tmp_path / "of-options.toml").write_text(
        "".join(
            f'[clusters.{n}]\narchive = "{where}"\n' for n, where in zip("abc", (archive, other, other), strict=True)
        )
    )
    ended = auditforest("archive", "check", "--config", tmp_path / "of-options.toml")
    sums = [line for line in ended.out.splitlines() if " verified: " in line]
    assert ended.code == 3
    assert [line.partition(" verified: ")[2].partition(",")[0] for line in sums] == ["1 damaged", "0 damaged"]
    (complaint,) = ended.complaints
    assert complaint.startswith(f"auditforest: {archive}: 1 finding (commit)")
    # one that cannot be looked at stops no other
    shutil.rmtree(archive)
    ended = auditforest("archive", "check", "--config", tmp_path / "of-options.toml")
    assert (ended.code, len(ended.out.splitlines())) == (6, 1)
    ended = auditforest("archive", "check", "--config", tmp_path / "of-options.toml", "--cluster", "zz")
    assert (ended.code, ended.out) == (2, "")
    assert "no archive for zz" in ended.complaints[0]
    assert "the clusters declared are a, b, c" in ended.complaints[0]
