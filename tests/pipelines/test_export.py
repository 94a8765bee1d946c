"""The claims of the export stage: every line once, under its night, in bytes that depend on the lines alone."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from builders import event, line
from exporting import (
    BAD,
    BEFORE,
    FIRST,
    IN_A_FOLDER,
    SECOND,
    SUMMED,
    Listing,
    Stores,
    at,
    hashes,
    many,
    newest,
    night,
    rows,
    run,
    seen,
)

from pipelines.archive import EVENTS
from pipelines.commits import Counts, folder
from pipelines.parsing.events import COLUMNS, IDENTITY, NAMES, ORDER, SCHEMA
from pipelines.stages.reading import Ended
from pipelines.store import ObjectStore

# What is written


def test_a_night_is_one_part_and_one_commit_that_describes_it(
    store: ObjectStore, source: Callable[..., Path], listing: Listing
) -> None:
    made = many(20)
    done = run(store, source("in", audit=made))
    where = folder(EVENTS, "prod", night(SECOND))
    assert where == f"events/cluster=prod/date={SECOND}"
    commit = newest(store)
    (part,) = commit.parts
    body = store.get(f"{where}/{part.file}") or b""
    assert part.file == f"part-{sha256(body).hexdigest()[:16]}.parquet"
    assert (part.sha256, part.rows, part.bytes) == (sha256(body).hexdigest(), 20, len(body))
    assert set(listing(store)) == {f"{where}/{part.file}", f"{where}/_commit-1.json"}
    assert done.commits == {night(SECOND): commit}
    assert done.written == (night(SECOND),)
    assert done.covers == f"{SECOND} to {SECOND}"
    (named,) = commit.inputs
    assert (named.name, named.sha256, named.bytes) == (
        "audit.log",
        sha256(b"".join(made)).hexdigest(),
        len(b"".join(made)),
    )
    assert commit.counts == Counts(read=20, archived=20, collisions=13, hours_seen=(12,))


@IN_A_FOLDER
def test_a_part_has_the_declared_columns_each_with_its_meaning(
    store: ObjectStore, source: Callable[..., Path], tmp_path: Path
) -> None:
    run(store, source("in", audit=many(3)))
    part = tmp_path / "part"
    part.write_bytes(store.get(f"{folder(EVENTS, 'prod', night(SECOND))}/{newest(store).parts[0].file}") or b"")
    schema = pq.read_schema(part)
    assert schema.equals(SCHEMA)
    assert [(f.name, f.metadata[b"meaning"].decode()) for f in schema] == [(c.name, c.meaning) for c in COLUMNS]


@IN_A_FOLDER
def test_rows_are_in_the_archives_order(store: ObjectStore, source: Callable[..., Path]) -> None:
    made = [*many(40), *(at(SECOND, user=None, code=n) for n in range(3))]
    Random(1).shuffle(made)
    run(store, source("in", audit=made))

    def nulls_first(row: dict[str, Any]) -> list[tuple[bool, Any]]:
        return [(row[name] is not None, row[name]) for name in ORDER]

    found = rows(store)
    assert found == sorted(found, key=nulls_first)
    assert {row["username"] for row in found[:3]} == {None}


def test_plain_hive_readers_read_the_archive(store: ObjectStore, source: Callable[..., Path], tmp_path: Path) -> None:
    run(store, source("in", a=[at(FIRST), at(SECOND)]), FIRST, SECOND)
    run(store, source("late", b=[at(SECOND, user="late")]), SECOND)
    for key in store.list("events/"):
        (tmp_path / "copy" / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "copy" / key).write_bytes(store.get(key) or b"")
    found = duckdb.execute(
        f"SELECT cluster, CAST(date AS VARCHAR), count(*), count(DISTINCT content_hash) "
        f"FROM read_parquet('{tmp_path}/copy/events/**/*.parquet', hive_partitioning = true) GROUP BY ALL ORDER BY 2"
    ).fetchall()
    assert found == [("prod", FIRST, 1, 1), ("prod", SECOND, 2, 2)]
    frame = pd.read_parquet(tmp_path / "copy" / "events")
    assert set(NAMES) < set(frame.columns)
    assert frame.groupby("date", observed=True).size().to_dict() == {FIRST: 1, SECOND: 2}
    assert str(frame["stage_ts"].dtype) == "datetime64[us, UTC]"


# Bytes


@IN_A_FOLDER
def test_bytes_do_not_depend_on_the_number_of_threads(new_store: Stores, source: Callable[..., Path]) -> None:
    where = source("in", a=many(6000), b=many(2000))
    parts = [(run(new_store(f"t{n}"), where, threads=n).commits[night(SECOND)]) for n in (1, 2, 4)]
    assert parts[0] is not None
    assert parts[0].parts[0].rows == parts[0].counts.archived
    assert parts[1:] == parts[:1] * 2


@IN_A_FOLDER
@pytest.mark.parametrize("how", ["shuffled", "reversed", "split", "split the other way", "gz", "zst", "crlf"])
def test_bytes_do_not_depend_on_how_the_lines_arrived(new_store: Stores, source: Callable[..., Path], how: str) -> None:
    made = many(300)
    plain = run(new_store("plain"), source("plain", audit=made)).commits[night(SECOND)]
    shuffled = Random(2).sample(made, len(made))
    joined = b"".join(made)
    files: dict[str, bytes | list[bytes]] = {
        "shuffled": {"audit": shuffled},
        "reversed": {"audit": made[::-1]},
        "split": {"a": made[:100], "b": made[100:250], "c": made[250:]},
        "split the other way": {"a": shuffled[200:], "b": shuffled[:200]},
        "gz": {"audit": gzip.compress(joined)},
        "zst": {"audit": pa.Codec("zstd").compress(joined, asbytes=True)},
        "crlf": {"audit": joined.replace(b"\n", b"\r\n")},
    }[how]
    other = run(new_store("other"), source("other", **files)).commits[night(SECOND)]
    assert plain is not None
    assert other is not None
    if how == "crlf":  # the terminator is no part of a line's hash
        assert seen(new_store("other")) == seen(new_store("plain"))
    else:
        assert other.parts == plain.parts
        assert other.counts == plain.counts


def test_a_second_run_changes_no_byte_and_adds_no_object(
    store: ObjectStore, source: Callable[..., Path], listing: Listing
) -> None:
    where = source("in", a=[at(FIRST), BAD, at(BEFORE), b"\n", at(SECOND)], b=[at(SECOND), BAD])
    first = run(store, where, FIRST, SECOND)
    before = listing(store)
    again = run(store, where, FIRST, SECOND)
    assert listing(store) == before
    assert again.commits == first.commits
    assert again.written == ()
    assert {n: (e.archived, e.quarantined) for n, e in again.ended.items()} == {"a.log": (0, 0), "b.log": (0, 0)}


# Late, repeated, reused


def test_late_events_become_one_further_part(store: ObjectStore, source: Callable[..., Path], listing: Listing) -> None:
    early, late = many(10), [at(SECOND, "23:00:00.000000", user="late"), at(SECOND, "01:00:00.000000")]
    first = run(store, source("early", a=early)).commits[night(SECOND)]
    before = listing(store)
    done = run(store, source("all", a=[*late, *early]))
    commit = newest(store)
    assert first is not None
    assert commit == done.commits[night(SECOND)]
    assert commit.generation == 2
    assert commit.parts[:1] == first.parts
    assert commit.parts[1].rows == 2
    after = listing(store)
    assert {key: after[key] for key in before} == before
    assert len(after) == len(before) + 2
    assert seen(store) == hashes([*early, *late])
    assert commit.counts.hours_seen == (1, 12, 23)
    assert [getattr(commit.counts, n) for n in SUMMED] == [22, 12, 10, 0, 0, 0]
    assert [i.sha256 for i in commit.inputs] == [
        sha256(b"".join(early)).hexdigest(),
        sha256(b"".join([*late, *early])).hexdigest(),
    ]


def test_equal_lines_are_archived_once_and_counted(store: ObjectStore, source: Callable[..., Path]) -> None:
    one, two, three = at(SECOND), at(SECOND), at(SECOND)
    done = run(store, source("in", a=[one, one, two], b=[two, one[:-1]]))
    assert seen(store) == hashes([one, two])
    assert {n: (e.read, e.archived, e.duplicate) for n, e in done.ended.items()} == {
        "a.log": (3, 2, 1),
        "b.log": (2, 0, 2),
    }
    assert [i.name for i in newest(store).inputs] == ["a.log"]
    again = run(store, source("more", c=[two, three, three]))
    assert seen(store) == hashes([one, two, three])
    assert asdict(again.ended["c.log"]) == asdict(Ended(read=3, archived=1, duplicate=2))
    assert newest(store).counts.duplicate == 5
    assert newest(store).counts.collisions == 0


REUSED = {
    "same content twice": (event(audit_id="x"), {}, 1, 0),
    "another answer": (event(audit_id="x"), {"responseStatus": {"code": 500}}, 2, 1),
    "another agent": (event(audit_id="x"), {"userAgent": "curl"}, 2, 1),
    "another stage": (event(audit_id="x", stage="RequestReceived"), {"stage": "ResponseComplete"}, 2, 0),
    "another user": (event(audit_id="x"), {"user": {"username": "eve"}}, 2, 1),
}


@pytest.mark.parametrize(("new_store", "runs"), [("local", 1), ("local", 2), ("s3", 2)], indirect=["new_store"])
@pytest.mark.parametrize(("one", "change", "kept", "collisions"), REUSED.values(), ids=REUSED)
def test_a_reused_audit_id_hides_no_event(
    store: ObjectStore,
    source: Callable[..., Path],
    one: dict[str, Any],
    change: dict[str, Any],
    kept: int,
    collisions: int,
    runs: int,
) -> None:
    pair = [line(one), line(one | change)]
    if runs == 2:
        run(store, source("first", a=pair[:1]))
    run(store, source("in", a=pair))
    assert len(rows(store)) == kept
    assert newest(store).counts.collisions == collisions
    assert IDENTITY == ("audit_id", "stage", "received_ts", "username", "verb", "request_uri")


def test_what_describes_the_archive_is_of_all_generations(store: ObjectStore, source: Callable[..., Path]) -> None:
    cut = {"annotations": {"audit.k8s.io/truncated": "true"}}
    run(store, source("one", a=[at(SECOND, "23:59:59.000000"), at(SECOND, "00:00:00.000000", **cut)]))
    assert (newest(store).counts.hours_seen, newest(store).counts.truncated) == ((0, 23), 1)
    run(store, source("two", a=[at(SECOND, "07:00:00.000000", **cut)]))
    assert (newest(store).counts.hours_seen, newest(store).counts.truncated) == ((0, 7, 23), 2)
    run(store, source("three", a=[at(SECOND, "07:30:00.000000")]))
    assert (newest(store).counts.hours_seen, newest(store).counts.truncated) == ((0, 7, 23), 2)
