"""One night, end to end: export, features, score, report. A back-fill is the same, night after night."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date
from functools import partial

import duckdb

from pipelines.archive import EVENTS, RANKING, Archive
from pipelines.config import Config
from pipelines.decoded import Derived
from pipelines.errors import DataError, EmptyNightError, OrderError, RetryError
from pipelines.progress import Progress
from pipelines.quarantine import home, root
from pipelines.report.sentences import counted, skipped_line
from pipelines.runs import Run
from pipelines.sources.files import ENDINGS
from pipelines.sources.opening import Asked, open_source
from pipelines.stages.export import Exported, export
from pipelines.stages.features import Counting, features
from pipelines.stages.refused import BadPlace
from pipelines.stages.report import Published, report, reported
from pipelines.stages.score import score
from pipelines.words import listed

_ROUNDS = 5


def run_export(
    archive: Archive, engine: duckdb.DuckDBPyConnection, source: str, run: Run, progress: Progress
) -> Exported:
    """The export stage for all nights of the run, each source object read once.

    Raises:
        DataError: more of the lines than allowed are no audit events; what could be read is archived.
    """
    progress.stage("export")
    bulk = f"{run.cluster}-{run.run_id}" if run.bulk else None
    asked = Asked(run.cluster, run.nights, run.config, archive.store.url, run.started, bulk, progress.wait)
    opened, late = open_source(source, asked)
    done = export(archive, engine, opened, run.nights, late, progress.update, source)
    fresh = sum(ended.quarantined for ended in done.ended.values())
    if fresh and done.first_bad is not None:
        said = f"{counted(fresh, 'lines')} quarantined. {_filed(archive, done.first_bad)}"
        done = replace(done, notices=(*done.notices, said))
    run.exported(done)
    _refuse_damaged(archive, done, source, run)
    return done


def _refuse_damaged(archive: Archive, done: Exported, source: str, run: Run) -> None:
    bad, lines = _judged(done)
    allowed = run.config.export.quarantined_percent
    if done.first_bad is None or 100 * bad <= allowed * lines:
        return
    known = f" ({done.read - lines} more were archived or filed before)" if lines < done.read else ""
    unranked = "" if run.command == "export" else ", nothing was ranked"
    raise DataError(
        f"--source {source}: {bad} of {lines} lines are no audit events, more than {allowed} %{known}; the others are "
        f"archived{unranked}. {_filed(archive, done.first_bad)}; mend what ships the log, or raise "
        "quarantined_percent under [export]"
    )


def _judged(done: Exported) -> tuple[int, int]:
    """Bad lines and lines that are new to this run or of its nights: a folder that grows shows its old ones for ever.

    Those of its nights were met by an earlier run of the same nights: to run again makes no bad night good.
    """
    ended, nights = done.ended.values(), [commit.counts for commit in done.commits.values() if commit is not None]
    filed, outside = sum(e.quarantined for e in ended), sum(e.outside for e in ended)
    bad = min(done.bad - filed, max(0, sum(c.quarantined for c in nights) - filed))
    fresh = done.read - done.known
    held = sum(c.archived + c.duplicate + c.quarantined for c in nights)
    lines = min(done.known, max(0, held - (fresh - outside)))
    return filed + bad, fresh + max(lines, bad)


def _filed(archive: Archive, first: BadPlace) -> str:
    """Which line is the first bad one, and where all are filed."""
    return (
        f"The first: {first.source} at byte {first.byte_offset}, {first.reason}; all are filed in {archive.store.url}/"
        f"{root(archive.cluster)}, of this object in {home(first.source)}"
    )


def run_features(
    archive: Archive, engine: duckdb.DuckDBPyConnection, night: date, config: Config, run: Run, progress: Progress
) -> Derived:
    """The features stage of one night."""
    progress.stage("features", night)
    made = features(archive, engine, night, config.history.nights, _counting(archive, config))
    run.note(
        night,
        principal_days=made.sha256,
        blind=made.meta["blind"],
        left_out=made.meta["left_out"],
        reasons=_share_unparsed(made.meta["reasons"]),
        history_nights=made.meta["history_nights"],
        confirmed=made.meta["origin"]["confirmed"],
    )
    return made


def _counting(archive: Archive, config: Config) -> Counting | None:
    """What counts in place of DuckDB, if anything."""
    if config.features.sql == "duckdb":
        return None
    from pipelines.spark.counting import count_on_spark

    return partial(count_on_spark, archive, config)


def _share_unparsed(reasons: Mapping[str, int]) -> dict[str, float | None]:
    """Of the authorized requests those whose reason is of no known form, and their share; None of none."""
    return {**reasons, "unparsed_share": reasons["unparsed"] / reasons["allowed"] if reasons["allowed"] else None}


def run_score(
    archive: Archive, engine: duckdb.DuckDBPyConnection, night: date, config: Config, run: Run, progress: Progress
) -> Derived:
    """The score stage of one night."""
    progress.stage("score", night)
    made = score(archive, engine, night, config.history.nights, config.history.wanted, config.forest)
    run.note(night, ranking=made.sha256, principals=made.table.num_rows, confirmed=made.meta["origin"]["confirmed"])
    return made


def run_report(archive: Archive, night: date, run: Run, progress: Progress) -> Published:
    """The report stage of one night."""
    progress.stage("report", night)
    made = report(archive, night)
    run.note(night, reports=made.files, marks=[mark.id for mark in made.night.marks])
    return made


def run_all(
    archive: Archive,
    engine: duckdb.DuckDBPyConnection,
    source: str,
    config: Config,
    run: Run,
    progress: Progress,
) -> Iterator[tuple[Published, str]]:
    """All four stages for every night of the run and those that late events revised, in order, each with why it was not
    asked for ("" where it was).

    Nights without events are skipped, then complained of.

    Raises:
        EmptyNightError: at the end, if any asked night has no event.
    """
    done = run_export(archive, engine, source, run, progress)
    why = dict.fromkeys(behind(archive, done.late), "revised by events that came late")
    why |= dict.fromkeys((night for night in run.nights if night not in done.empty), "")
    if run.cascade:
        why = dict.fromkeys(later(archive, RANKING, [*why]), "again, with the nights before it as they are now") | why
    for night in sorted(why):
        yield _ranked(archive, engine, night, config, run, progress), why[night]
    refuse_empty(done, source, archive)


def later(archive: Archive, table: str, nights: Collection[date]) -> list[date]:
    """The nights after the first of these of which the archive holds the table, these among them, in order."""
    return [night for night in archive.nights(table) if nights and night > min(nights)]


def in_turn(archive: Archive, table: str, run: Run) -> list[date]:
    """The nights that a run of one stage is for, in order; with --cascade the later ones that it was run for before."""
    return sorted({*run.nights, *(later(archive, table, run.nights) if run.cascade else ())})


def _ranked(
    archive: Archive, engine: duckdb.DuckDBPyConnection, night: date, config: Config, run: Run, progress: Progress
) -> Published:
    """The three later stages of one night, begun again where another run changed it or its history meanwhile.

    Raises:
        RetryError: others did so time after time.
    """
    for _ in range(_ROUNDS):
        run_features(archive, engine, night, config, run, progress)
        with suppress(OrderError):
            run_score(archive, engine, night, config, run, progress)
            made = run_report(archive, night, run, progress)
            newest = archive.newest(EVENTS, night)
            if newest is not None and newest.generation == made.night.generation:
                return made
    raise RetryError(
        f"{archive.store.url}: {archive.cluster}, {night}: other runs changed its events or its history while it was "
        f"ranked, {_ROUNDS} times; nothing is damaged, run again when they have ended"
    )


def behind(archive: Archive, nights: Sequence[date]) -> list[date]:
    """Of these nights the ranked ones whose ranking or report is older than their events, whichever run ended early."""
    found = []
    for night in nights:
        ranking, commit = archive.derived(RANKING, night, ()), archive.newest(EVENTS, night)
        if ranking is not None and commit is not None:
            generations = {ranking.meta["generation"], reported(archive, night)}
            if generations != {commit.generation}:
                found.append(night)
    return found


def not_read(source: str, skipped: int, ignored: Sequence[str]) -> Iterator[str]:
    """What of the source was not read, and why: lines of other logs, and files of a folder."""
    yield from filter(None, (skipped_line(skipped), _passed_over(source, ignored)))


def _passed_over(source: str, ignored: Sequence[str]) -> str | None:
    """Which files of a folder were not read, and why; None where there is none."""
    # of objects in S3 only empty ones are passed over so
    if not ignored or source.startswith("s3://"):
        return None
    endings = ", ".join(ENDINGS)
    return (
        f"{listed(ignored)} passed over: of a folder, files that end in {endings} are read (packed, too), and no "
        "folders that are links; to read another, name it or a glob"
    )


def refuse_empty(done: Exported, source: str, archive: Archive) -> None:
    """Complain of asked nights that have no event.

    Raises:
        EmptyNightError: there are some.
    """
    if done.empty:
        skipped = sum(ended.skipped for ended in done.ended.values())
        raise EmptyNightError(
            f"--source {source}: no audit event of {archive.cluster} for {listed(done.empty)}; the source covers "
            f"{done.covers}. Check the dates (without --date or --to yesterday is meant) and that audit logging was "
            "on; nothing was archived for them"
            + "".join(f". {notice}" for notice in (*done.notices, *not_read(source, skipped, done.ignored)))
        )
