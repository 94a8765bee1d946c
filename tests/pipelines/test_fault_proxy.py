"""The fault proxy does what each of its actions says; asked by the job's own client, in front of moto."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    FlexibleChecksumError,
    IncompleteReadError,
    ResponseStreamingError,
)
from faults import actions
from faults.actions import Action
from faults.proxy import Proxy, Rule

from pipelines.aws.session import client

BODY = bytes(range(256)) * 8
SIGNED = "AWS4-HMAC-SHA256 Credential=x/20261123/us-east-1/s3/x"
TORN = (IncompleteReadError, ResponseStreamingError)


@pytest.fixture(scope="module")
def proxy(moto: str) -> Iterator[Proxy]:
    with Proxy(moto) as running:
        yield running


@pytest.fixture
def s3(proxy: Proxy) -> Iterator[Any]:
    """A client that never asks twice, so that every fault is seen."""
    proxy.arm()
    with closing(client("s3", region=None, endpoint_url=proxy.url, attempts=1)) as made:
        yield made
    proxy.arm()


@pytest.fixture
def bucket(s3: Any) -> str:
    name = f"faults-{uuid4().hex}"
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def key(s3: Any, bucket: str) -> dict[str, str]:
    """An object with BODY in it."""
    s3.put_object(Bucket=bucket, Key="one", Body=BODY, ChecksumAlgorithm="SHA256")
    return {"Bucket": bucket, "Key": "one"}


def body_of(s3: Any, key: dict[str, str]) -> bytes:
    read: bytes = s3.get_object(**key)["Body"].read()
    return read


def refusal(call: Callable[[], object]) -> tuple[int, str]:
    with pytest.raises(ClientError) as refused:
        call()
    answer = refused.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


def test_without_a_rule_everything_passes_and_is_written_down(proxy: Proxy, s3: Any, key: dict[str, str]) -> None:
    proxy.arm()
    assert body_of(s3, key) == BODY
    with pytest.raises(s3.exceptions.NoSuchKey):
        s3.get_object(Bucket=key["Bucket"], Key="none")
    assert s3.head_object(**key)["ContentLength"] == len(BODY)
    assert [(c.key.split("?")[0], c.action, c.status) for c in proxy.log] == [
        (f"GET /{key['Bucket']}/one", "forward", 200),
        (f"GET /{key['Bucket']}/none", "forward", 404),
        (f"HEAD /{key['Bucket']}/one", "forward", 200),
    ]
    assert proxy.log[0].size == len(BODY)


def test_the_key_of_a_json_call_names_its_operation(proxy: Proxy) -> None:
    proxy.arm(Rule(actions.throttle, match="Logs_20140328.DescribeLogGroups"))
    with closing(client("logs", region=None, endpoint_url=proxy.url, attempts=1)) as logs:
        assert refusal(logs.describe_log_groups) == (400, "ThrottlingException")
        assert "logGroups" in logs.describe_log_groups()
    assert [c.key for c in proxy.log] == ["POST / Logs_20140328.DescribeLogGroups"] * 2


def test_a_rule_skips_then_fires_then_rests(proxy: Proxy, s3: Any, key: dict[str, str]) -> None:
    proxy.arm(Rule(actions.slowdown, match="GET /", skip=1, times=2))
    s3.head_object(**key)
    body_of(s3, key)
    for _ in range(2):
        assert refusal(lambda: s3.get_object(**key)) == (503, "SlowDown")
    assert body_of(s3, key) == BODY
    assert [c.action for c in proxy.log] == ["forward", "forward", "slowdown", "slowdown", "forward"]


def test_a_rule_without_a_number_of_times_never_rests(proxy: Proxy, s3: Any, key: dict[str, str]) -> None:
    proxy.arm(Rule(actions.throttle, times=None))
    assert [refusal(lambda: s3.get_object(**key))[0] for _ in range(4)] == [400] * 4


def test_the_first_rule_that_takes_a_request_acts_on_it(proxy: Proxy, s3: Any, key: dict[str, str]) -> None:
    proxy.arm(Rule(actions.skew, match="/two"), Rule(actions.expired), Rule(actions.slowdown))
    assert refusal(lambda: s3.get_object(**key))[1] == "ExpiredToken"
    assert refusal(lambda: s3.get_object(**key))[1] == "SlowDown"
    assert body_of(s3, key) == BODY


@pytest.mark.parametrize(
    ("action", "s3_says", "others_say"),
    [
        (actions.throttle, (400, "ThrottlingException"), (400, "ThrottlingException")),
        (actions.expired, (400, "ExpiredToken"), (400, "ExpiredTokenException")),
        (actions.skew, (403, "RequestTimeTooSkewed"), (403, "RequestTimeTooSkewed")),
        (actions.slowdown, (503, "SlowDown"), (503, "SlowDown")),
    ],
    ids=lambda value: value.name if isinstance(value, Action) else "",
)
def test_a_refusal_speaks_the_protocol_it_was_asked_in(
    proxy: Proxy, s3: Any, key: dict[str, str], action: Action, s3_says: object, others_say: object
) -> None:
    proxy.arm(Rule(action, times=None))
    assert refusal(lambda: s3.get_object(**key)) == s3_says
    with closing(client("logs", region=None, endpoint_url=proxy.url, attempts=1)) as logs:
        assert refusal(logs.describe_log_groups) == others_say
    with closing(client("eks", region=None, endpoint_url=proxy.url, attempts=1)) as eks:
        assert refusal(eks.list_clusters) == others_say
    assert {c.status for c in proxy.log} == {0}, "the emulator was not asked"


def test_any_answer_can_be_given_instead(proxy: Proxy, s3: Any, key: dict[str, str]) -> None:
    proxy.arm(Rule(actions.status(200, "text/html", b"<html>")), Rule(actions.status(200, "application/json", b"")))
    page = s3.get_object(**key)
    assert (page["ContentType"], page["Body"].read()) == ("text/html", b"<html>")
    assert s3.get_object(**key)["Body"].read() == b""
    assert {c.status for c in proxy.log} == {0}


def test_reset_before_carries_nothing_out(proxy: Proxy, s3: Any, key: dict[str, str]) -> None:
    proxy.arm(Rule(actions.reset_before))
    with pytest.raises(ConnectionClosedError):
        s3.put_object(**key, Body=b"never")
    assert body_of(s3, key) == BODY


def test_a_lost_response_was_carried_out(proxy: Proxy, s3: Any, key: dict[str, str]) -> None:
    proxy.arm(Rule(actions.lost_response))
    with pytest.raises(ConnectionClosedError):
        s3.put_object(**key, Body=b"done")
    assert body_of(s3, key) == b"done"


def test_dup_carries_out_twice_and_gives_the_second_answer(proxy: Proxy, s3: Any, bucket: str) -> None:
    proxy.arm(Rule(actions.dup))
    assert refusal(lambda: s3.put_object(Bucket=bucket, Key="new", Body=b"x", IfNoneMatch="*"))[0] == 412
    assert body_of(s3, {"Bucket": bucket, "Key": "new"}) == b"x"


def bytes_before_the_end(proxy: Proxy, path: str) -> tuple[int, bytes, bool]:
    """Promised length, what came of the body, and whether a reset ended it; read off the socket itself."""
    where = urlsplit(proxy.url)
    with socket.create_connection((where.hostname, where.port), timeout=5) as plain:
        plain.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {SIGNED}\r\n\r\n".encode())
        got, reset = b"", False
        while True:
            try:
                piece = plain.recv(65536)
            except ConnectionResetError:
                reset = True
                break
            if not piece:
                break
            got += piece
    head, _, body = got.partition(b"\r\n\r\n")
    (promised,) = (int(h.split(b":")[1]) for h in head.split(b"\r\n") if h.lower().startswith(b"content-length:"))
    return promised, body, reset


@pytest.mark.parametrize("at", [0, 1, lambda size: size // 2, lambda size: size - 1], ids=["0", "1", "half", "len-1"])
@pytest.mark.parametrize("how", [actions.truncate, actions.reset_mid], ids=["truncate", "reset_mid"])
def test_a_torn_answer_promises_all_and_gives_so_many_bytes(
    proxy: Proxy, s3: Any, key: dict[str, str], how: Callable[[actions.At], Action], at: actions.At
) -> None:
    proxy.arm(Rule(how(at), times=2))
    size = at if isinstance(at, int) else at(len(BODY))
    answer = bytes_before_the_end(proxy, f"/{key['Bucket']}/one")
    assert answer == (len(BODY), BODY[:size], how is actions.reset_mid)
    with pytest.raises(TORN):
        body_of(s3, key)
    assert body_of(s3, key) == BODY


def test_a_flipped_byte_is_one_byte(proxy: Proxy, s3: Any, key: dict[str, str]) -> None:
    proxy.arm(Rule(actions.flip(7)), Rule(actions.flip(lambda size: size - 1, checksums=False)))
    with pytest.raises(FlexibleChecksumError):
        body_of(s3, key)
    assert body_of(s3, key) == BODY[:-1] + bytes([BODY[-1] ^ 0xFF]), "nothing tells without the object's checksum"
    assert body_of(s3, key) == BODY


def test_a_delayed_answer_comes_after_its_time(proxy: Proxy, s3: Any, key: dict[str, str]) -> None:
    proxy.arm(Rule(actions.delay(0.3)))
    began = time.monotonic()
    assert body_of(s3, key) == BODY
    assert time.monotonic() - began >= 0.3


@pytest.mark.parametrize("after", [False, True])
def test_the_job_is_killed_while_its_request_is_held(proxy: Proxy, s3: Any, key: dict[str, str], after: bool) -> None:
    stood: list[bytes] = []
    with closing(client("s3", region=None, endpoint_url=proxy.url.replace("127.0.0.1", "localhost"))) as other:

        def kill() -> None:
            stood.append(b"killed")

        proxy.arm(Rule(actions.hold_and_kill(kill, after=after)))
        with pytest.raises(ConnectionClosedError):
            s3.put_object(**key, Body=b"written")
        assert stood == [b"killed"]
        assert body_of(other, key) == (b"written" if after else BODY)


def test_a_chunked_body_and_an_expectation_pass(proxy: Proxy, s3: Any, bucket: str) -> None:
    proxy.arm()
    where = urlsplit(proxy.url)
    headers = {"Expect": "100-continue", "Authorization": SIGNED}
    with closing(http.client.HTTPConnection(where.hostname or "", where.port, timeout=5)) as plain:
        pieces = iter([BODY[:100], BODY[100:]])
        plain.request("PUT", f"/{bucket}/chunked", pieces, headers, encode_chunked=True)
        assert plain.getresponse().read() == b""
        plain.request("PUT", f"/{bucket}/expected", BODY, headers)
        assert plain.getresponse().status == 200
    assert body_of(s3, {"Bucket": bucket, "Key": "chunked"}) == BODY
    assert body_of(s3, {"Bucket": bucket, "Key": "expected"}) == BODY


def test_one_connection_serves_many_requests_and_large_ones(s3: Any, bucket: str) -> None:
    large = BODY * 2048
    for number in range(3):
        s3.put_object(Bucket=bucket, Key=f"large-{number}", Body=large)
    assert body_of(s3, {"Bucket": bucket, "Key": "large-2"}) == large


def test_valid_json_without_the_required_key_can_be_given(proxy: Proxy) -> None:
    proxy.arm(Rule(actions.status(200, "application/x-amz-json-1.1", json.dumps({}).encode())))
    with closing(client("logs", region=None, endpoint_url=proxy.url, attempts=1)) as logs:
        assert "logGroups" not in logs.describe_log_groups()
