"""Objects below a prefix in S3: those that can hold events of the asked nights, read ahead where they are small.

pipelines/aws/objects.py lists and reads them. tests/pipelines/test_objects.py asks for each way of naming a date."""

from __future__ import annotations

import io
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import IO, Any, Final

from pipelines.aws.objects import Bucket, Listed
from pipelines.errors import ConfigError, EmptyNightError
from pipelines.keys import BUCKET_EXPECTED, is_bucket
from pipelines.sources import stored
from pipelines.sources.base import Source
from pipelines.sources.export_layout import is_of_other_stream, is_write_test
from pipelines.sources.names import name_of_key
from pipelines.words import shown

PARTITIONS: Final[Mapping[str, re.Pattern[str]]] = {
    "YYYY/MM/DD/ or YYYY/MM/DD/HH/": re.compile(r"(?<!\d)(20\d{2})/(\d{2})/(\d{2})/(?:(\d{2})/)?"),
    "eventDay=YYYYMMDD/": re.compile(r"(?:^|/)eventDay=(\d{4})(\d{2})(\d{2})/()"),
    "date=YYYY-MM-DD/ or dt=YYYY-MM-DD/": re.compile(r"(?:^|/)(?:date|dt)=(\d{4})-(\d{2})-(\d{2})/()"),
    "year=YYYY/month=MM/day=DD/ or year=YYYY/month=MM/day=DD/hour=HH/": re.compile(
        r"(?:^|/)year=(\d{4})/month=(\d{1,2})/day=(\d{1,2})/(?:hour=(\d{1,2})/)?"
    ),
}
"""How keys name the time of what they hold (Firehose, Security Lake, Hive): year, month, day and perhaps the hour."""

_CLOCKS = timedelta(hours=1)
"""How far the clock of an API server and that of the store may lie apart."""
_ZONES = timedelta(hours=12)
"""How far behind UTC a key's date may be: Firehose can be told to name its folders by any time zone."""
_AHEAD = 8
_SMALL_BYTES = 8 << 20
"""Eight of these are the most that is kept in memory ahead of the reader."""

Choice = Callable[[str, Listed], str | None]
"""Why an object is passed over, None where it is read; called with its name and its entry in the listing."""


@dataclass(frozen=True)
class Place:
    """A bucket and what the keys in it begin with."""

    bucket: str
    prefix: str

    @classmethod
    def of(cls, url: str, option: str = "--source") -> Place:
        """What an address names: the objects below a folder, or with * at its end all whose keys begin like it.

        Args:
            option: where the address was given, for errors.
        Raises:
            ConfigError: it is no address of S3.
        """
        bucket, _, prefix = url.removeprefix("s3://").partition("/")
        if not url.startswith("s3://") or not is_bucket(bucket):
            raise ConfigError(
                f"{option} {shown(url)}: expected s3://BUCKET/PREFIX, the bucket's name of {BUCKET_EXPECTED}"
            )
        if prefix.endswith("*"):
            return cls(bucket, prefix[:-1])
        return cls(bucket, f"{prefix.removesuffix('/')}/" if prefix else "")

    @property
    def folder(self) -> str:
        """The part of every key that names leave out."""
        return self.prefix[: self.prefix.rfind("/") + 1]

    def overlaps(self, other: Place) -> bool:
        """Whether a key can lie in both."""
        one, two = self.prefix, other.prefix
        return self.bucket == other.bucket and (one.startswith(two) or two.startswith(one))

    def overlaps_archive(self, archive: str) -> bool:
        """Whether a key can lie in the archive of this address, too; in a folder none can."""
        return archive.startswith("s3://") and self.overlaps(Place.of(archive, "--archive"))


@dataclass(frozen=True)
class StoredObject:
    """One object of S3 as a source object."""

    name: str
    size: int
    _index: int
    _reader: _AheadReader

    @contextmanager
    def open(self) -> Iterator[stored.StoredReading]:
        """The object, open and inflated.

        Raises:
            DataError: it was replaced after the listing, or arrives torn each time.
            AwsError: the store refuses it or does not answer.
        """
        where, raw = self._reader.open(self._index)
        with raw, stored.reading(self.name, where, raw, passed_over=is_of_other_stream(self.name)) as found:
            yield found


class _AheadReader:
    """Opens objects of one source; the small ones among the next few are fetched before they are asked for."""

    def __init__(self, bucket: Bucket, listed: Sequence[Listed]) -> None:
        self._bucket = bucket
        self._listed = listed
        self._fetched: dict[int, Future[bytes]] = {}

    def open(self, index: int) -> tuple[str, IO[bytes]]:
        window = range(index, min(index + _AHEAD, len(self._listed)))
        # what a reader skipped would stay in memory for good
        self._fetched = {i: fetched for i, fetched in self._fetched.items() if i in window}
        for ahead in window:
            if ahead not in self._fetched and self._listed[ahead].size <= _SMALL_BYTES:
                self._fetched[ahead] = _begun(self._bucket, self._listed[ahead])
        found = self._listed[index]
        fetched = self._fetched.pop(index, None)
        raw = self._bucket.open(found) if fetched is None else io.BytesIO(fetched.result())
        return self._bucket.where(found.key), raw


def _begun(bucket: Bucket, found: Listed) -> Future[bytes]:
    fetched: Future[bytes] = Future()

    def run() -> None:
        try:
            with bucket.open(found) as raw:
                fetched.set_result(raw.read())
        except Exception as error:  # noqa: BLE001 (raised where the object is opened)
            fetched.set_exception(error)

    # a pool would keep an interrupted job alive until the last of its fetches has ended
    threading.Thread(target=run, name=f"read ahead {found.key}", daemon=True).start()
    return fetched


def open_objects(
    s3: Any,
    url: str,
    window_ms: tuple[int, int],
    *,
    owner: str | None,
    apart_from: str | None,
    lateness_hours: int = 48,
) -> Source:
    """The objects below a prefix that can hold events of a window, sorted by name.

    Args:
        window_ms: first millisecond and the one after the last, UTC.
        owner: account that must own the bucket.
        apart_from: the archive, which must not lie in the source, nor the source in it.
        lateness_hours: how long after the window its events may still be delivered.
    Raises:
        ConfigError: there is no object.
        EmptyNightError: no object can hold such events; how many there are and why, is said.
        AwsError: the bucket is refused or does not answer.
    """
    place = Place.of(url)
    if apart_from is not None and place.overlaps_archive(apart_from):
        raise ConfigError(f"--source {shown(url)}: overlaps the archive {shown(apart_from)}; keep the logs elsewhere")
    start, end = (datetime.fromtimestamp(ms / 1000, UTC) for ms in window_ms)
    choice = _of_window(start - _CLOCKS, end + timedelta(hours=lateness_hours))
    source, passed = below(s3, place, choice, owner)
    if not source.objects:
        # a delivery that has stopped is a matter of the night, a prefix of nothing one of the configuration
        raise (EmptyNightError if passed else ConfigError)(_nothing(url, passed))
    return source


def below(s3: Any, place: Place, choice: Choice, owner: str | None, folder: str = "") -> tuple[Source, Counter[str]]:
    """The chosen objects of a place, sorted by name, and how many were passed over for each reason.

    Args:
        folder: put before every name, where the names below the place are those of other places, too.
    Raises:
        AwsError: the bucket is refused or does not answer.
    """
    bucket = Bucket(s3, place.bucket, owner)
    chosen: dict[str, Listed] = {}
    ignored, passed = [], Counter[str]()
    for found in bucket.listing(place.prefix):
        name = name_of_key(found.key.removeprefix(place.folder))
        if reason := _no_log(found):
            ignored.append(name)
        else:
            reason = choice(name, found)
        if reason is None:
            chosen[name] = found
        else:
            passed[reason] += 1
    names = sorted(chosen)
    reader = _AheadReader(bucket, [chosen[name] for name in names])
    objects = tuple(StoredObject(f"{folder}{name}", chosen[name].size, i, reader) for i, name in enumerate(names))
    return Source(objects, tuple(f"{folder}{name}" for name in sorted(ignored))), passed


def _no_log(found: Listed) -> str | None:
    empty = found.size == 0 or found.key.endswith("/") or is_write_test(found.key)
    return "empty, folders or write tests" if empty else None


def _of_window(first: datetime, last: datetime) -> Choice:
    """Passes over what was written before `first`, and what its key dates to before it or from `last` on."""

    def choice(name: str, found: Listed) -> str | None:
        if found.modified < first:
            return f"last written before {first:%Y-%m-%d %H:%M} UTC"
        dated = list(_dated(name))
        if dated and not any(begin < last and first - _ZONES < end for begin, end in dated):
            return f"dated by their keys outside {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC"
        return None

    return choice


def _dated(name: str) -> Iterator[tuple[datetime, datetime]]:
    """The spans of time that a key names, each with its end, which it does not hold."""
    for pattern in PARTITIONS.values():
        for match in pattern.finditer(name):
            year, month, day, hour = match.groups()
            try:
                begin = datetime(int(year), int(month), int(day), int(hour or 0), tzinfo=UTC)
                yield begin, begin + timedelta(hours=1 if hour else 24)
            except (ValueError, OverflowError):  # digits that are no date
                continue


def _nothing(url: str, passed: Counter[str]) -> str:
    if not passed:
        return (
            f"--source {shown(url)}: no object there; check the bucket, the folder and the delivery to it, or end "
            f"the address with * to read all keys that begin like it"
        )
    why = ", ".join(f"{count:,} {reason}" for reason, count in passed.most_common())
    return (
        f"--source {shown(url)}: none of its {passed.total():,} objects can hold events of the asked nights ({why}); "
        f"check the asked nights and the delivery, or name the folder of one date to read all in it"
    )
