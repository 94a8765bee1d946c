"""What a server checks of a request: the signature's secret, and the digests of a body."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from hashlib import md5, sha256
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from real_s3.servers import REFUSALS, Server
from real_s3.test_claims import CALLS

from pipelines.errors import AwsError
from pipelines.store import ObjectStore, open_store

Call = Callable[[ObjectStore, Path], object]

MD5 = b64encode(md5(b"other", usedforsecurity=False).digest()).decode()
SHA256 = b64encode(sha256(b"other").digest()).decode()
WRONG_DIGESTS = {
    "Content-MD5": ({"ContentMD5": MD5}, {"BadDigest", "InvalidDigest"}),
    "x-amz-checksum-sha256": ({"ChecksumSHA256": SHA256}, {"BadDigest", "XAmzContentChecksumMismatch"}),
    # the other digest, which is signed as well, is that of the body that goes out: it cannot be what refuses
    "x-amz-content-sha256": ({"ChecksumSHA256": SHA256}, {"XAmzContentSHA256Mismatch", "BadDigest"}),
}


def test_every_check_is_tried() -> None:
    assert {"secret", *WRONG_DIGESTS} == set(REFUSALS)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_wrong_secret_is_refused(
    server: Server, archive: str, tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "guessed")
    store = open_store(archive, endpoint=server.endpoint, region="us-east-1")
    if "secret" not in server.refuses:
        call(store, tmp_path)
        return
    with pytest.raises(AwsError, match=r"SignatureDoesNotMatch, .*; check the secret key"):
        call(store, tmp_path)


@pytest.mark.parametrize("header", WRONG_DIGESTS)
def test_a_body_of_another_digest_is_refused_and_leaves_nothing(server: Server, raw: Any, header: str) -> None:
    said, codes = WRONG_DIGESTS[header]
    if header == "x-amz-content-sha256":
        raw.meta.events.register("before-send.s3.PutObject", _other_body)
    key = f"wrong/{header}"
    if header in server.refuses:
        with pytest.raises(ClientError) as refused:
            raw.put_object(Bucket="archives", Key=key, Body=b"body!", **said)
        assert refused.value.response["Error"]["Code"] in codes
    else:
        raw.put_object(Bucket="archives", Key=key, Body=b"body!", **said)
    stands = raw.list_objects_v2(Bucket="archives", Prefix=key)["KeyCount"]
    assert stands == (0 if header in server.refuses else 1)


def _other_body(request: Any, **_: Any) -> None:
    """The body changes after it was signed."""
    request.body = b"other"
