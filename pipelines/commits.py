"""Commits of an append-only table: numbered objects, written once, the highest generation wins.

A commit names every part a reader may read and the night's counts so far. Its bytes depend on rows and inputs
alone: no clock, no run id."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import date
from hashlib import sha256
from typing import Any

from pipelines.errors import DataError
from pipelines.store import ObjectStore

FORMAT = 1
_DIGEST = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Part:
    """One Parquet file, named after its content."""

    file: str
    sha256: str
    rows: int
    bytes: int


@dataclass(frozen=True)
class Input:
    """A source object of which rows were archived."""

    name: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Counts:
    """Where the lines read for a night ended, summed over the runs that added to it.

    read = archived + duplicate + quarantined + outside; blank lines and messages passed over (`skipped`) are no lines
    read. The rest describes what is archived: rows whose audit id and stage another row bears (`collisions`), rows cut
    short at the source (`truncated`), rows with a field of a wrong type (`mistyped`), hours with an event (0 to 23)."""

    read: int = 0
    archived: int = 0
    duplicate: int = 0
    quarantined: int = 0
    outside: int = 0
    blank: int = 0
    skipped: int = 0
    collisions: int = 0
    truncated: int = 0
    mistyped: int = 0
    hours_seen: tuple[int, ...] = ()


@dataclass(frozen=True)
class Commit:
    """A generation of one night of one table."""

    table: str
    cluster: str
    night: date
    generation: int
    parts: tuple[Part, ...]
    inputs: tuple[Input, ...] = ()
    counts: Counts = field(default_factory=Counts)
    quarantine: tuple[str, ...] = ()
    """Of events: files of the quarantine, named below the cluster's folder, whose lines `counts` holds.

    In archives of the first layout parts of the quarantine's own commit of the night, named alone."""

    def body(self) -> bytes:
        """Canonical JSON that bears its own checksum."""
        plain = asdict(self) | {"night": self.night.isoformat(), "format": FORMAT}
        return _canonical(plain | {"checksum": sha256(_canonical(plain)).hexdigest()})

    @property
    def sha256(self) -> str:
        """Of the commit's bytes; names everything below it."""
        return sha256(self.body()).hexdigest()


def _canonical(plain: dict[str, Any]) -> bytes:
    return json.dumps(plain, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def folder(table: str, cluster: str, night: date) -> str:
    """Where a night of a table lives; the cluster's name is checked before it comes here."""
    return f"{table}/cluster={cluster}/date={night.isoformat()}"


def key(table: str, cluster: str, night: date, generation: int) -> str:
    """Of one commit."""
    return f"{folder(table, cluster, night)}/_commit-{generation}.json"


def part_file(digest: str) -> str:
    """Name of the part with these contents."""
    return f"part-{digest[:16]}.parquet"


def newest(store: ObjectStore, table: str, cluster: str, night: date) -> Commit | None:
    """The commit readers follow, or None for a night that was never committed.

    Raises:
        DataError: a commit is no commit, or one is missing.
    """
    found, generation = None, 1
    while True:
        commit = at(store, table, cluster, night, generation)
        if commit is not None:
            found, generation = commit, generation + 1
        elif at(store, table, cluster, night, generation + 1) is None:
            return found
        # another writer may have committed both since the first look
        elif at(store, table, cluster, night, generation) is None:
            raise DataError(
                f"{store.url}/{key(table, cluster, night, generation)}: missing, although the next commit stands; "
                "restore it from a copy of the archive, or remove the night's folder and export it again"
            )


def at(store: ObjectStore, table: str, cluster: str, night: date, generation: int) -> Commit | None:
    """One commit, or None where there is none.

    Raises:
        DataError: what stands there is no commit, or one of another place.
    """
    where = key(table, cluster, night, generation)
    body = store.get(where)
    if body is None:
        return None
    try:
        commit = _read(body)
        if key(commit.table, commit.cluster, commit.night, commit.generation) != where:
            raise ValueError("it belongs to another place")
        if commit.body() != body:
            raise ValueError("its bytes are not as they were written")
        if not all(_DIGEST.fullmatch(part.sha256) and part.file == part_file(part.sha256) for part in commit.parts):
            raise ValueError("it names a part that is none")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(
            f"{store.url}/{where}: not a commit of format {FORMAT} ({' '.join(str(error).split())[:120]}); "
            "restore it from a copy of the archive, or remove the night's folder and export it again"
        ) from error
    return commit


def _read(body: bytes) -> Commit:
    plain: dict[str, Any] = json.loads(body)
    if plain.pop("format") != FORMAT:
        raise ValueError("another format")
    del plain["checksum"]
    counts = plain.pop("counts")
    counts["hours_seen"] = tuple(counts["hours_seen"])
    return Commit(
        night=date.fromisoformat(plain.pop("night")),
        parts=tuple(Part(**p) for p in plain.pop("parts")),
        inputs=tuple(Input(**i) for i in plain.pop("inputs")),
        counts=Counts(**counts),
        quarantine=tuple(plain.pop("quarantine")),
        **plain,
    )


def gaps(hours_seen: Sequence[int]) -> tuple[int, ...]:
    """The hours without an event between two that have some: a cluster that is up is never silent for an hour."""
    return tuple(
        hour
        for hour in range(24)
        if any(h < hour for h in hours_seen) and any(h > hour for h in hours_seen) and hour not in hours_seen
    )


def summed(a: Counts, b: Counts) -> Counts:
    """The counts of two runs that both added to a night."""
    added = {f.name: getattr(a, f.name) + getattr(b, f.name) for f in fields(Counts) if f.name != "hours_seen"}
    return Counts(**added, hours_seen=tuple(sorted({*a.hours_seen, *b.hours_seen})))
