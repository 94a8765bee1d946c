"""A night that late events revise: ranked again before the asked one, told everywhere, and nothing else is touched."""

from __future__ import annotations

import shlex
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from builders import event, lines
from e2e.job import Ended, auditforest, everything, nightly, object_of, ranking_of, records
from e2e.world import CLUSTER, NIGHTS, PUBLIC, ordinary, written

import pipelines.nightly
from pipelines.archive import Archive
from pipelines.parquet import decode

BEFORE, BETWEEN, LATE, ASKED = NIGHTS[:4]


def came_late(night: date, name: str = "credential") -> dict[str, Any]:
    """A request that its night's ranking cannot miss."""
    return event(user="eve", resource="secrets", name=name, ip=PUBLIC, at=f"{night}T03:00:00Z", audit_id=f"late {name}")


@pytest.fixture(scope="module")
def ranked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three nights, ranked in time. Not to be changed."""
    folder = tmp_path_factory.mktemp("ranked")
    source = written(folder / "source", {night: ordinary(night) for night in (BEFORE, BETWEEN, LATE)})
    assert nightly(source, folder / "archive", BEFORE, LATE, trees=5).code == 0
    return folder / "archive"


@pytest.fixture
def archive(ranked: Path, tmp_path: Path) -> Path:
    """A copy of that archive."""
    return shutil.copytree(ranked, tmp_path / "archive")


def night_of(source: Path, archive: Path, **environment: str) -> Ended:
    return nightly(source, archive, ASKED, trees=5, **environment)


def with_late(folder: Path, *nights: date) -> Path:
    """The asked night's log, and with it a late event of each of these nights."""
    return written(folder, {ASKED: [*(came_late(night) for night in nights), *ordinary(ASKED)]})


@pytest.fixture(scope="module")
def revised(ranked: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A log with a late event of the last ranked night, and the archive once it was read. Not to be changed."""
    folder = tmp_path_factory.mktemp("revised")
    source, root = with_late(folder / "source", LATE), shutil.copytree(ranked, folder / "archive")
    assert night_of(source, root).code == 0
    return source, root


def of_night(root: Path, night: date, prefix: str = "") -> dict[str, bytes]:
    return {n: body for n, body in everything(root).items() if f"date={night}" in n and n.startswith(prefix)}


def ranks(root: Path, night: date) -> list[str]:
    return [row["principal"] for row in ranking_of(root, night)["ranking"]]


def test_a_revised_night_is_ranked_again_before_the_asked_one_and_told_everywhere(
    archive: Path, tmp_path: Path
) -> None:
    assert "eve" not in ranks(archive, LATE)
    events, others = of_night(archive, LATE, "events/"), {n: of_night(archive, n) for n in (BEFORE, BETWEEN)}
    ended = night_of(with_late(tmp_path / "source", LATE), archive)
    assert (ended.code, ended.complaints) == (0, [])

    assert "eve" in ranks(archive, LATE)
    for table in ("items", "principal_days", "ranking"):
        rows, meta = decode(object_of(archive, table, LATE, f"{table}.parquet").read_bytes(), table)
        assert meta["generation"] == 2, table
        assert "eve" in rows["principal"].to_pylist(), table
    # the asked night knows what came late
    assert ranking_of(archive, ASKED)["history_nights"] == 3

    first = ended.out.splitlines()[0]
    assert first.startswith(f"{LATE}  revised")
    record = records(archive)[-1]
    assert record["nights"] == [str(ASKED)]
    assert record["export"]["revised"] == [str(LATE)]
    assert {name: record["by_night"][str(LATE)][name] for name in ("generation", "committed")} == {
        "generation": 2,
        "committed": True,
    }
    assert record["by_night"][str(ASKED)]["generation"] == 1
    (said,) = [n for n in ranking_of(archive, LATE)["notices"] if n.startswith("Revised")]
    assert "generation 2" in said
    page = object_of(archive, "reports", LATE, "report.html").read_text()
    assert 0 < page.index("Revised: this is generation 2") < page.index("The ranking")
    assert not any(n.startswith("Revised") for n in ranking_of(archive, ASKED)["notices"])

    after = of_night(archive, LATE, "events/")
    assert {name: after[name] for name in events} == events, "what was committed stays"
    assert len(after) == len(events) + 2
    assert {n: of_night(archive, n) for n in (BEFORE, BETWEEN)} == others


def test_nights_after_a_revised_one_stay_byte_for_byte(archive: Path, tmp_path: Path) -> None:
    others = {n: of_night(archive, n) for n in (BEFORE, LATE)}
    ended = night_of(with_late(tmp_path / "source", BETWEEN, BEFORE), archive)
    assert ended.code == 0
    assert ranking_of(archive, BETWEEN)["generation"] == 2
    # of three nights before only two are looked at
    assert {n: of_night(archive, n) for n in (BEFORE, LATE)} == others
    (counts,) = [r["export"]["counts"] for r in records(archive)[1:]]
    assert counts["outside"] == 1


def test_several_revised_nights_are_ranked_in_their_order_each_with_what_came_late_of_the_other(
    archive: Path, tmp_path: Path
) -> None:
    ended = night_of(with_late(tmp_path / "source", LATE, BETWEEN), archive)
    assert [line.split()[0] for line in ended.out.splitlines()[:2]] == [str(BETWEEN), str(LATE)]
    assert [ranking_of(archive, n)["generation"] for n in (BEFORE, BETWEEN, LATE, ASKED)] == [1, 2, 2, 1]
    (eve,) = [row for row in ranking_of(archive, LATE)["ranking"] if row["principal"] == "eve"]
    assert eve["first_seen"] == str(BETWEEN)


def test_a_run_again_revises_nothing_and_changes_no_byte(revised: tuple[Path, Path], tmp_path: Path) -> None:
    source, archive = revised[0], shutil.copytree(revised[1], tmp_path / "archive")
    before = everything(archive)
    ended = night_of(source, archive)
    assert ended.code == 0
    assert "revised" not in ended.out
    assert everything(archive) == before
    assert records(archive)[-1]["export"]["revised"] == []


def test_a_revised_night_is_what_the_same_night_is_with_the_late_events_in_time(
    revised: tuple[Path, Path], tmp_path: Path
) -> None:
    in_time = {night: ordinary(night) for night in (BEFORE, BETWEEN, LATE)}
    in_time[LATE] += [came_late(LATE)]
    other = tmp_path / "in time"
    assert nightly(written(tmp_path / "all", in_time), other, BEFORE, LATE, trees=5).code == 0
    one, two = ranking_of(revised[1], LATE), ranking_of(other, LATE)
    assert one["ranking"] == two["ranking"]


def test_a_night_that_a_failed_run_revised_is_ranked_again_by_the_next(archive: Path, tmp_path: Path) -> None:
    source = with_late(tmp_path / "source", LATE)
    with (source / f"audit-{ASKED}.ndjson").open("ab") as log:
        log.write(b"no event\n" * 9)
    assert night_of(source, archive).code == 3
    assert records(archive)[-1]["export"]["revised"] == [str(LATE)]
    assert ranking_of(archive, LATE)["generation"] == 1
    ended = night_of(source, archive, AUDITFOREST_EXPORT__QUARANTINED_PERCENT="5")
    assert ended.code == 0
    assert ranking_of(archive, LATE)["generation"] == 2
    assert "eve" in ranks(archive, LATE)


def test_a_night_that_export_alone_revised_says_what_to_do_and_is_ranked_again_by_the_next(
    archive: Path, tmp_path: Path
) -> None:
    source = with_late(tmp_path / "source", LATE)
    where = ("--cluster", CLUSTER, "--source", source, "--archive", archive, "--date", ASKED)
    first, second, third = auditforest("export", *where).out.splitlines()
    told, *commands = first.split("'")
    assert told == f"{LATE}  revised by events that came late; run "
    assert second.startswith(f"{ASKED}  ")
    assert third.startswith("this run: ")
    for command in commands[::2]:
        assert auditforest(*shlex.split(command)[1:]).code == 0
    assert ranking_of(archive, LATE)["generation"] == 2
    assert "eve" in ranks(archive, LATE)
    assert night_of(source, archive).code == 0
    assert "eve" in ranks(archive, LATE)


def test_an_option_of_0_leaves_earlier_nights_alone(archive: Path, tmp_path: Path) -> None:
    before = {n: of_night(archive, n) for n in (BEFORE, BETWEEN, LATE)}
    ended = night_of(with_late(tmp_path / "source", LATE), archive, AUDITFOREST_EXPORT__REREAD_HOURS_OBJECTS="0")
    assert ended.code == 0
    assert {n: of_night(archive, n) for n in (BEFORE, BETWEEN, LATE)} == before
    assert records(archive)[-1]["export"]["counts"]["outside"] == 1


def test_late_events_of_an_empty_night_are_archived_and_their_night_is_ranked_before_the_complaint(
    archive: Path, tmp_path: Path
) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "late.log").write_bytes(lines([came_late(LATE)]))
    ended = night_of(tmp_path / "source", archive)
    assert ended.code == 6
    assert f"no audit event of {CLUSTER} for {ASKED}" in ended.complaints[0]
    assert ranking_of(archive, LATE)["generation"] == 2
    assert records(archive)[-1]["export"]["revised"] == [str(LATE)]


@pytest.mark.parametrize("name", ["ranking.csv", "report.html", "ranking.json"])
def test_a_run_killed_before_the_report_of_a_revised_night_is_made_good_by_the_next(
    name: str, archive: Path, revised: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, clean = revised
    publish = Archive.publish

    def killed(self: Archive, where: str, body: bytes) -> str:
        if where.endswith(name):
            raise KeyboardInterrupt
        return publish(self, where, body)

    with monkeypatch.context() as patch:
        patch.setattr(Archive, "publish", killed)
        assert night_of(source, archive).code == 130
    assert everything(archive) != everything(clean)
    assert night_of(source, archive).code == 0
    assert everything(archive) == everything(clean)


class Meddled:
    """A stage of nightly before which another run changes the archive."""

    def __init__(self, stage: Any, change: Any, times: int = 1) -> None:
        self.stage, self.change, self.times = stage, change, times

    def __call__(self, *given: Any) -> Any:
        if self.times and given[-1 if len(given) == 2 else 2] == ASKED:
            self.times -= 1
            self.change(self.times)
        return self.stage(*given)


OTHERS = {"its events": ASKED, "its history": LATE}


@pytest.mark.parametrize("changed", OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("stage", ["score", "report"])
def test_a_night_that_another_run_changes_while_it_is_ranked_is_ranked_anew(
    stage: str, changed: date, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = written(tmp_path / "other", {changed: [came_late(changed)]})

    def change(_left: int) -> None:
        assert nightly(other, archive, changed, trees=5).code == 0

    meddled = Meddled(getattr(pipelines.nightly, stage), change)
    with monkeypatch.context() as patch:
        patch.setattr(f"pipelines.nightly.{stage}", meddled)
        ended = night_of(with_late(tmp_path / "source"), archive)
    assert (ended.code, ended.complaints, meddled.times) == (0, [], 0)
    assert ranking_of(archive, changed)["generation"] == 2
    assert "eve" in ranks(archive, changed)
    checked = auditforest("archive", "check", "--archive", archive, "--strict")
    assert (checked.code, checked.complaints) == (0, [])


def test_a_night_that_other_runs_change_time_after_time_is_worth_a_retry(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def change(left: int) -> None:
        other = written(tmp_path / f"other {left}", {ASKED: [came_late(ASKED, f"credential-{left}")]})
        where = ("--cluster", CLUSTER, "--source", other, "--archive", archive, "--date", ASKED)
        assert auditforest("export", *where).code == 0

    source = with_late(tmp_path / "source")
    with monkeypatch.context() as patch:
        patch.setattr("pipelines.nightly.score", Meddled(pipelines.nightly.score, change, times=99))
        ended = night_of(source, archive)
    assert ended.code == 4
    assert f"{ASKED}: other runs changed its events or its history while it was ranked" in ended.complaints[0]
    assert night_of(source, archive).code == 0
    assert "eve" in ranks(archive, ASKED)


def test_events_that_another_run_archives_while_a_night_is_ranked_are_in_its_ranking(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = written(tmp_path / "other", {ASKED: [came_late(ASKED)]})

    def change(_left: int) -> None:
        where = ("--cluster", CLUSTER, "--source", other, "--archive", archive, "--date", ASKED)
        assert auditforest("export", *where).code == 0

    with monkeypatch.context() as patch:
        patch.setattr("pipelines.nightly.report", Meddled(pipelines.nightly.report, change))
        assert night_of(with_late(tmp_path / "source"), archive).code == 0
    assert "eve" in ranks(archive, ASKED)


@pytest.fixture(scope="module")
def in_time(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive of all four nights where nothing came late."""
    folder = tmp_path_factory.mktemp("in time")
    nights = {night: ordinary(night) for night in NIGHTS[:4]}
    nights[BETWEEN].append(came_late(BETWEEN))
    assert nightly(written(folder / "source", nights), folder / "archive", BEFORE, ASKED, trees=5).code == 0
    return folder / "archive"


def tables(root: Path, night: date) -> dict[str, Any]:
    """Rows of the night's tables; what they were made from stands in their metadata and differs."""
    names = ("items", "principal_days", "ranking")
    return {n: decode(object_of(root, n, night, f"{n}.parquet").read_bytes(), n)[0].to_pylist() for n in names}


def test_with_cascade_the_nights_after_a_revised_one_are_what_they_are_with_the_late_events_in_time(
    archive: Path, in_time: Path, tmp_path: Path
) -> None:
    assert nightly(written(tmp_path / "asked", {ASKED: ordinary(ASKED)}), archive, ASKED, trees=5).code == 0
    before = of_night(archive, BEFORE)
    late = written(tmp_path / "late", {BETWEEN: [came_late(BETWEEN)]})
    options = ("--cluster", CLUSTER, "--source", late, "--archive", archive, "--date", BETWEEN, "--trees", 5)
    ended = auditforest("nightly", *options, "--cascade")
    assert (ended.code, ended.complaints) == (0, [])
    told = [line for line in ended.out.splitlines() if "as they are now" in line]
    assert [line.split()[0] for line in told] == [str(LATE), str(ASKED)]
    assert of_night(archive, BEFORE) == before
    for night in (BETWEEN, LATE, ASKED):
        assert tables(archive, night) == tables(in_time, night), night
    # a cascade over what is as it should be changes no byte
    all_of_it = everything(archive)
    assert auditforest("nightly", *options, "--cascade").code == 0
    assert everything(archive) == all_of_it


def test_the_stages_alone_cascade_too(archive: Path, in_time: Path, tmp_path: Path) -> None:
    late = written(tmp_path / "late", {BETWEEN: [came_late(BETWEEN)]})
    where = ("--cluster", CLUSTER, "--archive", archive, "--date", BETWEEN)
    assert auditforest("export", *where, "--source", late).code == 0
    assert auditforest("features", *where).code == 0
    unscored = auditforest("score", *where, "--trees", 5, "--cascade")
    assert unscored.code == 2, "the later night was counted with another history"
    assert f"--date {LATE}" in unscored.complaints[0]
    for stage, more in (("features", ()), ("score", ("--trees", 5))):
        ended = auditforest(stage, *where, *more, "--cascade")
        assert [line.split()[0] for line in ended.out.splitlines()] == [str(BETWEEN), str(LATE)]
    for night in (BETWEEN, LATE):
        assert tables(archive, night) == tables(in_time, night), night
