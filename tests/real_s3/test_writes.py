"""Who wins a commit, and by what requests objects go up and come down."""

from __future__ import annotations

import re
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from real_s3.servers import Server
from real_s3.tearing import tearing
from real_s3.test_claims import KEY, LARGE, winners

from pipelines.aws.s3 import S3Store
from pipelines.aws.session import client
from pipelines.store import ObjectStore

ROUNDS = 40


def test_a_second_write_is_answered_by_412(raw: Any) -> None:
    raw.put_object(Bucket="archives", Key="second", Body=b"one", IfNoneMatch="*")
    with pytest.raises(ClientError) as refused:
        raw.put_object(Bucket="archives", Key="second", Body=b"two", IfNoneMatch="*")
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 412
    assert raw.get_object(Bucket="archives", Key="second")["Body"].read() == b"one"


def test_one_of_eight_writers_wins_each_of_forty_commits(server: Server, store: ObjectStore) -> None:
    if not server.one_winner:
        pytest.skip("it looks whether there is an object, then writes: both writers of a race can be told they won")
    for generation in range(ROUNDS):
        key = f"events/_commit-{generation}.json"
        (body,) = winners(store, key)
        assert store.get(key) == body


def test_writers_one_after_another_have_one_winner(store: ObjectStore) -> None:
    # All that a server promises that checks and then writes: Swift told several of 8 simultaneous writers that they
    # had won in more than half of 40 rounds (16 of 40 had one winner). An archive there is for one run at a time
    for generation in range(4):
        key = f"events/_commit-{generation}.json"
        assert [store.put_new(key, f"writer {n}".encode()) for n in range(8)] == [True] + 7 * [False]
        assert store.get(key) == b"writer 0"


@pytest.mark.usefixtures("server")
def test_a_large_file_is_no_multipart_upload(raw: Any, tmp_path: Path) -> None:
    asked: list[tuple[str, str]] = []
    raw.meta.events.register("before-send.s3", lambda request, **_: asked.append((request.method, request.url)))
    body = LARGE * 4
    (tmp_path / "large").write_bytes(body)
    assert S3Store(raw, "archives", "large").upload(KEY, tmp_path / "large")
    ((method, url),) = asked
    assert (method, url.partition("?")[2]) == ("PUT", "")
    assert "Uploads" not in raw.list_multipart_uploads(Bucket="archives")
    stored = raw.head_object(Bucket="archives", Key=f"large/{KEY}")
    assert stored["ContentLength"] == len(body)
    assert "-" not in stored["ETag"]


def test_a_torn_download_goes_on_where_it_tore(
    server: Server, store: ObjectStore, archive: str, tmp_path: Path
) -> None:
    store.put(KEY, LARGE)
    with (
        tearing(server.endpoint, 2_000_000) as endpoint,
        closing(client("s3", region=None, endpoint_url=endpoint)) as s3,
    ):
        asked: list[tuple[str, bool]] = []

        def note(request: Any, **_: Any) -> None:
            asked.append((_text(request.headers.get("Range", "")), "If-Match" in request.headers))

        s3.meta.events.register("before-send.s3", note)
        torn = S3Store(s3, "archives", archive.rpartition("/")[2])
        assert torn.download(KEY, tmp_path / "copy") == sha256(LARGE).hexdigest()
    assert (tmp_path / "copy").read_bytes() == LARGE
    (first, second) = asked
    assert first == ("", False)
    start = re.fullmatch(rf"bytes=(\d+)-{len(LARGE) - 1}", second[0])
    assert start
    assert 1_000_000 < int(start[1]) <= 2_000_000
    assert second[1]


def test_an_object_replaced_while_it_came_is_fetched_anew(
    server: Server, store: ObjectStore, archive: str, tmp_path: Path
) -> None:
    store.put(KEY, LARGE)
    with (
        tearing(server.endpoint, 2_000_000) as endpoint,
        closing(client("s3", region=None, endpoint_url=endpoint)) as s3,
    ):
        prefix = archive.rpartition("/")[2]
        torn = S3Store(s3, "archives", prefix, pause=lambda _: store.put(KEY, LARGE[::-1]))
        assert torn.download(KEY, tmp_path / "copy") == sha256(LARGE[::-1]).hexdigest()
    assert (tmp_path / "copy").read_bytes() == LARGE[::-1]


def _text(header: str | bytes) -> str:
    return header.decode() if isinstance(header, bytes) else header
