"""Objects that others wrote: listed below a prefix, and read as a stream that mends a torn body and is never short.

What of them a night needs is chosen by pipelines/sources/objects.py. tests/pipelines/test_objects_edge.py tears,
replaces and forges them."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError, FlexibleChecksumError, HTTPClientError, IncompleteReadError
from urllib3.exceptions import HTTPError

from pipelines.aws.bucket import ROUNDS, AskedBucket, TornError, is_rest
from pipelines.aws.session import explained
from pipelines.errors import AwsError, DataError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_PROGRESS_BYTES = 1 << 20
"""A body torn after so much begins a new count of rounds: a large object may tear more than once."""
_CUT = (HTTPClientError, IncompleteReadError, HTTPError)
_LISTED = ("Key", "Size", "ETag", "LastModified")
_MENDS = {
    "AccessDenied": (
        "let the role s3:ListBucket on the bucket, s3:GetObject on the prefix and kms:Decrypt on its key; a bucket of "
        "another account than the expected owner is refused as well"
    ),
    "InvalidObjectState": "restore the object from its cold storage class, or take it out of the prefix",
    "KMS.DisabledException": "enable the key the object is encrypted with",
}


@dataclass(frozen=True)
class Listed:
    """An object as its listing describes it."""

    key: str
    size: int
    etag: str
    modified: datetime


class Bucket:
    """A bucket to read from; the expected owner is sent with every request."""

    def __init__(
        self,
        client: S3Client,
        name: str,
        expected_owner: str | None = None,
        *,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """
        Args:
            pause: waits that many seconds between the rounds of one call.
        """
        self._client = client
        self.asked = AskedBucket(name, expected_owner, pause=pause)

    def where(self, key: str) -> str:
        """The object's or the prefix's address, for errors."""
        return f"s3://{self.asked.name}/{key if key.isprintable() else ascii(key)[1:-1]}"

    def listing(self, prefix: str) -> Iterator[Listed]:
        """Every object whose key begins with the prefix, in the order of keys.

        Raises:
            AwsError: the bucket is refused, or its listing has no end.
        """
        asked: dict[str, Any] = {}
        tokens: set[str] = set()
        while True:
            page = self._page(prefix, asked)
            yield from (_listed(entry) for entry in page.get("Contents", []))
            if not page["IsTruncated"]:
                return
            token = page["NextContinuationToken"]
            if token in tokens:
                raise AwsError(f"{self.where(prefix)}: a listing that begins again found; look for a proxy on the way")
            tokens.add(token)
            asked = {"ContinuationToken": token}

    def _page(self, prefix: str, asked: dict[str, Any]) -> Any:
        for _ in self.asked.rounds():
            with explained(self.where(prefix), _MENDS):
                # a page that is no XML is an error 500 to botocore, which asks for it again itself
                page = self._client.list_objects_v2(**self.asked.request, Prefix=prefix, **asked)
            if _is_page(page):
                return page
        raise AwsError(f"{self.where(prefix)}: a listing without an end in {ROUNDS} answers; look for a proxy")

    def open(self, found: Listed) -> io.BufferedReader:
        """The object's stored bytes, to be closed by the caller; nothing is asked for before the first read.

        A read raises DataError where the object is not the listed one any more or arrives torn each time, and
        AwsError where the store refuses or does not answer."""
        return io.BufferedReader(_Body(self, found), 1 << 20)

    def part(self, found: Listed, offset: int) -> Any:
        """The body of the listed object from an offset on, as the client streams it.

        Raises:
            DataError: the object was replaced or removed after the listing.
            TornError: the answer is not the object's.
        """
        asked: dict[str, Any] = {"Key": found.key, "IfMatch": found.etag}
        if offset:
            asked["Range"] = f"bytes={offset}-"
        where = self.where(found.key)
        with explained(where, _MENDS):
            try:
                answer = self._client.get_object(**self.asked.request, **asked)
            except ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] not in (404, 412):
                    raise
                code = error.response["Error"].get("Code", "")
                if code == "NoSuchBucket":
                    raise
                raise DataError(
                    f"{where}: replaced or removed while it was read ({code}); the object as it was listed expected; "
                    f"let nothing rewrite the source's objects, then run again"
                ) from error
        body = answer["Body"]
        if not is_rest(answer, found.etag, found.size, offset):
            body.close()
            raise TornError("an answer that is not the object's")
        return body


class _Body(io.RawIOBase):
    """The bytes of one listed object in order; a torn answer is asked for again from where it tore."""

    def __init__(self, bucket: Bucket, found: Listed) -> None:
        self._bucket = bucket
        self._found = found
        self._body: Any = None
        self._offset = 0
        self._failures = 0
        self._failed_at = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        while self._offset < self._found.size:
            try:
                return self._read(memoryview(buffer))
            except FlexibleChecksumError as error:
                raise self._damaged("bytes that do not fit its stored checksum") from error
            except (*_CUT, TornError) as error:
                self._drop()
                self._failed(error)
        return 0

    def close(self) -> None:
        self._drop()
        super().close()

    def _read(self, buffer: memoryview) -> int:
        if self._body is None:
            self._body = self._bucket.part(self._found, self._offset)
        room = min(len(buffer), self._found.size - self._offset)
        data = self._body.read(room)
        if not data:
            raise TornError("a body that ends early")
        if self._offset + len(data) == self._found.size and self._body.read(1):
            # only this last read makes the client compare the checksum of the whole
            raise TornError("a body longer than the object")
        buffer[: len(data)] = data
        self._offset += len(data)
        return len(data)

    def _failed(self, error: Exception) -> None:
        if self._offset - self._failed_at >= _PROGRESS_BYTES:
            self._failures = 0
        self._failures += 1
        self._failed_at = self._offset
        if self._failures >= ROUNDS:
            raise self._damaged(f"a torn body in each of {ROUNDS} answers") from error
        self._bucket.asked.wait(self._failures)

    def _damaged(self, what: str) -> DataError:
        where, size = self._bucket.where(self._found.key), self._found.size
        return DataError(
            f"{where}: {what} found at byte {self._offset} of {size}; look for a proxy on the way, then run again"
        )

    def _drop(self) -> None:
        if self._body is not None:
            self._body.close()
            self._body = None


def _is_page(page: Any) -> bool:
    return (
        "IsTruncated" in page
        and (not page["IsTruncated"] or "NextContinuationToken" in page)
        and all(all(name in entry for name in _LISTED) for entry in page.get("Contents", []))
    )


def _listed(entry: Any) -> Listed:
    return Listed(entry["Key"], entry["Size"], entry["ETag"], entry["LastModified"])
