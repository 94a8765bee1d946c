"""S3 for the tests of pipelines/: one moto for a session, and no real credentials for any test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from s3_server import AWS_ENVIRONMENT, moto_server


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
