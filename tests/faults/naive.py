"""An export as one would write it first. It is wrong on purpose: the sweep must find it out, or the sweep is blind.

It trusts the stock paginator and takes a page without events for an empty one; it gives its part a fixed name; it
takes a 412 for a failure even when its own lost write is the cause."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from io import BytesIO
from typing import Any
from unittest import mock

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
from botocore.config import Config
from faults.checker import Result
from s3_server import AWS_ENVIRONMENT

from pipelines.commits import Commit, Counts, Part

CLUSTER = "prod"
PAGE = 40


def export(endpoint: str, group: str, bucket: str, prefix: str, night: date) -> None:
    """Archive one night of a log group."""
    session = boto3.session.Session(
        aws_access_key_id=AWS_ENVIRONMENT["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=AWS_ENVIRONMENT["AWS_SECRET_ACCESS_KEY"],
        region_name=AWS_ENVIRONMENT["AWS_DEFAULT_REGION"],
    )
    create: Any = session.client
    config = Config(retries={"mode": "standard", "total_max_attempts": 8}, s3={"addressing_style": "path"})
    logs, s3 = (create(name, endpoint_url=endpoint, config=config) for name in ("logs", "s3"))
    try:
        _archive(s3, bucket, f"{prefix}/events/cluster={CLUSTER}/date={night}", night, _read(logs, group, night))
    finally:
        logs.close()
        s3.close()


def _read(logs: Any, group: str, night: date) -> list[bytes]:
    start = datetime(night.year, night.month, night.day, tzinfo=UTC)
    window = {"startTime": _ms(start), "endTime": _ms(start + timedelta(days=1))}
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName=group, **window, PaginationConfig={"PageSize": PAGE}
    )
    return [event["message"].encode() for page in pages for event in page.get("events", [])]


def _archive(s3: Any, bucket: str, folder: str, night: date, lines: list[bytes]) -> None:
    hashes = sorted({sha256(line).hexdigest()[:32] for line in lines})
    sink = BytesIO()
    pq.write_table(pa.table({"content_hash": pa.array(hashes, pa.string())}), sink)
    body = sink.getvalue()
    s3.put_object(Bucket=bucket, Key=f"{folder}/part-0.parquet", Body=body)
    part = Part("part-0.parquet", sha256(body).hexdigest(), len(hashes), len(body))
    counts = Counts(read=len(lines), archived=len(hashes), duplicate=len(lines) - len(hashes))
    commit = Commit("events", CLUSTER, night, 1, (part,), counts=counts)
    s3.put_object(Bucket=bucket, Key=f"{folder}/_commit-1.json", Body=commit.body(), IfNoneMatch="*")


def _ms(time: datetime) -> int:
    return int(time.timestamp() * 1000)


def run(endpoint: str, group: str, bucket: str, night: date) -> Callable[[str], Result]:
    """The naive job as the sweep runs one."""

    def to_its_end(prefix: str) -> Result:
        with mock.patch("time.sleep"):
            try:
                export(endpoint, group, bucket, prefix, night)
            except Exception:  # noqa: BLE001 (the naive job foresees nothing)
                return Result(1, "", traceback.format_exc())
        return Result(0)

    return to_its_end
