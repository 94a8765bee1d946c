"""A service that does not answer: given up soon if it never did, else waited for, and what is waited for is told."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from e2e.job import Ended, auditforest, records
from e2e.world import CLUSTER
from logs_server import FOR_EVER, FakeLogs, Fault, logs_server

from pipelines.aws import pacing, session
from pipelines.errors import Exit


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes minutes takes a second."""
    asked_once = session.client
    monkeypatch.setattr(session, "client", lambda *service, **more: asked_once(*service, **{**more, "attempts": 1}))
    monkeypatch.setattr(pacing, "_FIRST_PAUSE_S", 0.1)
    monkeypatch.setattr(pacing, "_SILENCE_S", 0.5)


def read(endpoint: str, archive: Path) -> Ended:
    asked = ("--cluster", CLUSTER, "--source", "cloudwatch", "--archive", archive, "--date", "2026-09-15")
    return auditforest("nightly", *asked, AUDITFOREST_AWS__ENDPOINT=endpoint)


def waits(ended: Ended) -> list[str]:
    lines = [json.loads(line) for line in ended.err.splitlines() if line.startswith("{")]
    return [line["waiting"] for line in lines if "waiting" in line]


def test_without_a_network_a_night_ends_soon_and_is_worth_a_retry(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        ended = read(f"http://127.0.0.1:{closed.getsockname()[1]}", tmp_path / "archive")
    (line,) = ended.complaints
    assert ended.code == Exit.TRANSIENT
    assert f"log group /aws/eks/{CLUSTER}/cluster: not one call was answered in" in line
    assert "Could not connect" in line
    assert len(waits(ended)) == 2
    assert records(tmp_path / "archive")[0]["error"] in line


@contextmanager
def failing(*faults: Fault) -> Iterator[tuple[str, FakeLogs]]:
    with logs_server() as (endpoint, fake):
        fake.add_group()
        fake.add_cluster(CLUSTER)
        fake.faults = list(faults)
        yield endpoint, fake


def interrupting(
    fake: FakeLogs, at: int, monkeypatch: pytest.MonkeyPatch, operation: str = "DescribeLogGroups"
) -> None:
    """Ctrl-C at that request."""
    answer = fake.answer

    def counting(*asked: Any) -> Any:
        if fake.calls(operation) == at:
            os.kill(os.getpid(), signal.SIGINT)
        return answer(*asked)

    monkeypatch.setattr(fake, "answer", counting)


def test_who_interrupts_a_wait_reads_what_it_was_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unavailable = Fault.refusal("ServiceUnavailableException", 503, operation="DescribeLogGroups", times=FOR_EVER)
    with failing(unavailable) as (endpoint, fake):
        # a second of silence is not the end of a service that answered, if with a refusal
        interrupting(fake, 5, monkeypatch)
        ended = read(endpoint, tmp_path / "archive")
    assert ended.code == 130
    assert len(waits(ended)) == 5
    assert "ServiceUnavailableException" in waits(ended)[-1]
    assert "; next try in " in waits(ended)[-1]
    (line,) = ended.complaints
    assert line == (
        f"auditforest: interrupted while it waited: {waits(ended)[-1]}; what was committed is whole, run again for the "
        "rest"
    )
    assert records(tmp_path / "archive")[0]["error"] in line


def test_who_interrupts_the_reading_of_events_does_not_wait_for_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    throttled = Fault.refusal("ThrottlingException", operation="FilterLogEvents", times=FOR_EVER)
    with failing(throttled) as (endpoint, fake):
        interrupting(fake, 3, monkeypatch, "FilterLogEvents")
        begun = time.monotonic()
        ended = read(endpoint, tmp_path / "archive")
    assert ended.code == 130, ended.err
    assert time.monotonic() - begun < 20


def test_what_came_at_last_is_no_longer_waited_for(tmp_path: Path) -> None:
    passing = Fault.refusal("ServiceUnavailableException", 503, operation="DescribeLogGroups", times=1)
    with failing(passing) as (endpoint, _):
        ended = read(endpoint, tmp_path / "archive")
    assert (ended.code, len(waits(ended))) == (Exit.EMPTY, 1)
