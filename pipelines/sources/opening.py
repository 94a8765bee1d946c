"""Which kind of source a text names, with the earlier nights whose late events it is read for.

Imports boto3 only through pipelines.aws, and only for a source in AWS."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from pipelines.config import ClusterConfig, Config
from pipelines.errors import ConfigError
from pipelines.sources import files
from pipelines.sources.base import Source, log_group
from pipelines.sources.window import HOUR_MS, midnight_ms, of_nights
from pipelines.words import shown

CLOUDWATCH = "cloudwatch"


@dataclass(frozen=True)
class Asked:
    """What a run wants of a source: the nights, ascending and without a gap, of one cluster.

    `archive` is the archive's address: what lies in it is no source. `bulk` names an export task of this run.
    `waits` is told what is waited for, and why; then None."""

    cluster: str
    nights: Sequence[date]
    config: Config
    archive: str
    now: datetime
    bulk: str | None = None
    waits: Callable[[str, str | None], None] = lambda _where, _why: None

    @property
    def own(self) -> ClusterConfig:
        """The options of this cluster."""
        return self.config.clusters.get(self.cluster, ClusterConfig())


def late_nights(nights: Sequence[date], hours: int) -> tuple[date, ...]:
    """Nights before the asked ones that lie, wholly or in part, within so many hours before them."""
    days = min(-(-hours // 24), (nights[0] - date.min).days)
    return tuple(nights[0] - timedelta(days=n) for n in range(days, 0, -1))


def open_source(text: str, asked: Asked) -> tuple[Source, tuple[date, ...]]:
    """The source that a command line or a configuration names, and the nights that late events may belong to.

    Raises:
        ConfigError: there is nothing, or nothing that looks like an audit log.
        EmptyNightError: there is a log, but nothing of the nights.
        AwsError: AWS refuses or does not answer.
    """
    export = asked.config.export
    if asked.bulk is not None and text != CLOUDWATCH:
        raise ConfigError(f"--bulk with --source {text}: export tasks are made of log groups; expected cloudwatch")
    if text == CLOUDWATCH:
        late = late_nights(asked.nights, export.reread_hours_logs)
        return (_exported(asked) if asked.bulk is not None else _logs(asked)), late
    late = late_nights(asked.nights, export.reread_hours_objects)
    if text.startswith("s3://"):
        return _objects(text, asked), late
    if _names_no_file(text):
        raise ConfigError(
            f"--source {text}: no kind of source that can be read; expected a file, a folder, a quoted glob, "
            "s3://BUCKET/PREFIX or cloudwatch, spelled so"
        )
    return files.select(text, None if "://" in asked.archive else Path(asked.archive)), late


def _names_no_file(text: str) -> bool:
    """Does it look like an address, or like a known word misspelled, and is no file's name?"""
    if "://" in text:
        return True
    address = re.match("s3:|arn:|https?:", text, re.IGNORECASE) or text.strip().casefold() == CLOUDWATCH
    return bool(address) and not Path(text).exists()


def _client(service: str, place: str, asked: Asked, attempts: int = 8) -> Any:
    # here and not above: a night of files never loads boto3
    from pipelines.aws import session

    own, aws = asked.own, asked.config.aws
    role = None if own.role_arn is None else session.Role(own.role_arn, own.external_id)
    region = own.region or aws.region
    where = f"{place} of {asked.cluster}"
    return session.client(service, region=region, endpoint_url=aws.endpoint, attempts=attempts, role=role, where=where)


def _now_ms(asked: Asked) -> int:
    return int(asked.now.timestamp() * 1000)


def _logs(asked: Asked) -> Source:
    from pipelines.aws.pacing import Limits
    from pipelines.sources.cloudwatch import open_logs

    export = asked.config.export
    return open_logs(
        # what fails is begun again here, with longer pauses than botocore's
        _client("logs", f"--source {CLOUDWATCH}", asked, attempts=5),
        # the first to be asked: where packets are dropped, each try takes 5 s for each of the service's addresses
        _client("eks", f"--source {CLOUDWATCH}", asked, attempts=2),
        asked.cluster,
        asked.own.log_group,
        of_nights(asked.nights[0], asked.nights[-1], export.reread_hours_logs, _now_ms(asked)),
        Limits(export.logs_calls_per_second, export.logs_deadline_minutes * 60),
        _now_ms(asked),
        waits=asked.waits,
    )


def _exported(asked: Asked) -> Source:
    from pipelines.sources.bulk import run_bulk

    export = asked.config.export
    if export.bulk_destination is None or asked.bulk is None:
        raise ConfigError(
            "--bulk: no destination for the export task; set bulk_destination under [export] in auditforest.toml "
            "(s3://BUCKET/PREFIX, a bucket that CloudWatch Logs may write to)"
        )
    window = of_nights(asked.nights[0], asked.nights[-1], export.reread_hours_logs, _now_ms(asked))
    return run_bulk(
        _client("logs", f"--source {CLOUDWATCH}", asked, attempts=1),
        _client("s3", f"bulk_destination {export.bulk_destination}", asked),
        log_group(asked.cluster) if asked.own.log_group is None else asked.own.log_group,
        (window.start_ms, window.end_ms),
        export.bulk_destination,
        asked.bulk,
        deadline_s=export.bulk_deadline_minutes * 60,
        pause=time.sleep,
        clock=time.monotonic,
        owner=asked.own.source_bucket_owner,
        apart_from=asked.archive,
    )


def _objects(text: str, asked: Asked) -> Source:
    from pipelines.sources.objects import Place, open_objects

    # before AWS is asked for a region or credentials, which a mistyped address does not lack
    Place.of(text)
    first = midnight_ms(asked.nights[0]) - asked.config.export.reread_hours_objects * HOUR_MS
    return open_objects(
        _client("s3", f"--source {shown(text)}", asked),
        text,
        (first, midnight_ms(asked.nights[-1] + timedelta(days=1))),
        owner=asked.own.source_bucket_owner,
        apart_from=asked.archive,
    )
