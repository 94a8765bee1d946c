"""The claims of archive.py: append and replace, racing writers, crashes and damage, on a folder and on S3."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.archive import Addition, Archive
from pipelines.commits import Commit, Counts, Input, folder, part_file
from pipelines.errors import DataError, RetryError
from pipelines.store import LocalStore, ObjectStore

NIGHT = date(2026, 9, 15)
SCHEMA = pa.schema([("name", pa.string())])
WHERE = folder("events", "prod", NIGHT)
RANKING = f"{folder('ranking', 'prod', NIGHT)}/ranking.parquet"
DERIVED = pa.table({"principal": ["eve", "bob"], "rank": [1, 2]})
Listing = Callable[[ObjectStore], dict[str, str]]


def names(archive: Archive, commit: Commit | None) -> list[str]:
    """What a reader sees, in order."""
    with archive.files(commit) as parts:
        return [name for part in parts for name in pq.read_table(part)["name"].to_pylist()]


def adding(archive: Archive, *wanted: str) -> Callable[[Commit | None], Addition | None]:
    """Asks for those names that are not committed yet."""

    def added(before: Commit | None) -> Addition | None:
        fresh = sorted(set(wanted) - set(names(archive, before)))
        if not fresh:
            return None
        counts = Counts(read=len(wanted), archived=len(fresh), duplicate=len(wanted) - len(fresh))
        source = Input(f"{fresh[0]}.log", sha256(fresh[0].encode()).hexdigest(), 1)
        return Addition([pa.record_batch([fresh], schema=SCHEMA)], SCHEMA, [source], counts)

    return added


def append(archive: Archive, *wanted: str) -> tuple[Commit | None, bool]:
    return archive.append("events", NIGHT, adding(archive, *wanted))


@pytest.fixture
def archive(store: ObjectStore) -> Archive:
    return Archive(store, "prod")


# Append


def test_a_commit_names_its_parts_by_their_bytes(archive: Archive) -> None:
    commit, wrote = append(archive, "a", "b")
    assert wrote
    assert commit is not None
    (part,) = commit.parts
    body = archive.store.get(f"{WHERE}/{part.file}")
    assert body is not None
    assert part.sha256 == sha256(body).hexdigest()
    assert (part.file, part.rows, part.bytes) == (f"part-{part.sha256[:16]}.parquet", 2, len(body))
    assert archive.store.get(f"{WHERE}/_commit-1.json") == commit.body()


def test_a_second_append_adds_a_part_and_leaves_the_first_commit(archive: Archive, listing: Listing) -> None:
    first, _ = append(archive, "a", "b")
    before = listing(archive.store)
    second, wrote = append(archive, "a", "c")
    assert wrote
    assert first is not None
    assert second is not None
    assert second.generation == 2
    assert second.parts[:1] == first.parts
    assert second.inputs == (*first.inputs, Input("c.log", sha256(b"c").hexdigest(), 1))
    assert (second.counts.read, second.counts.archived, second.counts.duplicate) == (4, 3, 1)
    assert names(archive, second) == ["a", "b", "c"]
    after = listing(archive.store)
    assert {k: after[k] for k in before} == before
    assert set(after) - set(before) == {f"{WHERE}/{second.parts[1].file}", f"{WHERE}/_commit-2.json"}


def test_nothing_new_writes_nothing(archive: Archive, listing: Listing) -> None:
    first, _ = append(archive, "a")
    before = listing(archive.store)
    assert append(archive, "a") == (first, False)
    assert listing(archive.store) == before


def test_nothing_ever_committed_reads_as_nothing(archive: Archive, listing: Listing) -> None:
    assert append(archive) == (None, False)
    assert names(archive, None) == []
    assert listing(archive.store) == {}


def test_clusters_and_nights_do_not_see_each_other(archive: Archive) -> None:
    append(archive, "a")
    assert Archive(archive.store, "test").newest("events", NIGHT) is None
    assert archive.newest("events", date(2026, 9, 14)) is None
    assert archive.newest("quarantine", NIGHT) is None


@pytest.mark.parametrize("odd", ["2026-02-30/x", "old/x", "2026-09-16-old/x", "/x", "2026-09-16"])
def test_what_is_no_folder_of_a_date_is_no_night(archive: Archive, odd: str) -> None:
    archive.append("events", NIGHT, adding(archive, "one"))
    archive.store.put(f"events/cluster=prod/date={odd}", b"")
    assert archive.nights("events") == [NIGHT]


@pytest.mark.parametrize(
    "stray",
    [
        "cluster=/date=2026-09-15/x",
        "cluster=foo.bar/date=2026-09-15/x",
        "cluster=zz",
        "cluster=zz/x",
        "cluster=zz/date=old/x",
        "cluster=zz/date=2026-09-15",
    ],
)
def test_what_is_no_clusters_folder_among_the_events_names_no_cluster(tmp_path: Path, stray: str) -> None:
    archive = Archive(LocalStore(tmp_path), "prod")
    append(archive, "a")
    path = tmp_path / "events" / stray
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    assert archive.clusters() == ["prod"]


def test_copies_of_parts_are_gone_afterwards(archive: Archive) -> None:
    commit, _ = append(archive, "a")
    with archive.files(commit) as parts:
        assert [part.name for part in parts] == [p.file for p in commit.parts] if commit else False
    assert not parts[0].parent.exists()


# Writers at once


class Racing:
    """A store in which others act before each commit of ours."""

    def __init__(self, store: ObjectStore, others: Callable[[int], object]) -> None:
        self._store, self._others, self.commits = store, others, 0
        self.url, self.get, self.put, self.list = store.url, store.get, store.put, store.list
        self.download, self.probe = store.download, store.probe

    def put_new(self, key: str, body: bytes) -> bool:
        if "_commit-" in key:
            self.commits += 1
            self._others(self.commits)
        return self._store.put_new(key, body)

    def upload(self, key: str, path: Path) -> bool:
        return self.put_new(key, path.read_bytes())


def test_the_loser_of_a_race_merges(archive: Archive) -> None:
    racing = Racing(archive.store, lambda n: append(archive, "b", "c") if n == 1 else None)
    commit, wrote = append(Archive(racing, "prod"), "a", "b")
    assert wrote
    assert commit is not None
    assert commit.generation == 2
    assert names(archive, archive.newest("events", NIGHT)) == ["b", "c", "a"]
    assert commit.counts.archived == 3


def test_the_loser_of_equal_rows_commits_nothing(archive: Archive) -> None:
    # the other read the same rows from a source of another size, so the commits differ
    racing = Racing(archive.store, lambda _: append(archive, "a", "b", "b"))
    commit, wrote = append(Archive(racing, "prod"), "a", "b")
    assert not wrote
    assert commit == archive.newest("events", NIGHT)
    assert commit is not None
    assert commit.generation == 1


def test_the_same_commit_of_two_writers_is_one(archive: Archive) -> None:
    racing = Racing(archive.store, lambda _: append(archive, "a"))
    commit, _ = append(Archive(racing, "prod"), "a")
    assert commit is not None
    assert commit.generation == 1
    assert archive.newest("events", NIGHT) == commit


def test_endless_contention_ends_in_an_error(archive: Archive) -> None:
    racing = Racing(archive.store, lambda n: append(archive, f"other {n}"))
    with pytest.raises(RetryError, match=r"5 other writers committed first; run one job a night") as refused:
        append(Archive(racing, "prod"), "a")
    assert f"{archive.store.url}/{WHERE}" in str(refused.value)
    assert names(archive, archive.newest("events", NIGHT)) == [f"other {n}" for n in range(1, 6)]


# Damage


def flip(body: bytes) -> bytes:
    return body[:20] + bytes([body[20] ^ 1]) + body[21:]


def test_a_flipped_byte_in_a_part_is_seen(archive: Archive) -> None:
    commit, _ = append(archive, "a")
    where = f"{WHERE}/{commit.parts[0].file}" if commit else ""
    body = archive.store.get(where) or b""
    archive.store.put(where, flip(body))
    with pytest.raises(DataError) as refused:
        names(archive, commit)
    assert str(refused.value) == (
        f"{archive.store.url}/{where}: {len(body)} bytes with another checksum, expected {len(body)} bytes as "
        "committed in generation 1; restore the object, or remove the night's folder and export it again"
    )


def test_a_copy_that_was_not_verified_is_left_nowhere(archive: Archive, tmp_path: Path) -> None:
    commit, _ = append(archive, "a")
    assert commit is not None
    where = f"{WHERE}/{commit.parts[0].file}"
    archive.store.put(where, flip(archive.store.get(where) or b""))
    copy = tmp_path / "copy"
    for _ in range(2):
        with pytest.raises(DataError, match="another checksum"):
            archive.fetch(commit, commit.parts[0], copy)
        assert not copy.exists()


def test_a_missing_part_is_seen(archive: Archive) -> None:
    commit, _ = append(archive, "a")
    assert commit is not None
    gone = replace(commit.parts[0], file=part_file("f" * 64), sha256="f" * 64)
    lost = replace(commit, generation=2, parts=(gone,))
    archive.store.put_new(f"{WHERE}/_commit-2.json", lost.body())
    with pytest.raises(DataError, match=rf"{WHERE}/{gone.file}: missing, expected .* remove the night's folder"):
        names(archive, archive.newest("events", NIGHT))


def test_other_bytes_under_the_name_of_a_new_part_are_not_committed(
    archive: Archive, new_store: Callable[[str], ObjectStore]
) -> None:
    clean, _ = append(Archive(new_store("another"), "prod"), "a")
    where = f"{WHERE}/{clean.parts[0].file}" if clean else ""
    archive.store.put(where, b"damaged")
    with pytest.raises(DataError, match="other bytes stand under this name; remove the damaged object and run again"):
        append(archive, "a")
    assert archive.newest("events", NIGHT) is None


def test_a_cut_commit_stops_readers_and_writers(archive: Archive, listing: Listing) -> None:
    commit, _ = append(archive, "a")
    archive.store.put(f"{WHERE}/_commit-1.json", commit.body()[:50] if commit else b"")
    before = listing(archive.store)
    for act in (lambda: archive.newest("events", NIGHT), lambda: append(archive, "b")):
        with pytest.raises(DataError, match=rf"{WHERE}/_commit-1\.json: not a commit"):
            act()
    assert listing(archive.store) == before


def test_a_part_nobody_committed_is_never_read(archive: Archive) -> None:
    append(archive, "a")
    sink = BytesIO()
    pq.write_table(pa.table({"name": ["orphan"]}), sink)
    archive.store.put_new(f"{WHERE}/{part_file('e' * 64)}", sink.getvalue())
    commit, _ = append(archive, "b")
    assert names(archive, commit) == ["a", "b"]


# Replace


def test_a_derived_table_comes_back_with_what_it_was_made_from(archive: Archive) -> None:
    digest = archive.replace("ranking", NIGHT, DERIVED, {"generation": 3, "origin": {"events": "ab"}})
    found = archive.derived("ranking", NIGHT)
    assert found is not None
    assert found.table.equals(DERIVED)
    assert found.meta == {"generation": 3, "origin": {"events": "ab"}}
    assert found.sha256 == digest == sha256(archive.store.get(RANKING) or b"").hexdigest()


def test_a_night_without_a_derived_table_has_none(archive: Archive) -> None:
    assert archive.derived("ranking", NIGHT) is None


def test_the_same_table_is_not_written_again(archive: Archive, listing: Listing) -> None:
    first = archive.replace("ranking", NIGHT, DERIVED, {"generation": 1})
    before = listing(archive.store)
    archive.store.put = refuse  # type: ignore[method-assign]
    assert archive.replace("ranking", NIGHT, DERIVED, {"generation": 1}) == first
    assert listing(archive.store) == before


def refuse(key: str, _: bytes) -> None:
    raise AssertionError(f"{key} was written")


def test_a_revised_table_takes_the_place_of_the_old(archive: Archive, listing: Listing) -> None:
    archive.replace("ranking", NIGHT, DERIVED, {"generation": 1})
    archive.replace("ranking", NIGHT, DERIVED.slice(1), {"generation": 2})
    found = archive.derived("ranking", NIGHT)
    assert found is not None
    assert found.table.equals(DERIVED.slice(1))
    assert found.meta == {"generation": 2}
    assert list(listing(archive.store)) == [RANKING]


def test_a_damaged_derived_table_is_refused_by_name_and_mended_by_a_run(archive: Archive) -> None:
    digest = archive.replace("ranking", NIGHT, DERIVED, {"generation": 1})
    archive.store.put(RANKING, flip(archive.store.get(RANKING) or b""))
    with pytest.raises(DataError) as refused:
        archive.derived("ranking", NIGHT)
    assert str(refused.value).startswith(f"{archive.store.url}/{RANKING}: not a whole table of this archive")
    assert "delete the object and run the night again" in str(refused.value)
    assert archive.replace("ranking", NIGHT, DERIVED, {"generation": 1}) == digest
    assert archive.derived("ranking", NIGHT) is not None


def test_a_report_is_published_once(archive: Archive, listing: Listing) -> None:
    first = archive.publish("reports/cluster=prod/report.html", b"<p>")
    before = listing(archive.store)
    assert archive.publish("reports/cluster=prod/report.html", b"<p>") == first == sha256(b"<p>").hexdigest()
    assert listing(archive.store) == before
    archive.publish("reports/cluster=prod/report.html", b"<b>")
    assert archive.store.get("reports/cluster=prod/report.html") == b"<b>"
