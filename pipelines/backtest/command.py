"""What `auditforest evaluate` does: the back-test of an archive's last nights, stored beside their reports."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import duckdb

from pipelines.archive import EVENTS, RANKING, Archive
from pipelines.backtest.evaluate import Asked, evaluate
from pipelines.backtest.result import summed_up
from pipelines.commits import folder
from pipelines.config import Config
from pipelines.marking.holding import confirmed
from pipelines.nightly import run_report
from pipelines.progress import Progress
from pipelines.report.backtest import BackTest
from pipelines.runs import Run
from pipelines.stages.features import events_of
from pipelines.stages.report import BACKTEST, REPORTS


def run_evaluate(
    archive: Archive,
    engine: duckdb.DuckDBPyConnection,
    nights: int,
    per_kind: int,
    config: Config,
    run: Run,
    progress: Progress,
) -> BackTest:
    """The back-test of the last so many archived nights up to the run's, stored; a ranked night's report shows it.

    Raises:
        OrderError: no night is archived.
        DataError: the archive is damaged.
    """
    judged = _last(archive, run.nights[-1], nights)
    commit = events_of(archive, judged[-1])
    attacks = confirmed(archive.marks())
    asked = Asked(judged, per_kind, config.forest.seed, config, guilty=lambda night: attacks.get(night, ()))
    found = evaluate(archive, engine, asked, tell=lambda night: progress.stage("evaluate", night))
    result = summed_up(found, asked, archive.cluster, commit.generation)
    where = f"{folder(REPORTS, archive.cluster, judged[-1])}/{BACKTEST}"
    digest = archive.publish(where, result.to_json().encode())
    run.note(judged[-1], backtest=digest)
    if archive.derived(RANKING, judged[-1]) is not None:
        run_report(archive, judged[-1], run, progress)
    return result


def _last(archive: Archive, until: date, number: int) -> Sequence[date]:
    """The last archived nights up to one, ascending; that one alone where there is none, for its error to be told."""
    archived = [night for night in archive.nights(EVENTS) if night <= until]
    return archived[-number:] or [until]
