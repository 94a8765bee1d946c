"""Which objects of a prefix are read for which nights, and what is said where none is."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from builders import event, lines

from pipelines.errors import ConfigError, EmptyNightError
from pipelines.sources.base import Batch, Source
from pipelines.sources.export_layout import OTHER_STREAMS
from pipelines.sources.objects import PARTITIONS, Place, open_objects

NIGHT = datetime(2026, 9, 15, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
LOG = gzip.compress(lines([event()]), mtime=0)
TASK = "3c0b3c8e-4e6f-4d2a-9b1f-0a1b2c3d4e5f"


def window(start: datetime = NIGHT, end: datetime | None = None) -> tuple[int, int]:
    return int(start.timestamp() * 1000), int((end or start + DAY).timestamp() * 1000)


Put = Callable[..., str]


@pytest.fixture
def s3(shared_bucket: tuple[Any, str]) -> Any:
    return shared_bucket[0]


@pytest.fixture
def put(shared_bucket: tuple[Any, str]) -> Put:
    """Puts the same log under each of these keys, and returns the address of their folder."""
    s3, bucket = shared_bucket
    folder = uuid4().hex

    def objects(*keys: str, body: bytes = LOG) -> str:
        for key in keys:
            s3.put_object(Bucket=bucket, Key=f"{folder}/{key}", Body=body)
        return f"s3://{bucket}/{folder}"

    return objects


def opened(s3: Any, url: str, asked: tuple[int, int] | None = None, **more: Any) -> Source:
    options: dict[str, Any] = {"owner": None, "apart_from": None} | more
    return open_objects(s3, url, asked or window(), **options)


def names(source: Source) -> list[str]:
    return [one.name for one in source.objects]


# What is read


def test_objects_are_read_sorted_by_their_names_below_the_prefix(s3: Any, put: Put) -> None:
    url = put("b.gz", "a/2", "a-1.json", "B")
    source = opened(s3, url)
    assert names(source) == ["B", "a-1.json", "a/2", "b.gz"]
    for one in source.objects:
        assert one.size == len(LOG)
        with one.open() as reading:
            (batch,) = reading.batches()
        assert isinstance(batch, Batch)
        assert (batch.source, batch.data.count(b"\n")) == (one.name, 1)
        assert reading.stored_bytes == len(LOG)
    assert opened(s3, f"{url}/").objects[0].name == "B"


def test_a_whole_bucket_is_a_source(s3: Any) -> None:
    bucket = f"whole-{uuid4().hex}"
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="a/b.gz", Body=LOG)
    for url in (f"s3://{bucket}", f"s3://{bucket}/"):
        assert names(opened(s3, url)) == ["a/b.gz"]


def test_any_name_is_read_but_empty_objects_folders_and_write_tests(s3: Any, put: Put) -> None:
    url = put("log", "x.parquet", "PUT-1-2026-09-15-00-00-00-0a1b")
    put("aws-logs-write-test", "task/aws-logs-write-test", body=b"Permission Check Successful")
    put("folder/", "empty.gz", body=b"")
    put("full/")
    source = opened(s3, url)
    assert names(source) == ["PUT-1-2026-09-15-00-00-00-0a1b", "log", "x.parquet"]
    assert source.ignored == ("aws-logs-write-test", "empty.gz", "folder/", "full/", "task/aws-logs-write-test")


def test_other_logs_that_an_export_task_wrote_are_counted_and_not_read(s3: Any, put: Put) -> None:
    streams = [f"{name}0a1b" for name in OTHER_STREAMS]
    others = [f"{TASK}/{stream}/000000.gz" for stream in streams]
    url = put(*others, body=gzip.compress(b"2026-09-15T05:00:00.000Z I0915 a\n2026-09-15T05:00:00.000Z I0915 b"))
    audit = [f"{TASK}/kube-apiserver-audit-0a1b/000000.gz", f"{TASK}/of-somebody/000000.gz"]
    put(*audit)
    put("aws-logs-write-test", body=b"Permission Check Successful")
    source = opened(s3, url)
    assert names(source) == sorted(audit + others)
    for one in source.objects:
        with one.open() as reading:
            (batch,) = reading.batches()
        assert isinstance(batch, Batch)
        assert (batch.data.count(b"\n"), batch.skipped) == ((1, 0) if one.name in audit else (0, 2))
        assert reading.stored_bytes == one.size


@pytest.mark.parametrize("key", [f"{TASK}/kube-apiserver-0a1b/x.gz", "kube-apiserver-0a1b/0/000000.gz", "000000.gz"])
def test_a_key_of_another_layout_says_nothing_of_its_stream(key: str, s3: Any, put: Put) -> None:
    (one,) = opened(s3, put(key)).objects
    with one.open() as reading:
        assert [batch.data.count(b"\n") for batch in reading.batches() if isinstance(batch, Batch)] == [1]


def test_a_folder_with_a_longer_name_is_another_one(s3: Any, put: Put) -> None:
    url = put("prod/a.gz", "production/b.gz")
    assert names(opened(s3, f"{url}/prod")) == ["a.gz"]


def test_an_address_that_ends_with_a_star_reads_all_keys_that_begin_so(s3: Any, put: Put) -> None:
    url = put("audit-2026/09/15/05/a.gz", "audit-2026/09/01/05/b.gz", "other/c.gz")
    assert names(opened(s3, f"{url}/audit-*")) == ["audit-2026/09/15/05/a.gz"]
    assert names(opened(s3, f"{url}/other/c.gz*")) == ["c.gz"]


# The asked nights

KEYS: dict[str, Callable[[datetime], str]] = {
    "YYYY/MM/DD/ or YYYY/MM/DD/HH/": lambda at: at.strftime("%Y/%m/%d/%H/PUT-1"),
    "eventDay=YYYYMMDD/": lambda at: at.strftime("region=eu-west-1/accountId=1/eventDay=%Y%m%d/x.gz.parquet"),
    "date=YYYY-MM-DD/ or dt=YYYY-MM-DD/": lambda at: at.strftime("cluster=prod/date=%Y-%m-%d/part-1"),
    "year=YYYY/month=MM/day=DD/ or year=YYYY/month=MM/day=DD/hour=HH/": lambda at: at.strftime(
        "year=%Y/month=%m/day=%d/hour=%H/x"
    ),
}
MORE: dict[str, Callable[[datetime], str]] = {
    "a day without hours": lambda at: at.strftime("%Y/%m/%d/x"),
    "Firehose below a word": lambda at: at.strftime("eks-audit%Y/%m/%d/%H/x"),
    "dt=": lambda at: at.strftime("dt=%Y-%m-%d/x"),
    "Hive without hours": lambda at: at.strftime("year=%Y/month=%m/day=%d/x"),
    "Hive without zeros": lambda at: f"year={at.year}/month={at.month}/day={at.day}/x",
}


def test_every_way_of_naming_a_date_is_tested() -> None:
    assert KEYS.keys() == PARTITIONS.keys()


@pytest.mark.parametrize("key", [*KEYS.values(), *MORE.values()], ids=[*KEYS, *MORE])
def test_a_dated_key_is_read_when_it_can_hold_the_nights_events(
    key: Callable[[datetime], str], s3: Any, put: Put
) -> None:
    held = [NIGHT, NIGHT + DAY - HOUR, NIGHT + DAY, NIGHT + 3 * DAY - HOUR]
    # a folder named in a zone west of Greenwich
    held.append(NIGHT - 12 * HOUR)
    others = [NIGHT - 2 * DAY, NIGHT + 3 * DAY, NIGHT + 300 * DAY, NIGHT - 365 * DAY]
    url = put(*map(key, held), *map(key, others))
    assert set(names(opened(s3, url))) == set(map(key, held))


def test_an_hours_folder_is_held_to_its_hour(s3: Any, put: Put) -> None:
    hours = [NIGHT - 14 * HOUR, NIGHT - 13 * HOUR, NIGHT + 3 * DAY - HOUR, NIGHT + 3 * DAY]
    keys = [hour.strftime(form) for hour in hours for form in ("%Y/%m/%d/%H/x", "year=%Y/month=%m/day=%d/hour=%H/x")]
    assert set(names(opened(s3, put(*keys)))) == set(keys[2:6])


@pytest.mark.parametrize(("lateness", "count"), [(0, 1), (1, 2), (24, 2), (25, 3)])
def test_lateness_decides_how_long_after_the_night_is_read(lateness: int, count: int, s3: Any, put: Put) -> None:
    url = put(*(f"date=2026-09-{day}/x" for day in (15, 16, 17, 18)))
    assert len(opened(s3, url, lateness_hours=lateness).objects) == count


def test_several_nights_are_one_window(s3: Any, put: Put) -> None:
    url = put(*(f"date=2026-09-{day:02d}/x" for day in range(1, 31)))
    found = names(opened(s3, url, window(NIGHT, NIGHT + 5 * DAY)))
    assert found == [f"date=2026-09-{day}/x" for day in range(14, 22)]


@pytest.mark.parametrize(
    "key", ["2026/13/45/07/x", "2026/09/15", "1234/09/15/07/x", "date=2026-02-30/x", "x/20260915/y"]
)
def test_digits_that_are_no_date_hide_nothing(key: str, s3: Any, put: Put) -> None:
    assert names(opened(s3, put(key))) == [key]


def test_a_date_in_the_named_prefix_hides_nothing(s3: Any, put: Put) -> None:
    url = put("2025/01/01/05/x")
    assert names(opened(s3, f"{url}/2025/01/01")) == ["05/x"]


def test_what_was_written_before_the_night_is_passed_over(s3: Any, put: Put) -> None:
    url, now = put("a.gz"), datetime.now(UTC)
    assert names(opened(s3, url, window(now + HOUR / 2))) == ["a.gz"]
    with pytest.raises(EmptyNightError, match=r"none of its 1 objects .*1 last written before"):
        opened(s3, url, window(now + 2 * HOUR))


# Nothing to read


def test_nothing_there_is_a_usage_error(s3: Any, put: Put) -> None:
    url = put("a.gz")
    with pytest.raises(ConfigError, match=rf"^--source {url}/none: no object there; .* end the address with \*"):
        opened(s3, f"{url}/none")


def test_an_error_counts_what_was_passed_over_and_why(s3: Any, put: Put) -> None:
    put("2026/01/01/00/x", "2026/01/02/00/x", "date=2027-01-01/x")
    url = put("empty", "folder/", body=b"")
    with pytest.raises(
        EmptyNightError,
        match=rf"^--source {url}: none of its 5 objects can hold events of the asked nights \(3 dated by their keys "
        r"outside 2026-09-14 23:00 to 2026-09-18 00:00 UTC, 2 empty, folders or write tests\); ",
    ):
        opened(s3, url)


@pytest.mark.parametrize(
    ("source", "archive"),
    [
        ("logs", "logs"),
        ("logs", "logs/archive"),
        ("logs/eks/prod", "logs"),
        ("", "archive"),
        ("logs", ""),
        ("lo*", "logs/x"),
    ],
)
def test_a_source_that_overlaps_the_archive_is_a_usage_error(source: str, archive: str, s3: Any) -> None:
    with pytest.raises(ConfigError, match="overlaps the archive s3://archives"):
        opened(s3, f"s3://archives/{source}", apart_from=f"s3://archives/{archive}".removesuffix("/"))


@pytest.mark.parametrize(
    "archive", ["s3://archives/{0}/logs-archive", "s3://other-bucket/{0}/logs", "/tmp/archive", "logs"]
)
def test_a_source_beside_the_archive_is_read(archive: str, s3: Any, put: Put) -> None:
    url = put("logs/a.gz")
    folder = url.rpartition("/")[2]
    assert names(opened(s3, f"{url}/logs", apart_from=archive.format(folder))) == ["a.gz"]


@pytest.mark.parametrize(
    "url",
    ["s3://", "s3:///a", "s3://B/a", "s3://a..b/x", "s3://10.0.0.1/a", "s3:/bucket/a", "gs://bucket/a", "bucket/a"],
)
def test_an_address_that_is_none_is_a_usage_error(url: str) -> None:
    with pytest.raises(ConfigError, match="expected s3://BUCKET/PREFIX"):
        Place.of(url)
