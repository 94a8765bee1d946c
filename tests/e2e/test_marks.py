"""Marks by the command line: what an analyst types, what the report then shows, what later nights learn."""

from __future__ import annotations

import json
import shutil
from dataclasses import fields, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from builders import event
from e2e.job import Ended, auditforest, everything, nightly, object_of, ranking_of, records
from e2e.refusals import advised
from e2e.world import ATTACKER, CLUSTER, LAST, NIGHTS, ordinary, written
from s3_server import AWS_ENVIRONMENT

from pipelines.archive import Archive
from pipelines.marking.record import Mark
from pipelines.parquet import decode
from pipelines.parsing.caps import NAME, capped_text
from pipelines.store import open_store

BEFORE = NIGHTS[-2]
HOSTILE = "<script>alert(1)</script>\x1b[2J\u202e"


def run(command: str, archive: Path | str, *arguments: object, **environment: str) -> Ended:
    ended = auditforest(command, *arguments, "--cluster", CLUSTER, "--archive", archive, **environment)
    assert (ended.code, ended.complaints) == (0, []), ended.err
    return ended


def mark(archive: Path | str, principal: str, as_: str, *more: object, **environment: str) -> Ended:
    return run("mark", archive, principal, "--as", as_, "--because", HOSTILE, *more, **environment)


def report(archive: Path, *nights: Any) -> dict[str, Any]:
    """The reports of these nights are written; the last one's JSON comes back."""
    for night in nights:
        run("report", archive, "--date", night)
    return ranking_of(archive, nights[-1])


def of(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return next((row for row in rows if row["principal"] == ATTACKER), {})


def test_who_is_expected_stands_apart_and_nothing_else_of_the_archive_changes(archive: Path) -> None:
    before = everything(archive)
    first = of(ranking_of(archive, LAST)["ranking"])
    said = mark(archive, "shop:CART", "expected", "--until", LAST)
    assert f"{LAST}  {ATTACKER}: expected until {LAST}, " in said.out
    document = report(archive, LAST)
    assert of(document["ranking"]) == {}
    assert of(document["expected"]) == first | {"marks": [f"expected until {LAST}: {HOSTILE}", *first["marks"]]}
    after = everything(archive)
    changed = {key for key in after if before.get(key) != after[key]}
    (marked,) = (key for key in changed if key.startswith("marks/"))
    assert changed == {marked} | {
        f"reports/cluster={CLUSTER}/date={LAST}/{name}"
        for name in ("ranking.csv", "ranking.json", "report.html", "summary.json")
    }
    page = object_of(archive, "reports", LAST, "report.html").read_text()
    assert '<h2 id="expected">Expected</h2>' in page
    assert r"&lt;script&gt;alert(1)&lt;/script&gt;\u001b[2J\u202e" in page
    (made, shown) = records(archive)[-2:]
    assert marked.endswith(f"mark-{made['by_night'][str(LAST)]['mark']}.parquet")
    assert shown["by_night"][str(LAST)]["marks"] == [made["by_night"][str(LAST)]["mark"]]
    report(archive, LAST)
    shown_text = auditforest("show", "shop:cart", "--archive", archive).out
    assert rf"expected until {LAST}: <script>alert(1)</script>\u001b[2J\u202e" in " ".join(shown_text.split())
    assert everything(archive) == after
    assert auditforest("archive", "check", "--archive", archive, "--strict").code == 0


def test_a_principal_that_leaves_what_was_marked_is_ranked_again_with_the_reason(archive: Path) -> None:
    earlier = everything(archive)
    mark(archive, ATTACKER, "expected", "--feature", "secret_reads", "--date", BEFORE)
    most, tonight = (reads_of(archive, night) for night in (BEFORE, LAST))
    assert of(report(archive, NIGHTS[-3], BEFORE)["expected"])
    row = of(report(archive, LAST)["ranking"])
    assert f"re-opened because secret_reads left the marked range: {tonight}, marked 0 to {most}" in row["marks"]
    assert row["rank"] == 1
    assert '<span class="badge">re-opened</span>' in object_of(archive, "reports", LAST, "report.html").read_text()
    kept = f"date={NIGHTS[-3]}"
    assert {k: b for k, b in everything(archive).items() if kept in k} == {
        k: b for k, b in earlier.items() if kept in k
    }


def test_what_a_mark_prints_makes_the_reports_it_changes_across_a_night_without_events(
    archive: Path,
) -> None:
    for folder in archive.rglob(f"date={BEFORE}"):
        shutil.rmtree(folder)
    said = mark(archive, ATTACKER, "investigating", "--date", NIGHTS[-3]).out
    made = advised(said.rstrip("\n"))
    assert (made.code, made.out.count("report.html")) == (0, 2)
    assert all(HOSTILE in of(ranking_of(archive, night)["ranking"])["marks"][0] for night in (NIGHTS[-3], LAST))


def test_in_the_demo_a_slow_reader_called_expected_returns_for_what_it_does_the_next_night(
    demo: tuple[Path, list[str], str], tmp_path: Path
) -> None:
    archive = shutil.copytree(demo[0], tmp_path / "archive", ignore=shutil.ignore_patterns("part-*"))

    def of_the_reader(date: str, section: str) -> list[str]:
        span = ("--cluster", "prod-usw2", "--archive", archive, "--date", date)
        assert auditforest("report", *span).code == 0
        path = archive / "reports" / "cluster=prod-usw2" / f"date={date}" / "ranking.json"
        rows = json.loads(path.read_bytes())[section]
        return next(row["marks"] for row in rows if row["principal"].endswith(":catalog-export"))

    said = ("--as", "expected", "--because", "the export job", "--cluster", "prod-usw2", "--archive", archive)
    assert auditforest("mark", "catalog-export", *said, "--date", "2026-09-14").code == 0
    assert of_the_reader("2026-09-14", "expected")[0] == "expected until 2026-12-13: the export job"
    assert "re-opened because distinct_secrets left the marked range: 33, marked 0 to 23" in of_the_reader(
        "2026-09-15", "ranking"
    )


def reads_of(archive: Path, night: Any) -> int:
    """How many secrets the attacker read."""
    rows, _ = decode(object_of(archive, "principal_days", night, "principal_days.parquet").read_bytes(), "")
    return int(of(rows.to_pylist())["secret_reads"])


def score(archive: Path, night: Any) -> dict[str, Any]:
    """The night counted and scored again; the ranking's metadata."""
    run("features", archive, "--date", night)
    run("score", archive, "--date", night, "--trees", 10)
    return decode(object_of(archive, "ranking", night, "ranking.parquet").read_bytes(), "ranking")[1]


def test_a_confirmed_night_leaves_the_baseline_of_nights_scored_after_it(archive: Path) -> None:
    whole = everything(archive)
    tables = {key for key in whole if f"date={LAST}" in key and "reports/" not in key and "events/" not in key}
    assert score(archive, LAST)["origin"]["confirmed"] == []
    assert everything(archive) == whole
    said = mark(archive, ATTACKER, "confirmed", "--date", BEFORE).out
    assert (
        f"nights scored from now on are compared without its {BEFORE}; to score the 1 ranked after it anew, run "
        in said
    )
    again = f"--cluster {CLUSTER} --archive {archive} --date {LAST}"
    stages = (f"'auditforest {stage} {again} --cascade'" for stage in ("features", "score", "report"))
    assert ", then ".join(stages) in said
    assert " 0 to " not in said
    (made,) = (path.stem.removeprefix("mark-") for path in (archive / "marks").rglob("mark-*"))
    early = auditforest("score", "--cluster", CLUSTER, "--archive", archive, "--date", LAST, "--trees", 10)
    assert early.code == 2
    assert "the counts are of other events, history, marks or features" in early.complaints[0]
    assert score(archive, LAST)["origin"]["confirmed"] == [made]
    assert records(archive)[-1]["by_night"][str(LAST)]["confirmed"] == [made]
    changed = everything(archive)
    assert {key for key in whole if changed[key] != whole[key]} == tables
    score(archive, LAST)
    score(archive, BEFORE)
    assert everything(archive) == changed, "no mark precedes the marked night itself"
    kept = mark(archive, ATTACKER, "none").out
    assert f"taken back: confirmed for {BEFORE} (mark {made})" in kept
    assert f"{BEFORE} stays out of the baseline; to change that, pass --date {BEFORE}" in kept
    gone = mark(archive, ATTACKER, "none", "--date", BEFORE).out
    assert (f"taken back: confirmed for {BEFORE} (mark {made})" in gone, "stays out" in gone) == (True, False)
    assert f"nights scored from now on are compared again with its {BEFORE}; to score" in gone
    score(archive, LAST)
    assert {key: body for key, body in everything(archive).items() if key in whole} == whole


def test_marks_are_listed_as_they_hold_and_all_that_were_made(archive: Path) -> None:
    assert run("marks", archive).out == f"{CLUSTER}: no mark holds on {LAST}\n"
    mark(archive, ATTACKER, "expected")
    against = mark(archive, ATTACKER, "confirmed")
    before = everything(archive, apart_from="none")
    held, every = run("marks", archive), run("marks", archive, "--all")
    assert (rows(held.out, "confirmed"), rows(held.out, "expected")) == (1, 0)
    assert ("confirmed, holds" in every.out, rows(every.out, "expected,"), rows(every.out, "superseded")) == (
        True,
        1,
        1,
    )
    assert (" 0 to " in held.out, " 0 to " in every.out) == (False, True)
    assert " all " not in held.out, "of a confirmed mark no feature is watched"
    assert run("marks", archive, "--date", BEFORE).err == ""
    shown_ = json.loads(auditforest("show", ATTACKER, "--archive", archive, "--format", "json").out)
    listed = json.loads(run("marks", archive, "--format", "json").out)
    assert everything(archive, apart_from="none") == before
    (said,) = (notice for notice in report(archive, LAST)["notices"] if "contradict each other" in notice)
    assert all(said in told.out.splitlines() for told in (against, held, every))
    assert (said in shown_["notices"], listed["contradictions"]) == (True, [said])
    assert not {"\x1b", "\u202e"} & set(held.out + against.out)


def test_every_mark_is_listed_where_no_night_is_ranked_any_more(archive: Path) -> None:
    mark(archive, ATTACKER, "investigating", "--date", BEFORE)
    shutil.rmtree(archive / "ranking")
    (listed,) = json.loads(run("marks", archive, "--all", "--format", "json").out)["marks"]
    assert (listed["principal"], listed["status"]) == (ATTACKER, "holds")
    shutil.rmtree(archive / "marks")
    assert run("marks", archive, "--all").out == f"{CLUSTER}: no mark was ever made\n"
    ended = auditforest("marks", "--cluster", CLUSTER, "--archive", archive)
    assert (ended.code, "no night of prod is ranked" in ended.complaints[0]) == (2, True)


def rows(drawn: str, word: str) -> int:
    """Cells of a table that hold the word alone."""
    return sum(cell.strip() == word for cell in drawn.replace("\n", "").split("\u2502"))


def test_json_holds_every_field_of_every_mark_and_what_became_of_it(archive: Path) -> None:
    mark(archive, ATTACKER, "expected", "--feature", "secret_reads", "--date", BEFORE, "--until", BEFORE)
    mark(archive, ATTACKER, "investigating")
    both = json.loads(run("marks", archive, "--all", "--format", "json").out)
    assert (both["cluster"], both["date"], both["contradictions"]) == (CLUSTER, str(LAST), [])
    assert [(one["state"], one["status"]) for one in both["marks"]] == [
        ("expected", "ended"),
        ("investigating", "holds"),
    ]
    (ended, holds) = both["marks"]
    assert set(ended) == {field.name for field in fields(Mark)} | {"status"}
    assert (ended["principal"], ended["night"], ended["until"]) == (ATTACKER, str(BEFORE), str(BEFORE))
    assert (ended["because"], ended["features"][0]) == (
        HOSTILE,
        {"feature": "secret_reads", "most": reads_of(archive, BEFORE), "named": True},
    )
    assert json.loads(run("marks", archive, "--format", "json").out)["marks"] == [holds]


def test_to_take_back_what_does_not_stand_says_so_and_writes_nothing(archive: Path) -> None:
    mark(archive, ATTACKER, "investigating", "--date", BEFORE)
    said = mark(archive, ATTACKER, "none").out
    assert f"that of {LAST} shows it without a mark, until now as investigated; run 'auditforest report " in said
    assert f"nights before {LAST} keep the mark for {BEFORE}" in said
    before = everything(archive)
    again = auditforest("mark", ATTACKER, "--as", "none", "--because", "x", "--cluster", CLUSTER, "--archive", archive)
    assert (again.code, again.out) == (2, "")
    assert again.complaints == [
        f"auditforest: {archive}: {CLUSTER}, {LAST}: no mark stands of {ATTACKER}, so none was taken back; found on "
        f"other terms: investigating with --date {BEFORE}; 'auditforest marks --cluster {CLUSTER} --archive {archive} "
        "--all' lists every mark"
    ]
    assert everything(archive) == before


def test_what_another_took_back_meanwhile_is_said_to_be_nothing(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mark(archive, ATTACKER, "investigating")
    add = Archive.add_mark

    def after_another(self: Archive, none: Mark) -> Mark:
        add(self, replace(none, because="was first", made_at=none.made_at - timedelta(microseconds=1)))
        return add(self, none)

    monkeypatch.setattr(Archive, "add_mark", after_another)
    said = mark(archive, ATTACKER, "none").out
    assert f"{LAST}  {ATTACKER}: taken back: nothing, for others took it back or marked anew meanwhile; mark " in said
    assert "no report of a ranked night changes" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("shop:carp",), f"; the nearest is {ATTACKER}; expected a name"),
        (("nobody",), "'nobody': no principal that was ranked on 2026-09-15 has this in its name or its user names"),
        (("serviceaccount",), "'serviceaccount': 5 principals of 2026-09-15 have this in their names, one expected"),
        ((ATTACKER, "--feature", "secret_read"), "--feature 'secret_read': no feature; "),
        ((ATTACKER, "--until", "2026-09-01"), "--until 2026-09-01 is before the marked night"),
        ((ATTACKER, "--as", "none", "--until", "2026-09-20"), "--until 2026-09-20: a mark as none has no end"),
        ((ATTACKER, "--until", "soon"), "--until 'soon': expected a date as YYYY-MM-DD"),
        ((ATTACKER, "--date", "2026-01-01"), "no event of prod is archived for 2026-01-01"),
        ((ATTACKER, "--as", "harmless"), "'harmless' is not one of"),
        ((ATTACKER, "--because", ""), "--because: nothing found"),
    ],
)
def test_a_mark_that_cannot_be_is_one_line_and_no_mark_is_written(
    archive: Path, arguments: tuple[str, ...], said: str
) -> None:
    ended = auditforest(
        "mark", "--as", "expected", "--because", "x", *arguments, "--cluster", CLUSTER, "--archive", archive
    )
    assert ended.code == 2
    (complaint,) = ended.complaints
    assert said in complaint
    assert (ended.out.count("\n"), "shop:cart" in ended.out) == (
        (5, True) if arguments == ("serviceaccount",) else (0, False)
    )
    assert not (archive / "marks").exists()


def test_a_name_of_100_kb_is_marked_by_a_part_of_it(tmp_path: Path) -> None:
    name = "A" * 500 + "needle" + "\u202e" * 100_000
    source = written(tmp_path / "source", {LAST: [event(user=name, at=f"{LAST}T12:00:00Z"), *ordinary(LAST)]})
    assert nightly(source, tmp_path / "archive", LAST).code == 0
    said = mark(tmp_path / "archive", "needle", "expected")
    document = report(tmp_path / "archive", LAST)
    assert [row["principal"] for row in document["expected"]] == [capped_text(name, NAME)]
    assert len(said.out) < 2_000
    assert len(object_of(tmp_path / "archive", "reports", LAST, "report.html").read_text()) < 200_000


def test_without_a_name_the_only_cluster_is_meant_and_of_several_none(archive: Path, tmp_path: Path) -> None:
    options = tmp_path / "some.toml"
    asked = ("mark", ATTACKER, "--as", "investigating", "--because", "x", "--config", options)
    options.write_text(f'[clusters.{CLUSTER}]\narchive = "{archive}"\n')
    assert auditforest(*asked).code == 0
    options.write_text(options.read_text() + '[clusters.other]\narchive = "elsewhere"\n')
    ended = auditforest(*asked)
    assert (ended.code, ended.complaints) == (
        2,
        ["auditforest: one cluster expected, other, prod found; pass --cluster"],
    )


def test_an_archive_in_s3_is_marked_alike(
    built: tuple[Path, Ended], moto: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    boto3.client("s3", endpoint_url=moto, region_name="us-east-1", **keys).create_bucket(Bucket="marked")
    place = {"AUDITFOREST_AWS__ENDPOINT": moto}
    for name, value in AWS_ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    store = open_store("s3://marked/archive", endpoint=moto, region="us-east-1")
    for table in ("ranking", "principal_days"):
        key = f"{table}/cluster={CLUSTER}/date={LAST}/{table}.parquet"
        store.put(key, (built[0] / key).read_bytes())
    mark("s3://marked/archive", ATTACKER, "expected", **place)
    run("report", "s3://marked/archive", "--date", LAST, **place)
    body = store.get(f"reports/cluster={CLUSTER}/date={LAST}/ranking.json")
    assert body is not None
    assert [row["principal"] for row in json.loads(body)["expected"]] == [ATTACKER]
    assert ATTACKER.rpartition(":")[2] in run("marks", "s3://marked/archive", **place).out
