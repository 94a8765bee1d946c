"""`auditforest mark` and `auditforest marks`. tests/e2e/test_marks.py."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import click
import pyarrow.compute as pc
from rich.table import Table

from pipelines.archive import RANKING, Archive
from pipelines.arguments import cluster_name, day
from pipelines.config_load import load
from pipelines.jobs import Job, archive_of, clusters_of, each, opened, say
from pipelines.marking import asked
from pipelines.marking.author import aws_identity, os_user
from pipelines.marking.holding import Held, confirmed, holding, taken_back
from pipelines.marking.record import NONE, STATES, Mark, flags
from pipelines.options import options
from pipelines.report.drawing import table
from pipelines.report.text import clip, shown_name
from pipelines.show.command import named_in_full
from pipelines.show.gather import last_ranked
from pipelines.show.naming import meant
from pipelines.stages.features import typed
from pipelines.stages.made import made
from pipelines.stages.ranked import counts_as_ranked
from pipelines.store import refuse_place

_NAME, _TEXT = 80, 200


@click.command()
@click.argument("principal")
@click.option("--as", "state", type=click.Choice(STATES[::-1]), required=True, help="What is said; none takes back.")
@click.option("--because", required=True, help="Why: words for whoever reads the report, such as a ticket.")
@click.option("--feature", "named", multiple=True, help="Only this feature, NAME or NAME=MOST (default: all reasons).")
@click.option(
    "--until", help=f"Last night, YYYY-MM-DD, on which it holds (default: {asked.DAYS} nights after the marked one)."
)
@options(span=False, unasked="the last ranked one")
def mark(**given: Any) -> None:
    """Say what a ranked principal is, for the reports of this night and later ones.

    PRINCIPAL is its name, a user name, or a part of one.

    \b
    Example: auditforest mark etl-runner --as confirmed --because "ticket 4711" --cluster prod-usw2 --archive build/demo
    """
    cluster = asked.sole(clusters_of(given)) if given["cluster"] is None else given["cluster"]
    each("mark", given | {"cluster": cluster, "from": None, "to": None}, lambda job: _mark(job, given))


def _mark(job: Job, given: Mapping[str, Any]) -> None:
    archive = job.archive
    night = last_ranked(archive) if given["date"] is None else job.run.nights[0]
    job.run.nights = (night,)
    made = archive.add_mark(_asked(job, night, given))
    job.run.note(night, mark=made.id)
    name, every = shown_name(made.principal, _NAME), archive.marks()
    if made.state == NONE:
        gone = taken_back(every, made)
        told = ", ".join(f"{one.state} for {one.night} (mark {one.id})" for one in gone) or "there was none"
        job.say(f"{night}  {name}: taken back{_of(made)}: {told}; mark {made.id}", *_kept(gone, made, every))
    else:
        job.say(f"{night}  {name}: {made.state} until {made.until}{_of(made)}, mark {made.id}")
    job.say(*_contrary(holding(every, night).get(made.principal)))
    job.say(f"to see it in the report, run {typed('report', archive, night)}")


def _asked(job: Job, night: date, given: Mapping[str, Any]) -> Mark:
    """The mark that the command line describes.

    Raises:
        ConfigError: something of it cannot be.
        OrderError: the night is not ranked, or was ranked by other counts than stand there now.
    """
    archive, state = job.archive, given["state"]
    words = asked.because(given["because"])
    last = None if given["until"] is None else day("--until", given["until"])
    ranking = made(archive, RANKING, night)
    with named_in_full():
        principal = meant(given["principal"], [ranking.table], [night])
    rows = ranking.table.filter(pc.equal(ranking.table["principal"], principal))
    counts = counts_as_ranked(archive, ranking, night, [principal])[principal]
    return Mark(
        cluster=archive.cluster,
        night=night,
        principal=principal,
        state=state,
        because=words,
        features=asked.ranges(state, given["named"], rows["reasons"][0].as_py(), counts),
        until=asked.until(state, last, night),
        made_at=datetime.now(UTC),
        run_id=job.run.run_id,
        os_user=os_user(),
        aws_identity=aws_identity(os.environ),
    )


def _of(made: Mark) -> str:
    """Of which features a mark is."""
    told = [f"{one.feature} 0 to {one.most:,}" for one in made.watched]
    return f", {', '.join(told)}" if told else ""


def _kept(gone: Sequence[Mark], none: Mark, every: Sequence[Mark]) -> Iterator[str]:
    """Which nights keep what was taken back on a later one, and what takes it back there, too."""
    attacks = confirmed(every)
    for flagged, one in {flags(one): one for one in gone if one.night < none.night}.items():
        out = f", and {one.night} stays out of the baseline" if none.principal in attacks.get(one.night, ()) else ""
        yield f"nights before {none.night} keep the mark for {one.night}{out}; to change that, pass {flagged}"


def _contrary(held: Held | None) -> Iterator[str]:
    if held is not None and held.contrary:
        told = ", ".join(f"{one.state} for {one.night} (mark {one.id})" for one in held.contrary)
        yield f"marks of this principal contradict each other: {told}; the latest counts, {held.mark.state}"


@click.command()
@click.option("--all", "every", is_flag=True, help="Every mark that was ever made, also those taken back.")
@click.option("--cluster", help="Name of the cluster (default: every cluster of the file of options).")
@click.option("--archive", help="Where the marks are kept: a folder or s3://BUCKET/PREFIX.")
@click.option("--date", "date_", help="The night on which they hold, YYYY-MM-DD (default: the last ranked).")
@click.option("--config", type=click.Path(path_type=Path), help="The file of options (default: auditforest.toml).")
def marks(**given: Any) -> None:
    """List the marks that hold on a night; nothing is written.

    \b
    Example: auditforest marks --cluster prod-usw2 --archive build/demo
    """
    config = load(given["config"], {})
    asked_for = None if given["date_"] is None else day("--date", given["date_"])
    for cluster in clusters_of(given) if given["cluster"] is None else [cluster_name(given["cluster"])]:
        where = archive_of(cluster, given["archive"], config)
        store = opened(where, config)
        refuse_place(store, where, to_write=False)
        archive = Archive(store, cluster)
        if given["every"]:
            say(_table(f"{cluster}: every mark", archive.marks()))
        else:
            say(_held(archive, last_ranked(archive) if asked_for is None else asked_for))


def _held(archive: Archive, night: date) -> str | Table:
    """What holds on the night."""
    theirs = [held for held in holding(archive.marks(), night).values() if not held.ended]
    if not theirs:
        return f"{archive.cluster}: no mark holds on {night}"
    return _table(f"{archive.cluster}: marks that hold on {night}", [mark for held in theirs for mark in held.marks])


def _table(title: str, listed: Sequence[Mark]) -> Table:
    heads = ("Mark", "Principal", "Says", "From", "Until", "Because", "By")
    return table(title, heads, _rows(listed), whole=("Mark", "Says", "From", "Until"))


def _rows(listed: Sequence[Mark]) -> Iterator[Sequence[str]]:
    for one in listed:
        who = ", ".join(shown_name(name, _NAME) for name in (one.os_user, one.aws_identity) if name is not None)
        by = f"{who or 'nobody known'}, {one.made_at:%Y-%m-%d %H:%M} UTC"
        name = shown_name(one.principal, _NAME)
        scope = f"{name} ({', '.join(sorted(one.scope))})" if one.scope else name
        yield one.id, scope, one.state, f"{one.night}", f"{one.until}", clip(one.because, _TEXT), by
