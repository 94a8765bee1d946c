"""A night end to end: what it says, what it leaves behind, and that doing it again or in parts changes nothing."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from datetime import date
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import boto3
import pytest
from e2e.job import FEW_TREES, Ended, auditforest, everything, nightly, object_of, ranking_of, records
from e2e.world import ATTACKER, CLUSTER, LAST, NIGHTS, PUBLIC, ordinary, written

from features.days import HASH
from features.principal import TYPES
from pipelines.config import ForestConfig
from pipelines.parquet import decode, encode
from pipelines.stages.origin import LIBRARIES

Built = tuple[Path, Ended]
TABLES = ("items", "principal_days", "ranking")
REPORTS = ("ranking.csv", "ranking.json", "report.html", "summary.json")


def meta_of(root: Path, table: str, night: date) -> dict[str, Any]:
    """The metadata of a derived table."""
    return decode(object_of(root, table, night, f"{table}.parquet").read_bytes(), table)[1]


def of_night(root: Path, night: date) -> dict[str, bytes]:
    """Every object of one night."""
    return {name: body for name, body in everything(root).items() if f"date={night}" in name}


def test_the_attack_is_ranked_first_for_its_secrets(built: Built) -> None:
    first = ranking_of(built[0], LAST)["ranking"][0]
    assert (first["rank"], first["principal"]) == (1, ATTACKER)
    assert any("secret" in reason["feature"] for reason in first["reasons"])


def test_evidence_names_audit_ids_of_the_nights_source(built: Built, world: Path) -> None:
    source = [json.loads(text) for text in (world / f"audit-{LAST}.ndjson").read_bytes().splitlines()]
    secrets = {
        e["auditID"]
        for e in source
        if e["user"].get("username") == ATTACKER and e["objectRef"]["resource"] == "secrets"
    }
    first = ranking_of(built[0], LAST)["ranking"][0]
    proof = {item["feature"]: item for item in first["evidence"]}
    assert set(proof["distinct_secrets"]["audit_ids"]) <= secrets
    assert len(proof["distinct_secrets"]["audit_ids"]) == 20
    every = {e["auditID"] for e in source}
    assert all(
        set(item["audit_ids"]) <= every for row in ranking_of(built[0], LAST)["ranking"] for item in row["evidence"]
    )


def test_the_world_holds_principals_of_every_type(built: Built) -> None:
    assert {row["type"] for row in ranking_of(built[0], LAST)["ranking"]} == set(TYPES)


def test_nightly_prints_the_first_ten_ranks_and_the_path_of_the_report(built: Built) -> None:
    archive, ended = built
    assert ended.code == 0
    assert ended.complaints == []
    *table, last = ended.out.splitlines()
    assert last == f"report: {object_of(archive, 'reports', LAST, 'report.html')}"
    assert Path(last.removeprefix("report: ")).is_file()
    drawn = ended.out[ended.out.index(f"\n{LAST}  ") :]
    assert f"{LAST}  by all runs: " in drawn
    assert drawn.index(" lines read = ") < drawn.index("\u250f"), "what was read stands above the ranks"
    ranks = [cells[1].strip() for line in table if len(cells := line.split("│")) > 2]
    assert [int(rank) for rank in ranks if rank] == list(range(1, 11))
    assert ATTACKER in ended.out


def test_a_back_fill_says_one_line_for_each_earlier_night(built: Built) -> None:
    first = [line.split()[0] for line in built[1].out.splitlines()[: len(NIGHTS) - 1]]
    assert first == [night.isoformat() for night in NIGHTS[:-1]]


def test_progress_is_json_lines_without_any_name_of_the_log(built: Built) -> None:
    archive, ended = built
    lines = [json.loads(line) for line in ended.err.splitlines()]
    assert [(line["stage"], line.get("night")) for line in lines[:4]] == [
        ("export", None),
        ("features", NIGHTS[0].isoformat()),
        ("score", NIGHTS[0].isoformat()),
        ("report", NIGHTS[0].isoformat()),
    ]
    assert len(lines) == 1 + 3 * len(NIGHTS)
    assert {(line["run_id"], line["cluster"]) for line in lines} == {(records(archive)[0]["run_id"], CLUSTER)}
    for row in ranking_of(archive, LAST)["ranking"]:
        assert row["principal"] not in ended.err


def test_every_object_stands_where_it_belongs(built: Built) -> None:
    expected = set()
    for night in NIGHTS:
        where = f"cluster={CLUSTER}/date={night}"
        expected |= {f"{table}/{where}/{table}.parquet" for table in TABLES}
        expected |= {f"reports/{where}/{name}" for name in REPORTS} | {f"events/{where}/_commit-1.json"}
    found = set(everything(built[0]))
    assert expected <= found
    rest = [name.rpartition("/") for name in sorted(found - expected)]
    assert [folder for folder, _, _ in rest] == [f"events/cluster={CLUSTER}/date={night}" for night in NIGHTS]
    assert all(name.startswith("part-") for _, _, name in rest)


def test_the_record_accounts_for_every_line_of_every_object(world: Path, tmp_path: Path) -> None:
    source = shutil.copytree(world, tmp_path / "source")
    with (source / f"audit-{LAST}.ndjson").open("ab") as out:
        lines = (world / f"audit-{LAST}.ndjson").read_bytes().splitlines(keepends=True)
        out.write(b"".join(lines[:3]) + b"no audit event\n\n")
    assert nightly(source, tmp_path / "archive", LAST).code == 0
    counts = records(tmp_path / "archive")[0]["export"]
    assert set(counts["objects"]) == {f"audit-{night}.ndjson" for night in NIGHTS}
    for name, ended in counts["objects"].items():
        body = (source / name).read_bytes()
        assert ended["sha256"] == sha256(body).hexdigest()
        assert ended["bytes"] == len(body)
        assert ended["read"] == ended["archived"] + ended["duplicate"] + ended["quarantined"] + ended["outside"], name
        assert ended["read"] + ended["blank"] == body.count(b"\n"), name
    last = counts["objects"][f"audit-{LAST}.ndjson"]
    assert (last["archived"], last["duplicate"], last["quarantined"], last["blank"]) == (len(lines), 3, 1, 1)
    total = {n: sum(e[n] for e in counts["objects"].values()) for n in counts["counts"]}
    assert counts["counts"] == total
    assert counts["covers"] == f"{NIGHTS[0]} to {LAST}"


def test_the_record_says_what_was_asked_made_and_by_which_versions(built: Built) -> None:
    archive, _ = built
    (record,) = records(archive)
    assert (archive / "runs" / f"{record['run_id']}.json").is_file()
    assert record["command"] == "nightly"
    assert record["cluster"] == CLUSTER
    assert record["nights"] == [night.isoformat() for night in NIGHTS]
    assert (record["exit_code"], record["error"]) == (0, None)
    assert record["seed"] == ForestConfig().seed
    assert record["started"] < record["finished"]
    assert record["peak_memory_bytes"] > 10_000_000
    assert {name: record["versions"][name] for name in ("auditforest", *LIBRARIES)} == {
        name: version(name) for name in ("auditforest", *LIBRARIES)
    }
    for night in NIGHTS:
        said = record["by_night"][night.isoformat()]
        stands = {name: sha256(object_of(archive, "reports", night, name).read_bytes()).hexdigest() for name in REPORTS}
        assert said["reports"] == stands
        for table in ("principal_days", "ranking"):
            body = object_of(archive, table, night, f"{table}.parquet").read_bytes()
            assert said[table] == sha256(body).hexdigest()
        commit = object_of(archive, "events", night, "_commit-1.json").read_bytes()
        assert (said["generation"], said["events"]) == (1, sha256(commit).hexdigest())
        assert (said["principals"], said["committed"]) == (12, True)
        reasons = said["reasons"]
        assert (reasons["unparsed"], reasons["unparsed_share"]) == (0, 0)
        assert reasons["allowed"] > 0


def test_running_a_night_again_adds_its_record_and_nothing_else(archive: Path, world: Path) -> None:
    before = everything(archive, apart_from="nothing")
    ended = nightly(world, archive, LAST)
    after = everything(archive, apart_from="nothing")
    assert ended.code == 0
    assert {name: after[name] for name in before} == before
    (added,) = set(after) - set(before)
    assert added.startswith("runs/")
    assert records(archive)[-1]["by_night"][LAST.isoformat()]["committed"] is False


def test_running_a_night_again_in_s3_adds_its_record_and_nothing_else(moto: str, tmp_path: Path) -> None:
    s3: Any = boto3.client(
        "s3", endpoint_url=moto, region_name="us-east-1", aws_access_key_id="testing", aws_secret_access_key="testing"
    )
    s3.create_bucket(Bucket="again")
    source = written(tmp_path / "source", {night: ordinary(night) for night in NIGHTS[:2]})

    def objects() -> dict[str, bytes]:
        found = s3.list_objects_v2(Bucket="again")["Contents"]
        return {o["Key"]: s3.get_object(Bucket="again", Key=o["Key"])["Body"].read() for o in found}

    def run() -> Ended:
        return nightly(
            source,
            "s3://again/audit",
            *NIGHTS[:2],
            AUDITFOREST_AWS__ENDPOINT=moto,
            AUDITFOREST_HISTORY__NIGHTS="2",
        )

    ended = run()
    assert (ended.code, ended.complaints) == (0, [])
    assert ended.out.splitlines()[-1].startswith("report: s3://again/audit/reports/")
    before = objects()
    assert run().code == 0
    after = objects()
    assert {name: after[name] for name in before} == before
    assert [name.split("/")[1] for name in set(after) - set(before)] == ["runs"]
    assert nightly(source, tmp_path / "archive", *NIGHTS[:2], AUDITFOREST_HISTORY__NIGHTS="2").code == 0
    own = {name: body for name, body in before.items() if not re.search("/(runs/|_probe|reports/index)", name)}
    stored = {name.removeprefix("audit/"): body for name, body in own.items()}
    assert stored == everything(tmp_path / "archive"), "S3 holds what a folder holds"


def test_the_four_stages_in_order_make_what_nightly_makes(built: Built, tmp_path: Path) -> None:
    nights = NIGHTS[:3]
    span = ("--cluster", CLUSTER, "--archive", tmp_path / "parts", "--from", nights[0], "--to", nights[-1])
    source = written(tmp_path / "source", {night: ordinary(night) for night in nights})
    assert auditforest("export", "--source", source, *span).code == 0
    for stage in ("features", "score", "report"):
        ended = auditforest(stage, *span, *(FEW_TREES if stage == "score" else ()))
        assert (ended.code, ended.complaints) == (0, []), stage
        assert len(ended.out.splitlines()) == len(nights), stage
    whole = {name: body for night in nights for name, body in of_night(built[0], night).items()}
    assert everything(tmp_path / "parts") == whole


def test_nights_one_by_one_are_what_one_back_fill_makes(world: Path, tmp_path: Path) -> None:
    nights = NIGHTS[:3]
    for night in nights:
        assert nightly(world / f"audit-{night}.ndjson", tmp_path / "single", night).code == 0
    source = written(tmp_path / "source", {night: ordinary(night) for night in nights})
    assert nightly(source, tmp_path / "at-once", nights[0], nights[-1]).code == 0
    assert everything(tmp_path / "single") == everything(tmp_path / "at-once")


def test_a_source_of_many_nights_read_for_each_of_them_differs_in_what_lay_outside_alone(
    built: Built, world: Path, tmp_path: Path
) -> None:
    nights = NIGHTS[:2]
    for night in nights:
        assert nightly(world, tmp_path / "single", night).code == 0
    for night in nights:
        one, all_ = ranking_of(tmp_path / "single", night), ranking_of(built[0], night)
        assert one.pop("coverage")["outside"] > 0
        assert all_.pop("coverage")["outside"] == 0
        assert one == all_


def test_a_first_night_is_ranked_and_the_report_says_so_before_the_ranking(world: Path, tmp_path: Path) -> None:
    ended = nightly(world / f"audit-{LAST}.ndjson", tmp_path / "archive", LAST)
    assert ended.code == 0
    assert ended.out.splitlines()[1].startswith(f"{LAST}  No earlier night")
    assert ranking_of(tmp_path / "archive", LAST)["ranking"][0]["principal"] == ATTACKER
    page = object_of(tmp_path / "archive", "reports", LAST, "report.html").read_text()
    names = page.replace("<wbr>", "")
    assert 0 < names.index("No earlier night") < names.index("The ranking") < names.index(ATTACKER)


def test_a_night_with_few_earlier_ones_is_ranked_and_the_report_says_how_many(built: Built) -> None:
    for nth, night in enumerate(NIGHTS):
        said = " ".join(ranking_of(built[0], night)["notices"])
        page = object_of(built[0], "reports", night, "report.html").read_text()
        assert (f"Only {nth} earlier night" in said) == (1 <= nth < 7), night
        assert ("No earlier night" in said) == (nth == 0), night
        if 1 <= nth < 7:
            assert page.index(f"Only {nth} earlier night") < page.index("The ranking")


def test_a_night_with_a_single_principal_is_ranked(tmp_path: Path) -> None:
    alone = [e for e in ordinary(LAST) if e["user"].get("username") == ATTACKER]
    ended = nightly(written(tmp_path / "source", {LAST: alone}), tmp_path / "archive", LAST)
    assert (ended.code, ended.complaints) == (0, [])
    assert [row["principal"] for row in ranking_of(tmp_path / "archive", LAST)["ranking"]] == [ATTACKER]


def test_a_history_of_a_single_row_ranks_everybody_against_it(tmp_path: Path) -> None:
    before = NIGHTS[NIGHTS.index(LAST) - 1]
    alone = [e for e in ordinary(before) if e["user"].get("username") == ATTACKER]
    source = written(tmp_path / "source", {before: alone, LAST: ordinary(LAST)})
    ended = nightly(source, tmp_path / "archive", before, LAST)
    assert (ended.code, ended.complaints) == (0, [])
    scored = {row["principal"]: row["codisp"] for row in ranking_of(tmp_path / "archive", LAST)["ranking"]}
    # whoever is unlike the one row is cut off from both copies of it
    assert set(scored.values()) <= {0.0, 1.0, 2.0}
    assert 2.0 in scored.values()


def test_late_events_make_a_second_generation_of_their_night_alone(archive: Path, tmp_path: Path) -> None:
    late = NIGHTS[6]
    before = everything(archive)
    source = written(tmp_path / "late", {late: [{**ordinary(late)[0], "auditID": "late", "sourceIPs": [PUBLIC]}]})
    assert nightly(source, archive, late).code == 0
    after = everything(archive)
    changed = {name for name in after if after[name] != before.get(name)}
    assert {name for name in changed if f"date={late}" not in name} == set()
    assert [meta_of(archive, table, late)["generation"] for table in TABLES] == [2, 2, 2]
    assert ranking_of(archive, late)["generation"] == 2
    assert "generation 2 of this night" in object_of(archive, "reports", late, "report.html").read_text()
    was = [name for name in before if f"events/cluster={CLUSTER}/date={late}" in name]
    assert all(after[name] == before[name] for name in was), "what was committed stays"
    assert Counter(name.split("/")[0] for name in changed) == {
        "events": 2,
        "items": 1,
        "principal_days": 1,
        "ranking": 1,
        "reports": 4,
    }


def _removed(root: Path, night: date, *tables: str) -> None:
    for table in tables:
        object_of(root, table, night, f"{table}.parquet").unlink()


def _changed(root: Path, table: str, night: date, **facts: Any) -> None:
    path = object_of(root, table, night, f"{table}.parquet")
    rows, meta = decode(path.read_bytes(), table)
    path.write_bytes(encode(rows, meta | facts))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda root, night: _removed(root, night, "items"), "table of items is missing"),
        (lambda root, night: _removed(root, night, "principal_days"), "table of principal days is missing"),
        (lambda root, night: _changed(root, "items", night, generation=2), "tables are of generations 1 and 2"),
        (lambda root, night: _changed(root, "principal_days", night, catalogue="older"), "another catalogue"),
        (lambda root, night: _removed(root, night, "items", "principal_days"), "but not counted"),
    ],
    ids=["no items", "no principal days", "two generations", "another catalogue", "never counted"],
)
def test_a_night_unfit_for_the_history_is_left_out_and_named(
    archive: Path, world: Path, damage: Any, said: str
) -> None:
    assert ranking_of(archive, NIGHTS[1])["history_nights"] == 1
    damage(archive, NIGHTS[0])
    ended = nightly(world / f"audit-{NIGHTS[1]}.ndjson", archive, NIGHTS[1])
    assert ended.code == 0
    document = ranking_of(archive, NIGHTS[1])
    assert document["history_nights"] == 0
    (notice,) = [n for n in document["notices"] if NIGHTS[0].isoformat() in n]
    assert said in notice
    assert f"auditforest features --cluster {CLUSTER} --date {NIGHTS[0]}" in notice
    page = object_of(archive, "reports", NIGHTS[1], "report.html").read_text()
    assert page.index(said) < page.index("The ranking")
    assert meta_of(archive, "principal_days", NIGHTS[1])["catalogue"] == HASH


def test_a_night_that_becomes_unfit_is_named_though_it_never_was_in_the_history(world: Path, tmp_path: Path) -> None:
    source, archive = world / f"audit-{NIGHTS[1]}.ndjson", tmp_path / "archive"
    assert nightly(source, archive, NIGHTS[1]).code == 0
    earlier = ("--cluster", CLUSTER, "--archive", archive, "--date", NIGHTS[0])
    assert auditforest("export", "--source", world / f"audit-{NIGHTS[0]}.ndjson", *earlier).code == 0
    assert not any("not counted" in notice for notice in ranking_of(archive, NIGHTS[1])["notices"])
    assert nightly(source, archive, NIGHTS[1]).code == 0
    assert any("not counted" in notice for notice in ranking_of(archive, NIGHTS[1])["notices"])


def test_what_the_notice_advises_brings_the_night_back(archive: Path, world: Path) -> None:
    left_out, source = NIGHTS[2], world / f"audit-{LAST}.ndjson"
    object_of(archive, "items", left_out, "items.parquet").unlink()
    assert nightly(source, archive, LAST).code == 0
    assert ranking_of(archive, LAST)["history_nights"] == 8
    asked = ("--cluster", CLUSTER, "--archive", archive, "--date", left_out)
    assert auditforest("features", *asked).code == 0
    assert nightly(source, archive, LAST).code == 0
    assert ranking_of(archive, LAST)["history_nights"] == 9


def test_first_seen_reaches_back_beyond_the_nights_looked_back_on(tmp_path: Path) -> None:
    source = written(tmp_path / "source", {night: ordinary(night) for night in NIGHTS[:4]})
    window = {"AUDITFOREST_HISTORY__NIGHTS": "2"}
    assert nightly(source, tmp_path / "archive", NIGHTS[0], NIGHTS[3], **window).code == 0
    seen = {row["principal"]: row["first_seen"] for row in ranking_of(tmp_path / "archive", NIGHTS[3])["ranking"]}
    first = {row["principal"] for row in ranking_of(tmp_path / "archive", NIGHTS[0])["ranking"]}
    assert first
    assert {seen[principal] for principal in first & seen.keys()} == {NIGHTS[0].isoformat()}


def test_what_is_as_usual_is_no_reason(built: tuple[Path, Ended]) -> None:
    rows = ranking_of(built[0], LAST)["ranking"]
    told = [reason for row in rows for reason in row["reasons"] if reason["usual"] is not None]
    assert told
    assert [reason for reason in told if reason["value"] <= reason["usual"]] == []
