"""S3Store: an archive under one prefix of one bucket.

Every read and write of the archive goes through it, so that the bucket's owner is checked on each; objects of a source
are read by objects.py, which checks it, too. An object is written by one
PutObject, which has one winner; multipart uploads would leave parts behind, and some stores forget their conditions.
tests/pipelines/test_store*.py run it against servers on loopback, tests/real_s3 against two real ones."""

from __future__ import annotations

import builtins
import time
from collections.abc import Callable
from contextlib import closing
from hashlib import file_digest
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO

from botocore.exceptions import ClientError, FlexibleChecksumError, IncompleteReadError, ResponseStreamingError

from pipelines.aws.arrival import Arrival
from pipelines.aws.bucket import ROUNDS, AskedBucket, TornError, is_rest
from pipelines.aws.session import BROKEN, explained
from pipelines.disk import new_file
from pipelines.errors import AwsError, ConfigError, DataError
from pipelines.keys import PROBE, check_key, check_prefix, is_key

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_CHUNK = 1 << 20
_OK, _CONFLICT, _PRECONDITION_FAILED, _RANGE_UNSATISFIABLE = 200, 409, 412, 416
_PROBES = (b"One of two objects written", b"The other of two objects written")
_TORN = (IncompleteReadError, ResponseStreamingError, FlexibleChecksumError, *BROKEN)
_MENDS = {
    "NoSuchBucket": "create the bucket, or correct the name of the archive",
    # Without s3:ListBucket a missing object is answered like this too
    "AccessDenied": (
        "let the role s3:GetObject and s3:PutObject on the prefix, s3:ListBucket on the bucket, kms:Decrypt and "
        "kms:GenerateDataKey on its key; a bucket of another account than the expected owner is refused as well"
    ),
    "InvalidObjectState": "restore the object from its cold storage class, and spare the archive in lifecycle rules",
    "EntityTooLarge": "5 GB is the most that one object can take",
    "KMS.NotFoundException": "correct kms_key under [aws]; its key lies in the bucket's region",
    "KMS.DisabledException": "enable the key, or name another as kms_key under [aws]",
}


class S3Store:
    """An archive in S3; ObjectStore says what each method promises."""

    def __init__(
        self,
        client: S3Client,
        bucket: str,
        prefix: str = "",
        expected_bucket_owner: str | None = None,
        kms_key: str | None = None,
        *,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """
        Args:
            prefix: a key, or "" for the whole bucket.
            expected_bucket_owner: sent with every request, so that a bucket lost to another account is refused.
            kms_key: id, alias or ARN, sent with every write; None leaves encryption to the bucket's default.
            pause: waits that many seconds between the rounds of one call.
        """
        self._client = client
        self._folder = f"{check_key(prefix)}/" if prefix else ""
        self._bucket = AskedBucket(bucket, expected_bucket_owner, pause=pause)
        self._encryption: dict[str, Any] = {}
        if kms_key is not None:
            self._encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key}

    @property
    def url(self) -> str:
        return f"s3://{self._bucket.name}/{self._folder}".removesuffix("/")

    def get(self, key: str) -> bytes | None:
        where = self._where(key)
        with explained(where, _MENDS):
            for _ in self._bucket.rounds():
                try:
                    return self._read(key)
                except TornError:
                    continue
        raise self._damaged(key)

    def put_new(self, key: str, body: bytes) -> bool:
        with explained(self._where(key), _MENDS):
            for _ in self._bucket.rounds():
                if self._written(key, body, IfNoneMatch="*"):
                    return True
                # Lost: to another writer, or to our own first attempt whose answer never came
                standing = self.get(key)
                if standing is not None:
                    return standing == body
        raise self._contested(key)

    def put(self, key: str, body: bytes) -> None:
        with explained(self._where(key), _MENDS):
            for _ in self._bucket.rounds():
                if self._written(key, body):
                    return
        raise self._contested(key)

    def list(self, prefix: str) -> list[str]:
        where = self._where(check_prefix(prefix))
        with explained(where, _MENDS):
            for _ in self._bucket.rounds():
                try:
                    names = self._listed(prefix)
                except TornError:
                    continue
                return sorted(key for key in (name.removeprefix(self._folder) for name in names) if is_key(key))
        raise AwsError(f"{where}: a listing without an end found; look for a proxy on the way")

    def upload(self, key: str, path: Path) -> bool:
        with explained(self._where(key), _MENDS):
            for _ in self._bucket.rounds():
                with path.open("rb") as body:
                    if self._written(key, body, IfNoneMatch="*"):
                        return True
                    standing = self._streamed(key, None)
                    if standing is not None:
                        body.seek(0)
                        return standing == file_digest(body, "sha256").hexdigest()
        raise self._contested(key)

    def download(self, key: str, path: Path) -> str | None:
        check_key(key)
        with new_file(path) as out, explained(self._where(key), _MENDS):
            digest = self._streamed(key, out)
        if digest is None:
            path.unlink()
        return digest

    def probe(self) -> None:
        where = self._where(PROBE)
        with explained(where, _MENDS):
            # One fixed key: nothing here may delete, so a key for each run would litter the archive
            answers = [self._clear_answer(body) for body in _PROBES]
        if answers[-1] == _OK:
            raise ConfigError(
                f"{where}: this store wrote over an object in spite of If-None-Match, where 412 was expected: two "
                f"runs at once would lose events; name an archive in a store that heeds it, or a folder"
            )
        if answers[-1] != _PRECONDITION_FAILED:
            raise AwsError(f"{where}: no clear answer to If-None-Match; look for a proxy on the way, then run again")

    def _clear_answer(self, body: bytes) -> int | None:
        for _ in self._bucket.rounds():
            answer = self._answer(PROBE, body, IfNoneMatch="*")
            if answer is not None:
                return answer
        return None

    def _listed(self, prefix: str) -> builtins.list[str]:
        names = []
        try:
            pages = self._client.get_paginator("list_objects_v2")
            for page in pages.paginate(**self._bucket.request, Prefix=self._folder + prefix):
                if "IsTruncated" not in page:
                    raise TornError
                names += [entry["Key"] for entry in page.get("Contents", [])]
        except BROKEN as error:
            raise TornError from error
        return names

    def _where(self, key: str) -> str:
        return f"{self.url}/{key}"

    def _read(self, key: str) -> bytes | None:
        try:
            answer = self._client.get_object(**self._bucket.request, Key=self._folder + check_key(key))
            body = answer["Body"].read()
        except self._client.exceptions.NoSuchKey:
            return None
        except _TORN as error:
            raise TornError from error
        except ClientError as error:
            _refuse_nameless(error)
            raise
        if not is_rest(answer, answer.get("ETag"), len(body), 0):
            raise TornError
        return body

    def _streamed(self, key: str, out: BinaryIO | None) -> str | None:
        """SHA-256 in hex of the whole object, its bytes written to out; None when there is none."""
        arrival = Arrival(out)
        for _ in self._bucket.rounds():
            try:
                return self._arrived(key, arrival)
            except TornError:
                continue
        raise self._damaged(key)

    def _arrived(self, key: str, arrival: Arrival) -> str | None:
        name = self._folder + check_key(key)
        try:
            answer = self._client.get_object(**self._bucket.request, Key=name, **arrival.rest())
            with closing(answer["Body"]) as body:
                arrival.expect(answer)
                for chunk in body.iter_chunks(_CHUNK):
                    arrival.take(chunk)
            return arrival.whole()
        except self._client.exceptions.NoSuchKey:
            return None
        except _TORN as error:
            raise TornError from error
        except ClientError as error:
            # Another object stands there since the body tore
            if arrival.begun and _status(error) in (_PRECONDITION_FAILED, _RANGE_UNSATISFIABLE):
                arrival.forget()
                raise TornError from error
            _refuse_nameless(error)
            raise

    def _written(self, key: str, body: bytes | IO[bytes], **condition: Any) -> bool:
        """Whether the store says so itself; False: a race, or an answer that is not the store's."""
        return self._answer(key, body, **condition) == _OK

    def _answer(self, key: str, body: bytes | IO[bytes], **condition: Any) -> int | None:
        """200: written; 409 or 412: not; None: an answer that is not the store's."""
        name = self._folder + check_key(key)
        try:
            answer = self._client.put_object(
                **self._bucket.request, **self._encryption, Key=name, Body=body, ChecksumAlgorithm="SHA256", **condition
            )
        except ClientError as error:
            if _status(error) in (_CONFLICT, _PRECONDITION_FAILED):
                return _status(error)
            raise
        except BROKEN:
            return None
        return _OK if "ETag" in answer else None

    def _damaged(self, key: str) -> DataError:
        return DataError(
            f"{self._where(key)}: a damaged body in each of {ROUNDS} answers; look for a proxy on the way, and "
            f"compare the object's checksum"
        )

    def _contested(self, key: str) -> AwsError:
        return AwsError(
            f"{self._where(key)}: not written in {ROUNDS} rounds, other writers were at it each time or a proxy "
            f"answered; run one job for one night, then run again"
        )


def _status(error: ClientError) -> int:
    return error.response["ResponseMetadata"]["HTTPStatusCode"]


def _refuse_nameless(error: ClientError) -> None:
    """A missing object is called NoSuchKey; a bare 404 is a proxy's, or an answer of which the body was lost.

    Raises:
        TornError: it is one.
    """
    if error.response["Error"].get("Code") == "404":
        raise TornError from error
