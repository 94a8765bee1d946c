"""moto: knows all of S3, believes everybody."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from real_s3.servers import Server
from s3_server import moto_server


@contextmanager
def serving() -> Iterator[Server]:
    """moto in this process."""
    with moto_server() as endpoint:
        yield Server("moto", endpoint, "testing", "testing", frozenset(), one_winner=True)
