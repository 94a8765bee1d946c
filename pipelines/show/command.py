"""`auditforest show` and `auditforest compare`: which archive, which principal, what is printed where."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from pipelines.archive import Archive
from pipelines.arguments import night
from pipelines.config_load import load
from pipelines.errors import ConfigError
from pipelines.jobs import say
from pipelines.opened import OpenArchive
from pipelines.options import CLUSTER_SINGLE
from pipelines.report.compared_text import compared_text
from pipelines.report.role import role_yaml
from pipelines.report.shown_json import compared_json, shown_json
from pipelines.report.shown_text import shown_text
from pipelines.show.difference import compared
from pipelines.show.gather import shown
from pipelines.show.naming import AmbiguousError, listed
from pipelines.store import refuse_place
from pipelines.which import archive_of, cluster_of, opened

_OPTIONS = (
    click.option("--cluster", help=CLUSTER_SINGLE),
    click.option("--archive", help="The archive: a folder or s3://BUCKET/PREFIX (default: that of the cluster)."),
    click.option("--config", type=click.Path(path_type=Path), help="The file of options (default: auditforest.toml)."),
    click.option(
        "--format", type=click.Choice(["table", "json"]), default="table", show_default=True, help="Of stdout."
    ),
)


def _reading(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.command("show")
@click.argument("principal")
@click.option("--date", help="The night, YYYY-MM-DD (default: the last ranked one).")
@click.option(
    "--days", type=click.IntRange(1, 365), default=14, show_default=True,
    help="Dates up to the night, of ranks and of permissions used.",
)  # fmt: skip
@click.option("--role", is_flag=True, help="Print the permissions used as Roles in YAML, and nothing else.")
@_reading
def show_command(principal: str, **given: Any) -> None:
    """Show why a principal ranks where it does: reasons, past, what was new, evidence, permissions used.

    PRINCIPAL is its name, a user name, or a part of one. Nothing is written.

    \b
    Example: auditforest show etl-runner --archive build/demo --cluster prod-usw2 --date 2026-09-15
    """
    if given["role"] and given["format"] == "json":
        raise ConfigError("--role with --format json: roles are printed as YAML; expected one of the two")
    asked = None if given["date"] is None else night(given["date"], datetime.now(UTC).date())
    with _opened(given) as (tables, archive), named_in_full():
        found = shown(tables, archive, principal, asked, given["days"])
    if given["role"]:
        # already safe for a screen, and a terminal's width must not break its lines
        click.echo(role_yaml(found), nl=False)
    else:
        say(*_printed(given, shown_json(found), shown_text(found)))


@click.command("compare")
@click.argument("principal")
@click.argument("before", metavar="D1")
@click.argument("after", metavar="D2")
@_reading
def compare_command(principal: str, before: str, after: str, **given: Any) -> None:
    """Compare a principal on two nights: rank, counts, and what it touched on one of them alone.

    PRINCIPAL is its name, a user name, or a part of one; D1 and D2 are nights, YYYY-MM-DD. Nothing is written.

    \b
    Example: auditforest compare search-api 2026-09-14 2026-09-15 --archive build/demo --cluster prod-usw2
    """
    today = datetime.now(UTC).date()
    first, second = night(before, today), night(after, today)
    with _opened(given) as (_, archive), named_in_full():
        found = compared(archive, principal, first, second)
    say(*_printed(given, compared_json(found), compared_text(found)))


def _printed(given: dict[str, Any], document: str, text: Iterator[str | Table]) -> Iterator[str | Table]:
    return iter(document.splitlines()) if given["format"] == "json" else text


@contextmanager
def named_in_full() -> Iterator[None]:
    """Several principals that may be meant are printed, for the user to choose from."""
    try:
        yield
    except AmbiguousError as error:
        say(*listed(error))
        raise


@contextmanager
def _opened(given: dict[str, Any]) -> Iterator[tuple[OpenArchive, Archive]]:
    """The archive asked for, and that of the cluster asked for; no record is left of reading."""
    cluster, config = cluster_of(given), load(given["config"], {})
    where = archive_of(cluster, given["archive"], config)
    store = opened(where, config)
    refuse_place(store, where, to_write=False)
    with OpenArchive(store, config.parse) as tables:
        yield tables, tables.of(cluster)
