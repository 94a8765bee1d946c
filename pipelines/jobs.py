"""A command with everything it needs: configuration, archive, engine, the run's record; one cluster or several.

tests/e2e/test_clusters.py runs several of which one fails."""

from __future__ import annotations

import secrets
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import click
import duckdb
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipelines.archive import EVENTS, Archive
from pipelines.arguments import nights
from pipelines.config import FLAGS, ClusterConfig, Config
from pipelines.config_load import load
from pipelines.endings import explained, interrupted, waiting_told
from pipelines.engine import engine
from pipelines.errors import BUG, AuditForestError, AwsError, ConfigError, Exit, RetryError, worst
from pipelines.peak import peak_bytes
from pipelines.progress import Progress, complain, shown, silenced, told
from pipelines.report.text import visible
from pipelines.runs import Run
from pipelines.stages.features import typed
from pipelines.stages.listing import INDEX, list_reports
from pipelines.store import ObjectStore, refuse_place
from pipelines.which import archive_of, clusters_of, declared, opened

_WIDTH = 140


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
                f"[clusters.{self.archive.cluster}] in auditforest.toml{declared(self.archive.cluster, self.config)}"
            )
        return self.run.source

    def say(self, *results: str | Table) -> None:
        """Print results to stdout, each on lines of its own; a reader who has left (`| head`) stops no night."""
        self.progress.pause()
        say(*results)


def say(*results: str | Table) -> None:
    """Print results to stdout, each on lines of its own.

    Raises:
        RetryError: stdout takes no more.
    """
    screen = Console() if sys.stdout.isatty() else Console(width=_WIDTH)
    try:
        with screen.capture() as drawn:
            for result in results:
                screen.print(Text(visible(result)) if isinstance(result, str) else result, soft_wrap=True)
        click.echo(drawn.get(), nl=False)
    except BrokenPipeError:
        silenced(sys.stdout)
    except OSError as error:
        silenced(sys.stdout)
        raise RetryError(
            f"stdout: results could not be written ({error.strerror}), what was made until then stands in the archive; "
            "free space where stdout goes, then run again"
        ) from error


def each(command: str, given: Mapping[str, Any], work: Callable[[Job], None]) -> None:
    """Do the work for the cluster of --cluster; without one, for every cluster that is meant, one after the other.

    Of several, one that fails stops no other.

    Raises:
        SystemExit: some of several failed; bears the worst of their exit codes.
    """
    clusters = clusters_of(given)
    if len(clusters) == 1:
        with _job(command, clusters[0], given) as job:
            work(job)
        return
    codes = []
    for cluster in clusters:
        try:
            with _job(command, cluster, given) as job:
                job.say(f"cluster {cluster}")
                work(job)
        except Exception as error:
            if interrupted(error):
                raise
            codes.append(_failed(cluster, error))
    if codes:
        sys.exit(worst(codes))


def _failed(cluster: str, error: BaseException) -> int:
    ending = explained(error)
    if ending is None:
        complain(f"{cluster}: {type(error).__name__}, a mistake of auditforest")
        with told():
            traceback.print_exception(error)
        return BUG
    complain(f"{cluster}: {ending[1]}")
    return ending[0]


@contextmanager
def _job(command: str, cluster: str, given: Mapping[str, Any]) -> Iterator[Job]:
    """The job a command line asks for; its record is written when it ends, well or not."""
    now = datetime.now(UTC)
    config = load(given["config"], {option: given.get(flag.strip("-")) for flag, option in FLAGS.items()})
    asked = tuple(nights(given["date"], given["from"], given["to"], now.date()))
    known = config.clusters.get(cluster, ClusterConfig())
    where = archive_of(cluster, given["archive"], config)
    with _named_by_key(cluster, given):
        store = opened(where, config)
        refuse_place(store, where, to_write=True)
    source = known.source if given.get("source") is None else given["source"]
    run_id = f"{now:%Y%m%dT%H%M%S}Z-{secrets.token_hex(4)}"
    bulk, cascade = bool(given.get("bulk")), bool(given.get("cascade"))
    run = Run(run_id, command, cluster, asked, now, config, source, bulk, cascade)
    with (
        _recorded(run, store),
        _named_by_key(cluster, given),
        shown(run_id, cluster, lambda: datetime.now(UTC)) as progress,
        waiting_told(lambda: progress.waited_for),
        engine(config.parse) as connection,
    ):
        if config.aws.endpoint is not None:
            store.probe()
        with _listed(run, store):
            yield Job(Archive(store, cluster), connection, config, run, progress)


@contextmanager
def _named_by_key(cluster: str, given: Mapping[str, Any]) -> Iterator[None]:
    """What is said of --source or --archive is said of the key that holds it, where no flag was given."""
    try:
        yield
    except AuditForestError as error:
        flag, _, rest = str(error).partition(" ")
        key = flag.removeprefix("--")
        if key not in ("source", "archive") or key == flag or given.get(key) is not None:
            raise
        raise type(error)(f"clusters.{cluster}.{key} {rest}") from error


@contextmanager
def _listed(run: Run, store: ObjectStore) -> Iterator[None]:
    """Lists all reports anew when the run has written some, also one that a later night ended.

    Raises:
        AuditForestError: the list could not be written, though every report was: what a scheduler was promised is not
            all there, and to run any report again is cheap.
    """
    try:
        yield
    except AuditForestError as error:
        # a store that just failed would be waited for once more
        if run.reported and not isinstance(error, AwsError):
            with suppress(AuditForestError):
                list_reports(store)
        raise
    if not run.reported:
        return
    try:
        list_reports(store)
    except AuditForestError as error:
        raise type(error)(
            f"{error}. Each night's report is written, only {INDEX}, which lists all reports, is as it was before; "
            f"then run {typed('report', Archive(store, run.cluster), run.reported[-1])}"
        ) from error


@contextmanager
def _recorded(run: Run, store: ObjectStore) -> Iterator[None]:
    """Leaves the run's record in the store, however the run ends; a mistake in what was asked begins no archive."""
    try:
        yield
    except BaseException as error:
        # the type alone of what nobody foresaw: its text may hold anything
        code, said = explained(error) or (BUG, type(error).__name__)
        # what went wrong first is what the user must read
        with suppress(AuditForestError):
            if not isinstance(error, ConfigError) or store.list(f"{EVENTS}/"):
                _leave_record(run, store, code, said)
        raise
    _leave_record(run, store, Exit.OK, None)


def _leave_record(run: Run, store: ObjectStore, code: int, error: str | None) -> None:
    run.write(store, run.body(datetime.now(UTC), int(code), error, peak_bytes()))
