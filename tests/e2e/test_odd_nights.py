"""Nights that give a ranking little to go by: it is sensible all the same, or says in a sentence why it is not."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from builders import event
from e2e.job import auditforest, nightly, object_of, ranking_of
from e2e.world import ATTACKER, CLUSTER, LAST, NIGHTS, ordinary, theft, written

from pipelines.parquet import decode, encode
from pipelines.parsing.caps import NAME, capped_text

BEFORE = NIGHTS[-2]
LONG = "A" * 50_000 + "\u202e" + "B" * 50_000


def sensible(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The ranking, each of its numbers one that can be."""
    rows: list[dict[str, Any]] = document["ranking"]
    assert [row["rank"] for row in rows] == sorted(row["rank"] for row in rows)
    assert rows[0]["rank"] == 1
    for row in rows:
        assert all(math.isfinite(row[name]) and row[name] >= 0 for name in ("score", "codisp", "norm", "aws_score"))
        assert 1 <= row["rank_lo"] <= row["rank"] <= row["rank_hi"] <= len(rows)
        assert row["one_in"] is None or 1 <= row["one_in"] < math.inf
        for reason in row["reasons"]:
            assert reason["value"] > 0
            assert 0 <= reason["surprise"] <= 30
            assert 0 < reason["share"] <= 1
            assert None in (reason["usual_low"], reason["usual_high"]) or reason["usual_low"] <= reason["usual_high"]
    return rows


def renamed(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same events by others, of other names and roles; nodes without a role, which are one for all, apart."""
    text = json.dumps(events)
    for name in ("serviceaccount:", "role/", "system:kube-", "eks:"):
        text = text.replace(name, f"{name}other-")
    named = [one for one in json.loads(text) if one["user"]]
    return [one for one in named if not one["user"]["username"].startswith("system:node:")]


def one_night_of_history(folder: Path) -> dict[str, Any]:
    source = written(folder / "source", {BEFORE: ordinary(BEFORE), LAST: [*ordinary(LAST), *theft(LAST)]})
    assert nightly(source, folder / "archive", BEFORE, LAST).code == 0
    return ranking_of(folder / "archive", LAST)


def everybody_new(folder: Path) -> dict[str, Any]:
    source = written(folder / "source", {BEFORE: ordinary(BEFORE), LAST: renamed([*ordinary(LAST), *theft(LAST)])})
    assert nightly(source, folder / "archive", BEFORE, LAST).code == 0
    return ranking_of(folder / "archive", LAST)


def a_name_of_100_kb(folder: Path) -> dict[str, Any]:
    long = [event(user=LONG, resource="secrets", name=f"{n}", at=f"{LAST}T12:00:{n:02d}Z") for n in range(30)]
    source = written(folder / "source", {BEFORE: ordinary(BEFORE), LAST: [*ordinary(LAST), *long]})
    assert nightly(source, folder / "archive", BEFORE, LAST).code == 0
    return ranking_of(folder / "archive", LAST)


def one_principal(folder: Path) -> dict[str, Any]:
    alone = [one for one in [*ordinary(LAST), *theft(LAST)] if one["user"].get("username") == ATTACKER]
    source = written(folder / "source", {BEFORE: ordinary(BEFORE), LAST: alone})
    assert nightly(source, folder / "archive", BEFORE, LAST).code == 0
    return ranking_of(folder / "archive", LAST)


Night = Callable[[Path], dict[str, Any]]


@pytest.mark.parametrize(
    ("made", "first", "principals"),
    [
        (one_night_of_history, ATTACKER, 12),
        (everybody_new, "system:serviceaccount:other-shop:cart", 10),
        (a_name_of_100_kb, capped_text(LONG, NAME), 13),
        (one_principal, ATTACKER, 1),
    ],
)
def test_an_odd_night_is_ranked_sensibly(made: Night, first: str, principals: int, tmp_path: Path) -> None:
    document = made(tmp_path)
    rows = sensible(document)
    assert (rows[0]["principal"], len(rows)) == (first, principals)
    assert any(notice.startswith("Only 1 earlier night of the 7 expected") for notice in document["notices"])
    told = any(
        notice.startswith("Everybody is new: nobody of tonight is known from the 1 earlier night.")
        for notice in document["notices"]
    )
    assert told == (made is everybody_new)
    new = [row for row in rows if "first night" in row["marks"]]
    assert {row["history_nights"] for row in new} <= {0}
    assert len(new) == {everybody_new: principals, a_name_of_100_kb: 1}.get(made, 0)
    page = object_of(tmp_path / "archive", "reports", LAST, "report.html").read_text()
    assert len(page) < 400_000
    assert "\u202e" not in page


def of_another_catalogue(archive: Path, *nights: Any) -> None:
    """The counts of these nights as an older version left them."""
    for night in nights:
        for table in ("principal_days", "items"):
            path = object_of(archive, table, night, f"{table}.parquet")
            rows, meta = decode(path.read_bytes(), table)
            path.write_bytes(encode(rows, meta | {"catalogue": "older", "origin": meta["origin"] | {"code": "older"}}))


def test_a_history_that_an_older_catalogue_counted_is_none_and_named_in_one_sentence(archive: Path) -> None:
    of_another_catalogue(archive, *NIGHTS[:-1])
    span = ("--cluster", CLUSTER, "--archive", archive, "--date", LAST)
    for stage in ("features", "score", "report"):
        assert auditforest(stage, *span, *(("--trees", "10") if stage == "score" else ())).code == 0
    document = ranking_of(archive, LAST)
    assert sensible(document)[0]["principal"] == ATTACKER
    assert document["notices"][0].startswith("No earlier night")
    (said,) = document["notices"][1:]
    assert said.startswith(f"9 nights from {NIGHTS[0]} to {BEFORE} are not in the history: of each, its features were ")
    assert f"--from {NIGHTS[0]} --to {BEFORE}'" in said


def test_a_night_that_an_older_catalogue_counted_is_counted_again_before_it_is_scored(archive: Path) -> None:
    of_another_catalogue(archive, LAST)
    span = ("--cluster", CLUSTER, "--archive", archive, "--date", LAST)
    ended = auditforest("score", *span)
    assert ended.code == 2
    assert "history, marks or features than stand here now; run 'auditforest features" in ended.complaints[0]
    for stage in ("features", "score"):
        assert auditforest(stage, *span).code == 0
