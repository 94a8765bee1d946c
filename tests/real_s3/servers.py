"""An S3 server as the tests see it, and what each of them is known to do.

The tests hold every server to its row, so a row that is out of date is an error."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Server:
    """A running server."""

    name: str
    endpoint: str
    key: str
    secret: str
    refuses: frozenset[str]
    """What it checks: the secret of a signature, the digests of a body."""
    one_winner: bool
    """Whether one of several simultaneous writers wins: it checks and writes in one step."""


REFUSALS = ("secret", "Content-MD5", "x-amz-checksum-sha256", "x-amz-content-sha256")
