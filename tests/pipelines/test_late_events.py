"""Events that come late: they revise their night as far back as the options say, whatever they are read from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import pyarrow.parquet as pq
import pytest
from builders import event, line
from filed import filed_lines
from logs_server import FakeLogs, Stored, logs_server

from pipelines.archive import EVENTS, Archive
from pipelines.commits import Commit, Counts
from pipelines.config import AwsConfig, Config, ExportConfig, ParseConfig
from pipelines.engine import engine
from pipelines.sources.files import select
from pipelines.sources.opening import Asked, late_nights, open_source
from pipelines.stages.export import Exported, export
from pipelines.stages.reading import Ended
from pipelines.store import LocalStore, ObjectStore

NIGHTS = tuple(date(2026, 9, 10) + timedelta(days=n) for n in range(6))
NOW = datetime(2026, 9, 16, 2, 30, tzinfo=UTC)
BAD = b'{"kind":"Event","auditID":\n'
SUMMED = ("read", "archived", "duplicate", "quarantined", "outside")
Listing = Callable[[ObjectStore], dict[str, str]]
Source = Callable[..., Path]


def at(night: date, time: str = "12:00:00", **more: Any) -> bytes:
    return line(event(at=f"{night}T{time}.000000Z", **more))


def evening(hour: int, minute: int = 0) -> datetime:
    """An hour of the fourth night."""
    return datetime(2026, 9, 13, hour, minute, tzinfo=UTC)


@pytest.fixture
def archive(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "archive")


@pytest.fixture
def source(tmp_path: Path) -> Source:
    """Writes the files of a folder anew."""

    def write(**files: Sequence[bytes]) -> Path:
        root = tmp_path / "source"
        root.mkdir(exist_ok=True)
        for old in root.iterdir():
            old.unlink()
        for name, made in files.items():
            (root / f"{name}.log").write_bytes(b"".join(made))
        return root

    return write


def run(store: ObjectStore, where: Path | str, *nights: date, endpoint: str | None = None, **hours: int) -> Exported:
    """The export stage of these nights with these options, as the job runs it."""
    # the default pace would take the tests of CloudWatch half a minute
    options = ExportConfig.model_validate({"logs_calls_per_second": 1000, **hours})
    config = Config(export=options, aws=AwsConfig(endpoint=endpoint))
    opened, late = open_source(str(where), Asked("prod", nights, config, store.url, NOW))
    with engine(ParseConfig(threads=1)) as made:
        return export(Archive(store, "prod"), made, opened, nights, late, lambda *_: None, str(where))


def newest(store: ObjectStore, night: date, table: str = EVENTS) -> Commit:
    found = Archive(store, "prod").newest(table, night)
    assert found is not None
    return found


def hashes(made: Sequence[bytes]) -> list[str]:
    return sorted(sha256(one.rstrip(b"\n")).hexdigest()[:32] for one in made)


def archived(store: ObjectStore, night: date) -> list[str]:
    """Hashes of a night's rows, all parts together."""
    with Archive(store, "prod").files(Archive(store, "prod").newest(EVENTS, night)) as parts:
        return sorted(h for part in parts for h in pq.read_table(part)["content_hash"].to_pylist())


def bad_lines(store: ObjectStore) -> list[tuple[date, str, int]]:
    """Every line in quarantine: the night that counts it, its object, its place there."""
    return sorted((row["date"], row["source"], row["byte_offset"]) for row in filed_lines(store))


def adds_up(counts: Counts | Ended) -> bool:
    return counts.read == counts.archived + counts.duplicate + counts.quarantined + counts.outside


def all_add_up(done: Exported, store: ObjectStore) -> bool:
    """Is no line of the run lost, by object and by commit?"""
    commits = [Archive(store, "prod").newest(EVENTS, night) for night in NIGHTS]
    return all(adds_up(e) for e in done.ended.values()) and all(adds_up(c.counts) for c in commits if c is not None)


# What late events make


def test_late_events_are_a_further_part_of_a_new_generation_of_their_night(
    archive: LocalStore, source: Source, listing: Listing
) -> None:
    before, night = NIGHTS[3], NIGHTS[4]
    early, late = [at(before) for _ in range(5)], [at(before, "23:59:00", user="late"), at(before, "03:00:00")]
    run(archive, source(a=early), before)
    was, first = listing(archive), newest(archive, before)
    done = run(archive, source(a=early, b=[*late, at(night)]), night)
    assert (done.written, done.revised) == ((before, night), (before,))
    assert set(done.commits) == {night}
    commit = newest(archive, before)
    assert done.revisions == {before: commit}
    assert (commit.generation, commit.parts[:1]) == (2, first.parts)
    with Archive(archive, "prod").files(replace(commit, parts=commit.parts[1:])) as (part,):
        assert sorted(pq.read_table(part)["content_hash"].to_pylist()) == hashes(late)
    after = listing(archive)
    assert {key: after[key] for key in was} == was
    assert archived(archive, before) == hashes([*early, *late])
    assert [i.name for i in commit.inputs] == ["a.log", "b.log"]
    assert commit.counts.hours_seen == (3, 12, 23)
    # the first run's 5; the same 5 beside the 2 that came late
    assert [getattr(commit.counts, n) for n in SUMMED] == [12, 7, 5, 0, 0]
    assert [getattr(newest(archive, night).counts, n) for n in SUMMED] == [1, 1, 0, 0, 0]
    assert all_add_up(done, archive)


@pytest.mark.parametrize(("hours", "nights"), [(0, 0), (24, 1), (25, 2)])
def test_late_events_are_taken_as_far_back_as_the_option_says_and_no_further(
    archive: LocalStore, source: Source, hours: int, nights: int
) -> None:
    late = {night: at(night, "13:00:00") for night in NIGHTS[:4]}
    run(archive, source(a=[at(night) for night in NIGHTS[:4]]), *NIGHTS[:4])
    done = run(archive, source(b=[*late.values(), at(NIGHTS[4])]), NIGHTS[4], reread_hours_objects=hours)
    taken = NIGHTS[4 - nights : 4]
    assert done.revised == taken
    assert [newest(archive, n).generation for n in NIGHTS[:4]] == [1 + (n in taken) for n in NIGHTS[:4]]
    assert (done.ended["b.log"].archived, done.ended["b.log"].outside) == (1 + nights, 4 - nights)
    assert all_add_up(done, archive)


def test_by_default_files_are_read_for_two_nights_and_log_groups_for_one_before_the_first_asked() -> None:
    options = ExportConfig()
    assert late_nights(NIGHTS[4:], options.reread_hours_objects) == NIGHTS[2:4]
    assert late_nights(NIGHTS[4:], options.reread_hours_logs) == NIGHTS[3:4]
    assert late_nights(NIGHTS[2:5], options.reread_hours_objects) == NIGHTS[:2]


def test_late_events_begin_no_night_that_was_never_archived(
    archive: LocalStore, source: Source, listing: Listing
) -> None:
    run(archive, source(a=[at(NIGHTS[2])]), NIGHTS[2])
    done = run(archive, source(b=[at(NIGHTS[3]), at(NIGHTS[3]), at(NIGHTS[4])]), NIGHTS[4])
    assert done.revised == ()
    assert done.ended["b.log"].outside == 2
    assert not any(f"date={NIGHTS[3]}" in key for key in listing(archive))
    assert newest(archive, NIGHTS[4]).counts.outside == 2
    assert all_add_up(done, archive)


def test_nights_between_a_revised_one_and_the_asked_one_stay_as_they_are(
    archive: LocalStore, source: Source, listing: Listing
) -> None:
    run(archive, source(a=[at(NIGHTS[2]), at(NIGHTS[3])]), NIGHTS[2], NIGHTS[3])
    was = listing(archive)
    done = run(archive, source(b=[at(NIGHTS[2], "13:00:00"), at(NIGHTS[4])]), NIGHTS[4])
    assert done.revised == (NIGHTS[2],)
    new = set(listing(archive)) - set(was)
    assert {key.split("/date=")[1][:10] for key in new} == {str(NIGHTS[2]), str(NIGHTS[4])}


def test_a_run_again_finds_nothing_late(archive: LocalStore, source: Source, listing: Listing) -> None:
    run(archive, source(a=[at(NIGHTS[3])]), NIGHTS[3])
    where = source(b=[at(NIGHTS[3], "13:00:00"), BAD, at(NIGHTS[4]), at(NIGHTS[1])])
    assert run(archive, where, NIGHTS[4]).revised == (NIGHTS[3],)
    was = listing(archive)
    again = run(archive, where, NIGHTS[4])
    assert (again.revised, again.written) == ((), ())
    assert listing(archive) == was
    ended = again.ended["b.log"]
    assert (ended.read, ended.duplicate, ended.outside) == (4, 3, 1)
    assert adds_up(ended)


def test_a_late_event_that_is_archived_already_is_a_duplicate_and_revises_nothing(
    archive: LocalStore, source: Source, listing: Listing
) -> None:
    early = [at(NIGHTS[3]), at(NIGHTS[3])]
    run(archive, source(a=early), NIGHTS[3])
    was = {k: v for k, v in listing(archive).items() if str(NIGHTS[3]) in k}
    done = run(archive, source(copy=[*early, at(NIGHTS[4])]), NIGHTS[4])
    assert done.revised == ()
    assert (done.ended["copy.log"].archived, done.ended["copy.log"].duplicate) == (1, 2)
    assert {k: v for k, v in listing(archive).items() if str(NIGHTS[3]) in k} == was


def test_a_night_without_events_is_named_though_late_events_came(archive: LocalStore, source: Source) -> None:
    run(archive, source(a=[at(NIGHTS[3])]), NIGHTS[3])
    done = run(archive, source(b=[at(NIGHTS[3], "13:00:00")]), NIGHTS[4])
    assert (done.revised, done.empty) == ((NIGHTS[3],), (NIGHTS[4],))
    assert newest(archive, NIGHTS[3]).generation == 2


def test_a_back_fill_revises_the_nights_before_its_first(archive: LocalStore, source: Source) -> None:
    run(archive, source(a=[at(NIGHTS[1])]), NIGHTS[1])
    done = run(archive, source(b=[at(night, "13:00:00") for night in NIGHTS[:4]]), *NIGHTS[2:4])
    assert (done.revised, done.written) == ((NIGHTS[1],), NIGHTS[1:4])
    assert done.ended["b.log"].outside == 1


def test_the_order_in_which_events_arrive_changes_no_row(archive: LocalStore, source: Source) -> None:
    dice = Random(2026)
    made = [(night, at(night, f"{hour:02d}:00:00")) for night in NIGHTS[:3] for hour in range(24)]
    # every night has something in time, the rest comes up to two nights later
    delays = [0 if i % 24 == 0 else dice.choice([0, 0, 1, 2]) for i in range(len(made))]
    due = [(night + timedelta(days=delay), one) for (night, one), delay in zip(made, delays, strict=True)]
    for today in NIGHTS[:5]:
        so_far = [one for when, one in due if when <= today]
        dice.shuffle(so_far)
        done = run(archive, source(a=so_far[: len(so_far) // 2], b=so_far[len(so_far) // 2 :]), today)
        assert all_add_up(done, archive)
    assert [newest(archive, night).generation for night in NIGHTS[:3]] == [3, 3, 3]
    for night in NIGHTS[:3]:
        assert archived(archive, night) == hashes([one for when, one in made if when == night])


def test_late_events_in_any_order_are_the_same_bytes(tmp_path: Path, source: Source, listing: Listing) -> None:
    early = [at(NIGHTS[3])]
    late = [at(NIGHTS[3], "13:00:00", user=f"u{n % 3}") for n in range(30)]
    found = []
    for name, given in (("one", late), ("two", late[7:] + late[:7][::-1] + late[:2])):
        store = LocalStore(tmp_path / name)
        run(store, source(a=early), NIGHTS[3])
        run(store, source(b=[*given[:9], at(NIGHTS[4], audit_id="x"), *given[9:]]), NIGHTS[4])
        found.append({key: of for key, of in listing(store).items() if key.endswith(".parquet")})
    assert found[0] == found[1]


# Bad lines that two runs read


def test_a_bad_line_that_two_runs_read_is_quarantined_once(archive: LocalStore, source: Source) -> None:
    day = [at(NIGHTS[3]), BAD, at(NIGHTS[3])]
    first = run(archive, source(a=day), NIGHTS[3])
    second = run(archive, source(a=day, b=[at(NIGHTS[4])]), NIGHTS[4])
    assert (first.ended["a.log"].quarantined, first.ended["a.log"].duplicate) == (1, 0)
    assert (second.ended["a.log"].quarantined, second.ended["a.log"].duplicate) == (0, 3)
    assert (first.bad, second.bad) == (1, 1)
    assert bad_lines(archive) == [(NIGHTS[3], "a.log", len(day[0]))]
    assert newest(archive, NIGHTS[4]).counts.quarantined == 0
    assert all_add_up(second, archive)


def test_a_bad_line_behind_a_late_one_stands_elsewhere_and_is_still_the_same(
    archive: LocalStore, source: Source
) -> None:
    day = [at(NIGHTS[3]), BAD, at(NIGHTS[3]), BAD]
    run(archive, source(a=day), NIGHTS[3])
    done = run(archive, source(a=[at(NIGHTS[3], "01:00:00"), *day], b=[at(NIGHTS[4])]), NIGHTS[4])
    assert done.revised == (NIGHTS[3],)
    assert (done.ended["a.log"].quarantined, done.ended["a.log"].duplicate) == (0, 4)
    assert [night for night, _, _ in bad_lines(archive)] == [NIGHTS[3]] * 2
    assert all_add_up(done, archive)


def test_one_more_of_the_same_bad_lines_is_one_more_in_quarantine(archive: LocalStore, source: Source) -> None:
    day = [at(NIGHTS[3]), BAD, BAD]
    run(archive, source(a=day), NIGHTS[3])
    where = source(a=[BAD, *day], b=[at(NIGHTS[4])])
    for quarantined in (1, 0):
        done = run(archive, where, NIGHTS[4])
        assert done.ended["a.log"].quarantined == quarantined
        assert [night for night, _, _ in bad_lines(archive)] == [NIGHTS[3], NIGHTS[3], NIGHTS[4]]
        assert newest(archive, NIGHTS[4]).counts.quarantined == 1
        assert all_add_up(done, archive)


def test_bad_lines_of_a_night_that_had_no_event_are_not_quarantined_again_the_next(
    archive: LocalStore, source: Source
) -> None:
    empty = [at(NIGHTS[0]), BAD]
    assert run(archive, source(a=empty), NIGHTS[3]).empty == (NIGHTS[3],)
    done = run(archive, source(a=empty, b=[at(NIGHTS[4])]), NIGHTS[4])
    assert done.ended["a.log"].quarantined == 0
    assert [night for night, _, _ in bad_lines(archive)] == [NIGHTS[3]]


# Objects in S3


def test_objects_of_two_nights_before_the_asked_one_are_read_for_late_events(
    archive: LocalStore, tmp_path: Path, moto: str, shared_bucket: tuple[Any, str]
) -> None:
    s3, bucket = shared_bucket
    prefix = f"late-{uuid4().hex}"

    def put(night: date, name: str, *made: bytes) -> None:
        s3.put_object(Bucket=bucket, Key=f"{prefix}/date={night}/{name}.log", Body=b"".join(made))

    for night in NIGHTS[:4]:
        put(night, "in-time", at(night))
    where = f"s3://{bucket}/{prefix}"
    run(archive, where, *NIGHTS[:4], endpoint=moto)
    for night in NIGHTS[:4]:
        put(night, "late", at(night, "13:00:00"))
    put(NIGHTS[4], "in-time", at(NIGHTS[4]), at(NIGHTS[3], "14:00:00"))
    off = run(LocalStore(tmp_path / "off"), where, NIGHTS[4], endpoint=moto, reread_hours_objects=0)
    assert off.ended[f"date={NIGHTS[4]}/in-time.log"].outside == 1
    assert f"date={NIGHTS[2]}/late.log" not in off.ended
    done = run(archive, where, NIGHTS[4], endpoint=moto)
    assert done.revised == NIGHTS[2:4]
    assert [newest(archive, n).generation for n in NIGHTS[:5]] == [1, 1, 2, 2, 1]
    assert newest(archive, NIGHTS[3]).parts[1].rows == 2
    assert all_add_up(done, archive)


# CloudWatch Logs


@pytest.fixture
def logs() -> Iterator[tuple[str, FakeLogs]]:
    with logs_server() as (endpoint, fake):
        fake.add_group()
        fake.add_cluster()
        yield endpoint, fake


def said(when: datetime, text: bytes | None = None) -> Stored:
    """A message of the log group."""
    stamp = f"{when:%Y-%m-%dT%H:%M:%S}.000000Z"
    return Stored(int(when.timestamp() * 1000), (text or line(event(at=stamp))).decode().rstrip())


def hours_read(fake: FakeLogs) -> set[Any]:
    # the source also asks from the beginning of all times whether the group holds audit events at all
    asked = {r["startTime"] for name, r in fake.asked if name == "FilterLogEvents"}
    return {datetime.fromtimestamp(ms // 1000, UTC) for ms in asked if ms}


def test_six_hours_before_the_night_are_read_again_from_cloudwatch(
    archive: LocalStore, logs: tuple[str, FakeLogs]
) -> None:
    endpoint, fake = logs
    fake.add(said(evening(12)), said(evening(19, 30)))
    run(archive, "cloudwatch", NIGHTS[3], endpoint=endpoint)
    late = said(evening(19, 10)), said(evening(18))
    fake.add(*late, said(evening(17, 59)), said(evening(0) + timedelta(days=1, hours=3)))
    fake.asked.clear()
    done = run(archive, "cloudwatch", NIGHTS[4], endpoint=endpoint)
    assert min(hours_read(fake)) == evening(18)
    assert done.revised == (NIGHTS[3],)
    assert newest(archive, NIGHTS[3]).parts[1].rows == 2
    assert set(hashes([one.message.encode() for one in late])) < set(archived(archive, NIGHTS[3]))
    assert newest(archive, NIGHTS[3]).counts.hours_seen == (12, 18, 19)
    assert all_add_up(done, archive)
    again = run(archive, "cloudwatch", NIGHTS[4], endpoint=endpoint)
    assert (again.revised, again.written) == ((), ())


def test_nothing_before_the_night_is_read_from_cloudwatch_when_the_option_is_0(
    archive: LocalStore, logs: tuple[str, FakeLogs]
) -> None:
    endpoint, fake = logs
    fake.add(said(evening(12)))
    run(archive, "cloudwatch", NIGHTS[3], endpoint=endpoint)
    fake.add(said(evening(23)), said(evening(3) + timedelta(days=1)))
    fake.asked.clear()
    done = run(archive, "cloudwatch", NIGHTS[4], endpoint=endpoint, reread_hours_logs=0)
    assert min(hours_read(fake)) == evening(0) + timedelta(days=1)
    assert done.revised == ()
    assert newest(archive, NIGHTS[3]).generation == 1


def test_a_bad_line_in_an_hour_of_cloudwatch_that_is_read_again_is_quarantined_once(
    archive: LocalStore, logs: tuple[str, FakeLogs]
) -> None:
    endpoint, fake = logs
    fake.add(said(evening(20)), said(evening(20, 30), BAD))
    first = run(archive, "cloudwatch", NIGHTS[3], endpoint=endpoint)
    ((_, where, offset),) = bad_lines(archive)
    assert first.ended[where].quarantined == 1
    # ahead of the bad line in the same hour: it now stands further on
    fake.add(said(evening(20, 10)), said(evening(1) + timedelta(days=1)))
    done = run(archive, "cloudwatch", NIGHTS[4], endpoint=endpoint)
    ended: Mapping[str, Ended] = done.ended
    assert (ended[where].read, ended[where].archived, ended[where].duplicate, ended[where].quarantined) == (3, 1, 2, 0)
    assert bad_lines(archive) == [(NIGHTS[3], where, offset)]
    assert newest(archive, NIGHTS[4]).counts.quarantined == 0
    assert all_add_up(done, archive)


def test_an_old_bad_line_of_a_folder_that_grows_is_quarantined_once(tmp_path: Path) -> None:
    folder, archive = tmp_path / "logs", Archive(LocalStore(tmp_path / "archive"), "prod")
    folder.mkdir()
    (folder / "old.log").write_bytes(b"no event\n")
    quarantined = []
    for day in range(1, 7):
        night = date(2026, 9, day)
        (folder / f"{night}.log").write_bytes(line(event(at=f"{night}T12:00:00Z")))
        before = [night - timedelta(days=2), night - timedelta(days=1)]
        with engine(ParseConfig()) as made:
            done = export(archive, made, select(str(folder)), [night], before, lambda *_: None)
        quarantined.append(done.ended["old.log"].quarantined)
    assert quarantined == [1, 0, 0, 0, 0, 0]
