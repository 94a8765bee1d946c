"""`auditforest archive check`. tests/e2e/test_archive_check.py."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import click

from pipelines.arguments import cluster_name, nights
from pipelines.config import Config
from pipelines.config_load import load
from pipelines.errors import AuditForestError, ConfigError, worst
from pipelines.jobs import say
from pipelines.progress import complain, shown
from pipelines.stages.check import check
from pipelines.stages.findings import lines, refuse
from pipelines.store import refuse_place
from pipelines.which import archive_of, opened

_EARLIEST = "1970-01-01"


@click.group("archive", no_args_is_help=False)
def archive_group() -> None:
    """Look after an archive.

    \b
    Example: auditforest archive check --archive build/demo
    """


@archive_group.command("check")
@click.option("--archive", help="The archive: a folder or s3://BUCKET/PREFIX (default: each of the file of options).")
@click.option("--cluster", help="Only this cluster (default: every one).")
@click.option("--from", help="First night, YYYY-MM-DD (default: the archive's first).")
@click.option("--to", help="Last night, inclusive (default: today).")
@click.option("--strict", is_flag=True, help="Let anything found end with exit code 3, not damage alone.")
@click.option("--config", type=click.Path(path_type=Path), help="The file of options (default: auditforest.toml).")
def archive_check(**given: Any) -> None:
    """Verify every object of an archive and name what is wrong; nothing is written or deleted.

    \b
    Example: auditforest archive check --archive build/demo --cluster prod-usw2
    """
    now = datetime.now(UTC)
    cluster = None if given["cluster"] is None else cluster_name(given["cluster"])
    config = load(given["config"], {})
    asked = _span(given["from"], given["to"], now.date())
    codes = []
    for where in _archives(cluster, given["archive"], config):
        try:
            with shown(f"{now:%Y%m%dT%H%M%S}Z-check", cluster or "", lambda: datetime.now(UTC)) as progress:
                progress.stage("archive check")
                store = opened(where, config)
                refuse_place(store, where, to_write=False)
                done = check(store, cluster, asked, progress.update)
                progress.pause()
            say(*lines(done))
            refuse(done, strict=given["strict"])
        except AuditForestError as error:
            complain(str(error))
            codes.append(error.exit_code)
    if codes:
        sys.exit(worst(codes))


def _span(from_: str | None, to: str | None, today: date) -> tuple[date, date] | None:
    """The first and the last night asked for; None for all.

    Raises:
        ConfigError: no dates, or in the wrong order.
    """
    if from_ is None and to is None:
        return None
    first, last = _EARLIEST if from_ is None else from_, today.isoformat() if to is None else to
    asked = nights(None, first, last, today, most=None)
    return asked[0], asked[-1]


def _archives(cluster: str | None, flag: str | None, config: Config) -> list[str]:
    """The archives to check: the one named, that of a cluster, or each that is declared, once.

    Raises:
        ConfigError: there is none.
    """
    if cluster is not None:
        return [archive_of(cluster, flag, config)]
    declared = [known.archive for _, known in sorted(config.clusters.items())] if flag is None else [flag]
    found = list(dict.fromkeys(where for where in declared if where))
    if not found:
        raise ConfigError(
            "no archive to check: pass --archive FOLDER or s3://BUCKET/PREFIX, or set archive under a [clusters.NAME] "
            "in auditforest.toml"
        )
    return found
