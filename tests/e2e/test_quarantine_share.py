"""When bad lines are too many: the share that is allowed, what a run leaves behind that met more, and empty nights."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pytest
from builders import event, line
from e2e.job import Ended, auditforest, everything, nightly, records
from e2e.world import CLUSTER, NIGHTS

from pipelines.quarantine import home

BEFORE, NIGHT = NIGHTS[0], NIGHTS[1]
OPTION = "AUDITFOREST_EXPORT__QUARANTINED_PERCENT"


def good(count: int, night: date = NIGHT) -> list[bytes]:
    return [line(event(at=f"{night}T12:00:{n % 60:02}Z", user=f"user-{n % 5}")) for n in range(count)]


def bad(count: int) -> list[bytes]:
    return [b'{"no":"event %d"}\n' % n for n in range(count)]


def written(where: Path, made: Sequence[bytes]) -> Path:
    where.write_bytes(b"".join(made))
    return where


def ranked(archive: Path) -> list[str]:
    """Everything of the archive that is made of ranked nights."""
    return sorted(n for n in everything(archive) if not n.startswith(("events/", "quarantine/")))


def complaint(log: Path, lines: int, read: int, percent: int, known: int = 0) -> str:
    before = f" ({known} more were archived or filed before)" if known else ""
    return (
        f"auditforest: --source {log}: {lines} of {read} lines are no audit events, more than {percent} %{before}; the "
        f"others are archived, nothing was ranked. {first_bad(log)}; mend what ships the log, or raise "
        "quarantined_percent under [export]"
    )


def first_bad(log: Path) -> str:
    """What is said of the first bad line of the last file of a source whose archive stands beside it."""
    path = max(log.iterdir()) if log.is_dir() else log
    return (
        f"The first: {path.name} at byte {path.read_bytes().index(bad(1)[0][:7])}, no audit event: auditID and time "
        f"missing or unreadable; all are filed in {log.parent}/archive/quarantine/cluster={CLUSTER}, of this object in "
        f"{home(path.name)}"
    )


def last(archive: Path) -> tuple[int, dict[str, int]]:
    """Exit code and counts of the last run's record."""
    record = records(archive)[-1]
    return record["exit_code"], record["export"]["counts"]


@pytest.mark.parametrize(
    ("lines", "fine"), [((198, 2), True), ((197, 2), False)], ids=["one percent", "more than one percent"]
)
def test_one_percent_of_bad_lines_is_fine_and_more_ends_with_3(
    tmp_path: Path, lines: tuple[int, int], fine: bool
) -> None:
    archive, log = tmp_path / "archive", written(tmp_path / "audit.log", [*good(lines[0]), *bad(lines[1])])
    ended = nightly(log, archive, NIGHT, trees=2)
    assert ended.code == (0 if fine else 3)
    assert ended.complaints == ([] if fine else [complaint(log, 2, 199, 1)])
    assert bool(ranked(archive)) == fine
    # those that are allowed are found as easily as those that are not
    assert (f"2 lines quarantined. {first_bad(log)}" in ended.out.splitlines()) == fine
    again = nightly(log, archive, NIGHT, trees=2)
    assert "quarantined. The first" not in again.out


def test_what_can_be_read_is_archived_before_a_run_ends_with_3_and_again_it_ends_so(tmp_path: Path) -> None:
    archive, log = tmp_path / "archive", written(tmp_path / "audit.log", [*good(40), *bad(5), b"\n", *good(1, BEFORE)])
    first = nightly(log, archive, NIGHT, trees=2)
    assert (first.code, first.complaints) == (3, [complaint(log, 5, 46, 1)])
    assert first.out == ""
    assert {name.split("/")[0] for name in everything(archive)} == {"events", "quarantine"}
    ends = {"read": 46, "archived": 40, "duplicate": 0, "quarantined": 5, "outside": 1, "blank": 1, "skipped": 0}
    assert last(archive) == (3, ends)
    assert records(archive)[0]["error"] == complaint(log, 5, 46, 1).removeprefix("auditforest: ")
    before = everything(archive)

    # all five are known now, and still no events
    again = nightly(log, archive, NIGHT, trees=2)
    assert (again.code, again.complaints) == (3, first.complaints)
    assert everything(archive) == before
    assert last(archive) == (3, ends | {"archived": 0, "duplicate": 45, "quarantined": 0})

    alone = auditforest("export", "--cluster", CLUSTER, "--source", log, "--archive", archive, "--date", NIGHT)
    unranked = ", nothing was ranked"
    assert unranked in first.complaints[0]
    assert (alone.code, alone.complaints) == (3, [first.complaints[0].replace(unranked, "")])

    assert nightly(log, archive, NIGHT, trees=2, **{OPTION: "10"}).complaints == [complaint(log, 5, 46, 10)]
    raised = nightly(log, archive, NIGHT, trees=2, **{OPTION: "11"})
    assert (raised.code, raised.complaints) == (0, [])
    assert ranked(archive)
    assert {name: everything(archive)[name] for name in before} == before


def test_an_option_of_0_allows_no_bad_line_and_of_100_any(tmp_path: Path) -> None:
    archive, log = tmp_path / "archive", written(tmp_path / "audit.log", [*good(150), *bad(1)])
    assert nightly(log, archive, NIGHT, trees=2, **{OPTION: "0"}).complaints == [complaint(log, 1, 151, 0)]
    written(log, [*good(1), *bad(30)])
    assert nightly(log, archive, NIGHT, trees=2, **{OPTION: "100"}).code == 0


def test_the_share_is_of_all_the_objects_of_a_run(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    written(tmp_path / "logs" / "a.log", bad(3))
    written(tmp_path / "logs" / "b.log", good(297))
    assert nightly(tmp_path / "logs", tmp_path / "archive", NIGHT, trees=2).code == 0


def test_a_source_mended_after_a_run_that_ended_with_3_is_ranked(tmp_path: Path) -> None:
    archive, lines = tmp_path / "archive", good(20)
    log = written(tmp_path / "audit.log", [*lines[:10], *bad(10)])
    assert nightly(log, archive, NIGHT, trees=2).code == 3
    written(log, lines)
    ended = nightly(log, archive, NIGHT, trees=2)
    assert ended.code == 0
    # the report counts what was met at first, too
    assert "30 lines read = 20 archived" not in ended.out
    assert "20 archived + 10 duplicate + 10 quarantined" in ended.out


def empty(ended: Ended, source: Path, covers: str) -> bool:
    said = f"auditforest: --source {source}: no audit event of {CLUSTER} for {NIGHT}; the source covers {covers}. "
    return ended.code == 6 and len(ended.complaints) == 1 and ended.complaints[0].startswith(said)


def test_an_empty_night_of_a_living_cluster_ends_with_6(tmp_path: Path) -> None:
    archive, log = tmp_path / "archive", written(tmp_path / "audit.log", good(20, BEFORE))
    assert nightly(log, archive, BEFORE, trees=2).code == 0
    before = everything(archive)
    assert empty(nightly(log, archive, NIGHT, trees=2), log, f"{BEFORE} to {BEFORE}")
    assert everything(archive) == before
    assert last(archive)[0] == 6
    nothing = written(tmp_path / "nothing.log", [])
    assert empty(nightly(nothing, archive, NIGHT, trees=2), nothing, "no event")
    assert everything(archive) == before


def test_too_many_bad_lines_come_before_an_empty_night(tmp_path: Path) -> None:
    archive, log = tmp_path / "archive", written(tmp_path / "audit.log", [*good(2, BEFORE), *bad(2)])
    assert nightly(log, archive, NIGHT, trees=2).complaints == [complaint(log, 2, 4, 1)]


def growing(tmp_path: Path, before: Sequence[bytes], tonight: Sequence[bytes]) -> Path:
    """A folder of which a run of the night before saw all but tonight's file."""
    logs = tmp_path / "logs"
    logs.mkdir()
    written(logs / "a.log", before)
    nightly(logs, tmp_path / "archive", BEFORE, trees=2)
    written(logs / "b.log", tonight)
    return logs


def test_bad_lines_of_an_earlier_night_do_not_end_a_clean_night_that_shows_them_again(tmp_path: Path) -> None:
    logs = growing(tmp_path, [*good(40, BEFORE), *bad(9)], good(20))
    assert last(tmp_path / "archive")[0] == 3
    ended = nightly(logs, tmp_path / "archive", NIGHT, trees=2)
    assert (ended.code, ended.complaints) == (0, [])
    assert "20 archived + 49 duplicate" in ended.out
    # the bad night itself is no better for it
    assert nightly(logs, tmp_path / "archive", BEFORE, trees=2).code == 3


def test_new_bad_lines_are_a_share_of_the_new_lines_however_many_old_ones_stand_beside_them(tmp_path: Path) -> None:
    logs = growing(tmp_path, good(900, BEFORE), [*good(20), *bad(2)])
    ended = nightly(logs, tmp_path / "archive", NIGHT, trees=2)
    assert (ended.code, ended.complaints) == (3, [complaint(logs, 2, 22, 1, known=900)])


def test_a_run_that_died_between_filing_and_committing_makes_no_bad_night_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive, log = tmp_path / "archive", written(tmp_path / "audit.log", [*good(20), *bad(3)])

    def died(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("pipelines.stages.export._append", died)
        assert nightly(log, archive, NIGHT, trees=2).code == 130
    assert {name.split("/")[0] for name in everything(archive)} == {"quarantine"}
    assert nightly(log, archive, NIGHT, trees=2).complaints == [complaint(log, 3, 23, 1)]


def test_lines_that_come_ten_times_count_ten_times_in_the_share(tmp_path: Path) -> None:
    archive, log = tmp_path / "archive", written(tmp_path / "audit.log", [*good(40) * 10, *bad(2)])
    assert [nightly(log, archive, NIGHT, trees=2).code for _ in range(2)] == [0, 0]
