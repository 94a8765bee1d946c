"""The command line: options, exit codes, what is printed where. Results to stdout, progress and errors to stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import click
from rich.table import Table

from features import listing
from pipelines.archive import PRINCIPAL_DAYS, RANKING
from pipelines.archive_command import archive_group
from pipelines.backtest.command import run_evaluate
from pipelines.decoded import Derived
from pipelines.endings import NAME, endable, explained, mend_streams
from pipelines.errors import ENDINGS, EmptyNightError
from pipelines.jobs import Job, each, say
from pipelines.marking.command import mark
from pipelines.marking.list_command import marks
from pipelines.nightly import (
    in_turn,
    not_read,
    refuse_empty,
    run_all,
    run_export,
    run_features,
    run_report,
    run_score,
)
from pipelines.options import options
from pipelines.progress import complain
from pipelines.report.markdown import night_md
from pipelines.report.sentences import counted, coverage_line, notices, run_line
from pipelines.report.terminal import backtest_tables, ranking_table, remarks
from pipelines.report.text import shown_name
from pipelines.show.command import compare_command, show_command
from pipelines.stages.features import typed
from pipelines.stages.report import Published
from pipelines.which import clusters_of, one_document

_EXITS = "\n".join(f"  {code:<3}  {meaning}" for code, meaning in ENDINGS.items())


@click.group(
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=f"\b\nExit codes:\n{_EXITS}",
)
@click.version_option(package_name=NAME)
def cli() -> None:
    """Rank the principals of an EKS cluster by how strangely they used the Kubernetes API.

    \b
    Example: auditforest nightly --cluster prod-usw2 --source data/sample --archive build/demo --date 2026-09-15
    """


@cli.command()
@options(source=True, sections=("features", "forest"), cascade=True)
def nightly(**given: Any) -> None:
    """Archive, count, rank and report the night: all four stages.

    \b
    Example: auditforest nightly --cluster prod-usw2 --source data/sample --archive build/demo --date 2026-09-15
    """
    each("nightly", given, _nightly)


def _nightly(job: Job) -> None:
    last = job.run.nights[-1]
    ranked = set()
    try:
        for made, why in run_all(job.archive, job.engine, job.source, job.config, job.run, job.progress):
            ranked.add(made.night.date)
            job.say(*(_results(made, job) if made.night.date == last else [_in_a_line(made, why)]))
    except EmptyNightError:
        # where no night has results, stdout stays empty
        if ranked and last not in ranked:
            job.say(*_of_this_run(job))
        raise


def _in_a_line(made: Published, why: str) -> str:
    everybody = made.night.principals
    first = next((f", first {shown_name(row.principal, 60)} ({row.score:.3g})" for row in everybody), "")
    return f"{made.night.date}  {why and f'{why}: '}{counted(len(everybody), 'principals')}{first}"


def _results(made: Published, job: Job) -> Iterator[str | Table]:
    read = f"by all runs: {coverage_line(made.night)}"
    yield from (f"{made.night.date}  {said}" for said in (read, *notices(made.night)))
    yield ranking_table(made.night)
    yield from remarks(made.night)
    yield from _of_this_run(job)
    yield f"report: {job.archive.store.url}/{made.html}"


def _of_this_run(job: Job) -> Iterator[str]:
    """What became of the lines that this run read, of whichever night, and what it did not read."""
    export = job.run.export
    if export is not None:
        yield from export["notices"]
        yield f"this run: {run_line(export['counts'])}"
        yield from not_read(job.source, export["counts"]["skipped"], export["ignored"])


@cli.command()
@options(source=True)
@click.option("--bulk", is_flag=True, help="Let CloudWatch Logs export to [export] bulk_destination, and read that.")
def export(**given: Any) -> None:
    """Archive the source's events of the night.

    \b
    Example: auditforest export --cluster prod-usw2 --source data/sample --archive build/demo --date 2026-09-15
    """
    each("export", given, _export)


def _export(job: Job) -> None:
    done = run_export(job.archive, job.engine, job.source, job.run, job.progress)
    for night in done.revised:
        stages = ", then ".join(typed(stage, job.archive, night) for stage in ("features", "score", "report"))
        job.say(f"{night}  revised by events that came late; run {stages}")
    for night, commit in done.commits.items():
        if commit is not None:
            it, new = commit.counts, "" if night in done.written else ": nothing new"
            held = f"{counted(it.archived, 'events')} archived, {counted(it.quarantined, 'lines')} quarantined"
            job.say(f"{night}  {held}, generation {commit.generation}{new}")
    job.say(*_of_this_run(job))
    refuse_empty(done, job.source, job.archive)


@cli.command()
@options(sections=("features",), cascade=True)
@click.option("--list", "listed", is_flag=True, help="Print every number that is counted, and count nothing.")
def features(*, listed: bool, **given: Any) -> None:
    """Count the archived events of the night by principal.

    \b
    Example: auditforest features --cluster prod-usw2 --archive build/demo --date 2026-09-15
    """
    if listed:
        say(*listing.lines())
    else:
        each("features", given, _features)


def _features(job: Job) -> None:
    for night in in_turn(job.archive, PRINCIPAL_DAYS, job.run):
        made = run_features(job.archive, job.engine, night, job.config, job.run, job.progress)
        job.say(*_told(night, made, "counted"))


@cli.command()
@options(sections=("forest",), cascade=True)
def score(**given: Any) -> None:
    """Rank the principals of a counted night by how strange they were.

    \b
    Example: auditforest score --cluster prod-usw2 --archive build/demo --date 2026-09-15 --trees 100
    """
    each("score", given, _score)


def _score(job: Job) -> None:
    for night in in_turn(job.archive, RANKING, job.run):
        made = run_score(job.archive, job.engine, night, job.config, job.run, job.progress)
        job.say(*_told(night, made, "ranked"))


def _told(night: date, made: Derived, done: str) -> Iterator[str]:
    yield from (f"{night}  {notice}" for notice in made.meta["notices"])
    yield f"{night}  {counted(made.table.num_rows, 'principals')} {done}"


@cli.command()
@options(cascade=True)
@click.option(
    "--format",
    type=click.Choice(["path", "md"]),
    default="path",
    show_default=True,
    help="Of stdout: where the report is, or the first ten ranks as a message.",
)
def report(**given: Any) -> None:
    """Write the report of a ranked night.

    \b
    Example: auditforest report --cluster prod-usw2 --archive build/demo --date 2026-09-15
    """
    each("report", given, lambda job: _report(job, given["format"]))


def _report(job: Job, format_: str) -> None:
    for night in in_turn(job.archive, RANKING, job.run):
        made = run_report(job.archive, night, job.run, job.progress)
        if format_ == "md":
            job.say(*night_md(made.night).splitlines())
        else:
            job.say(f"{night}  {job.archive.store.url}/{made.html}")


@cli.command()
@options(sections=("forest",), span=False)
@click.option("--nights", type=click.IntRange(1, 365), default=7, show_default=True, help="Archived nights to act in.")
@click.option("--per-kind", type=click.IntRange(1, 100), default=4, show_default=True, help="Cases a kind and night.")
@click.option("--format", type=click.Choice(["table", "json"]), default="table", show_default=True, help="Of stdout.")
def evaluate(**given: Any) -> None:
    """Back-test the ranking: act known attacks out in copies of the last nights up to --date, and rank them.

    \b
    Example: auditforest evaluate --cluster prod-usw2 --archive build/demo --date 2026-09-15 --nights 1 --per-kind 2
    """
    if given["format"] == "json":
        one_document(clusters_of(given))
    each("evaluate", given | {"from": None, "to": None}, lambda job: _evaluate(job, given))


def _evaluate(job: Job, given: Mapping[str, Any]) -> None:
    found = run_evaluate(job.archive, job.engine, given["nights"], given["per_kind"], job.config, job.run, job.progress)
    job.say(*(found.to_json().splitlines() if given["format"] == "json" else backtest_tables(found)))


cli.add_command(mark)
cli.add_command(marks)
cli.add_command(show_command)
cli.add_command(compare_command)
cli.add_command(archive_group)


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point: runs the command and turns what can be explained into one line and an exit code.

    Args:
        arguments: of the command line, without the program's name; None takes the process's own.
    """
    mend_streams()
    try:
        with endable():
            cli(arguments, prog_name=NAME, standalone_mode=False)
    except BaseException as error:
        told = explained(error)
        if told is None:
            raise
        complain(told[1])
        sys.exit(told[0])
