"""`auditforest mark`. tests/e2e/test_marks.py."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import click
import pyarrow.compute as pc

from pipelines.archive import RANKING, Archive
from pipelines.arguments import day
from pipelines.errors import ConfigError
from pipelines.jobs import Job, each
from pipelines.marking import asked
from pipelines.marking.author import aws_identity, os_user
from pipelines.marking.holding import confirmed, holding, moment, standing_of, taken_back
from pipelines.marking.record import NONE, STATES, Mark, flags
from pipelines.marking.telling import NAME, changes, contradiction, ranges
from pipelines.options import options
from pipelines.report.text import shown_name
from pipelines.show.command import named_in_full
from pipelines.show.gather import last_ranked
from pipelines.show.naming import meant
from pipelines.stages.features import typed
from pipelines.stages.made import made
from pipelines.stages.ranked import counts_as_ranked
from pipelines.which import cluster_of

_NOTHING_LEFT = "nothing, for others took it back or marked anew meanwhile"


@click.command()
@click.argument("principal")
@click.option("--as", "state", type=click.Choice(STATES[::-1]), required=True, help="What is said; none takes back.")
@click.option("--because", required=True, help="Why: words for whoever reads the report, such as a ticket.")
@click.option("--feature", "named", multiple=True, help="Only this feature, NAME or NAME=MOST (default: all reasons).")
@click.option(
    "--until", help=f"Last night, YYYY-MM-DD, on which it holds (default: {asked.DAYS} nights after the marked one)."
)
@options(span=False, single=True, unasked="the last ranked one")
def mark(**given: Any) -> None:
    """Say what a ranked principal is, for the reports of this night and later ones.

    PRINCIPAL is its name, a user name, or a part of one.

    \b
    Example: auditforest mark etl-runner --as confirmed --because "ticket 4711" --cluster prod-usw2 --archive build/demo
    """
    each("mark", given | {"cluster": cluster_of(given), "from": None, "to": None}, lambda job: _mark(job, given))


def _mark(job: Job, given: Mapping[str, Any]) -> None:
    archive = job.archive
    night = last_ranked(archive) if given["date"] is None else job.run.nights[0]
    job.run.nights = (night,)
    before = archive.marks()
    asked_for = _asked(job, night, given, before)
    if asked_for.state == NONE and not taken_back([*before, asked_for], asked_for):
        raise ConfigError(_nothing_stands(archive, before, asked_for))
    added = archive.add_mark(asked_for)
    job.run.note(night, mark=added.id)
    every = archive.marks()
    name, of = shown_name(added.principal, NAME), ", ".join(ranges(added))
    if added.state == NONE:
        gone = taken_back(every, added)
        # another none may have come between
        told = ", ".join(f"{one.state} for {one.night} (mark {one.id})" for one in gone) or _NOTHING_LEFT
        job.say(f"{night}  {name}: taken back{of and f', {of}'}: {told}; mark {added.id}", *_kept(gone, added, every))
    else:
        job.say(f"{night}  {name}: {added.state} until {added.until}{of and f', {of}'}, mark {added.id}")
    held = holding(every, night).get(added.principal)
    contrary = None if held is None else contradiction(held)
    job.say(
        *([] if contrary is None else [contrary]), _reports(archive, every, added), *_baseline(archive, every, added)
    )


def _nothing_stands(archive: Archive, marks: Sequence[Mark], none: Mark) -> str:
    of = f" of {', '.join(sorted(none.scope))}" if none.scope else ""
    others = ", ".join(f"{one.state} with {flags(one)}" for one in standing_of(marks, none.principal))
    listing = shlex.join(["marks", "--cluster", archive.cluster, "--archive", archive.store.url, "--all"])
    return (
        f"{archive.store.url}: {archive.cluster}, {none.night}: no mark{of} stands of "
        f"{shown_name(none.principal, NAME)}, so none was taken back; found on other terms: {others or 'none'}; "
        f"'auditforest {listing}' lists every mark"
    )


def _reports(archive: Archive, marks: Sequence[Mark], added: Mark) -> str:
    """Which nights' reports change when they are made again, and how."""
    found = changes(marks, added, archive.nights(RANKING))
    if not found.nights:
        return "no report of a ranked night changes"
    command = typed("report", archive, found.nights[0], cascade=len(found.nights) > 1)
    return f"reports that change when they are made again, where it is ranked: {found.said}; run {command}"


def _baseline(archive: Archive, marks: Sequence[Mark], added: Mark) -> Iterator[str]:
    """What scores the nights after the mark's anew, where their baseline is another by it."""
    was = added.principal in confirmed(one for one in marks if one.id != added.id).get(added.night, ())
    now = added.principal in confirmed(marks).get(added.night, ())
    if was == now:
        return
    said = f"nights scored from now on are compared {'without' if now else 'again with'} its {added.night}"
    later = [night for night in archive.nights(RANKING) if night > added.night]
    if later:
        again = ", then ".join(
            typed(stage, archive, later[0], cascade=True) for stage in ("features", "score", "report")
        )
        said += f"; to score the {len(later):,} ranked after it anew, run {again}"
    yield said


def _asked(job: Job, night: date, given: Mapping[str, Any], before: Sequence[Mark]) -> Mark:
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
        made_at=moment(datetime.now(UTC), (one for one in before if one.principal == principal)),
        run_id=job.run.run_id,
        os_user=os_user(),
        aws_identity=aws_identity(os.environ),
    )


def _kept(gone: Sequence[Mark], none: Mark, every: Sequence[Mark]) -> Iterator[str]:
    """Which nights keep what was taken back on a later one, and what takes it back there, too."""
    attacks = confirmed(every)
    for flagged, one in {flags(one): one for one in gone if one.night < none.night}.items():
        out = f", and {one.night} stays out of the baseline" if none.principal in attacks.get(one.night, ()) else ""
        yield f"nights before {none.night} keep the mark for {one.night}{out}; to change that, pass {flagged}"
