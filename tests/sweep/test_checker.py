"""The checker sees each kind of damage, and nothing in an archive that is whole."""

from __future__ import annotations

import json
import re
from datetime import date
from hashlib import sha256
from io import BytesIO

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from faults import checker
from faults.checker import Expected, Result

NIGHT = date(2026, 9, 7)
FOLDER = f"events/cluster=prod/date={NIGHT}"
COMMIT = f"{FOLDER}/_commit-1.json"
PART = f"{FOLDER}/part-0.parquet"
ROWS = ("a", "b", "c")
COMPLAINT = '{"stage": "export"}\nauditforest: s3://b/events/x: SlowDown, busy; run again later'

Objects = dict[str, bytes]


def archive(*rows: str) -> Objects:
    """One night with these rows in one part."""
    sink = BytesIO()
    pq.write_table(pa.table({"content_hash": pa.array(rows, pa.string())}), sink)
    part = {"file": "part-0.parquet", "sha256": sha256(sink.getvalue()).hexdigest(), "rows": len(rows)}
    counts = {"read": len(rows) + 1, "archived": len(rows), "duplicate": 1, "quarantined": 0, "outside": 0}
    return {PART: sink.getvalue(), COMMIT: json.dumps({"parts": [part], "counts": counts}).encode()}


def recounted(**counts: int) -> Objects:
    """The same with other counts in its commit."""
    made = archive(*ROWS)
    commit = json.loads(made[COMMIT])
    commit["counts"] |= counts
    return made | {COMMIT: json.dumps(commit).encode()}


@pytest.mark.parametrize(
    ("objects", "said"),
    [
        ({COMMIT: archive(*ROWS)[COMMIT]}, "I1: .*part-0.parquet is missing"),
        (archive(*ROWS) | {PART: archive("a")[PART]}, "I1: .*part-0.parquet has other bytes"),
        (archive(*ROWS) | {COMMIT: archive(*ROWS)[COMMIT][:20]}, "I1: .*no JSON"),
        ({key.replace("_commit-1", "_commit-2"): body for key, body in archive(*ROWS).items()}, r"I1: .*\[2\] found"),
        (archive("a", "b", "b"), "I4: .*1 rows twice"),
        (recounted(archived=2, read=3), "I4: .*2 archived rows, its parts hold 3"),
        (recounted(read=9), "I4: .*9 lines read, 4 accounted for"),
    ],
    ids=["part missing", "part damaged", "commit torn", "commit missing", "row twice", "rows", "counts"],
)
def test_a_damaged_archive_is_seen(objects: Objects, said: str) -> None:
    assert list(checker.committed_whole(archive(*ROWS))) == []
    (found,) = checker.committed_whole(objects)
    assert re.search(said, found)


def test_bytes_of_neither_state_are_seen() -> None:
    expected = Expected({"a": b"old"}, {"a": b"new", "b": b"new"}, {})
    for fine in ({"a": b"old"}, {"a": b"new"}, {"a": b"old", "b": b"new", "runs/1.json": b"any"}):
        assert list(checker.old_or_new(fine, expected)) == []
    (mixed,) = checker.old_or_new({"a": b"ol"}, expected)
    assert mixed.startswith("I1: a: 2 bytes")
    (strange,) = checker.old_or_new({"a": b"old", "c": b"new"}, expected)
    assert strange.startswith("I1: c: a clean run makes no object")
    (gone,) = checker.old_or_new({}, expected)
    assert gone.startswith("I1: a: stood there before")


def test_the_page_of_all_reports_may_list_any_reports_that_stand_and_no_other() -> None:
    one, two = (f"cluster=c/date=2026-02-0{day}/report.html" for day in (1, 2))
    index, after = "reports/index.html", {f"reports/{name}": b"r" for name in (one, two)}
    expected = Expected({}, {**after, index: b"both"}, {})
    page = f'<a href="{one}"></html>\n'.encode()
    half = {f"reports/{one}": b"r", index: page}
    assert list(checker.old_or_new(half, expected)) == []
    for wrong in ({**after, index: page}, {index: page}, {**half, index: b""}, {**half, index: page[:-3]}):
        (found,) = checker.old_or_new(wrong, expected)
        assert found.startswith("I1: reports/index.html:")


def test_rows_that_are_not_the_sources_are_seen_when_the_run_says_it_is_done() -> None:
    expected = Expected({}, {}, {NIGHT: frozenset(ROWS)})
    assert list(checker.done(archive(*ROWS), expected, Result(0))) == []
    assert list(checker.done(archive("a"), expected, Result(4))) == []
    (found,) = checker.done(archive("a", "d"), expected, Result(0))
    assert "lacks 2 rows and has 1 of no source" in found


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (Result(1, "", "Traceback\nKeyError"), "I5: exit 1, 4 expected"),
        (Result(4, "", '{"stage": "export"}'), "0 lines of complaint"),
        (Result(4, "", COMPLAINT.partition("\n")[2]), "no stage"),
        (Result(4, "", COMPLAINT.partition(";")[0]), "no cause and mend"),
        (Result(4, "", COMPLAINT.replace("events/x", "elsewhere")), "names none of events/x"),
        (Result(4, "", COMPLAINT, 600.0), "waited 600 s"),
    ],
)
def test_an_end_that_is_not_explained_is_seen(result: Result, said: str) -> None:
    assert list(checker.told(Result(4, "", COMPLAINT), {4}, ["events/x"])) == []
    assert said in "; ".join(checker.told(result, {4}, ["events/x"]))


def test_a_re_run_that_mends_nothing_is_seen() -> None:
    expected = Expected({}, {"a": b"1", "b": b"2"}, {})
    assert list(checker.recovered({"a": b"1", "b": b"2", "runs/1.json": b"{}"}, expected, Result(0), [])) == []
    found = list(checker.recovered({"a": b"0", "c": b"3"}, expected, Result(3, "", "damaged"), ["d"]))
    assert [line.rpartition(" ")[2] for line in found] == ["damaged", "bytes", "missing", "much", "upload"]


def test_records_that_tell_another_story_are_seen() -> None:
    well = {"runs/1.json": b'{"exit_code": 0}'}
    assert list(checker.recorded(well, [Result(0)])) == []
    assert list(checker.recorded(well, [Result(-9)])) == [], "killed after its record"
    assert list(checker.recorded({}, [Result(0)]))
    assert list(checker.recorded(well | {"runs/2.json": b'{"exit_code": 0}'}, [Result(0)]))
    assert list(checker.recorded({"runs/1.json": b"{"}, [Result(4)]))


def test_the_sources_rows_are_the_nights_events_once() -> None:
    lines: list[bytes] = [b'{"stageTimestamp": "2026-09-07T00:00:00Z"}\n'] * 2
    lines += [b'{"stageTimestamp": "2026-09-08T00:00:00Z"}\n', b"no event\n"]
    assert checker.source_rows(lines, NIGHT) == {sha256(lines[0].rstrip()).hexdigest()[:32]}
