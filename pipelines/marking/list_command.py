"""`auditforest marks`. tests/e2e/test_marks.py."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from pipelines.archive import EVENTS, RANKING, Archive
from pipelines.arguments import day
from pipelines.config_load import load
from pipelines.jobs import say
from pipelines.marking.holding import holding, statuses
from pipelines.marking.record import EXPECTED, Mark
from pipelines.marking.telling import NAME, contradiction, ranges
from pipelines.options import CLUSTER_READ
from pipelines.report.columns import utc
from pipelines.report.drawing import table
from pipelines.report.sentences import NOTHING
from pipelines.report.text import clip, shown_name
from pipelines.show.gather import last_ranked
from pipelines.store import refuse_place
from pipelines.which import archive_of, clusters_of, one_document, opened

_TEXT = 200
_HEADS = ("Mark", "Principal", "Says", "Nights", "Features", "Because", "By")


@click.command()
@click.option("--all", "every", is_flag=True, help="Every mark that was ever made, with what became of it.")
@click.option("--cluster", help=CLUSTER_READ)
@click.option("--archive", help="Where the marks are kept: a folder or s3://BUCKET/PREFIX.")
@click.option("--date", "date_", help="The night on which they hold, YYYY-MM-DD (default: the last ranked).")
@click.option("--format", type=click.Choice(["table", "json"]), default="table", show_default=True, help="Of stdout.")
@click.option("--config", type=click.Path(path_type=Path), help="The file of options (default: auditforest.toml).")
def marks(**given: Any) -> None:
    """List the marks that hold on a night; nothing is written.

    \b
    Example: auditforest marks --cluster prod-usw2 --archive build/demo
    """
    config = load(given["config"], {})
    asked_for = None if given["date_"] is None else day("--date", given["date_"])
    clusters = clusters_of(given)
    if given["format"] == "json":
        one_document(clusters)
    for cluster in clusters:
        where = archive_of(cluster, given["archive"], config)
        store = opened(where, config)
        refuse_place(store, where, to_write=False)
        archive = Archive(store, cluster)
        made = archive.marks()
        night = _night(archive, made, every=given["every"]) if asked_for is None else asked_for
        told = _document if given["format"] == "json" else _drawn
        say(*told(cluster, night, made, every=given["every"]))


def _night(archive: Archive, made: Sequence[Mark], *, every: bool) -> date:
    """The last night that is ranked; with every mark asked for and none ranked any more, the last that is marked or
    archived."""
    known = [mark.night for mark in made] or archive.nights(EVENTS)
    return max(known) if every and known and not archive.nights(RANKING) else last_ranked(archive)


def _listed(marks: Sequence[Mark], night: date, *, every: bool) -> list[tuple[Mark, str]]:
    """The marks that hold, or all, each with its status."""
    status = statuses(marks, night)
    return [(mark, status[mark.id]) for mark in marks if every or status[mark.id] == "holds"]


def _contradictions(marks: Sequence[Mark], night: date) -> list[str]:
    told = (contradiction(held) for held in holding(marks, night).values())
    return [said for said in told if said is not None]


def _document(cluster: str, night: date, marks: Sequence[Mark], *, every: bool) -> Iterator[str]:
    """One JSON object, every text as it was written, in ASCII."""
    listed = [_plain(mark) | {"status": status} for mark, status in _listed(marks, night, every=every)]
    document = {
        "cluster": cluster,
        "date": f"{night}",
        "contradictions": _contradictions(marks, night),
        "marks": listed,
    }
    yield from json.dumps(document, indent=1, ensure_ascii=True).splitlines()


def _plain(mark: Mark) -> dict[str, Any]:
    told = {name: value for name, value in asdict(mark).items() if name != "id"}
    return {"id": mark.id, **told, "night": f"{mark.night}", "until": f"{mark.until}", "made_at": utc(mark.made_at)}


def _drawn(cluster: str, night: date, marks: Sequence[Mark], *, every: bool) -> Iterator[str | Table]:
    listed = _listed(marks, night, every=every)
    if not listed:
        yield f"{cluster}: {'no mark was ever made' if every else f'no mark holds on {night}'}"
        return
    title = f"{cluster}: every mark, as it stands on {night}" if every else f"{cluster}: marks that hold on {night}"
    yield table(title, _HEADS, (_row(*one, every=every) for one in listed), whole=("Mark",))
    yield from _contradictions(marks, night)


def _row(mark: Mark, status: str, *, every: bool) -> Sequence[str]:
    who = ", ".join(shown_name(name, NAME) for name in (mark.os_user, mark.aws_identity) if name is not None)
    return (
        mark.id,
        shown_name(mark.principal, NAME),
        f"{mark.state}, {status}" if every else mark.state,
        f"{mark.night} to {mark.until}",
        ", ".join(ranges(mark)) or ("all" if mark.state == EXPECTED else NOTHING),
        clip(mark.because, _TEXT),
        f"{who or 'nobody known'}, {mark.made_at:%Y-%m-%d %H:%M} UTC",
    )
