"""The audit log of a window by one export task: what CloudWatch Logs wrote to S3, read from there.

For back-fills: the service allows one task at a time, and events may take 12 hours to become exportable.
tests/pipelines/test_bulk.py runs it against a service of its own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from pipelines.aws import export_task
from pipelines.aws.objects import Listed
from pipelines.errors import ConfigError, EmptyNightError
from pipelines.sources.base import AUDIT_STREAMS, Source
from pipelines.sources.objects import Place, below
from pipelines.sources.window import Window, export_bounds
from pipelines.words import shown


def run_bulk(
    logs: Any,
    s3: Any,
    group: str,
    window_ms: tuple[int, int],
    destination: str,
    task_name: str,
    *,
    deadline_s: float,
    pause: Callable[[float], None],
    clock: Callable[[], float],
    owner: str | None,
    apart_from: str,
) -> Source:
    """What an export task wrote of the audit log's streams, each object named START--END/STREAM/NUMBER.gz.

    Every task begins to number anew: without its window an object would bear the name of another one.

    Args:
        logs: a client of one attempt: botocore takes "there can be only one task" for throttling and insists.
        window_ms: first millisecond and the one after the last, UTC.
        destination: s3://BUCKET or s3://BUCKET/PREFIX, to which the task's name is added.
        task_name: its own, no other task of the account is called so.
        deadline_s: until the task has ended.
        owner: account that must own the bucket; asked before anything is exported to it.
        apart_from: the archive, which must not lie in the destination, nor the destination in it.
    Raises:
        ConfigError: the destination is no address, has no such bucket or overlaps the archive.
        AwsError: the task is refused, fails or does not end in time, or the bucket is refused.
        EmptyNightError: the task has completed without an object.
    """
    place = Place.of(destination, "bulk_destination")
    if place.overlaps_archive(apart_from):
        raise ConfigError(
            f"bulk_destination {shown(destination)}: overlaps the archive {shown(apart_from)}; have CloudWatch Logs "
            "write elsewhere"
        )
    prefix = f"{place.prefix}{task_name}"
    # the task itself takes no owner, and would export to a bucket that another account has made its own
    below(s3, Place(place.bucket, f"{prefix}/"), _audit_log, owner)
    task = export_task.Task(task_name, group, AUDIT_STREAMS, export_bounds(Window(*window_ms)), place.bucket, prefix)
    task_id = export_task.run(logs, task, deadline_s=deadline_s, pause=pause, clock=clock)
    span = "--".join(f"{datetime.fromtimestamp(ms // 1000, UTC):%Y-%m-%dT%H%M%S}.{ms % 1000:03d}Z" for ms in window_ms)
    source, passed = below(s3, Place(place.bucket, f"{prefix}/{task_id}/"), _audit_log, owner, f"{span}/")
    if not source.objects:
        raise EmptyNightError(
            f"{task.where}, task {task_id}: completed without an object of {AUDIT_STREAMS} ({passed.total()} others); "
            f"check that audit logging is on and the retention of {group}; it may take 12 hours until events can be "
            "exported"
        )
    return source


def _audit_log(name: str, found: Listed) -> str | None:
    del found
    return None if name.startswith(AUDIT_STREAMS) else "of other streams"
