"""A whole night with its archive on each server: what a folder would hold, and the same again."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from e2e.job import Ended, everything, nightly
from e2e.world import LAST, NIGHTS, ordinary, theft, written
from real_s3.conftest import credentials
from real_s3.servers import Server

from pipelines.stages.listing import INDEX

SPAN: tuple[date, ...] = NIGHTS[-2:]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two nights, the attack on the last."""
    nights = {night: ordinary(night) for night in SPAN}
    nights[LAST] += theft(LAST)
    return written(tmp_path_factory.mktemp("source"), nights)


@pytest.fixture(scope="module")
def in_a_folder(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What the job writes to a folder."""
    archive = tmp_path_factory.mktemp("folder") / "archive"
    assert nightly(source, archive, *SPAN).code == 0
    return everything(archive)


def objects(raw: Any, archive: str) -> dict[str, bytes]:
    prefix = archive.removeprefix("s3://archives/") + "/"
    pages = raw.get_paginator("list_objects_v2").paginate(Bucket="archives", Prefix=prefix)
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
    return {k.removeprefix(prefix): raw.get_object(Bucket="archives", Key=k)["Body"].read() for k in keys}


def test_a_night_run_twice_is_what_a_folder_holds_and_the_same_bytes(
    server: Server, raw: Any, source: Path, in_a_folder: dict[str, bytes], archive: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)  # where nobody's auditforest.toml lies

    def run() -> Ended:
        key = credentials(server)
        return nightly(
            source,
            archive,
            *SPAN,
            AUDITFOREST_AWS__ENDPOINT=server.endpoint,
            AWS_ACCESS_KEY_ID=key["AWS_ACCESS_KEY_ID"],
            AWS_SECRET_ACCESS_KEY=key["AWS_SECRET_ACCESS_KEY"],
        )

    ended = run()
    assert (ended.code, ended.complaints) == (0, [])
    before = objects(raw, archive)
    assert run().code == 0
    after = objects(raw, archive)
    assert {name: after[name] for name in before} == before
    (added,) = set(after) - set(before)
    assert added.startswith("runs/")
    ours = {name: body for name, body in before.items() if not name.startswith(("runs/", "_probe", INDEX))}
    assert ours == in_a_folder
