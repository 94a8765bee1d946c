"""The export stage as tests run it: lines of some nights, and what an archive holds of them then."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from builders import event, line

from pipelines.archive import EVENTS, Archive
from pipelines.commits import Commit, Counts
from pipelines.config import ParseConfig
from pipelines.engine import engine
from pipelines.sources.files import select
from pipelines.stages.export import Exported, export
from pipelines.stages.reading import Ended
from pipelines.store import ObjectStore

BEFORE, FIRST, SECOND, THIRD = "2026-09-13", "2026-09-14", "2026-09-15", "2026-09-16"
BAD = b'{"kind":"Event","auditID":\n'
SUMMED = ("read", "archived", "duplicate", "quarantined", "outside", "blank")
Listing = Callable[[ObjectStore], dict[str, str]]
Stores = Callable[[str], ObjectStore]
IN_A_FOLDER = pytest.mark.parametrize("new_store", ["local"], indirect=True)
"""For what is settled before anything is stored, and so alike in every store; test_store.py holds stores to one
contract. What reads back what an earlier run stored is run on both."""


def night(text: str) -> date:
    """The date."""
    return date.fromisoformat(text)


def at(day: str, time: str = "12:00:00.000000", **more: Any) -> bytes:
    """A line of that day and time."""
    return line(event(at=f"{day}T{time}Z", **more))


def many(count: int) -> list[bytes]:
    """Lines of which three at a time are told apart by the last column of the order alone."""
    made = []
    for request in range(count):
        same = request // 3
        stamp = f"{SECOND}T12:00:0{same % 7}.000000Z"
        made.append(at(SECOND, stageTimestamp=stamp, user=f"user-{same % 5}", audit_id=f"id-{same}", code=request))
    return made


def run(
    store: ObjectStore,
    where: Path,
    *nights: str,
    threads: int = 2,
    late: int = 0,
    progress: Callable[[str, float], None] | None = None,
) -> Exported:
    """What the stage says after it read what lies there; without nights, the second was asked for."""
    with engine(ParseConfig(threads=threads)) as made:
        asked = [night(n) for n in nights or (SECOND,)]
        before = [asked[0] - timedelta(days=n) for n in range(late, 0, -1)]
        return export(
            Archive(store, "prod"), made, select(str(where)), asked, before, progress or (lambda *_: None), str(where)
        )


def newest(store: ObjectStore, day: str = SECOND, table: str = EVENTS) -> Commit:
    """The commit that holds."""
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
    """The hashes of what a reader sees."""
    return sorted(row["content_hash"] for row in rows(store, day))


def adds_up(counts: Counts | Ended) -> bool:
    """Did every line end in one place?"""
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
