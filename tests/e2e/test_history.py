"""What a night knows of the nights before it: their small tables, as they stand, and nothing else of them."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from builders import event
from e2e.job import Ended, auditforest, everything, object_of
from e2e.world import CLUSTER, LAST, ordinary, written

from features.catalogue import NAMES
from features.matrix import SUFFIXES
from pipelines.parquet import decode

CART = "system:serviceaccount:shop:cart"


def back(nights: int) -> date:
    """So many nights before the last."""
    return LAST - timedelta(days=nights)


def stage(name: str, archive: Path, *nights: date, more: Iterable[str] = (), **environment: str) -> Ended:
    """One stage of one night, or of all from the first to the last."""
    asked = ("--date", nights[0]) if len(nights) == 1 else ("--from", nights[0], "--to", nights[-1])
    ended = auditforest(name, "--cluster", CLUSTER, "--archive", archive, *asked, *more, **environment)
    assert ended.code == 0, ended.err
    return ended


def counted(folder: Path, nights: Mapping[date, Iterable[Mapping[str, Any]]]) -> Path:
    """An archive of these nights, each counted in its turn."""
    for night in sorted(nights):
        source = written(folder / f"source-{night}", {night: list(nights[night])})
        stage("export", folder / "archive", night, more=("--source", str(source)))
        stage("features", folder / "archive", night)
    return folder / "archive"


def table(archive: Path, name: str, night: date) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """Rows of a night by principal, and the table's metadata."""
    rows, meta = decode(object_of(archive, name, night, f"{name}.parquet").read_bytes(), name)
    return {row["principal"]: row for row in rows.to_pylist()}, meta


def of_cart(nights_back: int, **more: Any) -> list[dict[str, Any]]:
    """A night on which cart does one thing."""
    return [event(user=CART, at=f"{back(nights_back)}T12:00:00Z", audit_id=f"{nights_back} back", **more)]


def test_a_night_is_counted_and_ranked_although_no_event_of_an_earlier_night_can_be_read(tmp_path: Path) -> None:
    nights = [back(n) for n in (2, 1, 0)]
    archive = counted(tmp_path, {night: ordinary(night) for night in nights[:2]})
    source = written(tmp_path / "source", {LAST: ordinary(LAST)})
    stage("export", archive, LAST, more=("--source", str(source)))
    harmed = shutil.copytree(archive, tmp_path / "harmed")
    for night in nights[:2]:
        (part,) = (harmed / "events" / f"cluster={CLUSTER}" / f"date={night}").glob("part-*")
        part.write_bytes(b"nobody can read this")
    for where in (archive, harmed):
        stage("features", where, LAST)
        stage("score", where, LAST, more=("--trees", "5"))
        stage("report", where, LAST)
    whole, found = everything(archive), everything(harmed)
    mine = {name for name in whole if f"date={LAST}" in name}
    assert len(mine) == 9
    assert {name: found[name] for name in mine} == {name: whole[name] for name in mine}
    assert table(harmed, "principal_days", LAST)[1]["history_nights"] == 2


def test_a_missing_night_is_a_gap_and_no_night_of_nothing(tmp_path: Path) -> None:
    def archive(name: str, *ago: int) -> Path:
        # the nights' own dice, whichever dates they are given
        nights: dict[date, list[dict[str, Any]]] = {}
        for nth, days in enumerate((*ago, 0)):
            made = ordinary(back(20 + nth))
            for one in made:
                for key in ("requestReceivedTimestamp", "stageTimestamp"):
                    one[key] = f"{back(days)}{one[key][10:]}"
            nights[back(days)] = made
        return counted(tmp_path / name, nights)

    without, _ = table(archive("without a gap", 3, 2, 1), "principal_days", LAST)
    gapped, meta = table(archive("with gaps", 9, 4, 1), "principal_days", LAST)
    assert meta["history_nights"] == 3
    kept = [*NAMES, *(name for row in gapped.values() for name in row if name.endswith(tuple(SUFFIXES.values())))]
    assert {p: [row[k] for k in kept] for p, row in gapped.items()} == {
        p: [row[k] for k in kept] for p, row in without.items()
    }
    assert any(row[name] for row in gapped.values() for name in kept if name.endswith(SUFFIXES["own"]))


@pytest.mark.parametrize(("ago", "new"), [(28, 0), (29, 1)])
def test_what_was_last_touched_more_than_28_nights_ago_is_new_again(ago: int, new: int, tmp_path: Path) -> None:
    archive = counted(tmp_path, {back(ago): of_cart(ago, namespace="pay"), LAST: of_cart(0, namespace="pay")})
    days, meta = table(archive, "principal_days", LAST)
    assert days[CART]["new_namespaces"] == new
    assert meta["history_nights"] == 1 - new
    assert days[CART]["first_seen"] == (LAST if new else back(ago))


def test_half_a_history_that_another_catalogue_counted_is_left_out_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = counted(tmp_path, {back(ago): of_cart(ago) for ago in (3, 2)})
    with monkeypatch.context() as patch:
        for module in ("pipelines.stages.features", "pipelines.stages.history"):
            patch.setattr(f"{module}.HASH", "of another day")
        stage("features", archive, back(2))
    source = written(tmp_path / "source", {LAST: of_cart(0)})
    stage("export", archive, LAST, more=("--source", str(source)))
    said = stage("features", archive, LAST).out
    assert table(archive, "principal_days", LAST)[1]["history_nights"] == 1
    assert stage("features", archive, LAST).out == said, "counted anew or found, it is told"
    ranked = stage("score", archive, LAST, more=("--trees", "5")).out
    (told,) = table(archive, "ranking", LAST)[1]["notices"]
    assert all(f"{LAST}  {told}\n" in out for out in (said, ranked))
    assert told.startswith(f"{back(2)} is not in the history: its features were counted by another catalogue; run ")
    stage("features", archive, back(2))
    assert "not in the history" not in stage("features", archive, LAST).out
    assert table(archive, "principal_days", LAST)[1]["history_nights"] == 2
