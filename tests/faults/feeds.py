"""Where the swept job reads: the same lines as files, or as another source whose calls are swept, too.

A new kind of source is a function here and a line in FEEDS."""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from builders import event, line
from e2e.world import CLUSTER, NIGHTS, audit_id, ordinary
from faults import log_groups
from faults.bucket import Bucket

BEFORE, NIGHT = NIGHTS[0], NIGHTS[1]
_AGENTS = ("payment/v2.1", "index/v0.9")
_PERSON = "nikhil"
_BAD = b"no audit event\n"

Lines = Mapping[date, Sequence[bytes]]


def early() -> dict[date, list[bytes]]:
    """Two nights, the latest events not yet there."""
    return {BEFORE: _few(BEFORE), NIGHT: _few(NIGHT)}


def full(*, revising: bool) -> dict[date, list[bytes]]:
    """Both nights, late events and all, with a few lines twice and one that is no event.

    Args:
        revising: did late events come for the first night, too?
    """
    nights = early()
    nights[BEFORE] += _late(BEFORE) if revising else []
    nights[NIGHT] += [*nights[NIGHT][:5], _BAD, *_late(NIGHT)]
    return nights


def _few(night: date) -> list[bytes]:
    """Some ninety events of three principals, in every hour of the night."""
    return [line(e) for e in ordinary(night) if e["userAgent"] in _AGENTS or _PERSON in e["user"].get("username", "")]


def _late(night: date) -> list[bytes]:
    dice = random.Random(f"late {night}")
    asked = {
        "user": "system:serviceaccount:shop:payment",
        "agent": "payment/v2.1",
        "ip": "10.0.0.8",
        "resource": "secrets",
        "at": f"{night}T23:50:00.000000Z",
    }
    return [line(event(**asked, name=f"late-{n}", audit_id=audit_id(dice))) for n in range(7)]  # type: ignore[arg-type]


@dataclass(frozen=True)
class Feed:
    """A source as it was laid out: what `--source` says, and what the environment must hold."""

    source: str
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Place:
    """Where a source can be laid out: a folder, and the emulator itself."""

    folder: Path
    endpoint: str


Lay = Callable[[Lines, str, Place], Feed]
"""Lays out lines under a name that is free yet."""


def files(lines: Lines, name: str, place: Place) -> Feed:
    """One file a night in a folder."""
    (place.folder / name).mkdir()
    for file, body in _bodies(lines).items():
        (place.folder / name / file).write_bytes(body)
    return Feed(str(place.folder / name))


def objects(lines: Lines, name: str, _: Place) -> Feed:
    """One object a night in a bucket of its own, packed: of plain text without a checksum nobody can tell whether it
    came as it was sent."""
    packed = {f"{file}.gz": gzip.compress(body, mtime=0) for file, body in _bodies(lines).items()}
    Bucket(name).lay("audit", packed)
    return Feed(f"s3://{name}/audit")


def cloudwatch(lines: Lines, name: str, place: Place) -> Feed:
    """A log group of an EKS cluster, read as fast as the service answers."""
    log_groups.fill(name, [line for night in sorted(lines) for line in lines[night]])
    log_groups.know_cluster(place.endpoint, CLUSTER)
    return Feed(
        "cloudwatch",
        {
            f"AUDITFOREST_CLUSTERS__{CLUSTER}__LOG_GROUP": name,
            "AUDITFOREST_EXPORT__REREAD_HOURS_LOGS": "1",
            "AUDITFOREST_EXPORT__LOGS_CALLS_PER_SECOND": "1000",
            "AUDITFOREST_EXPORT__LOGS_DEADLINE_MINUTES": "1",
        },
    )


def _bodies(lines: Lines) -> dict[str, bytes]:
    return {f"audit-{night}.ndjson": b"".join(written) for night, written in lines.items()}


FEEDS: dict[str, Lay] = {"files": files, "objects": objects, "cloudwatch": cloudwatch}
"""Every kind of source that is swept."""
