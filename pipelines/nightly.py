"""One night, end to end: export, features, score, report. A back-fill is the same, night after night."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

import duckdb

from pipelines.archive import EVENTS, RANKING, Archive, Derived
from pipelines.config import Config
from pipelines.errors import DataError, EmptyNightError
from pipelines.progress import Progress
from pipelines.runs import Run
from pipelines.sources.opening import Asked, open_source
from pipelines.stages.export import Exported, export
from pipelines.stages.features import features
from pipelines.stages.report import Published, report
from pipelines.stages.score import score


def run_export(
    archive: Archive, engine: duckdb.DuckDBPyConnection, source: str, run: Run, progress: Progress
) -> Exported:
    """The export stage for all nights of the run, each source object read once.

    Raises:
        DataError: more of the lines than allowed are no audit events; what could be read is archived.
    """
    progress.stage("export")
    bulk = f"{run.cluster}-{run.run_id}" if run.bulk else None
    asked = Asked(run.cluster, run.nights, run.config, archive.store.url, run.started, bulk)
    opened, late = open_source(source, asked)
    done = export(archive, engine, opened, run.nights, late, progress.update, source)
    run.exported(done)
    _refuse_damaged(done, source, run.config.export.quarantined_percent)
    return done


def _refuse_damaged(done: Exported, source: str, allowed: int) -> None:
    if 100 * done.bad > allowed * done.read:
        raise DataError(
            f"--source {source}: {done.bad} of {done.read} lines are no audit events, more than {allowed} %; the "
            "others are archived, nothing was ranked. See the table quarantine for what they are; mend what ships the "
            "log, or raise quarantined_percent under [export]"
        )


def run_features(
    archive: Archive, engine: duckdb.DuckDBPyConnection, night: date, config: Config, run: Run, progress: Progress
) -> Derived:
    """The features stage of one night."""
    progress.stage("features", night)
    made = features(archive, engine, night, config.history.nights)
    run.note(
        night,
        principal_days=made.sha256,
        blind=made.meta["blind"],
        left_out=made.meta["left_out"],
        history_nights=made.meta["history_nights"],
    )
    return made


def run_score(
    archive: Archive, engine: duckdb.DuckDBPyConnection, night: date, config: Config, run: Run, progress: Progress
) -> Derived:
    """The score stage of one night."""
    progress.stage("score", night)
    made = score(archive, engine, night, config.history.nights, config.history.wanted, config.forest)
    run.note(night, ranking=made.sha256, principals=made.table.num_rows)
    return made


def run_report(archive: Archive, night: date, run: Run, progress: Progress) -> Published:
    """The report stage of one night."""
    progress.stage("report", night)
    made = report(archive, night)
    run.note(night, reports=made.files)
    return made


def run_all(
    archive: Archive,
    engine: duckdb.DuckDBPyConnection,
    source: str,
    config: Config,
    run: Run,
    progress: Progress,
) -> Iterator[Published]:
    """All four stages for every night of the run, in order, after those that late events revised.

    Nights without events are skipped, then complained of.

    Raises:
        EmptyNightError: at the end, if any asked night has no event.
    """
    done = run_export(archive, engine, source, run, progress)
    for night in (*behind(archive, done.late), *run.nights):
        if night in done.empty:
            continue
        yield _ranked(archive, engine, night, config, run, progress)
    refuse_empty(done, source, archive)


def _ranked(
    archive: Archive, engine: duckdb.DuckDBPyConnection, night: date, config: Config, run: Run, progress: Progress
) -> Published:
    """The three later stages of one night, begun again where another run added events to it meanwhile."""
    for last in (False, False, True):
        counted = run_features(archive, engine, night, config, run, progress)
        try:
            run_score(archive, engine, night, config, run, progress)
            return run_report(archive, night, run, progress)
        except DataError:
            newest = archive.newest(EVENTS, night)
            if last or newest is None or newest.generation == counted.meta["generation"]:
                raise
    raise AssertionError("the last round returns or raises")


def behind(archive: Archive, nights: Sequence[date]) -> list[date]:
    """Of these nights those that were ranked before their newest events came in, by this run or one that failed."""
    found = []
    for night in nights:
        ranking, commit = archive.derived(RANKING, night), archive.newest(EVENTS, night)
        if ranking is not None and commit is not None and ranking.meta["generation"] != commit.generation:
            found.append(night)
    return found


def refuse_empty(done: Exported, source: str, archive: Archive) -> None:
    """Complain of asked nights that have no event.

    Raises:
        EmptyNightError: there are some.
    """
    if done.empty:
        raise EmptyNightError(
            f"--source {source}: no audit event of {archive.cluster} for {_listed(done.empty)}; the source covers "
            f"{done.covers}. Check the dates and that audit logging was on; nothing was archived for them"
            + "".join(f". {notice}" for notice in done.notices)
        )


def _listed(nights: Sequence[date]) -> str:
    shown = ", ".join(n.isoformat() for n in nights[:5])
    return shown if len(nights) <= 5 else f"{shown} and {len(nights) - 5} more"
