"""Each kind of damage, done once to a real archive, is named, and nothing else is."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pytest
from archive_checks import FIRST, LATE, SECOND, Memory, Objects, checked, filled, named
from archive_damage import (
    ALONE,
    COMMIT_1,
    COMMIT_2,
    EVENTS_ALONE,
    STRAY,
    Damage,
    added,
    counted,
    cut,
    doubled,
    earlier,
    flipped,
    forged,
    lines_of,
    marked,
    moved,
    next_day,
    on_the_first,
    part,
    part_key,
    recommitted,
    record,
    refiled,
    removed,
    report_of,
    resealed,
    table_of,
    timeless,
    without,
)
from e2e.world import CLUSTER, NIGHTS

from pipelines import commits
from pipelines.commits import folder
from pipelines.quarantine import file, home
from pipelines.stages.findings import KINDS
from pipelines.store import ObjectStore

DAMAGES: dict[str, tuple[str, Damage]] = {
    "newest commit edited": ("commit", flipped(COMMIT_2)),
    "earlier commit edited": ("commit", flipped(COMMIT_1)),
    "commit cut": ("commit", cut(ALONE)),
    "commit of another night": ("commit", moved(ALONE, COMMIT_1)),
    "commit of an earlier version's quarantine edited": (
        "commit",
        earlier(flipped(commits.key("quarantine", CLUSTER, FIRST, 1))),
    ),
    "first commit removed": ("gap", removed(COMMIT_1)),
    "newest commit removed": ("lost", removed(COMMIT_2)),
    "newest commit removed, and the records": ("lost", without("runs/", then=removed(COMMIT_2))),
    "newest commit removed, and the tables": ("lost", without(*EVENTS_ALONE[:4], then=removed(COMMIT_2))),
    "only commit removed": ("lost", removed(ALONE)),
    "newest commit replaced": (
        "lost",
        without(*EVENTS_ALONE[:4], then=recommitted(lambda c: replace(c, inputs=c.inputs[:-1]), 2, 2)),
    ),
    "inputs dropped": ("rewritten", recommitted(lambda c: replace(c, inputs=c.inputs * 2), 1, 2)),
    "parts dropped": (
        "rewritten",
        without(
            *EVENTS_ALONE,
            then=recommitted(
                lambda c: replace(c, parts=c.parts[1:], counts=replace(c.counts, read=LATE + 1, archived=LATE)), 2, 2
            ),
        ),
    ),
    "lines not told": ("counts", recommitted(counted(read=-1), 1, 1)),
    "rows not counted": ("counts", recommitted(counted(read=-1, archived=-1), 1, 1)),
    "quarantined lines nowhere": (
        "counts",
        without(*EVENTS_ALONE, then=recommitted(counted(read=5, quarantined=5), 2, 2)),
    ),
    "part removed": ("missing", part("events", SECOND, 1, removed)),
    "file of the quarantine removed": ("missing", lines_of("late.ndjson", removed)),
    "part of an earlier version's quarantine removed": ("missing", earlier(part("quarantine", SECOND, 0, removed))),
    "byte of a part flipped": ("bytes", part("events", SECOND, 0, flipped)),
    "part cut": ("bytes", part("events", FIRST, 0, cut)),
    "byte of an earlier version's quarantine flipped": ("bytes", earlier(part("quarantine", FIRST, 0, flipped))),
    "byte of the quarantine flipped": ("quarantine", lines_of("late.ndjson", flipped)),
    "file of the quarantine in another home": (
        "quarantine",
        lines_of("late.ndjson", lambda key: moved(key, f"quarantine/cluster={CLUSTER}/{file('other.ndjson', 1)}")),
    ),
    "lines of the quarantine turned round": ("order", refiled(lambda rows: rows.take([1, 0]), twice=True)),
    "column of the quarantine missing": ("columns", refiled(lambda rows: rows.drop_columns(["head"]))),
    "lines of two nights in one file": (
        "quarantine",
        refiled(lambda rows: pa.concat_tables([rows, on_the_first(rows)])),
    ),
    "row too few": ("rows", forged(lambda rows: rows.slice(1))),
    "rows turned round": ("order", forged(lambda rows: rows.take(list(reversed(range(rows.num_rows)))))),
    "last rows changed over": (
        "order",
        forged(lambda rows: rows.take([*range(rows.num_rows - 2), -1 % rows.num_rows, rows.num_rows - 2])),
    ),
    "row twice": ("order", forged(lambda rows: rows.take([0, *range(rows.num_rows - 1)]))),
    "rows in two parts": ("twice", without(*EVENTS_ALONE, then=doubled)),
    "rows of another night": ("order", forged(next_day)),
    "rows of no time": ("order", forged(timeless)),
    "size untold": ("bytes", forged(lambda rows: rows, size=1)),
    "an earlier version's commits of the quarantine removed": (
        "reference",
        earlier(lambda o: (removed(commits.key("quarantine", CLUSTER, SECOND, 1))(o), part_key(o))[1]),
    ),
    "ranking flipped": ("table", flipped(table_of("ranking", SECOND))),
    "counts flipped": ("table", flipped(table_of("principal_days", FIRST))),
    "items cut": ("table", cut(table_of("items", FIRST))),
    "table of another night": ("table", moved(table_of("items", FIRST), table_of("items", SECOND))),
    "table without origin": ("table", resealed("ranking", lambda meta: meta.pop("origin"))),
    "record cut": ("record", record(cut)),
    "record renamed": ("record", record(lambda key: moved(key, "runs/other.json"))),
    "record of numbers": ("record", added("runs/1.json", b"[1]")),
    "mark flipped": ("mark", marked(flipped)),
    "mark that a record names removed": ("mark", marked(removed)),
    "mark of another night": ("mark", marked(lambda key: moved(key, key.replace(f"{FIRST}", f"{SECOND}")))),
    "mark under another name": ("mark", marked(lambda key: moved(key, f"{key[:-24]}{'0' * 16}.parquet"))),
    "note among the marks": ("foreign", added(f"{folder('marks', CLUSTER, FIRST)}/because.txt")),
    "column of events missing": ("columns", forged(lambda rows: rows.drop_columns(["webhook_targets"]))),
    "column of the ranking missing": ("columns", resealed("ranking", rows=lambda rows: rows.drop_columns(["marks"]))),
    "all events removed": (
        "gone",
        without(f"{folder('events', CLUSTER, FIRST)}/", then=lambda _: folder("events", CLUSTER, FIRST)),
    ),
    "table of another commit": (
        "stale",
        resealed("items", lambda meta: meta["origin"].update(events="0" * 64)),
    ),
    "items missing": ("mixed", removed(table_of("items", FIRST))),
    "counts missing": ("mixed", removed(table_of("principal_days", FIRST))),
    "tables not made together": ("mixed", resealed("items", lambda meta: meta["origin"].update(length=1))),
    "ranking of other counts": ("mixed", resealed("ranking", lambda meta: meta["origin"].update(days="0" * 64))),
    "page flipped": ("report", flipped(report_of("report.html"))),
    "sheet cut": ("report", cut(report_of("ranking.csv"))),
    "json cut": ("report", cut(report_of("ranking.json"))),
    "json of another night": (
        "report",
        moved(f"{folder('reports', CLUSTER, FIRST)}/ranking.json", report_of("ranking.json")),
    ),
    "part nobody names": ("orphan", added(f"{folder('events', CLUSTER, FIRST)}/{STRAY}")),
    "part of the quarantine nobody names": ("orphan", added(f"{folder('quarantine', CLUSTER, SECOND)}/{STRAY}")),
    "part of a night never committed": ("orphan", added(f"{folder('events', CLUSTER, NIGHTS[5])}/{STRAY}")),
    "note at the root": ("foreign", added("notes.txt")),
    "file beside the parts": ("foreign", added(f"{folder('events', CLUSTER, FIRST)}/copy.parquet")),
    "date that is none": ("foreign", added(f"events/cluster={CLUSTER}/date=2026-09-31/{STRAY}")),
    "file of a home that has none of its names": (
        "foreign",
        added(f"quarantine/cluster={CLUSTER}/{home('late.ndjson')}/lines-0.parquet"),
    ),
    "home that is none": ("foreign", added(f"quarantine/cluster={CLUSTER}/object=x/lines-1.parquet")),
    "commit zero": ("foreign", added(f"{folder('events', CLUSTER, FIRST)}/_commit-0.json")),
    "table nobody declared": ("foreign", added(table_of("secrets", FIRST))),
}


def test_every_kind_of_finding_is_met_here() -> None:
    assert {kind for kind, _ in DAMAGES.values()} | {"temporary"} == {kind.name for kind in KINDS}
    assert len({kind.name for kind in KINDS}) == len(KINDS)


@pytest.mark.parametrize("damage", DAMAGES)
def test_one_damage_is_one_finding(objects: Objects, damage: str) -> None:
    kind, do = DAMAGES[damage]
    key = do(objects)
    assert named(checked(Memory(objects))) == [(kind, key)]


@pytest.mark.parametrize("damage", ["commit cut", "part removed", "byte of a part flipped", "ranking flipped"])
def test_damage_is_found_in_either_store(store: ObjectStore, objects: Objects, damage: str) -> None:
    kind, do = DAMAGES[damage]
    key = do(objects)
    assert named(checked(filled(store, objects))) == [(kind, key)]
