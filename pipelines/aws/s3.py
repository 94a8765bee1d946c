"""S3Store: an archive under one prefix of one bucket.

Every read and write of S3 goes through it, so that the bucket's owner is checked on each.
tests/pipelines/test_store.py runs it against a server on loopback."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError, FlexibleChecksumError, IncompleteReadError, ResponseStreamingError

from pipelines.aws.session import explained
from pipelines.errors import AwsError, DataError
from pipelines.keys import check_key, check_prefix, is_key

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_ROUNDS = 6
_FIRST_PAUSE_S = 0.1
_RACE_STATUS = (409, 412)
_TORN = (IncompleteReadError, ResponseStreamingError, FlexibleChecksumError)
_MENDS = {
    "NoSuchBucket": "create the bucket, or correct the name of the archive",
    # Without s3:ListBucket a missing object is answered like this too
    "AccessDenied": (
        "let the role s3:GetObject and s3:PutObject on the prefix, s3:ListBucket on the bucket, kms:Decrypt and "
        "kms:GenerateDataKey on its key; a bucket of another account than the expected owner is refused as well"
    ),
    "InvalidObjectState": "restore the object from its cold storage class, and spare the archive in lifecycle rules",
}


class S3Store:
    """An archive in S3; ObjectStore says what each method promises."""

    def __init__(
        self,
        client: S3Client,
        bucket: str,
        prefix: str = "",
        expected_bucket_owner: str | None = None,
        *,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """
        Args:
            prefix: a key, or "" for the whole bucket.
            expected_bucket_owner: sent with every request, so that a bucket lost to another account is refused.
            pause: waits that many seconds between the rounds of one call.
        """
        self._client = client
        self._folder = f"{check_key(prefix)}/" if prefix else ""
        self._pause = pause
        self._bucket: dict[str, Any] = {"Bucket": bucket}
        if expected_bucket_owner is not None:
            self._bucket["ExpectedBucketOwner"] = expected_bucket_owner

    @property
    def url(self) -> str:
        return f"s3://{self._bucket['Bucket']}/{self._folder}".removesuffix("/")

    def get(self, key: str) -> bytes | None:
        where = self._where(key)
        with explained(where, _MENDS):
            for _ in self._rounds():
                try:
                    return self._read(key)
                except _TornError:
                    continue
        raise DataError(
            f"{where}: a damaged body in each of {_ROUNDS} answers; look for a proxy on the way, and compare the "
            f"object's checksum"
        )

    def put_new(self, key: str, body: bytes) -> bool:
        with explained(self._where(key), _MENDS):
            for _ in self._rounds():
                if self._written(key, body, IfNoneMatch="*"):
                    return True
                # Lost: to another writer, or to our own first attempt whose answer never came
                standing = self.get(key)
                if standing is not None:
                    return standing == body
        raise self._contested(key)

    def put(self, key: str, body: bytes) -> None:
        with explained(self._where(key), _MENDS):
            for _ in self._rounds():
                if self._written(key, body):
                    return
        raise self._contested(key)

    def list(self, prefix: str) -> list[str]:
        where = self._where(check_prefix(prefix))
        names: list[str] = []
        with explained(where, _MENDS):
            pages = self._client.get_paginator("list_objects_v2")
            for page in pages.paginate(**self._bucket, Prefix=self._folder + prefix):
                if "IsTruncated" not in page:
                    raise AwsError(f"{where}: a listing without an end found; look for a proxy on the way")
                names += [entry["Key"] for entry in page.get("Contents", [])]
        return sorted(key for key in (name.removeprefix(self._folder) for name in names) if is_key(key))

    def _where(self, key: str) -> str:
        return f"{self.url}/{key}"

    def _rounds(self) -> Iterator[None]:
        """One step for each round of a call, with growing pauses between: 3 s in all."""
        for index in range(_ROUNDS):
            if index:
                self._pause(_FIRST_PAUSE_S * 2 ** (index - 1))
            yield

    def _read(self, key: str) -> bytes | None:
        try:
            answer = self._client.get_object(**self._bucket, Key=self._folder + check_key(key))
            body = answer["Body"].read()
        except self._client.exceptions.NoSuchKey:
            return None
        except _TORN as error:
            raise _TornError from error
        # A proxy's page has status 200 and a length that fits, but no ETag
        if "ETag" not in answer or answer.get("ContentLength") != len(body):
            raise _TornError
        return body

    def _written(self, key: str, body: bytes, **condition: Any) -> bool:
        """Whether the store says so itself; False: a race, or an answer that is not the store's."""
        name = self._folder + check_key(key)
        try:
            answer = self._client.put_object(
                **self._bucket, Key=name, Body=body, ChecksumAlgorithm="SHA256", **condition
            )
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] in _RACE_STATUS:
                return False
            raise
        return "ETag" in answer

    def _contested(self, key: str) -> AwsError:
        return AwsError(
            f"{self._where(key)}: not written in {_ROUNDS} rounds, other writers were at it each time or a proxy "
            f"answered; run one job for one night, then run again"
        )


class _TornError(Exception):
    """The body that came is not the object."""
