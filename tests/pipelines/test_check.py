"""The claims of check.py: each kind of damage done once to a real archive is named, and nothing else is."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import chdir
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from archive_checks import FIRST, LATE, SECOND, Memory, Objects, checked, filled, named
from archive_damage import (
    ALONE,
    COMMIT_2,
    REPORT,
    STRAY,
    added,
    cut,
    earlier,
    flipped,
    part,
    report_of,
    table_of,
)
from builders import lines as audit_lines
from e2e.job import nightly
from e2e.world import CLUSTER, NIGHTS, ordinary, theft

from pipelines.commits import folder
from pipelines.errors import DataError, EmptyNightError
from pipelines.stages.check import check
from pipelines.stages.findings import lines, refuse
from pipelines.store import LocalStore, ObjectStore


def test_an_untouched_archive_has_no_finding_and_every_object_is_read(store: ObjectStore, objects: Objects) -> None:
    found = checked(filled(store, objects))
    assert named(found) == []
    assert (found.nights, found.objects) == (2, len(objects))
    assert found.bytes == sum(map(len, objects.values()))
    tables = [body for key, body in objects.items() if key.endswith(".parquet")]
    assert found.rows == sum(pq.read_metadata(BytesIO(body)).num_rows for body in tables)


def test_an_untouched_archive_of_the_first_layout_has_no_finding(objects: Objects) -> None:
    earlier(lambda _: "")(objects)
    found = checked(Memory(objects))
    assert named(found) == []
    assert found.objects == len(objects)


@pytest.mark.parametrize("table", ["items", "principal_days", "ranking"])
def test_a_table_from_before_the_late_events_is_stale(history: tuple[Objects, Objects], table: str) -> None:
    before, after = history
    key = table_of(table, SECOND)
    found = named(checked(Memory(after | {key: before[key]})))
    assert ("stale", key) in found
    # what was made from the newer ranking is of another generation than this one
    assert set(found) - {("stale", key)} == ({("stale", report_of(n)) for n in REPORT} if table == "ranking" else set())


def test_late_events_alone_leave_the_nights_tables_stale(history: tuple[Objects, Objects]) -> None:
    before, after = history
    made = ("items/", "principal_days/", "ranking/", "reports/")
    old = {key: before[key] for key in before if key.startswith(made)}
    found = checked(Memory({key: body for key, body in after.items() if not key.startswith("runs/")} | old))
    tables = [table_of(table, SECOND) for table in ("items", "principal_days", "ranking")]
    assert named(found) == [("stale", key) for key in (*tables, *map(report_of, REPORT))]
    assert found.damaged == 0
    assert "auditforest features --cluster prod --archive memory --date 2026-09-07" in found.findings[0].mend
    assert "auditforest score --cluster prod --archive memory --date 2026-09-07" in found.findings[2].mend
    assert all("auditforest report --cluster prod --archive memory" in f.mend for f in found.findings[3:])


def test_an_old_back_test_is_stale_alone_and_made_anew_by_its_own_command(objects: Objects) -> None:
    made = {"cluster": CLUSTER, "date": SECOND.isoformat(), "generation": 1}
    found = checked(Memory(objects | {report_of("backtest.json"): json.dumps(made).encode()}))
    assert named(found) == [("stale", report_of("backtest.json"))]
    assert f"auditforest evaluate --cluster {CLUSTER} --archive memory --date {SECOND}" in found.findings[0].mend


@pytest.mark.parametrize("lost", ["ranking.json", "report.html"])
def test_an_old_sheet_is_stale_by_what_was_written_with_it(history: tuple[Objects, Objects], lost: str) -> None:
    before, after = history
    objects = after | {report_of(name): before[report_of(name)] for name in REPORT}
    del objects[report_of(lost)]
    rest = [report_of(name) for name in REPORT if name != lost]
    assert named(checked(Memory(objects))) == [("stale", key) for key in rest]


def test_a_night_removed_and_run_again_has_no_finding(objects: Objects, tmp_path: Path) -> None:
    root = tmp_path / "archive"
    filled(LocalStore(root), {k: body for k, body in objects.items() if f"date={SECOND}" not in k})
    source = tmp_path / "again.ndjson"
    source.write_bytes(audit_lines([*theft(SECOND, LATE), *ordinary(SECOND)]))
    with chdir(tmp_path):
        assert nightly(source, root, SECOND).code == 0
    assert named(checked(LocalStore(root))) == []


# What a check leaves alone


def test_a_check_changes_nothing(
    store: ObjectStore, objects: Objects, listing: Callable[[ObjectStore], dict[str, str]]
) -> None:
    flipped(COMMIT_2)(objects)
    before = listing(filled(store, objects))
    checked(store)
    assert listing(store) == before


def test_only_asked_clusters_and_nights_are_looked_at(store: ObjectStore, objects: Objects) -> None:
    other = {f"events/cluster=test/date={FIRST}/{name}": b"x" for name in (STRAY, "notes.txt")}
    key = flipped(ALONE)(objects)
    filled(store, objects | other)
    assert named(checked(store, cluster=CLUSTER, nights=(SECOND, SECOND))) == []
    assert named(checked(store, cluster=CLUSTER)) == [("commit", key)]
    assert {key for _, key in named(checked(store, cluster="test", nights=(FIRST, FIRST)))} == set(other)
    assert checked(store, cluster="nobody").nights == 0


def test_a_job_that_writes_meanwhile_is_no_damage(history: tuple[Objects, Objects]) -> None:
    before, after = history
    tables = ("quarantine", "events", "items", "principal_days", "ranking", "reports", "marks", "runs")
    changed = [key for key in after if before.get(key) != after[key]]
    # parts before the commit that names them, as a job writes
    order = sorted(changed, key=lambda key: (tables.index(key.split("/")[0]), "/_commit-" in key))
    steps = [{key: after[key]} for key in order]
    for begin in count():
        one_by_one = Memory(dict(before), job=[{}] * begin + steps)
        at_once = Memory(dict(before), job=[{}] * begin + [{key: after[key] for key in order}])
        for store in (one_by_one, at_once):
            found = checked(store, nights=(SECOND, SECOND))
            assert [f for f in found.findings if f.kind.damage] == [], begin
        if at_once.job:
            assert begin > 8
            break


# Local files that no listing shows


def test_files_that_no_listing_shows_are_named(objects: Objects, tmp_path: Path) -> None:
    store = filled(LocalStore(tmp_path), objects)
    temporary = tmp_path / folder("events", CLUSTER, FIRST) / ".tmp-0123456789abcdef"
    temporary.write_bytes(b"half")
    strange = tmp_path / "events" / "\x1b[2J\u202egnp.exe "
    strange.write_bytes(b"")
    found = checked(store)
    assert named(found) == [
        ("foreign", strange.relative_to(tmp_path).as_posix()),
        ("temporary", temporary.relative_to(tmp_path).as_posix()),
    ]
    assert "4 bytes" in found.findings[1].found
    shown = list(lines(found))
    assert all(line.isprintable() for line in shown)
    assert r'"events/\u001b[2J\u202egnp.exe "' in shown[0]
    assert named(checked(store, cluster=CLUSTER, nights=(SECOND, SECOND))) == named(found)[:1]


# What is said


def test_a_finding_says_where_what_was_found_and_what_mends_it(objects: Objects) -> None:
    key = part("events", SECOND, 0, cut)(objects)
    added("notes.txt")(objects)
    size = len(objects[key]) + 9
    found = checked(Memory(objects))
    damage, foreign, total = lines(found)
    assert damage == (
        f"bytes: memory/{key}: {size - 9} bytes, {size} expected; restore it from a copy of the archive, "
        "or remove the night's folders and run the night again"
    )
    assert foreign.startswith("foreign: memory/notes.txt: ")
    assert total.startswith("2 nights, ")
    assert total.endswith(" rows verified: 1 damaged, 1 to look at")


def test_damage_is_an_error_and_the_rest_when_asked(objects: Objects) -> None:
    refuse(checked(Memory(dict(objects))), strict=True)
    added("notes.txt")(objects)
    found = checked(Memory(objects))
    refuse(found, strict=False)
    with pytest.raises(DataError, match=r"1 finding \(foreign\), none expected"):
        refuse(found, strict=True)
    flipped(ALONE)(objects)
    with pytest.raises(DataError, match=r"1 finding \(commit\), none expected"):
        refuse(checked(Memory(objects)), strict=False)


def test_an_archive_without_a_night_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EmptyNightError, match="no night of an archive found"):
        refuse(checked(LocalStore(tmp_path / "nothing")), strict=False)


def test_without_a_night_what_is_there_instead_is_the_only_line(objects: Objects) -> None:
    below = {f"build/{name}/{key}": body for name in ("demo", "mine") for key, body in objects.items()}
    asked: dict[str, tuple[Objects, dict[str, Any]]] = {
        "there is no archive yet": ({"notes.txt": b""}, {}),
        f"only events of {CLUSTER}": (objects, {"cluster": "another"}),
        f"only nights from {FIRST} to {SECOND}": (objects, {"nights": (NIGHTS[5], NIGHTS[6])}),
        "archives lie below: memory/build/demo, memory/build/mine": (below, {}),
    }
    for said, (held, more) in asked.items():
        found = checked(Memory(dict(held)), **more)
        assert list(lines(found)) == []
        for strict in (False, True):
            with pytest.raises(EmptyNightError, match=f"^memory: no night .* expected: {said}; look at --archive"):
                refuse(found, strict=strict)


def test_progress_names_each_night(objects: Objects) -> None:
    told: list[tuple[str, float]] = []
    check(Memory(objects), None, None, lambda text, share: told.append((text, share)))
    assert told == [(f"{CLUSTER} {FIRST}", 0), (f"{CLUSTER} {SECOND}", 0.5)]
