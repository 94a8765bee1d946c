"""What is new to a principal: against the nights by which the ranking judged it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from pipelines.archive import ITEMS, PRINCIPAL_DAYS, Archive
from pipelines.errors import OrderError
from pipelines.marking.record import CONFIRMED, Mark
from pipelines.show.gather import new_on
from pipelines.store import LocalStore

NIGHTS = [date(2026, 11, day) for day in (19, 20, 21, 22)]
ATTACK = Mark(
    "prod",
    NIGHTS[1],
    "eve",
    CONFIRMED,
    "stolen token",
    (),
    NIGHTS[-1],
    datetime(2026, 11, 21, tzinfo=UTC),
    "r",
    None,
    None,
)
ADDRESSES = ("office", "attack", "revised", "attack")


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """Four nights, on each of which eve came from one address, and bob from everywhere."""
    made = Archive(LocalStore(tmp_path), "prod")
    for night, address in zip(NIGHTS, ADDRESSES, strict=True):
        rows = [("eve", "address", address), *(("bob", "address", other) for other in ADDRESSES)]
        columns = dict(zip(("principal", "kind", "item"), zip(*rows, strict=True), strict=True))
        made.replace(ITEMS, night, pa.table(columns), {})
    return made


def judged_by(*nights: date, confirmed: tuple[str, ...] = ()) -> dict[str, object]:
    return {"history": {str(night): "hash" for night in nights}, "confirmed": list(confirmed)}


def new(archive: Archive, origin: dict[str, object]) -> tuple[str, ...]:
    return tuple(item for kind in new_on(archive, origin, NIGHTS[-1], "eve") for item in kind.items)


def test_only_nights_of_the_rankings_own_history_are_known(archive: Archive) -> None:
    assert new(archive, judged_by(NIGHTS[0], NIGHTS[2])) == ("attack",)
    assert new(archive, judged_by(*NIGHTS[:3])) == ()


def test_what_an_attack_touched_that_was_confirmed_by_then_is_new_again(archive: Archive) -> None:
    mark = archive.add_mark(ATTACK)
    other = archive.add_mark(replace(ATTACK, principal="bob"))
    assert new(archive, judged_by(*NIGHTS[:3], confirmed=(mark.id, other.id))) == ("attack",)
    assert new(archive, judged_by(*NIGHTS[:3], confirmed=(other.id,))) == ()
    assert new(archive, judged_by(*NIGHTS[:3])) == ()


def test_a_night_that_was_counted_and_lost_its_items_is_refused_and_one_that_is_gone_is_a_gap(archive: Archive) -> None:
    gone = f"items/cluster=prod/date={NIGHTS[2]}/items.parquet"
    Path(archive.store.url, gone).unlink()
    assert new(archive, judged_by(*NIGHTS[1:3])) == ()
    assert new(archive, judged_by(NIGHTS[0], NIGHTS[2])) == ("attack",)
    archive.replace(PRINCIPAL_DAYS, NIGHTS[2], pa.table({"principal": ["eve"]}), {})
    with pytest.raises(OrderError, match=f"{NIGHTS[2]}"):
        new(archive, judged_by(*NIGHTS[1:3]))
