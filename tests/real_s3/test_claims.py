"""The claims of ObjectStore, whatever stands behind it: here the servers of S3_SERVERS.

tests/pipelines/test_store.py puts them to a folder and to moto."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import pytest

from pipelines.store import ObjectStore

KEY = "events/cluster=prod/date=2026-11-22/part-0.parquet"
COMMIT = "events/cluster=prod/date=2026-11-22/_commit-1.json"
LARGE = bytes(range(256)) * 20_000


def _upload(store: ObjectStore, folder: Path) -> bool:
    (folder / "source").write_bytes(b"x")
    return store.upload(KEY, folder / "source")


CALLS: dict[str, Callable[[ObjectStore, Path], object]] = {
    "get": lambda store, _: store.get(KEY),
    "put_new": lambda store, _: store.put_new(KEY, b"x"),
    "put": lambda store, _: store.put(KEY, b"x"),
    "list": lambda store, _: store.list("events/"),
    "upload": _upload,
    "download": lambda store, folder: store.download(KEY, folder / uuid4().hex),
}
"""Every method that reaches the store, with a folder for its files; each stores x, if anything."""


def winners(store: ObjectStore, key: str, writers: int = 8) -> list[bytes]:
    """The bodies of those of some simultaneous writers of different bytes who were told that theirs stands."""
    bodies = [f"writer {number}".encode() * 1000 for number in range(writers)]
    gate = threading.Barrier(writers)

    def write(body: bytes) -> bool:
        gate.wait()
        return store.put_new(key, body)

    with ThreadPoolExecutor(writers) as pool:
        return [body for body, won in zip(bodies, pool.map(write, bodies), strict=True) if won]


class StoreClaims:
    """For any empty `store`."""

    def test_what_was_put_is_got(self, store: ObjectStore) -> None:
        body = bytes(range(256)) * 4096
        assert store.put_new(KEY, body)
        store.put(COMMIT, b"")
        assert store.get(KEY) == body
        assert store.get(COMMIT) == b""

    def test_a_missing_key_is_none(self, store: ObjectStore) -> None:
        assert store.get(KEY) is None
        store.put(KEY, b"x")
        assert store.get(COMMIT) is None
        assert store.get("events") is None

    def test_the_same_bytes_twice_are_true_twice(self, store: ObjectStore) -> None:
        assert store.put_new(KEY, b"one")
        assert store.put_new(KEY, b"one")
        assert store.get(KEY) == b"one"

    def test_other_bytes_are_false_and_leave_the_first(self, store: ObjectStore) -> None:
        assert store.put_new(KEY, b"one")
        assert not store.put_new(KEY, b"two")
        assert not store.put_new(KEY, b"")
        assert store.get(KEY) == b"one"

    def test_put_replaces(self, store: ObjectStore) -> None:
        store.put(KEY, b"a longer body")
        store.put(KEY, b"short")
        assert store.get(KEY) == b"short"

    def test_a_reader_sees_no_mixture_while_put_replaces(self, store: ObjectStore) -> None:
        bodies = {bytes([letter]) * 200_000 for letter in b"ab"}
        store.put(KEY, min(bodies))
        seen = set()

        def write() -> None:
            for body in [*bodies] * 10:
                store.put(KEY, body)

        with ThreadPoolExecutor(1) as writer:
            writing = writer.submit(write)
            while not writing.done():
                seen.add(store.get(KEY))
            writing.result()
        assert seen <= bodies

    def test_list_is_sorted_and_begins_with_the_prefix(self, store: ObjectStore) -> None:
        assert store.list("") == []
        keys = ["events/b", "events/a/2", "events/a/10", "events-old/a", "items/a", "events/a_"]
        for key in keys:
            store.put(key, b"x")
        assert store.list("") == sorted(keys)
        assert store.list("events/") == ["events/a/10", "events/a/2", "events/a_", "events/b"]
        assert store.list("events/a/1") == ["events/a/10"]
        assert store.list("even") == sorted(key for key in keys if key.startswith("even"))
        assert store.list("nothing/") == []

    @pytest.mark.parametrize("body", [LARGE, b""], ids=["large", "empty"])
    def test_an_uploaded_file_is_downloaded_with_its_digest(
        self, store: ObjectStore, tmp_path: Path, body: bytes
    ) -> None:
        (tmp_path / "source").write_bytes(body)
        assert store.upload(KEY, tmp_path / "source")
        assert store.get(KEY) == body
        assert store.download(KEY, tmp_path / "copy") == sha256(body).hexdigest()
        assert (tmp_path / "copy").read_bytes() == body

    def test_the_same_file_twice_is_true_twice(self, store: ObjectStore, tmp_path: Path) -> None:
        (tmp_path / "source").write_bytes(LARGE)
        assert store.upload(KEY, tmp_path / "source")
        assert store.upload(KEY, tmp_path / "source")
        assert store.put_new(KEY, LARGE)
        assert store.upload(COMMIT, tmp_path / "source")
        assert store.list("") == [COMMIT, KEY]

    def test_another_file_is_false_and_leaves_the_first(self, store: ObjectStore, tmp_path: Path) -> None:
        one, other = tmp_path / "one", tmp_path / "other"
        one.write_bytes(LARGE)
        other.write_bytes(LARGE[:-1] + b"x")
        assert store.upload(KEY, one)
        assert not store.upload(KEY, other)
        assert not store.put_new(KEY, LARGE[:-1])
        assert store.get(KEY) == LARGE

    def test_a_missing_object_is_downloaded_as_none_and_no_file(self, store: ObjectStore, tmp_path: Path) -> None:
        assert store.download(KEY, tmp_path / "copy") is None
        store.put(KEY, b"x")
        assert store.download("events", tmp_path / "copy") is None
        assert list(tmp_path.glob("copy*")) == []

    def test_a_file_that_is_there_is_not_written_over(self, store: ObjectStore, tmp_path: Path) -> None:
        (tmp_path / "mine").write_bytes(b"mine")
        store.put(KEY, b"x")
        with pytest.raises(FileExistsError):
            store.download(KEY, tmp_path / "mine")
        assert (tmp_path / "mine").read_bytes() == b"mine"

    def test_a_probe_finds_the_promise_kept_and_leaves_one_object(self, store: ObjectStore) -> None:
        store.probe()
        left = store.list("")
        store.probe()
        assert store.list("") == left
        assert left in ([], ["_probe-if-none-match"])


class TestRealStores(StoreClaims):
    """The servers of S3_SERVERS."""
