"""Reading objects over a bad line: a server on loopback tears, replaces, forges and refuses."""

from __future__ import annotations

import gzip
import io
import random
import re
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import md5, sha256
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import escape

import pyarrow as pa
import pytest
from loopback import serving

from pipelines.aws.objects import Bucket, Listed
from pipelines.aws.session import client
from pipelines.errors import AwsError, ConfigError, DataError
from pipelines.sources.base import Batch
from pipelines.sources.objects import open_objects

BODY = bytes(random.Random(7).randbytes(300_000))
OWNER = "123456789012"
WINDOW = (0, 86_400_000)


def etag(body: bytes) -> str:
    return f'"{md5(body, usedforsecurity=False).hexdigest()}"'


@dataclass
class Shelf:
    """A bucket's objects and what goes wrong next: `faults` are taken by the next requests for an object, `pages`
    by the next listings."""

    objects: dict[str, bytes] = field(default_factory=lambda: {"logs/a": BODY})
    faults: list[tuple[Any, ...]] = field(default_factory=list)
    pages: list[str] = field(default_factory=list)
    seen: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    meet: threading.Barrier | None = None
    page_size: int = 1000

    def gets(self) -> list[dict[str, str]]:
        """The headers of each request for an object."""
        return [headers for path, headers in self.seen if "list-type" not in path]

    def listing(self, query: dict[str, list[str]]) -> str:
        if self.pages:
            return self.pages.pop(0)
        start = int(query.get("continuation-token", ["0"])[0])
        keys = sorted(key for key in self.objects if key.startswith(query["prefix"][0]))
        end = start + self.page_size
        more = f"<NextContinuationToken>{end}</NextContinuationToken>" if end < len(keys) else ""
        found = "".join(entry(key, self.objects[key]) for key in keys[start:end])
        return page(found + more, truncated=bool(more))


def entry(key: str, body: bytes) -> str:
    return (
        f"<Contents><Key>{quote(key)}</Key><LastModified>2026-09-16T00:10:00.000Z</LastModified>"
        f"<ETag>{escape(etag(body))}</ETag><Size>{len(body)}</Size></Contents>"
    )


def page(found: str, *, truncated: bool = False) -> str:
    """A page of a listing whose keys are encoded, as the client asks for."""
    head = f"<EncodingType>url</EncodingType><IsTruncated>{str(truncated).lower()}</IsTruncated>"
    return f"<ListBucketResult>{head}{found}</ListBucketResult>"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    shelf: Shelf

    def do_GET(self) -> None:
        path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query, keep_blank_values=True)
        self.shelf.seen.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
        if "list-type" in query:
            return self.send(200, self.shelf.listing(query).encode(), {})
        if self.shelf.meet:
            self.shelf.meet.wait()
        fault, *told = self.shelf.faults.pop(0) if self.shelf.faults else ("none",)
        key = unquote(path).partition("/bucket/")[2]
        if fault == "replace":
            self.shelf.objects[key] = told[0]
        if fault == "refuse":
            return self.refuse(*told)
        if fault == "page":
            # as long as the object, the worst case
            return self.send(200, b"<html>".ljust(len(self.shelf.objects[key])), {})
        return self.stored(self.shelf.objects[key], fault, *told)

    def stored(self, body: bytes, fault: str, *told: Any) -> None:
        if self.headers["If-Match"] != etag(body):
            return self.refuse(412, "PreconditionFailed")
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(asked[1]) if asked and fault != "whole" else 0
        headers = {"ETag": etag(body)}
        if fault == "flip":
            headers["x-amz-checksum-sha256"] = b64encode(sha256(body).digest()).decode()
            body = body[:-1] + bytes([body[-1] ^ 1])
        if start or fault == "shifted":
            headers["Content-Range"] = f"bytes {start - (fault == 'shifted')}-{len(body) - 1}/{len(body)}"
        part = body[start:]
        if fault == "short":
            return self.send(206 if start else 200, part[: told[0]], headers)
        return self.send(206 if start else 200, part, headers, told[0] if fault == "cut" else None)

    def refuse(self, status: int, code: str) -> None:
        self.send(status, f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode(), {})

    def send(self, status: int, body: bytes, headers: dict[str, str], sent: int | None = None) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body[:sent])

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture(scope="module")
def line() -> Iterator[Any]:
    """A client of a server that shows whatever shelf the test of the moment has set up."""
    with serving(Handler) as endpoint, closing(client("s3", region=None, endpoint_url=endpoint, attempts=1)) as made:
        yield made


@pytest.fixture
def s3(line: Any, shelf: Shelf) -> Any:
    Handler.shelf = shelf
    return line


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def bucket(s3: Any, pauses: list[float]) -> Bucket:
    return Bucket(s3, "bucket", OWNER, pause=pauses.append)


def found(key: str = "logs/a", body: bytes = BODY) -> Listed:
    return Listed(key, len(body), etag(body), datetime(2026, 9, 16, tzinfo=UTC))


def read(bucket: Bucket, one: Listed, portion: int = 65_536) -> bytes:
    with bucket.open(one) as raw:
        return b"".join(iter(lambda: raw.read(portion), b""))


# Bodies


@pytest.mark.parametrize("portion", [1, 1000, 1 << 22])
def test_an_object_is_read_as_it_was_stored(portion: int, bucket: Bucket) -> None:
    assert read(bucket, found(), portion) == BODY


def test_a_stored_gzip_is_not_inflated_on_the_way(bucket: Bucket, shelf: Shelf) -> None:
    packed = gzip.compress(b"{}\n")
    shelf.objects["logs/a"] = packed
    assert read(bucket, found(body=packed)) == packed


@pytest.mark.parametrize("at", [0, 1, 150_000, len(BODY) - 1])
def test_a_body_cut_anywhere_is_read_whole(at: int, bucket: Bucket, shelf: Shelf, pauses: list[float]) -> None:
    shelf.faults = [("cut", at)]
    assert read(bucket, found()) == BODY
    first, second = shelf.gets()
    assert first.get("range") is None
    assert second.get("range") == (f"bytes={at}-" if at else None)
    assert first["if-match"] == second["if-match"] == etag(BODY)
    assert pauses == [0.1]


def test_a_body_cut_again_and_again_is_read_from_where_it_tore(bucket: Bucket, shelf: Shelf) -> None:
    shelf.faults = [("cut", n) for n in (70_000, 50_000, 0, 1, 100_000)]
    assert read(bucket, found()) == BODY
    starts = [headers.get("range") for headers in shelf.gets()]
    assert starts == [None, *(f"bytes={n}-" for n in (70_000, 120_000, 120_000, 120_001, 220_001))]


def test_a_large_object_may_tear_more_often(bucket: Bucket, shelf: Shelf) -> None:
    large = BODY * 40
    shelf.objects["logs/a"] = large
    shelf.faults = [("cut", 1_100_000)] * 10
    assert read(bucket, found(body=large)) == large


@pytest.mark.parametrize("before", [[], [("cut", 1000)]], ids=["at once", "in the middle"])
@pytest.mark.parametrize(
    "fault",
    [("cut", 0), ("cut", 10_000), ("page",), ("short", 0), ("short", 5), ("shifted",)],
    ids=["cut at 0", "cut in the middle", "a proxy's page", "empty", "a shorter body", "another range"],
)
def test_an_object_torn_each_time_is_a_data_error_and_never_short(
    before: list[tuple[Any, ...]], fault: tuple[Any, ...], bucket: Bucket, shelf: Shelf, pauses: list[float]
) -> None:
    shelf.faults = [*before, *[fault] * 100]
    with pytest.raises(DataError, match=r"^s3://bucket/logs/a: a torn body in each of 6 answers found at byte \d+ of"):
        read(bucket, found())
    assert len(shelf.gets()) == 6
    assert sum(pauses) == pytest.approx(3.1)


def test_a_body_that_ends_early_without_a_word_is_torn(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket, "part", lambda *_: io.BytesIO())
    with pytest.raises(DataError, match="a torn body in each of 6 answers found at byte 0"):
        read(bucket, found())


def test_the_whole_object_in_place_of_its_rest_is_refused(bucket: Bucket, shelf: Shelf) -> None:
    shelf.faults = [("cut", 1000), ("whole",)]
    assert read(bucket, found()) == BODY
    assert len(shelf.gets()) == 3


def test_a_flipped_byte_is_a_data_error(bucket: Bucket, shelf: Shelf) -> None:
    shelf.faults = [("flip",)]
    with pytest.raises(DataError, match=r"^s3://bucket/logs/a: bytes that do not fit its stored checksum"):
        read(bucket, found())


@pytest.mark.parametrize("before", [[], [("cut", 1000)]], ids=["after its listing", "while it is read"])
@pytest.mark.parametrize("fault", [("replace", b"other"), ("refuse", 404, "NoSuchKey")], ids=["replaced", "removed"])
def test_an_object_that_changes_is_a_data_error(
    before: list[tuple[Any, ...]], fault: tuple[Any, ...], bucket: Bucket, shelf: Shelf
) -> None:
    shelf.faults = [*before, fault]
    with pytest.raises(
        DataError, match=r"^s3://bucket/logs/a: replaced or removed while it was read .*as it was listed"
    ):
        read(bucket, found())
    assert len(shelf.gets()) == 1 + len(before)


@pytest.mark.parametrize(
    ("status", "code", "mend"),
    [
        (403, "AccessDenied", "s3:ListBucket on the bucket, s3:GetObject .* kms:Decrypt .* expected owner"),
        (403, "InvalidObjectState", "restore the object"),
        (503, "SlowDown", "run again later"),
    ],
)
def test_a_refusal_says_what_mends_it(status: int, code: str, mend: str, bucket: Bucket, shelf: Shelf) -> None:
    shelf.faults = [("refuse", status, code)]
    with pytest.raises(AwsError, match=rf"^s3://bucket/logs/a: {code}, no; .*{mend}"):
        read(bucket, found())


def test_every_request_names_the_expected_owner(s3: Any, shelf: Shelf) -> None:
    shelf.page_size, shelf.faults = 1, [("cut", 1000)]
    shelf.objects["logs/b"] = BODY
    for one in open_objects(s3, "s3://bucket/logs", WINDOW, owner=OWNER, apart_from=None).objects:
        with one.open() as reading:
            list(reading.batches())
    assert len(shelf.seen) == 5
    assert {headers["x-amz-expected-bucket-owner"] for _, headers in shelf.seen} == {OWNER}


@pytest.mark.parametrize(
    "pack", [lambda body: body, gzip.compress, lambda body: pa.compress(body, "zstd", asbytes=True)],
    ids=["plain", "gzip", "zstd"],
)  # fmt: skip
def test_a_torn_object_is_named_whatever_it_is_packed_in(pack: Callable[[bytes], bytes], s3: Any, shelf: Shelf) -> None:
    shelf.objects["logs/a"] = pack(random.Random(1).randbytes(9_000_000))
    (one,) = open_objects(s3, "s3://bucket/logs", WINDOW, owner=None, apart_from=None).objects
    shelf.faults = [("cut", 5_000_000), ("replace", b"other")]
    with pytest.raises(DataError, match=r"^s3://bucket/logs/a: replaced"), one.open() as reading:
        list(reading.batches())


# Listings


def test_all_pages_of_a_listing_are_read(bucket: Bucket, shelf: Shelf) -> None:
    shelf.page_size = 3
    shelf.objects = {f"logs/{n:02d}": BODY for n in range(10)}
    assert [one.key for one in bucket.listing("logs/")] == sorted(shelf.objects)
    assert len(shelf.seen) == 4


TORN = {
    "without an end": "<ListBucketResult></ListBucketResult>",
    "without a token": "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
    "a proxy's page": "<html>welcome</html>",
    "nothing": "",
    "without a size": page("<Contents><Key>logs/a</Key></Contents>"),
}
torn_pages = pytest.mark.parametrize("torn", TORN.values(), ids=TORN)


@torn_pages
def test_a_torn_page_is_asked_for_again(torn: str, bucket: Bucket, shelf: Shelf) -> None:
    shelf.page_size = 1
    shelf.objects = {"logs/a": BODY, "logs/b": BODY}
    shelf.pages = [torn, torn]
    assert [one.key for one in bucket.listing("logs/")] == ["logs/a", "logs/b"]


@torn_pages
def test_a_listing_torn_each_time_is_an_error_and_never_short(torn: str, bucket: Bucket, shelf: Shelf) -> None:
    shelf.pages = [page("<NextContinuationToken>1</NextContinuationToken>", truncated=True), *[torn] * 100]
    with pytest.raises(AwsError, match=r"^s3://bucket/logs/: a listing without an end in 6 answers"):
        list(bucket.listing("logs/"))


@pytest.mark.parametrize(
    "torn", ["<html>welcome<br></html>", page("")[:-1], page("")[:60]], ids=["html", "cut", "half"]
)
def test_a_page_that_is_no_xml_is_an_error_and_no_end(torn: str, bucket: Bucket, shelf: Shelf) -> None:
    shelf.pages = [page("<NextContinuationToken>1</NextContinuationToken>", truncated=True), torn]
    with pytest.raises(AwsError, match=r"^s3://bucket/logs/: 500, "):
        list(bucket.listing("logs/"))


def test_a_listing_that_goes_round_in_circles_is_an_error(bucket: Bucket, shelf: Shelf) -> None:
    shelf.pages = [page(f"<NextContinuationToken>{n}</NextContinuationToken>", truncated=True) for n in (1, 2, 1)] * 9
    with pytest.raises(AwsError, match=r"^s3://bucket/logs/: a listing that begins again"):
        list(bucket.listing("logs/"))


def test_a_refused_listing_is_an_error(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Handler, "do_GET", lambda self: self.refuse(403, "AccessDenied"))
    with pytest.raises(AwsError, match=r"^s3://bucket/logs/: AccessDenied, no; "):
        list(bucket.listing("logs/"))


# Source objects


def objects(s3: Any) -> Any:
    return open_objects(s3, "s3://bucket/logs", WINDOW, owner=None, apart_from=None).objects


def content(one: Any) -> bytes:
    with one.open() as reading:
        data = b"".join(batch.data for batch in reading.batches() if isinstance(batch, Batch))
    assert reading.stored_bytes == one.size
    return data


def settled() -> None:
    """Wait until nothing is fetched ahead any more."""
    for thread in threading.enumerate():
        if thread.name.startswith("read ahead"):
            thread.join()


def test_names_and_errors_hold_nothing_that_does_not_print(s3: Any, shelf: Shelf) -> None:
    keys = ["a b", "a\u202eb", "a\\u202eb", "a\x1b[2Jb", "a\nb", "é", "日本"]
    shelf.objects = {f"logs/{key}": BODY for key in keys}
    made = objects(s3)
    names = [one.name for one in made]
    assert all(name.isprintable() for name in names)
    assert len(set(names)) == len(keys)
    assert names == sorted(names)
    assert {"a b", r"a\u202eb", r"a\\u202eb", r"a\nb", "é", "日本"} <= set(names)
    shelf.objects = dict.fromkeys(shelf.objects, b"other")
    for one in made:
        with pytest.raises(DataError, match=r"^s3://bucket/logs/") as refused:
            content(one)
        assert str(refused.value).isprintable()


def test_eight_small_objects_are_fetched_at_a_time(s3: Any, shelf: Shelf) -> None:
    shelf.objects = {f"logs/{n:03d}": b"%d\n" % n for n in range(24)}
    # nobody is answered before eight have asked
    shelf.meet = threading.Barrier(8, timeout=20)
    first, *rest = objects(s3)
    assert content(first) == b"0\n"
    shelf.meet = None
    assert [content(one) for one in rest] == [b"%d\n" % n for n in range(1, 24)]
    assert len(shelf.gets()) == 24


def test_no_more_than_eight_are_kept(s3: Any, shelf: Shelf) -> None:
    shelf.objects = {f"logs/{n:03d}": b"%d\n" % n for n in range(50)}
    made = objects(s3)
    with made[0].open(), made[1].open(), made[2].open():
        pass
    settled()
    assert len(shelf.gets()) == 10


def test_a_large_object_is_not_fetched_ahead(s3: Any, shelf: Shelf) -> None:
    large = random.Random(3).randbytes(9 << 20).replace(b"\n", b" ") + b"\n"
    shelf.objects = {"logs/1": b"1\n", "logs/2": large, "logs/3": b"3\n"}
    one, two, three = objects(s3)
    assert content(one) == b"1\n"
    settled()
    assert not any("logs/2" in path for path, _ in shelf.seen)
    assert content(two) == large
    assert content(three) == b"3\n"


def test_objects_may_be_opened_in_any_order_and_again(s3: Any, shelf: Shelf) -> None:
    shelf.objects = {f"logs/{n:03d}": b"%d\n" % n for n in range(12)}
    made = objects(s3)
    for n in (11, 3, 3, 0, 7, 0, 4):
        assert content(made[n]) == b"%d\n" % n


def test_an_error_of_an_object_ahead_is_raised_where_it_is_opened(s3: Any, shelf: Shelf) -> None:
    shelf.objects = {f"logs/{n}": b"%d\n" % n for n in range(3)}
    made = objects(s3)
    shelf.objects["logs/2"] = b"other"
    assert [content(one) for one in made[:2]] == [b"0\n", b"1\n"]
    with pytest.raises(DataError, match=r"^s3://bucket/logs/2: replaced"):
        content(made[2])


@pytest.mark.parametrize(("status", "code"), [(404, "NoSuchBucket"), (400, "InvalidBucketName")])
def test_a_bucket_that_is_not_there_is_a_matter_of_the_configuration(
    status: int, code: str, bucket: Bucket, s3: Any, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf.faults = [("refuse", status, code)]
    with pytest.raises(ConfigError, match=rf"^s3://bucket/logs/a: {code}, no; .*(correct its name|bucket's name)"):
        read(bucket, found())
    monkeypatch.setattr(Handler, "do_GET", lambda self: self.refuse(status, code))
    with pytest.raises(ConfigError, match=rf"^s3://bucket/logs/: {code}, no; "):
        objects(s3)
