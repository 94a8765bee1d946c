"""The claims of quarantine.py and filing.py: a bad line's home depends on its object alone, and runs meet there."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from builders import event, line
from filed import filed_lines

from pipelines.archive import EVENTS, QUARANTINE, Addition, Archive
from pipelines.commits import Commit, Counts
from pipelines.config import ParseConfig
from pipelines.engine import engine
from pipelines.errors import DataError
from pipelines.parsing.parse import QUARANTINE_SCHEMA
from pipelines.quarantine import SCHEMA, file, home, lines, put
from pipelines.sources.files import select
from pipelines.stages.export import Exported, export
from pipelines.store import LocalStore, ObjectStore

NIGHTS = [date(2026, 9, 1) + timedelta(days=n) for n in range(8)]
BAD = b"no event\n"
PAGE = Path(__file__).parents[2] / "docs" / "archive.md"


def at(night: date) -> bytes:
    return line(event(at=f"{night}T12:00:00Z"))


def bad(count: int) -> bytes:
    return b"".join(b"no event %d\n" % n for n in range(count))


class Asked(LocalStore):
    """A store that counts what is asked of it, by kind of call and the table's name, and can die after a write."""

    def __init__(self, root: Path, *, dies_after: int = 0) -> None:
        super().__init__(root)
        self.asked: Counter[tuple[str, str]] = Counter()
        self.written, self._dies_after = 0, dies_after

    def get(self, key: str) -> bytes | None:
        self.asked["get", key.split("/")[0]] += 1
        return super().get(key)

    def list(self, prefix: str) -> Any:
        found = super().list(prefix)
        # a listing costs a request for every thousand keys
        self.asked["list", prefix.split("/")[0]] += 1 + len(found)
        return found

    def download(self, key: str, path: Path) -> str | None:
        self.asked["get", key.split("/")[0]] += 1
        return super().download(key, path)

    def put_new(self, key: str, body: bytes) -> bool:
        done = super().put_new(key, body)
        self.written += 1
        if self.written == self._dies_after:
            raise KeyboardInterrupt
        return done


@pytest.fixture
def store(tmp_path: Path) -> Asked:
    return Asked(tmp_path / "archive")


@pytest.fixture
def source(tmp_path: Path) -> Callable[..., Path]:
    """A folder of these files and no others."""

    def laid(**files: bytes) -> Path:
        folder = tmp_path / "logs"
        folder.mkdir(exist_ok=True)
        for old in folder.iterdir():
            old.unlink()
        for name, body in files.items():
            (folder / f"{name}.log").write_bytes(body)
        return folder

    return laid


def run(store: ObjectStore, where: Path, *nights: date, late: Sequence[date] = ()) -> Exported:
    with engine(ParseConfig(threads=1)) as made:
        return export(Archive(store, "prod"), made, select(str(where)), nights, late, lambda *_: None)


def counts(store: ObjectStore, night: date) -> Counts:
    found = Archive(store, "prod").newest(EVENTS, night)
    assert found is not None
    return found.counts


def test_an_archives_age_costs_no_request(store: Asked, source: Callable[..., Path]) -> None:
    costs = []
    for nth, night in enumerate(NIGHTS):
        store.asked.clear()
        where = source(old=BAD + at(NIGHTS[0]), **{f"n{nth}": BAD + at(night)})
        done = run(store, where, night, late=[night - timedelta(days=1)])
        assert sum(ended.quarantined for ended in done.ended.values()) == (2 if nth == 0 else 1)
        costs.append(dict(store.asked))
    # of the quarantine: old.log's file and where the next would be, and where tonight's would be
    assert costs[-1]["get", "quarantine"] == 3
    assert costs[2:] == [costs[2]] * (len(NIGHTS) - 2)


def test_a_home_depends_on_the_objects_name_alone_and_is_a_key(store: Asked) -> None:
    names = ["a.log", "b.log", "../a.log", "quarantine/x=1/\\udcff", "é" * 500, "", " "]
    homes = [home(name) for name in names]
    assert len({*homes}) == len(names)
    assert [home(name) for name in names] == homes
    for name in names:
        assert store.get(f"quarantine/cluster=prod/{file(name, 1)}") is None


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_lines_of_many_files_are_filed_in_the_same_bytes_by_the_run_after_a_dead_one(
    tmp_path: Path, source: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, cut: int
) -> None:
    monkeypatch.setattr("pipelines.stages.refused.ROWS", 2)
    where = source(a=bad(5) + at(NIGHTS[0]))
    calm, dead = Asked(tmp_path / "calm"), Asked(tmp_path / "dead", dies_after=cut)
    run(calm, where, NIGHTS[0])
    with pytest.raises(KeyboardInterrupt):
        run(dead, where, NIGHTS[0])
    run(dead, where, NIGHTS[0])
    names = [f"quarantine/cluster=prod/{file('a.log', number)}" for number in (1, 2, 3)]
    assert calm.list("quarantine/") == names
    assert [(dead.get(key), len(dead.list(""))) for key in calm.list("")] == [
        (calm.get(key), len(calm.list(""))) for key in calm.list("")
    ]
    assert counts(dead, NIGHTS[0]).quarantined == 5


def test_a_run_that_dies_before_its_commit_leaves_the_count_to_its_own_night(
    tmp_path: Path, source: Callable[..., Path]
) -> None:
    where = source(a=BAD + at(NIGHTS[0]) + at(NIGHTS[1]))
    store = Asked(tmp_path / "archive", dies_after=1)
    with pytest.raises(KeyboardInterrupt):
        run(store, where, NIGHTS[0])
    run(store, where, NIGHTS[1])
    assert (counts(store, NIGHTS[1]).quarantined, counts(store, NIGHTS[1]).duplicate) == (0, 1)
    run(store, where, NIGHTS[0])
    assert (counts(store, NIGHTS[0]).quarantined, counts(store, NIGHTS[0]).duplicate) == (1, 0)


def test_lines_that_an_archive_of_the_first_layout_filed_are_known(store: Asked, source: Callable[..., Path]) -> None:
    archive = Archive(store, "prod")
    run(store, source(a=BAD + at(NIGHTS[0])), NIGHTS[0])
    (key,) = store.list("quarantine/")
    rows = pq.read_table(BytesIO(store.get(key) or b"")).drop_columns(["date"]).cast(QUARANTINE_SCHEMA)
    (Path(store.url) / key).unlink()

    def added(_: Commit | None) -> Addition:
        return Addition(rows.to_batches(), QUARANTINE_SCHEMA, (), Counts(read=1, archived=1))

    earlier, _ = archive.append(QUARANTINE, NIGHTS[0], added)
    done = run(store, source(a=BAD + at(NIGHTS[0]) + b"another\n", b=at(NIGHTS[1])), NIGHTS[1])
    assert (done.ended["a.log"].quarantined, done.ended["a.log"].duplicate, done.bad) == (1, 1, 2)
    assert archive.newest(QUARANTINE, NIGHTS[0]) == earlier
    assert [row["date"] for row in filed_lines(store)] == [NIGHTS[1]]


def test_the_query_of_the_page_tells_what_was_refused(store: Asked, source: Callable[..., Path]) -> None:
    run(store, source(a=BAD + at(NIGHTS[0]), b=BAD + BAD + at(NIGHTS[1])), NIGHTS[0], NIGHTS[1])
    (query,) = re.findall(r"^```duckdb\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    found = duckdb.execute(query.replace("ARCHIVE", store.url).replace("prod-usw2", "prod")).fetchall()
    assert found == [(NIGHTS[0], "a.log", "not a JSON object", 1), (NIGHTS[0], "b.log", "not a JSON object", 2)]


def test_plain_hive_readers_read_the_quarantine(store: Asked, source: Callable[..., Path]) -> None:
    run(store, source(a=BAD + at(NIGHTS[0]), b=BAD + BAD + at(NIGHTS[1])), NIGHTS[0], NIGHTS[1])
    found = duckdb.execute(
        f"SELECT cluster, object, source, date, count(*) FROM read_parquet("
        f"'{store.url}/quarantine/*/object=*/*.parquet', hive_partitioning = true) GROUP BY ALL ORDER BY source"
    ).fetchall()
    assert found == [
        ("prod", home(name).removeprefix("object="), name, NIGHTS[0], count)
        for name, count in (("a.log", 1), ("b.log", 2))
    ]


def rows(source: str) -> pa.Table:
    row = {"source": source, "byte_offset": 0, "length": 8, "reason": "none", "sha256": "0" * 64, "head": "x"}
    return pa.Table.from_pylist([row], QUARANTINE_SCHEMA)


def test_a_file_is_written_once_and_read_as_it_was(store: Asked) -> None:
    archive = Archive(store, "prod")
    made = put(archive, "a.log", 1, NIGHTS[0], rows("a.log"))
    assert made is not None
    assert made.rows.schema.equals(SCHEMA)
    assert put(archive, "a.log", 1, NIGHTS[0], rows("a.log")) is not None
    assert put(archive, "a.log", 1, NIGHTS[1], rows("a.log")) is None
    found = lines(archive, "a.log", 1)
    assert found is not None
    assert (found.file, found.night, found.rows.to_pylist()) == (made.file, NIGHTS[0], made.rows.to_pylist())
    assert lines(archive, "a.log", 2) is None


def test_a_file_of_another_object_is_refused(store: Asked) -> None:
    archive = Archive(store, "prod")
    put(archive, "a.log", 1, NIGHTS[0], rows("b.log"))
    with pytest.raises(DataError, match=r"not the lines of one source object and one night; delete the object"):
        lines(archive, "a.log", 1)
