"""Writers at once, killed, or met by damage and hostile names: nothing is lost, nothing doubled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import pytest
from builders import event, line, lines
from exporting import (
    BAD,
    BEFORE,
    FIRST,
    IN_A_FOLDER,
    SECOND,
    SUMMED,
    Hooked,
    Listing,
    Stores,
    adds_up,
    at,
    hashes,
    many,
    newest,
    night,
    rows,
    run,
    seen,
)
from filed import filed_lines

from pipelines import quarantine
from pipelines.archive import EVENTS, Archive
from pipelines.commits import folder
from pipelines.errors import DataError, RetryError
from pipelines.parsing.caps import NAME, capped_text
from pipelines.stages.reading import Ended
from pipelines.store import ObjectStore

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


@IN_A_FOLDER
def test_hostile_file_names_are_only_names(store: ObjectStore, source: Callable[..., Path]) -> None:
    files = {"it's; -- ": lines([event(), event()]), 'a "b" $source?': at(SECOND) + BAD, "é\u202e": at(SECOND)}
    done = run(store, source("in", **files))
    assert set(done.ended) == {f"{name}.log".replace("\u202e", r"\u202e") for name in files}
    assert [i.name for i in newest(store).inputs] == sorted(done.ended)
    assert filed_lines(store)[0]["source"] == 'a "b" $source?.log'


@IN_A_FOLDER
def test_times_are_utc_to_the_microsecond(store: ObjectStore, source: Callable[..., Path]) -> None:
    made = event(at="2026-09-15T01:02:03.456789+05:30", stageTimestamp="2026-09-15T00:00:00.000001Z")
    run(store, source("in", a=line(made)))
    (row,) = rows(store)
    assert row["stage_ts"] == datetime.fromisoformat("2026-09-15T00:00:00.000001+00:00")
    assert row["received_ts"] == datetime.fromisoformat("2026-09-14T19:32:03.456789+00:00")
