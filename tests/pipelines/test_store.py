"""The claims of ObjectStore, put to a folder and to S3 alike; then what only one of them can suffer.

test_store_wire.py looks at S3Store's requests, test_store_torn.py gives it answers that no store means."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ConnectionClosedError
from real_s3.test_claims import CALLS, KEY, StoreClaims, winners

from pipelines.aws.s3 import S3Store
from pipelines.aws.session import client
from pipelines.errors import AwsError, ConfigError
from pipelines.store import LocalStore, ObjectStore, open_store

OWNER = "123456789012"
REFUSED = ("", "..", ".", "/a", "a/", "a//b", "../a", "a/../b", "a/./b", "a\\b", "a b", "a\n", "é", ".tmp-1", "a/.b")

Call = Callable[[ObjectStore, Path], object]

each_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


@pytest.fixture
def s3(moto: str) -> Iterator[Any]:
    with closing(client("s3", region=None, endpoint_url=moto)) as made:
        yield made


@pytest.fixture
def bucket(s3: Any) -> str:
    name = f"audit-{uuid4().hex}"
    s3.create_bucket(Bucket=name)
    return name


# Both stores


class TestBothStores(StoreClaims):
    """A folder and moto."""


def test_one_of_eight_writers_wins(store: ObjectStore) -> None:
    for generation in range(5):
        (body,) = winners(store, f"events/_commit-{generation}.json")
        assert store.get(f"events/_commit-{generation}.json") == body


@pytest.mark.parametrize("key", REFUSED, ids=repr)
def test_a_key_outside_the_rules_is_refused(store: ObjectStore, tmp_path: Path, key: str) -> None:
    for call in (
        store.get,
        lambda key: store.put(key, b"x"),
        lambda key: store.put_new(key, b"x"),
        lambda key: store.upload(key, Path(__file__)),
        lambda key: store.download(key, tmp_path / "copy"),
    ):
        with pytest.raises(ValueError, match="expected"):
            call(key)
    assert not (tmp_path / "copy").exists()


@pytest.mark.parametrize("prefix", [key for key in REFUSED if key not in ("", "a/")], ids=repr)
def test_a_prefix_outside_the_rules_is_refused(store: ObjectStore, prefix: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        store.list(prefix)


def test_a_store_says_where_it_is(s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert LocalStore(Path("archive")).url == str(tmp_path / "archive")
    assert S3Store(s3, "acme", "a/b").url == "s3://acme/a/b"
    assert S3Store(s3, "acme").url == "s3://acme"


# A folder


def names_beside(path: Path) -> list[str]:
    return [other.name for other in path.parent.iterdir()]


def test_a_temporary_file_is_never_listed_nor_in_the_way(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    folder = (tmp_path / KEY).parent
    folder.mkdir(parents=True)
    (folder / ".tmp-0123456789abcdef").write_bytes(b"left by a crash")
    assert store.put_new(KEY, b"x")
    assert store.list("") == [KEY]
    assert [path.name for path in folder.glob("*.parquet")] == ["part-0.parquet"]


def test_no_temporary_file_stays(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.put_new(KEY, b"x")
    store.put_new(KEY, b"x")
    store.put_new(KEY, b"y")
    store.put(KEY, b"z")
    store.upload(KEY, Path(__file__))
    assert names_beside(tmp_path / KEY) == ["part-0.parquet"]


def test_a_killed_writer_leaves_no_object(tmp_path: Path) -> None:
    text = (
        "import os, sys; from pathlib import Path; from pipelines.store import LocalStore\n"
        "Path.hardlink_to = lambda *_: os.kill(os.getpid(), 9)\n"
        f"LocalStore(Path(sys.argv[1])).put_new({KEY!r}, b'x')"
    )
    assert subprocess.run([sys.executable, "-c", text, tmp_path]).returncode == -9
    store = LocalStore(tmp_path)
    assert [name[:5] for name in names_beside(tmp_path / KEY)] == [".tmp-"]
    assert store.get(KEY) is None
    assert store.list("") == []
    assert store.put_new(KEY, b"x")


def test_a_link_whose_answer_was_lost_is_still_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = Path.hardlink_to

    def lose_the_answer(path: Path, target: Path) -> None:
        link(path, target)
        raise FileExistsError(errno.EEXIST, "as NFS says when it asks twice")

    monkeypatch.setattr(Path, "hardlink_to", lose_the_answer)
    assert LocalStore(tmp_path).put_new(KEY, b"x")


def test_bytes_are_durable_before_their_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, steps = LocalStore(tmp_path), []
    fsync, link, replace = os.fsync, Path.hardlink_to, Path.replace

    def note(step: str, act: Callable[..., Any]) -> Callable[..., Any]:
        def noted(*args: Any) -> Any:
            folder = step == "sync" and Path(f"/proc/self/fd/{args[0]}").is_dir()
            steps.append("sync folder" if folder else step)
            return act(*args)

        return noted

    (tmp_path / KEY).parent.mkdir(parents=True)
    monkeypatch.setattr(os, "fsync", note("sync", fsync))
    monkeypatch.setattr(Path, "hardlink_to", note("link", link))
    monkeypatch.setattr(Path, "replace", note("replace", replace))
    store.put_new(KEY, b"x")
    store.put(KEY, b"y")
    assert steps == ["sync", "link", "sync folder", "sync", "replace", "sync folder"]


def test_a_new_folder_is_durable_in_its_parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced, fsync = [], os.fsync

    def note(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").resolve())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    LocalStore(tmp_path / "archive").put("a/b", b"x")
    assert [path for path in synced if path.is_dir()] == [tmp_path, tmp_path / "archive", tmp_path / "archive" / "a"]


@each_call
def test_a_root_that_is_a_file_is_an_error_of_the_store(tmp_path: Path, call: Call) -> None:
    root = tmp_path / "archive"
    root.write_bytes(b"")
    with pytest.raises(AwsError, match=r"archive.*: not a directory; .* are folders; name another archive"):
        call(LocalStore(root), tmp_path)


def test_of_folders_that_are_listed_the_one_that_refuses_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, shut, scan = LocalStore(tmp_path), tmp_path / "events" / "shut", os.scandir
    for key in ("events/open/a", "events/shut/b"):
        store.put(key, b"x")

    def scandir(folder: str) -> Any:
        if Path(folder) == shut:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), folder)
        return scan(folder)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(AwsError, match=f"^{shut}: permission denied; give this user the right"):
        store.list("events/")
    assert store.list("events/open/") == ["events/open/a"]


@pytest.mark.parametrize("write", ["put_new", "put", "upload"])
def test_a_full_disk_is_an_error_of_the_store_and_leaves_nothing(
    tmp_path: Path, write: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (tmp_path / KEY).parent.mkdir(parents=True)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(AwsError, match="no space left on device; free some space"):
        CALLS[write](LocalStore(tmp_path), tmp_path)
    assert names_beside(tmp_path / KEY) == []


@pytest.mark.parametrize("refusal", ["EPERM", "EOPNOTSUPP"])
def test_a_file_system_without_hard_links_is_refused(
    tmp_path: Path, refusal: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Path) -> None:
        raise OSError(getattr(errno, refusal), "refused")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    with pytest.raises(ConfigError, match="refuses hard links"):
        LocalStore(tmp_path).put_new(KEY, b"x")
    assert names_beside(tmp_path / KEY) == []


def test_the_umask_decides_who_reads(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        LocalStore(tmp_path).put_new(KEY, b"x")
    finally:
        os.umask(old)
    assert (tmp_path / KEY).stat().st_mode & 0o777 == 0o640


# S3


def test_a_put_new_whose_answer_was_lost_is_still_ours(s3: Any, bucket: str, moto: str) -> None:
    tried = []

    def lose_the_answer(request: Any, **_: Any) -> None:
        tried.append(request.method)
        if len(tried) == 1:
            s3.meta.events.unregister("before-send.s3.PutObject", lose_the_answer)
            with closing(client("s3", region=None, endpoint_url=moto)) as other:
                other.put_object(Bucket=bucket, Key=KEY, Body=b"x")
            s3.meta.events.register("before-send.s3.PutObject", lose_the_answer)
            raise ConnectionClosedError(endpoint_url=request.url)

    s3.meta.events.register("before-send.s3.PutObject", lose_the_answer)
    assert S3Store(s3, bucket).put_new(KEY, b"x")
    assert len(tried) == 2


def test_a_client_waits_and_tries_again_within_bounds(s3: Any) -> None:
    config = s3.meta.config
    assert (config.connect_timeout, config.read_timeout, config.tcp_keepalive) == (5, 60, True)
    assert config.retries == {"mode": "standard", "total_max_attempts": 8}


def test_keys_lie_under_the_prefix(s3: Any, bucket: str) -> None:
    store = S3Store(s3, bucket, "team/audit")
    store.put("events/a", b"x")
    for name in ("team/auditor/a", "team/audit/", "team/audit/.hidden", "team/audit/two  words"):
        s3.put_object(Bucket=bucket, Key=name, Body=b"")
    assert store.list("") == ["events/a"]
    assert s3.get_object(Bucket=bucket, Key="team/audit/events/a")["Body"].read() == b"x"


def test_list_reads_every_page(s3: Any, bucket: str) -> None:
    store = S3Store(s3, bucket, "a")
    keys = [f"events/{number}" for number in range(7)]
    for key in keys:
        store.put(key, b"x")

    def two_at_a_time(params: dict[str, Any], **_: Any) -> None:
        params["MaxKeys"] = 2

    s3.meta.events.register("provide-client-params.s3.ListObjectsV2", two_at_a_time)
    assert store.list("events/") == keys


@each_call
def test_a_missing_bucket_is_an_error_of_the_configuration(s3: Any, tmp_path: Path, call: Call) -> None:
    with pytest.raises(ConfigError, match=r"^s3://no-such-bucket/a/events/.*: NoSuchBucket, .*; create the bucket"):
        call(S3Store(s3, "no-such-bucket", "a"), tmp_path)
    assert set(tmp_path.iterdir()) <= {tmp_path / "source"}


@each_call
def test_an_unreachable_endpoint_is_an_error_of_the_store_within_seconds(tmp_path: Path, call: Call) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    started = time.monotonic()
    with closing(client("s3", region=None, endpoint_url=f"http://127.0.0.1:{port}", attempts=2)) as unreachable:
        store = S3Store(unreachable, "bucket")
        with pytest.raises(AwsError, match=r"Could not connect to the endpoint.*; check the network"):
            call(store, tmp_path)
    assert time.monotonic() - started < 5


# Which store a name stands for


def test_a_name_opens_its_store(bucket: str, moto: str, tmp_path: Path) -> None:
    for archive in (str(tmp_path / "archive"), f"s3://{bucket}/a/b", f"s3://{bucket}/a/b/", f"s3://{bucket}"):
        store = open_store(archive, endpoint=moto, region="us-east-1", expected_bucket_owner=OWNER)
        assert store.url == archive.removesuffix("/")
        assert store.put_new(KEY, b"x")
        assert store.get(KEY) == b"x"


def test_a_local_archive_never_loads_boto3(tmp_path: Path) -> None:
    text = (
        "import sys; from pipelines.store import open_store\n"
        "open_store(sys.argv[1]).put_new('a', b'x'); sys.exit('boto3' in sys.modules or 'botocore' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", text, tmp_path]).returncode == 0


@pytest.mark.parametrize("archive", ["gs://bucket/a", "http://host/a", "file:///a", "s3:/bucket/a", "S3://bucket"])
def test_a_name_in_another_scheme_is_a_usage_error(archive: str) -> None:
    with pytest.raises(
        ConfigError, match=r"^--archive '.*': a name in \w+: found; a folder or s3://bucket/prefix expected"
    ):
        open_store(archive, region="us-east-1")


@pytest.mark.parametrize(
    "archive",
    ["", " ", "s3://", "s3:///a", "s3://ab", "s3://Bucket/a", "s3://a_b_c/a", "s3://a..b/a", "s3://10.0.0.1/a",
     "s3://bucket//a", "s3://bucket/../a", "s3://bucket/a b"],
)  # fmt: skip
def test_a_name_that_is_no_archive_is_a_usage_error(archive: str) -> None:
    with pytest.raises(ConfigError, match=r"^--archive '.*': .* found; .* expected"):
        open_store(archive, region="us-east-1")


@pytest.mark.parametrize("owner", ["", "acme", "1234567890123", "12345678901"])
def test_an_owner_that_is_no_account_is_a_usage_error(owner: str) -> None:
    with pytest.raises(ConfigError, match="12 digits"):
        open_store("s3://bucket/a", region="us-east-1", expected_bucket_owner=owner)


@pytest.mark.parametrize(
    "endpoint", ["http://127.0.0.1:9", "http://127.8.8.8:9", "https://localhost:9", "http://[::1]"]
)
def test_an_endpoint_on_this_machine_is_taken(endpoint: str) -> None:
    with closing(client("s3", region=None, endpoint_url=endpoint)) as made:
        assert made.meta.endpoint_url == endpoint


@pytest.mark.parametrize(
    "endpoint",
    ["http://10.0.0.1", "https://s3.example.com", "http://127.0.0.1.example.com", "http://localhost.example.com",
     "http://user:hunter2@127.0.0.1", "ftp://127.0.0.1", "http://[::1", "http://0.0.0.0", "127.0.0.1:9000", ""],
)  # fmt: skip
def test_an_endpoint_on_another_machine_is_a_usage_error(endpoint: str) -> None:
    with pytest.raises(ConfigError, match="loopback") as refused:
        open_store("s3://bucket/a", region="us-east-1", endpoint=endpoint)
    assert "hunter2" not in str(refused.value)


def test_an_endpoint_of_the_environment_is_not_heeded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://s3.example.com")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "https://s3.example.com")
    with closing(client("s3", region="eu-west-1")) as made:
        assert made.meta.endpoint_url == "https://s3.eu-west-1.amazonaws.com"


def test_a_local_server_is_reached_without_the_proxy(bucket: str, moto: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with closing(client("s3", region=None, endpoint_url=moto, attempts=1)) as made:
        S3Store(made, bucket).put(KEY, b"x")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("AWS_DEFAULT_REGION", None, "no region found; set region .* or AWS_REGION$"),
        (
            "AWS_ACCESS_KEY_ID",
            None,
            "credentials; give this job a role .* or AWS_ACCESS_KEY_ID and AWS_",
        ),
        ("AWS_SECRET_ACCESS_KEY", None, "credentials.*; give this job a role"),
        ("AWS_PROFILE", "nobody", "profile .* could not be found; correct AWS_PROFILE, or"),
        ("AWS_DEFAULT_REGION", "not a region", "region"),
    ],
    ids=["no region", "no key", "half a key", "no such profile", "no such region"],
)
def test_missing_settings_are_a_usage_error(
    name: str, value: str | None, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(name, raising=False)
    if value is not None:
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=f"^--archive s3://bucket/a: .*{message}"):
        open_store("s3://bucket/a")
