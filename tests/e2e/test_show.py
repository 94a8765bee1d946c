"""`auditforest show` and `compare`: one principal, by what the nights wrote; a role that holds what it used."""

from __future__ import annotations

import json
import os
import re
import shutil
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import boto3
import pytest
from e2e.job import NO_CLUSTER, Ended, auditforest, everything, object_of, ranking_of
from e2e.showing import BEFORE, show, told
from e2e.world import ATTACKER, CLUSTER, LAST, NIGHTS, PUBLIC
from s3_server import AWS_ENVIRONMENT

from pipelines.errors import Exit
from pipelines.parquet import decode, encode
from pipelines.store import open_store


@pytest.fixture(scope="module")
def root(built: tuple[Path, Ended]) -> Path:
    """The archive of ten nights. Not to be changed."""
    return built[0]


@pytest.fixture(scope="module")
def cart(root: Path) -> dict[str, Any]:
    """What is told of the attacker by a part of its name. Not to be changed."""
    return told(root, "cart")


def stored(root: Path, table: str, night: date) -> list[dict[str, Any]]:
    rows, _ = decode(object_of(root, table, night, f"{table}.parquet").read_bytes(), table)
    return [row for row in rows.to_pylist() if row["principal"] == ATTACKER]


def test_what_is_shown_is_what_the_night_wrote(root: Path, cart: dict[str, Any]) -> None:
    found = cart
    assert (found["cluster"], found["date"]) == (CLUSTER, str(LAST))
    (row,) = [row for row in ranking_of(root, LAST)["ranking"] if row["principal"] == ATTACKER]
    assert found["ranking"] == row
    assert row["rank"] == 1
    assert [past["night"] for past in found["past"]][-10:] == [str(night) for night in NIGHTS]
    assert len(found["past"]) == 14
    for past in found["past"][-10:]:
        (kept,) = stored(root, "ranking", date.fromisoformat(past["night"]))
        assert (past["rank"], past["score"]) == (kept["rank"], kept["score"])
        assert past["reason"] == (kept["reasons"][0]["feature"] if kept["reasons"] else None)
    assert [past["principals"] for past in found["past"][:4]] == [None] * 4


def test_the_evidence_is_the_requests_behind_the_audit_ids(cart: dict[str, Any]) -> None:
    found = cart
    ids = {audit_id for proof in found["ranking"]["evidence"] for audit_id in proof["audit_ids"]}
    assert {request["audit_id"] for request in found["evidence"]} == ids
    for request in found["evidence"]:
        of = [proof["feature"] for proof in found["ranking"]["evidence"] if request["audit_id"] in proof["audit_ids"]]
        assert request["features"] == of
    first = found["evidence"][0]
    assert (first["verb"], first["what"], first["address"]) == ("get", "secrets", PUBLIC)
    assert first["time"].startswith(f"{LAST}T03:")


def test_what_is_new_is_what_no_night_it_was_judged_by_has(root: Path, cart: dict[str, Any]) -> None:
    new = {kind["kind"]: kind["items"] for kind in cart["new"]}
    assert new["address"] == [PUBLIC]
    assert new["agent"] == ["python-requests"]
    assert len(new["secret"]) == 60
    assert "action" not in new
    first = {kind["kind"] for kind in told(root, "cart", "--date", NIGHTS[0], "--days", 1)["new"]}
    assert {"address", "action", "secret"} <= first


def test_permissions_are_those_of_the_nights_asked_for(root: Path, cart: dict[str, Any]) -> None:
    one = told(root, "cart", "--days", 1)
    assert one["used_nights"] == [str(LAST)]
    secrets = {u["namespace"]: u["requests"] for u in one["used"] if u["resource"] == "secrets"}
    asked = [row["secret_reads"] for row in stored(root, "principal_days", LAST)]
    assert sum(secrets.values()) == asked[0]
    assert cart["used_nights"] == [str(night) for night in NIGHTS]
    assert sum(u["requests"] for u in cart["used"]) > sum(u["requests"] for u in one["used"])


def test_on_a_terminal_the_same_is_told_and_nothing_is_written(root: Path) -> None:
    before = everything(root, apart_from="-")
    ended = show(root, ATTACKER, "--days", 2)
    assert (ended.code, ended.err) == (0, "")
    for said in (
        ATTACKER,
        "rank 1 ",
        PUBLIC,
        "python-requests",
        "Ranks",
        "Evidence: ",
        "permissions used on 2 nights",
    ):
        assert said in ended.out
    assert everything(root, apart_from="-") == before


@pytest.mark.parametrize(
    "name", [ATTACKER, "SHOP:CART", "shop:c", "SRE/maria", "arn:aws:sts::111122223333:assumed-role/SRE/maria"]
)
def test_a_principal_is_found_by_its_name_a_user_name_or_a_part_of_one(root: Path, name: str) -> None:
    found = told(root, name, "--days", 1)["ranking"]["principal"]
    assert found == (ATTACKER if "aria" not in name else "iam-role:111122223333:SRE/maria")


GONE = LAST + timedelta(days=1)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("show", "nobody"), f"'nobody': no principal that was ranked on {LAST} has this in its name"),
        (("show", ""), "'': no principal"),
        (("show", "shop:carp"), f"; the nearest is {ATTACKER}; expected a name"),
        (
            ("show", "cart", "--date", GONE),
            f"only nights from {NIGHTS[0]} to {LAST}; name {LAST} for the last",
        ),
        (("show", "cart", "--date", "soon"), "--date 'soon': expected a date as YYYY-MM-DD"),
        (
            ("show", "cart", "--cluster", "stage"),
            f"no night of stage is ranked: only events of {CLUSTER}; look at",
        ),
        (("show", "cart", "--role", "--format", "json"), "--role with --format json"),
        (("show", "cart", "--days", "0"), "0 is not in the range"),
        (("compare", "nobody", BEFORE, LAST), f"ranked on {BEFORE} or {LAST} has this"),
        (("compare", "shop", BEFORE, LAST), f"2 principals of {BEFORE} or {LAST} have this"),
        (
            ("compare", "cart", LAST, GONE),
            f"only nights from {NIGHTS[0]} to {LAST}; name {LAST} for the last",
        ),
        (("compare", "cart", LAST), "D2"),
    ],
)
def test_what_cannot_be_shown_is_said_in_one_line(root: Path, arguments: tuple[object, ...], said: str) -> None:
    ended = auditforest(*arguments, "--archive", root)
    assert ended.code == Exit.USAGE
    assert len(ended.complaints) == 1
    assert said in ended.complaints[0]


@pytest.mark.parametrize("command", [("show", "eve"), ("compare", "eve", BEFORE, LAST)], ids=["show", "compare"])
def test_without_an_archive_it_says_what_was_expected(command: tuple[object, ...], tmp_path: Path) -> None:
    ended = auditforest(*command)
    assert (ended.code, ended.complaints) == (
        Exit.USAGE,
        [NO_CLUSTER],
    )
    ended = auditforest(*command, "--archive", tmp_path / "nowhere")
    assert ended.code == Exit.USAGE
    assert "no archive there, expected the root of one" in ended.complaints[0]


def test_the_file_of_options_says_where_the_archive_of_the_only_cluster_lies(root: Path) -> None:
    Path("auditforest.toml").write_text(f'[clusters.{CLUSTER}]\narchive = "{root}"\n')
    assert auditforest("show", "cart", "--days", 1).code == 0
    with Path("auditforest.toml").open("a") as more:
        more.write(f'[clusters.stage]\narchive = "{root}"\n')
    ended = auditforest("show", "cart")
    assert (ended.code, ended.out) == (Exit.USAGE, "")
    assert f"one cluster expected, {CLUSTER}, stage found; pass --cluster" in ended.complaints[0]


def test_a_night_of_another_version_says_so(archive: Path) -> None:
    path = object_of(archive, "ranking", LAST, "ranking.parquet")
    rows, meta = decode(path.read_bytes(), "ranking")
    path.write_bytes(encode(rows.drop_columns(["norm"]), meta))
    ended = show(archive, "cart")
    assert ended.code == Exit.USAGE
    assert "ranked by another version of auditforest" in ended.complaints[0]
    assert f"run 'auditforest score --cluster {CLUSTER}" in ended.complaints[0]
    path = object_of(archive, "principal_days", LAST, "principal_days.parquet")
    rows, meta = decode(path.read_bytes(), "days")
    path.write_bytes(encode(rows, meta | {"catalogue": "older"}))
    ended = auditforest("compare", "cart", BEFORE, LAST, "--archive", archive)
    assert ended.code == Exit.USAGE
    assert "the counts are of another version's features; run 'auditforest features" in ended.complaints[0]


def test_two_nights_are_compared_by_rank_counts_and_items(root: Path) -> None:
    ended = auditforest("compare", "cart", BEFORE, LAST, "--archive", root, "--format", "json")
    assert (ended.code, ended.err) == (0, "")
    found = json.loads(ended.out)
    one, other = (stored(root, "principal_days", night)[0] for night in (BEFORE, LAST))
    assert (found["principal"], found["after"]["rank"]) == (ATTACKER, 1)
    counts = {count["feature"]: count for count in found["counts"]}
    for name, count in counts.items():
        assert (count["before"], count["after"]) == (one[name], other[name])
        assert count["before"] != count["after"]
    surprises = [max(c["surprise_before"] or 0, c["surprise_after"] or 0) for c in found["counts"]]
    assert surprises == sorted(surprises, reverse=True)
    secrets = counts["new_secrets"]
    parts = [other[f"new_secrets_{part}_surprise"] for part in ("own", "peers", "cluster")]
    assert secrets["surprise_after"] == min(parts)
    address = next(touched for touched in found["items"] if touched["kind"] == "address")
    assert (address["new"], address["vanished"]) == ([PUBLIC], [])
    drawn = auditforest("compare", "cart", BEFORE, LAST, "--archive", root)
    assert (drawn.code, drawn.err) == (0, "")
    assert all(said in drawn.out for said in (ATTACKER, str(BEFORE), PUBLIC, "counts differ"))


def test_an_archive_in_a_bucket_is_shown_as_a_folder_is(root: Path, moto: str) -> None:
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    boto3.client("s3", endpoint_url=moto, region_name="us-east-1", **keys).create_bucket(Bucket="shown")
    with mock.patch.dict(os.environ, AWS_ENVIRONMENT):
        store = open_store("s3://shown/archive", endpoint=moto, region="us-east-1")
        for path in sorted(path for path in root.rglob("cluster=*/**/*") if path.is_file()):
            store.put(path.relative_to(root).as_posix(), path.read_bytes())
    asked = ("show", "cart", "--days", 1, "--format", "json", "--archive")
    there = auditforest(*asked, "s3://shown/archive", AUDITFOREST_AWS__ENDPOINT=moto)
    assert there == auditforest(*asked, root)
    assert (there.code, there.err) == (0, "")


def test_requests_without_a_name_are_found(root: Path) -> None:
    found = told(root, "unauthenticated", "--days", 1)
    assert found["ranking"]["principal"] == "unauthenticated"
    assert found["used"] == []


def test_an_archive_without_its_events_still_shows_the_night(archive: Path, cart: dict[str, Any]) -> None:
    for night in NIGHTS[:-1]:
        shutil.rmtree(object_of(archive, "events", night, "x").parent)
    found = told(archive, "cart")
    assert found["used_nights"] == [str(LAST)]
    assert found["evidence"] == cart["evidence"]
    assert sum(past["rank"] is not None for past in found["past"]) == len(NIGHTS)
    shutil.rmtree(object_of(archive, "events", LAST, "x").parent)
    bare = told(archive, "cart", "--cluster", CLUSTER)
    assert (bare["events_gone"], bare["used_nights"], bare["used"]) == (True, [], [])
    assert bare["new"] == cart["new"]
    assert 0 < len(bare["evidence"]) <= 10
    assert all(request in cart["evidence"] for request in bare["evidence"])


@pytest.mark.parametrize("command", ["show", "compare"])
def test_the_example_of_the_help_runs_on_the_demo(demo: tuple[Path, list[str], str], command: str) -> None:
    (example,) = re.findall(r"^ *Example: auditforest (.+)$", auditforest(command, "--help").out, re.MULTILINE)
    ended = auditforest(*example.replace("build/demo", str(demo[0])).split())
    assert (ended.code, ended.err) == (0, "")
    assert "rank 2 (2 to 2 by any forest) of 96" in ended.out or "47 counts differ" in ended.out


PAGE = Path(__file__).parents[2] / "docs" / "principal.md"


def test_every_command_of_the_page_runs_on_the_demo(demo: tuple[Path, list[str], str]) -> None:
    typed = re.findall(r"^    auditforest (.+)$", PAGE.read_text(), re.MULTILINE)
    assert [words.split()[0] for words in typed] == ["show", "show", "compare"]
    for words in typed:
        ended = auditforest(*words.replace("build/demo", str(demo[0])).split())
        assert (ended.code, ended.err) == (0, ""), words
        assert ended.out
