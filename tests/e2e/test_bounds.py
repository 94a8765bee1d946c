"""Memory of an export as it ships: on machines of many cores, and whatever the length of lines.

A small part of the matrix is tested; BOUNDS=all tests all of it, in about half an hour."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from builders import NIGHT, event, line
from e2e.job import Ended, auditforest, process, records
from e2e.world import CLUSTER

SAMPLE = Path(__file__).parents[2] / "data" / "sample"
MB = 1_000_000
MOST_BYTES = 1000 * MB


def pod(size: int, nth: int) -> bytes:
    body = {"spec": {"hostPID": True}, "note": "x" * size}
    return line(event(audit_id=f"pod-{nth}", verb="create", resource="pods", body=body))


def configmap(size: int, nth: int) -> bytes:
    body = {"data": {"key": "x" * size}}
    return line(event(audit_id=f"map-{nth}", verb="create", resource="configmaps", body=body))


def no_event(size: int, nth: int) -> bytes:
    return line({"n": nth, "secret": "x" * size})


def text(size: int, nth: int) -> bytes:
    return b"%d %b\n" % (nth, b"x" * size)


def wrapped(size: int, nth: int) -> bytes:
    return line({"log": pod(size, nth).decode()})


def listed(size: int, nth: int) -> bytes:
    return b"[" + b",".join(pod(size // 10, 10 * nth + k).rstrip() for k in range(10)) + b"]\n"


EVENTS: Mapping[Callable[[int, int], bytes], int] = {pod: 1, configmap: 1, no_event: 0, text: 0, wrapped: 1, listed: 10}
"""Kinds of line, and how many events one holds."""
FEW = [
    (pod, 10_000, 6000, 8),
    (pod, MB, 40, 16),
    (pod, 2_900_000, 8, 8),
    (pod, 8 * MB, 1, 1),
    (configmap, 20 * MB, 3, 8),
    (no_event, 900_000, 150, 8),
    (no_event, 20 * MB, 6, 8),
    (text, 20 * MB, 6, 8),
    (wrapped, 8 * MB, 2, 8),
    (listed, 20 * MB, 1, 8),
]
"""Kind, bytes, lines, threads."""
LONG_TEXTS: Mapping[str, Callable[[int], bytes]] = {
    "users": lambda nth: line(event(user=f"{nth}-{'x' * 100_000}", name="p")),
    "agents": lambda nth: line(event(agent=f"{nth}-{'x' * 60_000}")),
    "uris": lambda nth: line(event(uri=f"/api/{nth}-{'x' * 60_000}")),
    "names": lambda nth: line(event(name=f"{nth}-{'x' * 100_000}", uri="/api", resource="secrets")),
    "all": lambda nth: line(event(user="x" * 60_000 + str(nth), name="x" * 60_000 + str(nth), agent=f"{nth}" * 9_000)),
}
"""Requests of which a client chose a text that no other has."""
REQUESTS = 10_000 if os.environ.get("BOUNDS") == "all" else 300
TEXTS = list(LONG_TEXTS) if os.environ.get("BOUNDS") == "all" else ["users"]
ALL = list(dict.fromkeys([*FEW, *itertools.product(EVENTS, (MB, 8 * MB, 20 * MB, 60 * MB), (1, 30), (1, 8))]))
CASES = ALL if os.environ.get("BOUNDS") == "all" else FEW


def exported(
    run: Callable[..., Ended], source: Path, archive: Path, *nights: date | str, **environment: str
) -> dict[str, Any]:
    """Export these nights; the record of the run comes back."""
    asked = ("--cluster", CLUSTER, "--source", source, "--archive", archive, "--from", nights[0], "--to", nights[-1])
    ended = run("export", *asked, **environment)
    assert ended.code == 0, ended.err
    return records(archive)[-1]


def written(path: Path, lines: Iterable[bytes]) -> Path:
    with path.open("wb") as file:
        file.writelines(lines)
    return path


@pytest.mark.parametrize(
    ("kind", "size", "count", "threads"), CASES, ids=[f"{k.__name__}-{s // 1000}KB-{n}-{t}" for k, s, n, t in CASES]
)
def test_lines_however_long_are_archived_or_filed_in_bounded_memory(
    tmp_path: Path, kind: Callable[[int, int], bytes], size: int, count: int, threads: int
) -> None:
    long = (kind(size, nth) for nth in range(count))
    good = (line(event(audit_id=name)) for name in ("first", "last"))
    source = written(tmp_path / "audit.log", itertools.chain([next(good)], long, good))
    options = {"AUDITFOREST_PARSE__THREADS": str(threads), "AUDITFOREST_EXPORT__QUARANTINED_PERCENT": "100"}
    record = exported(process, source, tmp_path / "archive", NIGHT, **options)
    counts = record["export"]["counts"]
    bad = 0 if EVENTS[kind] else count
    assert (counts["archived"], counts["quarantined"]) == (2 + count * EVENTS[kind], bad)
    assert record["peak_memory_bytes"] < MOST_BYTES


@pytest.mark.parametrize("kind", TEXTS)
def test_a_night_of_requests_with_long_texts_is_ranked_in_bounded_memory(tmp_path: Path, kind: str) -> None:
    source = written(tmp_path / "audit.log", map(LONG_TEXTS[kind], range(REQUESTS)))
    asked = ("--cluster", CLUSTER, "--source", source, "--archive", tmp_path / "archive", "--date", NIGHT)
    ended = process("nightly", *asked, "--trees", 10, patience_s=1200)
    assert ended.code == 0, ended.err
    (record,) = records(tmp_path / "archive")
    assert record["export"]["counts"]["archived"] == REQUESTS
    assert record["peak_memory_bytes"] < MOST_BYTES


@pytest.mark.skipif(os.environ.get("BOUNDS") != "all", reason="a million events; run with BOUNDS=all")
def test_many_lists_of_events_on_long_lines_are_archived_in_bounded_memory(tmp_path: Path) -> None:
    def one(nth: int) -> bytes:
        events = b",".join(line(event(user=f"u-{nth % 50}")).rstrip() for _ in range(1700))
        return b'{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[' + events + b"]}\n"

    source = written(tmp_path / "audit.log", map(one, range(600)))
    record = exported(partial(process, patience_s=1200), source, tmp_path / "archive", NIGHT)
    assert record["export"]["counts"]["archived"] == 600 * 1700
    assert record["peak_memory_bytes"] < MOST_BYTES


def test_parts_are_the_same_bytes_on_machines_of_few_and_of_many_cores(tmp_path: Path) -> None:
    found = []
    for threads in (1, 8, 64):
        root = tmp_path / str(threads)
        options = {"AUDITFOREST_PARSE__THREADS": str(threads)}
        exported(auditforest, SAMPLE, root, "2026-09-08", "2026-09-15", **options)
        commits = sorted((root / "events").glob("*/*/_commit-*.json"))
        found.append([part["sha256"] for path in commits for part in json.loads(path.read_bytes())["parts"]])
    assert len(found[0]) == 8
    assert found[0] == found[1] == found[2]
