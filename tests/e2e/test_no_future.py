"""No night sees what comes after it, and no row of a night has a say in what that row is compared with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from builders import event
from e2e.job import Ended, everything, nightly, object_of, ranking_of
from e2e.world import LAST, NIGHTS, ordinary, theft, written

from features.catalogue import FOREST_NAMES
from features.matrix import SUFFIXES
from pipelines.parquet import decode

ELSEWHERE = "198.51.100.77"
MAKER = "system:serviceaccount:shop:payment"


def of_nights(found: dict[str, bytes], nights: tuple[Any, ...]) -> dict[str, bytes]:
    """The objects of these nights."""
    return {name: body for name, body in found.items() if any(f"date={night}" in name for night in nights)}


def test_a_night_is_the_same_whether_later_nights_are_archived_or_not(
    built: tuple[Path, Ended], world: Path, tmp_path: Path
) -> None:
    early = NIGHTS[:3]
    source = written(tmp_path / "source", {night: ordinary(night) for night in early})
    assert nightly(source, tmp_path / "alone", early[0], early[-1]).code == 0
    # the night of the attack and the one before stand there, ranked, before the early ones are
    for later in NIGHTS[-2:]:
        assert nightly(world / f"audit-{later}.ndjson", tmp_path / "after", later).code == 0
    assert nightly(source, tmp_path / "after", early[0], early[-1]).code == 0
    alone = everything(tmp_path / "alone")
    assert of_nights(everything(tmp_path / "after"), early) == alone
    assert of_nights(everything(built[0]), early) == alone


def days_of(root: Path) -> dict[str, dict[str, Any]]:
    """principal_days of the last night, by principal."""
    rows, _ = decode(object_of(root, "principal_days", LAST, "principal_days.parquet").read_bytes(), "principal_days")
    return {row["principal"]: row for row in rows.to_pylist()}


def busier() -> list[dict[str, Any]]:
    """Much more of one principal on the last night, old habits and new ones."""
    stolen = theft(LAST, 30)
    for nth, one in enumerate(stolen):
        one["user"]["username"] = MAKER
        one["auditID"] = f"busier-{nth}"
        one["sourceIPs"] = [ELSEWHERE]
    return stolen + [
        event(user=MAKER, verb="create", at=f"{LAST}T04:{nth:02d}:00Z", ip=ELSEWHERE, audit_id=f"more-{nth}")
        for nth in range(30)
    ]


@pytest.fixture
def after(archive: Path, tmp_path: Path) -> Path:
    """The archive with that night revised."""
    assert nightly(written(tmp_path / "busier", {LAST: busier()}), archive, LAST).code == 0
    return archive


def test_a_nights_rows_never_change_what_they_are_compared_with(built: tuple[Path, Ended], after: Path) -> None:
    before, now = days_of(built[0]), days_of(after)
    assert before.keys() == now.keys()
    moved = {name for name in FOREST_NAMES if before[MAKER][name] != now[MAKER][name]}
    assert {"requests", "secret_reads", "new_addresses", "public_requests"} <= moved
    same = 0
    for principal, row in before.items():
        for name in FOREST_NAMES:
            if row[name] == now[principal][name]:
                for suffix in SUFFIXES.values():
                    assert row[f"{name}_{suffix}"] == now[principal][f"{name}_{suffix}"], (principal, name, suffix)
                same += 1
    assert same > 0.9 * len(before) * len(FOREST_NAMES)


def test_what_is_usual_does_not_depend_on_the_night(built: tuple[Path, Ended], after: Path) -> None:
    def usual(root: Path) -> dict[tuple[str, str], Any]:
        rows = ranking_of(root, LAST)["ranking"]
        return {(row["principal"], reason["feature"]): reason["usual"] for row in rows for reason in row["reasons"]}

    before, now = usual(built[0]), usual(after)
    both = before.keys() & now.keys()
    assert len(both) > 5
    assert {key: before[key] for key in both} == {key: now[key] for key in both}


def test_the_forest_never_saw_the_night_it_scores(built: tuple[Path, Ended], after: Path) -> None:
    def others(root: Path) -> dict[str, tuple[float, float]]:
        days = days_of(root)
        rows = ranking_of(root, LAST)["ranking"]
        return {
            r["principal"]: (r["codisp"], r["norm"])
            for r in rows
            if days[r["principal"]] == days_of(built[0])[r["principal"]]
        }

    before, now = others(built[0]), others(after)
    assert MAKER not in now
    assert len(now) >= 8
    assert now == {principal: before[principal] for principal in now}
