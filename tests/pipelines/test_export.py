"""The claims of the export stage: every line once, under its night, in bytes that depend on the lines alone."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from builders import event, line, lines
from filed import filed_lines

from pipelines import quarantine
from pipelines.archive import EVENTS, Archive
from pipelines.commits import Commit, Counts, folder
from pipelines.config import ParseConfig
from pipelines.engine import engine
from pipelines.errors import DataError, RetryError
from pipelines.parsing.caps import NAME, capped_text
from pipelines.parsing.events import COLUMNS, IDENTITY, NAMES, ORDER, SCHEMA
from pipelines.sources.files import SourceFile, select
from pipelines.stages.export import Exported, export
from pipelines.stages.reading import Ended
from pipelines.store import ObjectStore

BEFORE, FIRST, SECOND, THIRD = "2026-09-13", "2026-09-14", "2026-09-15", "2026-09-16"
BAD = b'{"kind":"Event","auditID":\n'
SUMMED = ("read", "archived", "duplicate", "quarantined", "outside", "blank")
Listing = Callable[[ObjectStore], dict[str, str]]
Stores = Callable[[str], ObjectStore]


def night(text: str) -> date:
    return date.fromisoformat(text)


def at(day: str, time: str = "12:00:00.000000", **more: Any) -> bytes:
    return line(event(at=f"{day}T{time}Z", **more))


def many(count: int) -> list[bytes]:
    """Lines of which three at a time are told apart by the last column of the order alone."""
    made = []
    for request in range(count):
        same = request // 3
        stamp = f"{SECOND}T12:00:0{same % 7}.000000Z"
        made.append(at(SECOND, stageTimestamp=stamp, user=f"user-{same % 5}", audit_id=f"id-{same}", code=request))
    return made


@pytest.fixture
def source(tmp_path: Path) -> Callable[..., Path]:
    """Writes files into a fresh folder of that name."""

    def write(name: str, **files: bytes | Sequence[bytes]) -> Path:
        root = tmp_path / "sources" / name
        root.mkdir(parents=True)
        for file, body in files.items():
            (root / f"{file}.log").write_bytes(body if isinstance(body, bytes) else b"".join(body))
        return root

    return write


def run(
    store: ObjectStore,
    where: Path,
    *nights: str,
    threads: int = 2,
    late: int = 0,
    progress: Callable[[str, float], None] | None = None,
) -> Exported:
    with engine(ParseConfig(threads=threads)) as made:
        asked = [night(n) for n in nights or (SECOND,)]
        before = [asked[0] - timedelta(days=n) for n in range(late, 0, -1)]
        return export(
            Archive(store, "prod"), made, select(str(where)), asked, before, progress or (lambda *_: None), str(where)
        )


def newest(store: ObjectStore, day: str = SECOND, table: str = EVENTS) -> Commit:
    found = Archive(store, "prod").newest(table, night(day))
    assert found is not None
    return found


def rows(store: ObjectStore, day: str = SECOND, table: str = EVENTS) -> list[dict[str, Any]]:
    """What a reader of the archive sees."""
    archive = Archive(store, "prod")
    with archive.files(archive.newest(table, night(day))) as parts:
        return [row for part in parts for row in pq.read_table(part).to_pylist()]


def hashes(made: Sequence[bytes]) -> list[str]:
    """Of distinct lines, as the archive keeps them."""
    return sorted({sha256(one.rstrip(b"\r\n")).hexdigest()[:32] for one in made})


def seen(store: ObjectStore, day: str = SECOND) -> list[str]:
    return sorted(row["content_hash"] for row in rows(store, day))


def adds_up(counts: Counts | Ended) -> bool:
    return counts.read == counts.archived + counts.duplicate + counts.quarantined + counts.outside


class Hooked:
    """A store that tells of each put_new, before it and after."""

    def __init__(
        self,
        store: ObjectStore,
        before: Callable[[str, int], object] = lambda *_: None,
        after: Callable[[str, int], object] = lambda *_: None,
    ) -> None:
        self._store, self._before, self._after, self.calls = store, before, after, 0
        self.url, self.get, self.put, self.list = store.url, store.get, store.put, store.list
        self.download, self.probe = store.download, store.probe

    def put_new(self, key: str, body: bytes) -> bool:
        self.calls += 1
        number = self.calls
        self._before(key, number)
        done = self._store.put_new(key, body)
        self._after(key, number)
        return done

    def upload(self, key: str, path: Path) -> bool:
        return self.put_new(key, path.read_bytes())


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


def test_a_part_has_the_declared_columns_each_with_its_meaning(
    store: ObjectStore, source: Callable[..., Path], tmp_path: Path
) -> None:
    run(store, source("in", audit=many(3)))
    part = tmp_path / "part"
    part.write_bytes(store.get(f"{folder(EVENTS, 'prod', night(SECOND))}/{newest(store).parts[0].file}") or b"")
    schema = pq.read_schema(part)
    assert schema.equals(SCHEMA)
    assert [(f.name, f.metadata[b"meaning"].decode()) for f in schema] == [(c.name, c.meaning) for c in COLUMNS]


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


def test_bytes_do_not_depend_on_the_number_of_threads(new_store: Stores, source: Callable[..., Path]) -> None:
    where = source("in", a=many(6000), b=many(2000))
    parts = [(run(new_store(f"t{n}"), where, threads=n).commits[night(SECOND)]) for n in (1, 2, 4)]
    assert parts[0] is not None
    assert parts[0].parts[0].rows == parts[0].counts.archived
    assert parts[1:] == parts[:1] * 2


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


@pytest.mark.parametrize("runs", [1, 2], ids=["one run", "two runs"])
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


# Counting


def mixed(seed: int) -> dict[str, list[bytes]]:
    """Three files of good, repeated, bad, outside and blank lines."""
    draw = Random(seed)
    pool = [at(day, f"{hour:02}:00:00.000000") for day in (FIRST, SECOND) for hour in range(12)]
    outside = [at(day) for day in (BEFORE, THIRD, "2019-01-01")]
    bad = [BAD, b"[]\n", b'{"kind":"Event"}\n', b"\xff\xfe\n", b"hello [Truncated...]\n"]
    blank = [b"\n", b"  \r\n"]
    kinds = [pool, pool, pool, outside, bad, blank]
    return {name: [draw.choice(draw.choice(kinds)) for _ in range(draw.randrange(60))] for name in "abc"}


def expected(files: dict[str, list[bytes]], known: set[tuple[Any, ...]]) -> Counts:
    """What the definitions say of the files, line by line; `known` is what earlier runs kept and is added to."""
    found = dict.fromkeys(SUMMED, 0)
    for name, made in files.items():
        offset = 0
        for one in made:
            where, offset = offset, offset + len(one)
            if not one.strip():
                found["blank"] += 1
                continue
            found["read"] += 1
            is_event = one.startswith(b'{"kind":"Event","api')
            stamp = json.loads(one)["stageTimestamp"][:10] if is_event else ""
            if is_event and stamp not in (FIRST, SECOND):
                found["outside"] += 1
                continue
            what = (one.strip(),) if is_event else (name, where, one)
            found["duplicate" if what in known else "archived" if is_event else "quarantined"] += 1
            known.add(what)
    return Counts(**found)


@pytest.mark.parametrize("seed", range(3))
def test_every_line_ends_in_one_place(store: ObjectStore, source: Callable[..., Path], seed: int) -> None:
    files, known = mixed(seed), set[tuple[Any, ...]]()
    more = files | {"b": files["b"] + mixed(seed + 100)["b"], "d": mixed(seed + 100)["a"]}
    last = Counts()
    for name, given in (("first", files), ("again", files), ("more", more)):
        done = run(store, source(name, **given), FIRST, SECOND)
        assert all(adds_up(e) for e in done.ended.values())
        total = Counts(**{n: sum(getattr(e, n) for e in done.ended.values()) for n in SUMMED})
        assert total == expected(given, known)
        commits = [c.counts for c in done.commits.values() if c is not None]
        assert all(adds_up(c) for c in commits)
        committed = Counts(**{n: sum(getattr(c, n) for c in commits) for n in SUMMED})
        if name == "first":
            assert committed == total
        elif name == "again":
            assert committed == last
        assert committed.archived == last.archived + total.archived
        assert committed.quarantined == last.quarantined + total.quarantined
        last = committed
    assert seen(store, FIRST) + seen(store, SECOND) == hashes(
        [w[0] + b"\n" for w in known if len(w) == 1 and FIRST.encode() in w[0]]
    ) + hashes([w[0] + b"\n" for w in known if len(w) == 1 and SECOND.encode() in w[0]])


# Nights


def test_a_back_fill_puts_every_event_under_the_night_of_its_stage(
    store: ObjectStore, source: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    stamps = [
        f"{SECOND}T00:00:00.000000Z",
        f"{FIRST}T00:00:00.000000Z",
        f"{FIRST}T23:59:59.999999Z",
        f"{SECOND}T23:59:59.999999Z",
        f"{THIRD}T00:00:00.000000Z",
        f"{BEFORE}T23:59:59.999999Z",
        f"{THIRD}T01:30:00.000000+02:00",
    ]
    made = [line(event(at=f"{SECOND}T12:00:00Z", stageTimestamp=stamp)) for stamp in stamps]
    read: list[str] = []
    opened = SourceFile.open

    @contextmanager
    def counted(file: Any) -> Iterator[Any]:
        read.append(file.name)
        with opened(file) as stream:
            yield stream

    monkeypatch.setattr(SourceFile, "open", counted)
    done = run(store, source("in", a=made[:4], b=made[4:]), FIRST, SECOND, THIRD)
    assert read == ["a.log", "b.log"]
    assert done.written == (night(FIRST), night(SECOND), night(THIRD))
    assert seen(store, FIRST) == hashes(made[1:3])
    assert seen(store, SECOND) == hashes([made[0], made[3], made[6]])
    assert seen(store, THIRD) == hashes(made[4:5])
    assert done.ended["b.log"].outside == 1
    assert done.covers == f"{BEFORE} to {THIRD}"


def test_a_back_fill_archives_what_single_nights_archive(new_store: Stores, source: Callable[..., Path]) -> None:
    where = source("in", a=[at(SECOND), at(FIRST), at(SECOND)], b=[at(FIRST), at(SECOND)])
    run(new_store("at-once"), where, FIRST, SECOND)
    run(new_store("in-turn"), where, FIRST)
    run(new_store("in-turn"), where, SECOND)
    for day in (FIRST, SECOND):
        assert newest(new_store("at-once"), day).parts == newest(new_store("in-turn"), day).parts


@pytest.mark.parametrize("stamp", ["0000-01-01T00:00:00Z", "0001-01-01T00:00:00+12:00", "9999-12-31T23:59:59-12:00"])
def test_a_line_of_an_impossible_year_costs_no_other(
    store: ObjectStore, source: Callable[..., Path], stamp: str
) -> None:
    good = at(SECOND)
    done = run(store, source("in", a=[line(event(stageTimestamp=stamp)), good]))
    assert seen(store) == hashes([good])
    assert (done.ended["a.log"].read, done.ended["a.log"].archived) == (2, 1)
    assert adds_up(done.ended["a.log"])


EMPTY = {"an empty file": b"", "blank lines": b"\n \n", "events of another night": at(BEFORE) + at(THIRD)}


@pytest.mark.parametrize("body", EMPTY.values(), ids=EMPTY)
def test_a_night_without_events_is_named_and_nothing_is_written(
    store: ObjectStore, source: Callable[..., Path], listing: Listing, body: bytes
) -> None:
    done = run(store, source("in", a=body), FIRST, SECOND)
    assert done.empty == (night(FIRST), night(SECOND))
    assert done.written == ()
    assert listing(store) == {}
    assert adds_up(done.ended["a.log"])


def test_only_the_night_without_events_is_named(store: ObjectStore, source: Callable[..., Path]) -> None:
    assert run(store, source("in", a=at(SECOND)), FIRST, SECOND).empty == (night(FIRST),)
    assert run(store, source("none", a=b""), FIRST, SECOND).empty == (night(FIRST),)


def test_a_source_of_something_else_is_an_error_and_nothing_is_written(
    store: ObjectStore, source: Callable[..., Path], listing: Listing
) -> None:
    where = source("in", a=b"\n127.0.0.1 GET /\n", b=b'{"kind":"Pod"}\n')
    with pytest.raises(DataError) as refused:
        run(store, where, FIRST, SECOND)
    assert refused.value.exit_code == 3
    assert str(refused.value) == (
        f"--source {where}: none of 2 lines is a Kubernetes audit event (first: a.log at byte 1, not a JSON object); "
        "expected one audit.k8s.io event as JSON on each line"
    )
    assert listing(store) == {}


def test_progress_never_runs_back_and_ends_whole(store: ObjectStore, source: Callable[..., Path]) -> None:
    shares: list[float] = []
    run(store, source("in", a=many(3), b=b"", c=many(2)), progress=lambda _, share: shares.append(share))
    assert shares == sorted(shares)
    assert 0 < shares[0] < shares[-1] == 1


# Quarantine


def test_bad_lines_are_filed_under_the_first_night_that_has_events(
    store: ObjectStore, source: Callable[..., Path], listing: Listing
) -> None:
    good = at(SECOND)
    where = source("in", a=good + BAD, b=b"\n" + BAD + b"[1]\r\n", c=at(THIRD))
    run(store, where, FIRST, SECOND, THIRD)
    filed = filed_lines(store)
    found = [(r["source"], r["byte_offset"], r["length"], r["sha256"], r["reason"]) for r in filed]
    cut = BAD.rstrip()
    assert [f[:4] for f in found] == [
        ("a.log", len(good), len(cut), sha256(cut).hexdigest()),
        ("b.log", 1, len(cut), sha256(cut).hexdigest()),
        ("b.log", 1 + len(BAD), 3, sha256(b"[1]").hexdigest()),
    ]
    assert all(f[4] for f in found)
    assert newest(store).counts.quarantined == 3
    assert newest(store, THIRD).counts.quarantined == 0
    assert {row["date"] for row in filed} == {night(SECOND)}
    assert list(filed[0]) == quarantine.SCHEMA.names
    homes = [f"quarantine/cluster=prod/{quarantine.file(name, 1)}" for name in ("a.log", "b.log")]
    assert {key for key in listing(store) if key.startswith("quarantine/")} == set(homes)


def test_a_bad_line_met_again_is_a_duplicate(store: ObjectStore, source: Callable[..., Path]) -> None:
    good = at(SECOND)
    run(store, source("one", a=[good, BAD]))
    done = run(store, source("two", a=[good, BAD, at(SECOND)], b=[BAD, BAD]))
    assert done.ended["a.log"].quarantined == 0
    assert (done.ended["a.log"].archived, done.ended["a.log"].duplicate) == (1, 2)
    assert done.ended["b.log"].quarantined == 2
    assert len(filed_lines(store)) == 3
    assert newest(store).counts.quarantined == 3
    assert adds_up(newest(store).counts)


def test_new_bad_lines_alone_are_counted_in_a_further_commit(store: ObjectStore, source: Callable[..., Path]) -> None:
    good = at(SECOND)
    first = run(store, source("one", a=good)).commits[night(SECOND)]
    done = run(store, source("two", a=good + BAD))
    assert first is not None
    assert newest(store).generation == 2
    assert newest(store).parts == first.parts
    assert newest(store).counts.quarantined == 1
    assert done.written == (night(SECOND),)
    assert adds_up(newest(store).counts)


def test_bad_lines_of_a_run_without_events_are_counted_once_events_come(
    store: ObjectStore, source: Callable[..., Path]
) -> None:
    early, late = at(BEFORE) + BAD, at(SECOND)
    assert run(store, source("one", a=early)).empty == (night(SECOND),)
    assert len(filed_lines(store)) == 1
    run(store, source("two", a=early + late))
    assert len(filed_lines(store)) == 1
    assert newest(store).counts.quarantined == 1


# Writers at once

COMMITS = {
    "events": "events/cluster=prod/date={night}/_commit-1.json",
    "quarantine": f"quarantine/cluster=prod/{quarantine.file('a.log', 1)}",
}
"""By table the write that settles who was first."""


def test_the_loser_of_a_race_adds_only_what_the_winner_has_not(store: ObjectStore, source: Callable[..., Path]) -> None:
    one, both, two = at(SECOND), at(SECOND), at(SECOND)
    mine, theirs = source("mine", a=[one, both, BAD]), source("theirs", b=[both, two])
    hit = f"{folder(EVENTS, 'prod', night(SECOND))}/_commit-1.json"
    done = run(Hooked(store, lambda key, _: key == hit and run(store, theirs)), mine)
    assert seen(store) == hashes([one, both, two])
    assert len(rows(store)) == 3
    commit = newest(store)
    assert commit == done.commits[night(SECOND)]
    assert commit.generation == 2
    assert [p.rows for p in commit.parts] == [2, 1]
    assert [i.name for i in commit.inputs] == ["b.log", "a.log"]
    assert [getattr(commit.counts, n) for n in SUMMED] == [5, 3, 1, 1, 0, 0]
    assert asdict(done.ended["a.log"]) == asdict(Ended(read=3, archived=1, duplicate=1, quarantined=1))


@pytest.mark.parametrize("table", ["events", "quarantine"])
def test_two_writers_of_the_same_source_make_one_generation(
    new_store: Stores, source: Callable[..., Path], listing: Listing, table: str
) -> None:
    where = source("in", a=[at(SECOND), at(SECOND), BAD])
    store = new_store("raced")
    hit = COMMITS[table].format(night=SECOND)
    done = run(Hooked(store, lambda key, _: key == hit and run(store, where)), where)
    run(new_store("alone"), where)
    assert listing(store) == listing(new_store("alone"))
    assert done.commits[night(SECOND)] == newest(new_store("alone"))


@pytest.mark.parametrize("table", ["events", "quarantine"])
@pytest.mark.parametrize(("mine", "theirs"), [(FIRST, SECOND), (SECOND, FIRST)])
def test_two_writers_of_two_nights_count_a_bad_line_once(
    store: ObjectStore, source: Callable[..., Path], table: str, mine: str, theirs: str
) -> None:
    where = source("in", a=[at(FIRST), at(SECOND), BAD])
    hit = COMMITS[table].format(night=mine)
    run(Hooked(store, lambda key, _: key == hit and run(store, where, theirs)), where, mine)
    counted = [newest(store, day).counts for day in (FIRST, SECOND)]
    assert sum(counts.quarantined for counts in counted) == 1
    assert all(adds_up(counts) and counts.read == 3 for counts in counted)
    # and a run after both finds it known
    done = run(store, where, FIRST, SECOND)
    assert (done.known, done.ended["a.log"].quarantined) == (3, 0)
    assert sum(newest(store, day).counts.quarantined for day in (FIRST, SECOND)) == 1


def test_a_copy_of_the_source_under_another_name_makes_no_second_generation(
    store: ObjectStore, source: Callable[..., Path]
) -> None:
    made = many(3)
    mine, theirs = source("mine", a=made), source("theirs", b=made[::-1])
    hit = f"{folder(EVENTS, 'prod', night(SECOND))}/_commit-1.json"
    done = run(Hooked(store, lambda key, _: key == hit and run(store, theirs)), mine)
    assert newest(store).generation == 1
    assert done.written == ()
    assert asdict(done.ended["a.log"]) == asdict(Ended(read=3, duplicate=3))


def test_endless_contention_is_an_error_and_loses_nothing(store: ObjectStore, source: Callable[..., Path]) -> None:
    others: list[bytes] = []

    def another(key: str, number: int) -> None:
        if "_commit-" in key:
            others.append(at(SECOND))
            run(store, source(f"other {number}", **{f"o{number}": others[-1]}))

    with pytest.raises(RetryError, match=r"events/cluster=prod/.*other writers committed first; run one job a night"):
        run(Hooked(store, another), source("mine", a=at(SECOND)))
    assert seen(store) == hashes(others)


# Crashes


class KilledError(Exception):
    """The process is gone."""


def kill(when: int) -> Callable[[str, int], None]:
    def act(_: str, number: int) -> None:
        if number == when:
            raise KilledError

    return act


def test_a_run_killed_after_any_write_is_made_whole_by_the_next(
    new_store: Stores, source: Callable[..., Path], listing: Listing
) -> None:
    late = source("late", a=[at(FIRST), at(BEFORE), BAD, at(SECOND)], b=[at(SECOND), b"\n", BAD])
    calm, nights = new_store("calm"), (FIRST, SECOND)
    run(calm, source("early", a=[at(FIRST), BAD]), *nights)
    objects = {key: calm.get(key) or b"" for key in calm.list("")}
    old = {day: Archive(calm, "prod").newest(EVENTS, night(day)) for day in nights}
    counted = Hooked(calm)
    run(counted, late, *nights)
    assert counted.calls == 5
    for number in range(1, counted.calls + 1):
        store = new_store(f"killed-{number}")
        for key, body in objects.items():
            store.put(key, body)
        with pytest.raises(KilledError):
            run(Hooked(store, after=kill(number)), late, *nights)
        for day in nights:
            assert Archive(store, "prod").newest(EVENTS, night(day)) in (old[day], newest(calm, day))
        run(store, late, *nights)
        assert listing(store) == listing(calm), f"killed after write {number}"


# Damage and hostility


def flip(store: ObjectStore, key: str) -> None:
    body = bytearray(store.get(key) or b"")
    body[len(body) // 2] ^= 4
    store.put(key, bytes(body))


@pytest.mark.parametrize(
    ("table", "end", "mend"),
    [
        ("events", ".parquet", "remove the night's folder and export it again"),
        ("events", ".json", "remove the night's folder and export it again"),
        ("quarantine", ".parquet", "delete the object and run the night again"),
    ],
)
def test_a_damaged_archive_stops_the_run_before_it_writes(
    store: ObjectStore, source: Callable[..., Path], listing: Listing, table: str, end: str, mend: str
) -> None:
    run(store, source("one", a=[at(SECOND), BAD]))
    (key,) = (k for k in store.list(f"{table}/") if k.endswith(end))
    flip(store, key)
    before = listing(store)
    with pytest.raises(DataError, match=mend) as refused:
        run(store, source("two", a=[at(SECOND), BAD]))
    assert f"{store.url}/{key}: " in str(refused.value)
    assert listing(store) == before


HOSTILE = (
    "../../x",
    "a/../../b",
    "'; DROP TABLE incoming; --",
    '"quoted"',
    "a\\b",
    "nul\x00nul",
    "line\nline\r\n",
    "\x1b[2J\x9b31m\x7f",
    "\u202eexe.gpj\u200b",
    "<script>alert(1)</script>",
    "=HYPERLINK(1)",
    " ",
    "NULL",
    "date=2026-09-14",
    "\U0001f600 \u00e9 e\u0301",
    "x" * 65536,
)


def test_hostile_names_come_back_exactly_up_to_the_cap(
    store: ObjectStore, source: Callable[..., Path], listing: Listing
) -> None:
    made = [at(SECOND, user=name, agent=name, name=name, ip=name, audit_id=name, uri="/") for name in HOSTILE]
    run(store, source("in", a=made))
    found, kept = rows(store), sorted(capped_text(name, NAME) for name in HOSTILE)
    for column in ("username", "user_agent", "name", "audit_id"):
        assert sorted(row[column] for row in found) == kept
    assert sorted(row["source_ips"][0] for row in found) == kept
    assert all(key.startswith(f"events/cluster=prod/date={SECOND}/") for key in listing(store))


def test_hostile_file_names_are_only_names(store: ObjectStore, source: Callable[..., Path]) -> None:
    files = {"it's; -- ": lines([event(), event()]), 'a "b" $source?': at(SECOND) + BAD, "é\u202e": at(SECOND)}
    done = run(store, source("in", **files))
    assert set(done.ended) == {f"{name}.log".replace("\u202e", r"\u202e") for name in files}
    assert [i.name for i in newest(store).inputs] == sorted(done.ended)
    assert filed_lines(store)[0]["source"] == 'a "b" $source?.log'


def test_times_are_utc_to_the_microsecond(store: ObjectStore, source: Callable[..., Path]) -> None:
    made = event(at="2026-09-15T01:02:03.456789+05:30", stageTimestamp="2026-09-15T00:00:00.000001Z")
    run(store, source("in", a=line(made)))
    (row,) = rows(store)
    assert row["stage_ts"] == datetime.fromisoformat("2026-09-15T00:00:00.000001+00:00")
    assert row["received_ts"] == datetime.fromisoformat("2026-09-14T19:32:03.456789+00:00")
