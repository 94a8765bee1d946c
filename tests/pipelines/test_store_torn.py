"""S3Store and answers that are refused, torn, contested or not the store's: never short, never for ever."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from real_s3.test_claims import CALLS, KEY
from s3_server import Answer, scripted_server

from pipelines.aws.s3 import S3Store
from pipelines.aws.session import client
from pipelines.errors import AwsError, ConfigError, DataError

Scripted = Callable[..., tuple[S3Store, list[str]]]

CONFLICT = Answer.error(409, "ConditionalRequestConflict")
FAILED = Answer.error(412, "PreconditionFailed")
MISSING = Answer.error(404, "NoSuchKey")
PAGE = Answer(body=b"<html>welcome</html>", headers={})


def digest(body: bytes) -> str:
    return b64encode(sha256(body).digest()).decode()


@pytest.fixture(scope="module")
def aimed() -> Iterator[tuple[Any, list[str]]]:
    """A client for all servers of this file, for making one takes long, and the endpoint it is to ask, at the end."""
    endpoints: list[str] = []

    def aim(request: Any, **_: Any) -> None:
        request.url = request.url.replace("http://127.0.0.1:1", endpoints[-1])

    with closing(client("s3", region="us-east-1", endpoint_url="http://127.0.0.1:1", attempts=1)) as made:
        made.meta.events.register("before-sign.s3", aim)
        yield made, endpoints


@pytest.fixture
def scripted(aimed: tuple[Any, list[str]]) -> Iterator[Scripted]:
    """Makes a store over a server that gives these answers, and the methods it was asked; pauses take no time."""
    made, endpoints = aimed
    with ExitStack() as stack:

        def make(*answers: Answer) -> tuple[S3Store, list[str]]:
            endpoint, asked = stack.enter_context(scripted_server(*answers))
            endpoints.append(endpoint)
            return S3Store(made, "bucket", pause=lambda _: None), asked

        yield make


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file of one byte, x."""
    path = tmp_path / "a file"
    path.write_bytes(b"x")
    return path


REFUSALS = {
    "AccessDenied": (403, "s3:PutObject"),
    "ExpiredToken": (400, "renew the credentials"),
    "RequestTimeTooSkewed": (403, "the service's clock says .* GMT.*set this machine's clock"),
    "InvalidAccessKeyId": (403, "check the access key"),
    "SignatureDoesNotMatch": (403, "check the secret key"),
    "SlowDown": (503, "run again later"),
    "InternalError": (500, "run again later"),
    "ThisIsNew": (400, "look the code up"),
}


@pytest.mark.parametrize("code", REFUSALS)
def test_a_refusal_says_what_mends_it(scripted: Scripted, tmp_path: Path, code: str) -> None:
    status, mend = REFUSALS[code]
    store, _ = scripted(Answer.error(status, code))
    for call in CALLS.values():
        with pytest.raises(AwsError, match=rf"^s3://bucket/events/.*: {code}, {code} it is.*; ") as refused:
            call(store, tmp_path)
        refused.match(mend)


TORN = {
    "cut at 0": Answer(body=b"", promised=4),
    "cut at 3": Answer(body=b"bod", promised=4),
    "a proxy's page": Answer(body=b"<html>", headers={}),
    "a flipped byte": Answer(body=b"bodx", headers={"ETag": '"0"', "x-amz-checksum-sha256": digest(b"body")}),
}


@pytest.mark.parametrize("torn", TORN.values(), ids=TORN)
def test_a_torn_body_is_asked_for_again(scripted: Scripted, torn: Answer) -> None:
    store, asked = scripted(torn, torn, Answer(body=b"body"))
    assert store.get(KEY) == b"body"
    assert asked == ["GET"] * 3


@pytest.mark.parametrize("torn", TORN.values(), ids=TORN)
def test_a_body_torn_each_time_is_a_data_error(scripted: Scripted, torn: Answer) -> None:
    store, asked = scripted(torn)
    with pytest.raises(DataError, match=f"^s3://bucket/{KEY}: a damaged body in each of 6 answers"):
        store.get(KEY)
    assert asked == ["GET"] * 6


@pytest.mark.parametrize("torn", TORN.values(), ids=TORN)
def test_a_torn_download_is_whole_in_the_end(scripted: Scripted, tmp_path: Path, torn: Answer) -> None:
    store, asked = scripted(torn, torn, Answer(body=b"body"))
    assert store.download(KEY, tmp_path / "copy") == sha256(b"body").hexdigest()
    assert (tmp_path / "copy").read_bytes() == b"body"
    assert asked == ["GET"] * 3


@pytest.mark.parametrize("torn", TORN.values(), ids=TORN)
def test_a_download_torn_each_time_is_a_data_error_and_no_file(
    scripted: Scripted, tmp_path: Path, torn: Answer
) -> None:
    store, asked = scripted(torn)
    with pytest.raises(DataError, match=f"^s3://bucket/{KEY}: a damaged body in each of 6 answers"):
        store.download(KEY, tmp_path / "copy")
    assert asked == ["GET"] * 6
    assert list(tmp_path.iterdir()) == []


def part(body: bytes, span: str, etag: str = '"0"', **more: str) -> Answer:
    return Answer(206, body, {"ETag": etag, "Content-Range": span} | more)


RESUMED = {
    "the rest": ([part(b"dy", "bytes 2-3/4")], 2),
    "the rest in two pieces": ([replace(part(b"d", "bytes 2-3/4"), promised=2)], 3),
    "all of it again": ([Answer(body=b"body")], 2),
    "another object meanwhile": ([FAILED, Answer(body=b"body")], 3),
    "a shorter object meanwhile": ([Answer.error(416, "InvalidRange"), Answer(body=b"body")], 3),
    "another object, unasked": ([part(b"DY", "bytes 2-3/4", '"1"'), Answer(body=b"body")], 3),
    "another span": ([part(b"ody", "bytes 1-3/4"), Answer(body=b"body")], 3),
    "the wrong bytes": ([part(b"DY", "bytes 2-3/4"), Answer(body=b"body")], 3),
    "a proxy's page": ([PAGE, part(b"dy", "bytes 2-3/4")], 3),
}


@pytest.mark.parametrize(("then", "requests"), RESUMED.values(), ids=RESUMED)
def test_a_download_goes_on_from_where_it_tore_if_it_is_the_same_object(
    scripted: Scripted, tmp_path: Path, then: list[Answer], requests: int
) -> None:
    first = Answer(body=b"bo", promised=4, headers={"ETag": '"0"', "x-amz-checksum-sha256": digest(b"body")})
    rest = part(b"y", "bytes 3-3/4") if requests == 3 and len(then) == 1 else Answer(body=b"no")
    store, asked = scripted(first, *then, rest)
    assert store.download(KEY, tmp_path / "copy") == sha256(b"body").hexdigest()
    assert (tmp_path / "copy").read_bytes() == b"body"
    assert asked == ["GET"] * requests


@pytest.mark.parametrize(
    "meanwhile",
    [[Answer.error(416, "InvalidRange")], [FAILED], [part(b"Y", "bytes 3-3/4", '"1"')], []],
    ids=["416", "412", "a part of it", "all of it"],
)
def test_nothing_of_an_object_stays_when_a_shorter_one_took_its_place(
    scripted: Scripted, tmp_path: Path, meanwhile: list[Answer]
) -> None:
    # Neither has a digest that could tell
    store, _ = scripted(Answer(body=b"bod", promised=4), *meanwhile, Answer(body=b"x", headers={"ETag": '"1"'}))
    assert store.download(KEY, tmp_path / "copy") == sha256(b"x").hexdigest()
    assert (tmp_path / "copy").read_bytes() == b"x"


def test_a_digest_of_digests_is_not_taken_for_the_bodys(scripted: Scripted, tmp_path: Path) -> None:
    headers = {"ETag": '"0-2"', "x-amz-checksum-sha256": f"{digest(b'digests')}-2"}
    store, asked = scripted(Answer(body=b"body", headers=headers))
    assert store.download(KEY, tmp_path / "copy") == sha256(b"body").hexdigest()
    assert asked == ["GET"]


def test_an_object_that_goes_while_it_is_fetched_is_none(scripted: Scripted, tmp_path: Path) -> None:
    store, _ = scripted(Answer(body=b"bo", promised=4), MISSING)
    assert store.download(KEY, tmp_path / "copy") is None
    assert list(tmp_path.iterdir()) == []


def test_an_upload_is_compared_with_all_of_what_stands_there(scripted: Scripted, source: Path) -> None:
    store, asked = scripted(FAILED, Answer(body=b"", promised=1), PAGE, Answer(body=b"x"))
    assert store.upload(KEY, source)
    assert asked == ["PUT", "GET", "GET", "GET"]


def test_an_upload_that_nothing_whole_can_be_compared_with_is_a_data_error(scripted: Scripted, source: Path) -> None:
    store, _ = scripted(FAILED, Answer(body=b"", promised=1))
    with pytest.raises(DataError, match="a damaged body in each of 6 answers"):
        store.upload(KEY, source)


new = pytest.mark.parametrize("write", ["put_new", "upload"])


@new
def test_a_conflict_is_tried_again(scripted: Scripted, tmp_path: Path, write: str) -> None:
    store, asked = scripted(CONFLICT, MISSING, CONFLICT, MISSING, Answer())
    assert CALLS[write](store, tmp_path)
    assert asked == ["PUT", "GET", "PUT", "GET", "PUT"]


@new
@pytest.mark.parametrize("refusal", [CONFLICT, FAILED], ids=["409", "412"])
def test_a_race_that_another_writer_won_is_false(
    scripted: Scripted, tmp_path: Path, write: str, refusal: Answer
) -> None:
    store, asked = scripted(refusal, Answer(body=b"other"))
    assert not CALLS[write](store, tmp_path)
    assert asked == ["PUT", "GET"]


@new
@pytest.mark.parametrize("refusal", [CONFLICT, FAILED], ids=["409", "412"])
def test_a_write_that_was_done_though_its_answer_was_lost_is_true(
    scripted: Scripted, tmp_path: Path, write: str, refusal: Answer
) -> None:
    store, asked = scripted(refusal, Answer(body=b"x"))
    assert CALLS[write](store, tmp_path)
    assert asked == ["PUT", "GET"]


@new
def test_a_conflict_without_end_is_an_error_of_the_store(scripted: Scripted, tmp_path: Path, write: str) -> None:
    store, asked = scripted(*[CONFLICT, MISSING] * 6)
    with pytest.raises(AwsError, match="not written in 6 rounds"):
        CALLS[write](store, tmp_path)
    assert len(asked) == 12


@pytest.mark.parametrize("write", ["put", "put_new", "upload"])
def test_a_write_that_a_proxy_answered_is_not_taken_for_written(scripted: Scripted, tmp_path: Path, write: str) -> None:
    store, asked = scripted(*[PAGE, MISSING][: 1 if write == "put" else 2], Answer())
    CALLS[write](store, tmp_path)
    assert asked[0] == asked[-1] == "PUT"
    assert asked.count("PUT") == 2


def test_an_empty_listing_that_is_no_listing_is_an_error_of_the_store(scripted: Scripted) -> None:
    store, _ = scripted(Answer(headers={}))
    with pytest.raises(AwsError, match="a listing without an end"):
        store.list("")


# Stores that do not heed If-None-Match


@pytest.mark.parametrize("first", [Answer(), FAILED, CONFLICT], ids=["200", "412", "409"])
def test_a_store_that_refuses_the_second_write_passes_the_probe(scripted: Scripted, first: Answer) -> None:
    store, asked = scripted(first, FAILED)
    store.probe()
    assert asked == ["PUT", "PUT"]


def test_an_answer_to_the_probe_that_is_not_the_stores_is_asked_for_again(scripted: Scripted) -> None:
    store, asked = scripted(Answer(), PAGE, PAGE, FAILED)
    store.probe()
    assert asked == ["PUT"] * 4


@pytest.mark.parametrize("first", [Answer(), FAILED], ids=["200", "412"])
def test_a_store_that_takes_the_second_write_is_refused_by_name(scripted: Scripted, first: Answer) -> None:
    store, asked = scripted(first, Answer())
    with pytest.raises(ConfigError, match=r"^s3://bucket/_probe-if-none-match: .* If-None-Match, where 412 was exp"):
        store.probe()
    assert asked == ["PUT", "PUT"]


@pytest.mark.parametrize("second", [CONFLICT, PAGE], ids=["409", "a page"])
def test_a_probe_without_a_clear_answer_is_an_error_of_the_store(scripted: Scripted, second: Answer) -> None:
    store, _ = scripted(Answer(), second)
    with pytest.raises(AwsError, match=r"^s3://bucket/_probe-if-none-match: no clear answer"):
        store.probe()


def test_a_store_that_refuses_conditions_is_an_error_of_the_store(scripted: Scripted) -> None:
    store, _ = scripted(Answer.error(501, "NotImplemented"))
    with pytest.raises(AwsError, match="NotImplemented"):
        store.probe()
