"""A body on its way: what has come of it and whether that is the stored object, whatever tore on the way.

Imports nothing of boto3. tests/pipelines/test_store_torn.py tears bodies in every way."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, BinaryIO

from pipelines.aws.bucket import TornError, is_rest


class Arrival:
    """A body on its way through any number of answers: what has come of it, and what the first answer promised."""

    def __init__(self, out: BinaryIO | None) -> None:
        """
        Args:
            out: gets the bytes; None: only their digest is wanted.
        """
        self._out = out
        self.forget()

    def forget(self) -> None:
        """Begins again."""
        self._etag = ""
        self._length = self._taken = 0
        self._promised: str | None = None
        self._hashed = sha256()
        if self._out is not None:
            self._out.seek(0)
            self._out.truncate()

    @property
    def begun(self) -> bool:
        """Whether bytes have come that the next answer is to continue."""
        return 0 < self._taken < self._length

    def rest(self) -> dict[str, Any]:
        """What a request asks for: the bytes that are missing, of the same object."""
        if not self.begun:  # or all of it came and was wrong: nobody knows where
            self.forget()
            return {}
        return {"Range": f"bytes={self._taken}-{self._length - 1}", "IfMatch": self._etag}

    def expect(self, answer: Mapping[str, Any]) -> None:
        """Checks that the answer is the store's and continues what has come; begins again where it does not.

        Raises:
            TornError: it is not the store's.
        """
        if self.begun and is_rest(answer, self._etag, self._length, self._taken):
            return
        etag, length = answer.get("ETag"), answer.get("ContentLength")
        if etag is None or length is None:
            raise TornError
        self.forget()
        if answer.get("ContentRange") is not None:
            raise TornError
        self._etag, self._length = etag, length
        self._promised = answer.get("ChecksumSHA256")

    def take(self, chunk: bytes) -> None:
        """Adds what came."""
        self._taken += len(chunk)
        self._hashed.update(chunk)
        if self._out is not None:
            self._out.write(chunk)

    def whole(self) -> str:
        """SHA-256 in hex, now that the last answer has ended.

        Raises:
            TornError: bytes are missing, or they are not those that were stored.
        """
        if self._taken != self._length:
            raise TornError
        # botocore checks one answer; of a body that came in several only we know the digest. A "-" marks a
        # digest of digests, of an object that was written in parts
        if self._promised is not None and "-" not in self._promised and b64decode(self._promised) != self._digest():
            raise TornError
        return self._digest().hex()

    def _digest(self) -> bytes:
        return self._hashed.digest()
