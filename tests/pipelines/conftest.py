"""For the tests of pipelines/: an engine, S3 (one moto for a session), and no real credentials for any test."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import duckdb
import pytest
from archive_checks import Objects, two_nights
from s3_server import AWS_ENVIRONMENT, moto_server

from pipelines.aws.s3 import S3Store
from pipelines.aws.session import client
from pipelines.config import ParseConfig
from pipelines.engine import engine as connected
from pipelines.store import LocalStore, ObjectStore


@pytest.fixture(scope="session", autouse=True)
def aws_environment() -> Iterator[None]:
    """Credentials and a region that mean nothing to the real AWS."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
            patch.delenv(name, raising=False)
        for name, value in AWS_ENVIRONMENT.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    """moto's endpoint; one for all tests, so each makes a bucket of its own."""
    with moto_server() as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def shared_bucket(moto: str) -> Iterator[tuple[Any, str]]:
    """The client the job uses, sent to moto, and a bucket; each test takes a prefix of its own."""
    with closing(client("s3", region=None, endpoint_url=moto)) as made:
        made.create_bucket(Bucket="archives")
        yield made, "archives"


@pytest.fixture(scope="module")
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    """An engine as a run is given it."""
    with connected(ParseConfig()) as made:
        yield made


@pytest.fixture(params=["local", "s3"])
def new_store(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], ObjectStore]:
    """Makes the store of a name, in a folder and then in S3: the same name, the same objects."""
    if request.param == "local":
        return lambda name: LocalStore(tmp_path / "archives" / name)
    made, bucket = request.getfixturevalue("shared_bucket")
    test = uuid4().hex
    return lambda name: S3Store(made, bucket, f"{test}/{name}")


@pytest.fixture
def store(new_store: Callable[[str], ObjectStore]) -> ObjectStore:
    """An empty store, in a folder and then in S3."""
    return new_store("archive")


@pytest.fixture
def listing() -> Callable[[ObjectStore], dict[str, str]]:
    """Reads every key of a store, each with the hash of its bytes."""
    return lambda store: {key: sha256(store.get(key) or b"").hexdigest() for key in store.list("")}


@pytest.fixture
def source(tmp_path: Path) -> Callable[..., Path]:
    """Writes files into a fresh folder of that name."""

    def write(name: str, **files: bytes | Sequence[bytes]) -> Path:
        root = tmp_path / "sources" / name
        root.mkdir(parents=True)
        for file, body in files.items():
            (root / f"{file}.log").write_bytes(body if isinstance(body, bytes) else b"".join(body))
        return root

    return write


@pytest.fixture(scope="session")
def history(tmp_path_factory: pytest.TempPathFactory) -> tuple[Objects, Objects]:
    """An archive of two nights, before and after late events of the second, each with a bad line; one is marked."""
    return two_nights(tmp_path_factory.mktemp("check"))


@pytest.fixture
def objects(history: tuple[Objects, Objects]) -> Objects:
    """A copy of the archive's objects."""
    return dict(history[1])
