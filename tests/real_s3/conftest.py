"""The servers of S3_SERVERS, started one after the other; without that variable nothing here is collected."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from typing import Any
from uuid import uuid4

import pytest
from real_s3 import moto, rgw, swift
from real_s3.servers import Server
from s3_server import AWS_ENVIRONMENT

from pipelines.aws.session import client
from pipelines.store import ObjectStore, open_store

NAMES = os.environ.get("S3_SERVERS", "").split()
BUCKET = "archives"
SERVING: dict[str, Callable[[], AbstractContextManager[Server]]] = {
    "moto": moto.serving,
    "swift": swift.serving,
    "rgw": rgw.serving,
}

if not NAMES:
    collect_ignore_glob = ["*"]


@pytest.fixture(scope="session", params=NAMES)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A running server with one bucket; every client signs with its key."""
    with SERVING[request.param]() as running, pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION"):
            patch.delenv(name, raising=False)
        for name, value in {**AWS_ENVIRONMENT, **credentials(running)}.items():
            patch.setenv(name, value)
        with closing(client("s3", region=None, endpoint_url=running.endpoint)) as made:
            made.create_bucket(Bucket=BUCKET)
        yield running


@pytest.fixture
def raw(server: Server) -> Iterator[Any]:
    """The job's client, for what S3Store would never do."""
    with closing(client("s3", region=None, endpoint_url=server.endpoint)) as made:
        yield made


@pytest.fixture
def archive() -> str:
    """The name of an empty archive."""
    return f"s3://{BUCKET}/{uuid4().hex}"


@pytest.fixture
def store(server: Server, archive: str) -> ObjectStore:
    """An empty archive, opened as the job opens it."""
    return open_store(archive, endpoint=server.endpoint, region="us-east-1")


def credentials(server: Server) -> dict[str, str]:
    """The server's key, as the job takes it from its environment."""
    return {"AWS_ACCESS_KEY_ID": server.key, "AWS_SECRET_ACCESS_KEY": server.secret}
