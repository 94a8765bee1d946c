"""What S3Store says over the wire: every request of every call, as a server in front of moto hears it."""

from __future__ import annotations

import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from loopback import running
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from real_s3.test_claims import CALLS, COMMIT, KEY, LARGE
from werkzeug.serving import make_server
from werkzeug.wrappers import Response

from pipelines.aws.s3 import S3Store
from pipelines.aws.session import client
from pipelines.store import ObjectStore, open_store

OWNER = "123456789012"
KMS_KEY = "arn:aws:kms:us-east-1:123456789012:key/0b7a4a3e-6d2c-4d0e-9f1b-2f6f0a3c5d11"
WRITES = ("put_new", "put", "upload")

Call = Callable[[ObjectStore, Path], object]
each_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
each_write = pytest.mark.parametrize("write", WRITES)


@dataclass
class Wire:
    """A server that hears every request and lets moto answer it; some answers tear."""

    endpoint: str = ""
    heard: list[dict[str, str]] = field(default_factory=list)
    """Headers of each request, the method and the query among them."""
    cuts: list[int] = field(default_factory=list)
    """Bytes after which the next bodies break off."""

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        said = {name[5:].replace("_", "-").lower(): v for name, v in environ.items() if name.startswith("HTTP_")}
        self.heard.append(said | {"method": environ["REQUEST_METHOD"], "query": environ["QUERY_STRING"]})
        answer = Response.from_app(self._moto, environ)
        body = answer.get_data()
        if self.cuts and environ["REQUEST_METHOD"] == "GET":
            body = body[: self.cuts.pop(0)]
        start_response(answer.status, [*answer.headers, ("Connection", "close")])
        return [body]

    _moto = DomainDispatcherApplication(create_backend_app)


@pytest.fixture(scope="module")
def server() -> Iterator[Wire]:
    heard = Wire()
    with running(make_server("127.0.0.1", 0, heard, threaded=True)) as heard.endpoint:
        yield heard


@pytest.fixture(scope="module")
def s3(server: Wire) -> Iterator[Any]:
    """The job's client, sent to that server, with an empty bucket of its own."""
    with closing(client("s3", region=None, endpoint_url=server.endpoint)) as made:
        made.create_bucket(Bucket="heard")
        yield made


@pytest.fixture
def wire(server: Wire, s3: Any) -> Wire:
    """The server, which has heard nothing yet; KEY holds something."""
    s3.put_object(Bucket="heard", Key=KEY, Body=b"other")
    s3.delete_object(Bucket="heard", Key=COMMIT)
    server.heard.clear()
    server.cuts.clear()
    return server


def digest(body: bytes) -> str:
    return b64encode(sha256(body).digest()).decode()


def said(wire: Wire, header: str) -> set[str | None]:
    assert wire.heard
    return {request.get(header) for request in wire.heard}


def writes(wire: Wire) -> Sequence[dict[str, str]]:
    return [request for request in wire.heard if request["method"] != "GET"]


@each_call
@pytest.mark.parametrize("owner", [OWNER, None])
def test_the_expected_owner_goes_with_every_request(
    s3: Any, wire: Wire, tmp_path: Path, call: Call, owner: str | None
) -> None:
    call(S3Store(s3, "heard", expected_bucket_owner=owner), tmp_path)
    assert said(wire, "x-amz-expected-bucket-owner") == {owner}


def test_the_expected_owner_goes_with_a_probe(s3: Any, wire: Wire) -> None:
    S3Store(s3, "heard", expected_bucket_owner=OWNER).probe()
    assert len(wire.heard) == 2
    assert said(wire, "x-amz-expected-bucket-owner") == {OWNER}


@each_call
def test_every_request_says_who_asks(s3: Any, wire: Wire, tmp_path: Path, call: Call) -> None:
    call(S3Store(s3, "heard"), tmp_path)
    assert all("app/auditforest" in (agent or "") for agent in said(wire, "user-agent"))


@each_write
def test_a_write_is_one_put_with_its_digest_and_its_condition(s3: Any, wire: Wire, tmp_path: Path, write: str) -> None:
    CALLS[write](S3Store(s3, "heard", "empty"), tmp_path)
    s3.delete_object(Bucket="heard", Key=f"empty/{KEY}")
    sent, _ = writes(wire)
    assert (sent["method"], sent["query"]) == ("PUT", "")
    assert sent["x-amz-checksum-sha256"] == digest(b"x")
    assert sent.get("if-none-match") == (None if write == "put" else "*")


@each_write
@pytest.mark.parametrize("key", [KMS_KEY, None], ids=["key", "no key"])
def test_a_key_of_ours_encrypts_every_write(s3: Any, wire: Wire, tmp_path: Path, write: str, key: str | None) -> None:
    CALLS[write](S3Store(s3, "heard", kms_key=key), tmp_path)
    for sent in writes(wire):
        assert sent.get("x-amz-server-side-encryption") == (key and "aws:kms")
        assert sent.get("x-amz-server-side-encryption-aws-kms-key-id") == key
    assert writes(wire)


def test_a_name_opens_a_store_with_its_owner_and_its_key(wire: Wire, tmp_path: Path) -> None:
    store = open_store(
        "s3://heard/a", endpoint=wire.endpoint, region="us-east-1", expected_bucket_owner=OWNER, kms_key="alias/ours"
    )
    for call in CALLS.values():
        call(store, tmp_path)
    store.probe()
    assert said(wire, "x-amz-expected-bucket-owner") == {OWNER}
    assert {sent.get("x-amz-server-side-encryption-aws-kms-key-id") for sent in writes(wire)} == {"alias/ours"}


def test_a_large_file_goes_up_in_one_put(s3: Any, wire: Wire, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(LARGE * 4)
    assert S3Store(s3, "heard").upload(COMMIT, tmp_path / "large")
    (sent,) = wire.heard
    assert (sent["method"], sent["query"], sent["if-none-match"]) == ("PUT", "", "*")
    assert sent["x-amz-checksum-sha256"] == digest(LARGE * 4)


def test_a_torn_download_asks_only_for_what_is_missing(s3: Any, wire: Wire, tmp_path: Path) -> None:
    stored = s3.put_object(Bucket="heard", Key=COMMIT, Body=LARGE, ChecksumAlgorithm="SHA256")
    wire.heard.clear()
    wire.cuts += [2_000_000, 1]
    store = S3Store(s3, "heard", pause=lambda _: None)
    assert store.download(COMMIT, tmp_path / "copy") == sha256(LARGE).hexdigest()
    assert (tmp_path / "copy").read_bytes() == LARGE
    last = len(LARGE) - 1
    assert [request.get("range") for request in wire.heard] == [
        None,
        f"bytes=2000000-{last}",
        f"bytes=2000001-{last}",
    ]
    assert [request.get("if-match") for request in wire.heard] == [None, stored["ETag"], stored["ETag"]]


def test_an_object_replaced_while_it_is_fetched_is_fetched_anew(s3: Any, wire: Wire, tmp_path: Path) -> None:
    s3.put_object(Bucket="heard", Key=COMMIT, Body=LARGE)
    wire.cuts.append(1_500_000)

    def replace(_: float) -> None:
        s3.put_object(Bucket="heard", Key=COMMIT, Body=LARGE[::-1])

    store = S3Store(s3, "heard", pause=replace)
    assert store.download(COMMIT, tmp_path / "copy") == sha256(LARGE[::-1]).hexdigest()
    assert (tmp_path / "copy").read_bytes() == LARGE[::-1]


@pytest.mark.usefixtures("wire")
@pytest.mark.parametrize("archive", ["s3://heard/large", "archive"])
def test_a_large_file_takes_no_memory(moto: str, tmp_path: Path, archive: str) -> None:
    """32 MB go up, are compared and come back, in a process of their own."""
    text = """
import sys, tracemalloc
from pathlib import Path
from pipelines.store import open_store
archive, endpoint, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
store = open_store(archive, endpoint=endpoint, region="us-east-1")
store.put("x", b"what is loaded with the first request does not count")
with (folder / "source").open("wb") as out:
    out.truncate(32 << 20)
tracemalloc.start()
assert store.upload("a", folder / "source")
assert store.upload("a", folder / "source")
assert store.download("a", folder / "copy")
print(tracemalloc.get_traced_memory()[1])
assert (folder / "copy").stat().st_size == 32 << 20
"""
    where = archive if "://" in archive else str(tmp_path / archive)
    command = [sys.executable, "-c", text, where, moto, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 8 << 20
