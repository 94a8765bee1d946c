"""The command line: options, exit codes, what is printed where. Results to stdout, progress and errors to stderr."""

from __future__ import annotations

import os
import resource
import secrets
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import duckdb
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipelines.archive import Archive
from pipelines.arguments import cluster_name, nights
from pipelines.config import FLAGS, ClusterConfig, Config, describe
from pipelines.config_load import load
from pipelines.endings import NAME, endable, explained, mend_streams
from pipelines.engine import engine
from pipelines.errors import AuditForestError, ConfigError, Exit
from pipelines.nightly import refuse_empty, run_all, run_export, run_features, run_report, run_score
from pipelines.progress import Progress, complain, shown
from pipelines.report.sentences import coverage_line, notices
from pipelines.report.terminal import ranking_table
from pipelines.report.text import shown_name, visible
from pipelines.runs import Run
from pipelines.stages.report import Published
from pipelines.store import ObjectStore, open_store

_EXITS = "\n".join(f"  {code.value}  {code.meaning}" for code in Exit)
_WIDTH = 140
_BUG = 1


@dataclass(frozen=True)
class Job:
    """A command with everything it needs."""

    archive: Archive
    engine: duckdb.DuckDBPyConnection
    config: Config
    run: Run
    progress: Progress

    @property
    def source(self) -> str:
        """Where events are read.

        Raises:
            ConfigError: nobody said.
        """
        if self.run.source is None or not self.run.source.strip():
            raise ConfigError(
                f"no source for {self.archive.cluster}: pass --source FILE, FOLDER or 'GLOB', or set source under "
                f"[clusters.{self.archive.cluster}] in auditforest.toml"
            )
        return self.run.source

    def say(self, *results: str | Table) -> None:
        """Print results to stdout, each on lines of its own; a reader who has left (`| head`) stops no night."""
        self.progress.pause()
        screen = Console() if sys.stdout.isatty() else Console(width=_WIDTH)
        with screen.capture() as drawn:
            for result in results:
                screen.print(Text(visible(result)) if isinstance(result, str) else result, soft_wrap=True)
        try:
            click.echo(drawn.get(), nl=False)
        except BrokenPipeError:
            # or the interpreter would fail once more when it flushes stdout at its end
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _options(command: Callable[..., None]) -> Callable[..., None]:
    """The options every command takes, those of the configuration made from their declarations."""
    for flag, option in reversed(list(FLAGS.items())):
        said = describe(option)
        command = click.option(flag, type=said.type, help=f"{said.description} (default: {said.default})")(command)
    plain: tuple[tuple[str, dict[str, Any]], ...] = (
        ("--cluster", {"required": True, "help": "Name of the cluster."}),
        ("--source", {"help": "A file, a folder or a quoted glob of NDJSON audit events, plain, .gz or .zst."}),
        ("--archive", {"help": "Where tables and reports are kept: a folder or s3://BUCKET/PREFIX."}),
        ("--date", {"help": "The night, YYYY-MM-DD, one UTC day (default: yesterday)."}),
        ("--from", {"help": "First night of a back-fill."}),
        ("--to", {"help": "Last night of a back-fill, inclusive (default: yesterday)."}),
        ("--config", {"type": click.Path(path_type=Path), "help": "The file of options (default: auditforest.toml)."}),
    )
    for name, more in reversed(plain):
        command = click.option(name, **more)(command)
    return command


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
@_options
def nightly(**given: Any) -> None:
    """Archive, count, rank and report the night: all four stages.

    \b
    Example: auditforest nightly --cluster prod-usw2 --source data/sample --archive build/demo --date 2026-09-15
    """
    with _job("nightly", given) as job:
        for made in run_all(job.archive, job.engine, job.source, job.config, job.run, job.progress):
            if made.night.date == job.run.nights[-1]:
                job.say(*_results(made, job.archive))
            else:
                first = made.night.ranked[0]
                name = shown_name(first.principal, 60)
                job.say(f"{made.night.date}  {len(made.night.ranked)} principals, first {name} ({first.score:.3g})")


def _results(made: Published, archive: Archive) -> Iterator[str | Table]:
    yield from notices(made.night)
    yield ranking_table(made.night)
    yield coverage_line(made.night)
    yield f"report: {archive.store.url}/{made.html}"


@cli.command()
@_options
def export(**given: Any) -> None:
    """Archive the source's events of the night.

    \b
    Example: auditforest export --cluster prod-usw2 --source data/sample --archive build/demo --date 2026-09-15
    """
    with _job("export", given) as job:
        done = run_export(job.archive, job.engine, job.source, job.run, job.progress)
        for night, commit in done.commits.items():
            if commit is not None:
                job.say(f"{night}  {commit.counts.archived} events archived, generation {commit.generation}")
        refuse_empty(done, job.source, job.archive)


@cli.command()
@_options
def features(**given: Any) -> None:
    """Count the archived events of the night by principal.

    \b
    Example: auditforest features --cluster prod-usw2 --archive build/demo --date 2026-09-15
    """
    with _job("features", given) as job:
        for night in job.run.nights:
            made = run_features(job.archive, job.engine, night, job.config, job.run, job.progress)
            job.say(f"{night}  {made.table.num_rows} principals counted")


@cli.command()
@_options
def score(**given: Any) -> None:
    """Rank the principals of a counted night by how strange they were.

    \b
    Example: auditforest score --cluster prod-usw2 --archive build/demo --date 2026-09-15 --trees 100
    """
    with _job("score", given) as job:
        for night in job.run.nights:
            made = run_score(job.archive, job.engine, night, job.config, job.run, job.progress)
            job.say(f"{night}  {made.table.num_rows} principals ranked")


@cli.command()
@_options
def report(**given: Any) -> None:
    """Write the report of a ranked night.

    \b
    Example: auditforest report --cluster prod-usw2 --archive build/demo --date 2026-09-15
    """
    with _job("report", given) as job:
        for night in job.run.nights:
            made = run_report(job.archive, night, job.run, job.progress)
            job.say(f"{night}  {job.archive.store.url}/{made.html}")


@contextmanager
def _job(command: str, given: dict[str, Any]) -> Iterator[Job]:
    """The job a command line asks for; its record is written when it ends, well or not."""
    now = datetime.now(UTC)
    cluster = cluster_name(given["cluster"])
    config = load(given["config"], {option: given[flag.strip("-")] for flag, option in FLAGS.items()})
    asked = tuple(nights(given["date"], given["from"], given["to"], now.date()))
    known = config.clusters.get(cluster, ClusterConfig())
    where = known.archive if given["archive"] is None else given["archive"]
    if not where:
        raise ConfigError(
            f"no archive for {cluster}: pass --archive FOLDER or s3://BUCKET/PREFIX, or set archive under "
            f"[clusters.{cluster}] in auditforest.toml"
        )
    store = open_store(
        where,
        endpoint=config.aws.endpoint,
        region=config.aws.region,
        expected_bucket_owner=config.aws.expected_bucket_owner,
    )
    source = known.source if given["source"] is None else given["source"]
    run_id = f"{now:%Y%m%dT%H%M%S}Z-{secrets.token_hex(4)}"
    run = Run(run_id, command, cluster, asked, now, config, source)
    with (
        _recorded(run, store),
        shown(run_id, cluster, lambda: datetime.now(UTC)) as progress,
        engine(config.parse) as connection,
    ):
        yield Job(Archive(store, cluster), connection, config, run, progress)


@contextmanager
def _recorded(run: Run, store: ObjectStore) -> Iterator[None]:
    """Leaves the run's record in the store, however the run ends."""
    try:
        yield
    except BaseException as error:
        # the type alone of what nobody foresaw: its text may hold anything
        code, said = explained(error) or (_BUG, type(error).__name__)
        # what went wrong first is what the user must read
        with suppress(AuditForestError):
            _leave_record(run, store, code, said)
        raise
    _leave_record(run, store, Exit.OK, None)


def _leave_record(run: Run, store: ObjectStore, code: int, error: str | None) -> None:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    run.write(store, run.body(datetime.now(UTC), int(code), error, peak))


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
