"""What each job would load again: the forest's machine code, AWS's descriptions of its services, the product's hash.

None of it differs from job to job; a process that sweeps, or forks jobs, loads it once."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import numpy as np
from botocore.loaders import JSONFileLoader
from moto import backends
from s3_server import AWS_ENVIRONMENT

from models.forest import RandomCutForest
from pipelines.aws.session import client
from pipelines.stages.origin import code

_SERVICES = ("s3", "logs", "eks")


@contextmanager
def warm() -> Iterator[None]:
    """Until the end a description is read from the disk once, not by each client, and moto's list of services, too."""
    read = functools.cache(JSONFileLoader().load_file)
    services = tuple(backends.list_of_moto_modules())
    with (
        mock.patch.object(JSONFileLoader, "load_file", lambda _, path: read(path)),
        mock.patch.object(backends, "list_of_moto_modules", return_value=services),
    ):
        with mock.patch.dict(os.environ, AWS_ENVIRONMENT):
            for service in _SERVICES:
                client(service, region=None).close()
        _forest()
        code()
        yield


def _forest() -> None:
    rows = np.random.default_rng(0).random((4, 2))
    forest = RandomCutForest(2, 4, random_state=0, n_jobs=1).fit(rows)
    forest.codisp(rows)
    forest.aws_score(rows)
    forest.attribute(rows)
