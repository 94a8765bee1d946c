"""Every line ends in one place: events under their nights, bad lines filed once, by the first night with events."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

import pytest
from builders import event, line
from exporting import (
    BAD,
    BEFORE,
    FIRST,
    IN_A_FOLDER,
    SECOND,
    SUMMED,
    THIRD,
    Listing,
    Stores,
    adds_up,
    at,
    hashes,
    many,
    newest,
    night,
    run,
    seen,
)
from filed import filed_lines

from pipelines import quarantine
from pipelines.commits import Counts
from pipelines.errors import DataError
from pipelines.sources.files import SourceFile
from pipelines.store import ObjectStore

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


@pytest.mark.parametrize(
    ("new_store", "seed"), [("local", 0), ("local", 1), ("local", 2), ("s3", 0)], indirect=["new_store"]
)
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


@IN_A_FOLDER
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


@IN_A_FOLDER
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


@IN_A_FOLDER
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
