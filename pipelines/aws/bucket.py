"""A bucket as it is asked, by the archive and for sources alike: its owner with every request, and a torn answer again.

tests/pipelines/test_store_torn.py and test_objects_edge.py tear answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

ROUNDS = 6
_FIRST_PAUSE_S = 0.1


class TornError(Exception):
    """What came is not the object, or not all of it."""


class AskedBucket:
    """A bucket, the account that must own it, and how long to wait for a better answer."""

    def __init__(
        self, name: str, expected_owner: str | None = None, *, pause: Callable[[float], None] = time.sleep
    ) -> None:
        """
        Args:
            expected_owner: sent with every request, so that a bucket lost to another account is refused.
            pause: waits that many seconds between the rounds of one call.
        """
        self.name = name
        self.request: dict[str, Any] = {"Bucket": name}
        """What every request holds."""
        if expected_owner is not None:
            self.request["ExpectedBucketOwner"] = expected_owner
        self._pause = pause

    def rounds(self) -> Iterator[None]:
        """One step for each round of a call, with growing pauses between: 3 s in all."""
        for failures in range(ROUNDS):
            self.wait(failures)
            yield

    def wait(self, failures: int) -> None:
        """Let the store recover: longer after each failure in a row, not at all before the first."""
        if failures:
            self._pause(_FIRST_PAUSE_S * 2 ** (failures - 1))


def is_rest(answer: Mapping[str, Any], etag: str | None, size: int, offset: int) -> bool:
    """Is an answer the object's bytes from an offset to its end, by its own account?

    A proxy's page has status 200 and a length that may fit, but no ETag.
    """
    if etag is None or answer.get("ETag") != etag or answer.get("ContentLength") != size - offset:
        return False
    span = answer.get("ContentRange")
    return span == f"bytes {offset}-{size - 1}/{size}" or (span is None and not offset)
