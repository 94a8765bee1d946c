"""The back-test's fast way against the plain one: events really added to an archive, counted and ranked there."""

from __future__ import annotations

import shutil
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from backtest.conftest import CONFIG
from e2e.world import ATTACKER, CLUSTER, LAST, NIGHTS

from features.catalogue import NAMES
from features.days import blinded
from pipelines.archive import EVENTS, ITEMS, PRINCIPAL_DAYS, Addition, Archive
from pipelines.backtest.cases import Case
from pipelines.backtest.cluster import cluster_of
from pipelines.backtest.evaluate import Asked, Outcome, evaluate
from pipelines.backtest.events import SCHEMA
from pipelines.backtest.everything import KINDS
from pipelines.backtest.recount import Night, recount
from pipelines.commits import Counts
from pipelines.stages.features import events_of, features, requests_of
from pipelines.stages.history import history
from pipelines.stages.score import score
from pipelines.store import LocalStore

SOME = (
    "stolen-token", "mass-secret-read", "slow-secret-read", "token-minting", "impersonation", "privileged-workload",
    "anonymous-probing", "first-day", "agent-upgrade",
)  # fmt: skip


def _events(archive: Archive, engine: duckdb.DuckDBPyConnection, case: Case, night: date) -> list[dict[str, Any]]:
    past = history(archive, night, CONFIG.history.nights)
    with requests_of(archive, engine, events_of(archive, night), past):
        return case.events(night, cluster_of(engine))


def _plainly(real: Archive, copy: Archive, engine: duckdb.DuckDBPyConnection, case: Case) -> dict[str, float]:
    """Scores of the case's night with the case in the archive, by principal."""
    first = max(NIGHTS[0], case.night - timedelta(days=case.kind.nights - 1))
    nights = [night for night in NIGHTS if first <= night <= case.night]
    for night in nights:
        rows = pa.Table.from_pylist(_events(real, engine, case, night), SCHEMA)
        copy.append(EVENTS, night, lambda _, rows=rows: Addition(rows.to_batches(), SCHEMA, (), Counts()))
    for night in nights:
        features(copy, engine, night, CONFIG.history.nights)
    ranking = score(copy, engine, case.night, CONFIG.history.nights, 7, CONFIG.forest)
    return {row["principal"]: row["score"] for row in ranking.table.to_pylist()}


def _compare(archive: Archive, copied: Archive, engine: duckdb.DuckDBPyConnection, outcome: Outcome) -> None:
    scores, stood = _plainly(archive, copied, engine, outcome.case), outcome.standing
    assert scores[stood.principal] == stood.score
    above = [name for name, found in scores.items() if found > stood.score]
    assert (len(above) + 1, len(scores), len(above)) == (stood.rank, stood.of, stood.above)


@pytest.fixture(scope="module")
def outcomes(built, connection):
    """Those of every kind on the last night, two of each."""
    return evaluate(Archive(LocalStore(built), CLUSTER), connection, Asked([LAST], 2, 0, CONFIG, KINDS)).outcomes


@pytest.mark.parametrize("name", SOME)
def test_a_case_stands_where_its_events_would_stand_in_the_archive(name, outcomes, archive, copied, connection):
    _compare(archive, copied, connection, next(o for o in outcomes if o.case.kind.name == name))


def test_so_it_is_on_a_night_without_history(archive, copied, connection):
    kinds = [kind for kind in KINDS if kind.name == "shells"]
    found = evaluate(archive, connection, Asked([NIGHTS[0]], 1, 0, CONFIG, kinds))
    _compare(archive, copied, connection, found.outcomes[0])


def test_cases_of_a_night_do_not_see_each_other(outcomes, archive, connection):
    for name in ("mass-secret-read", "first-day"):
        alone = evaluate(archive, connection, Asked([LAST], 2, 0, CONFIG, [k for k in KINDS if k.name == name]))
        assert [o for o in outcomes if o.case.kind.name == name] == alone.outcomes


def test_what_one_case_did_before_is_no_history_to_another(copied, connection):
    """On a night whose earlier ones are archived and not counted, so that all history is what a case has learnt."""
    for table in (PRINCIPAL_DAYS, ITEMS):
        shutil.rmtree(next(Path(copied.store.url).glob(table)))

    def found(*names: str) -> list[Outcome]:
        kinds = [kind for kind in KINDS if kind.name in names]
        return evaluate(copied, connection, Asked([LAST], 2, 0, CONFIG, kinds)).outcomes

    alone = found("shells")
    assert alone
    assert [o for o in found("shells", "slow-secret-read") if o.case.kind.name == "shells"] == alone


@pytest.mark.parametrize("name", ["mass-secret-read", "shells"])
def test_every_count_of_every_principal_is_what_the_archive_would_hold(name, archive, copied, connection):
    kinds = [kind for kind in KINDS if kind.name == name]
    # the thief of the last night starts to read secrets, too: what both start is worth less to each
    case = next(
        o.case
        for o in evaluate(archive, connection, Asked([LAST], 4, 0, CONFIG, kinds)).outcomes
        if o.case.actor.principal != ATTACKER
    )
    past = history(archive, LAST, CONFIG.history.nights)
    with requests_of(archive, connection, events_of(archive, LAST), past):
        real = Night.of(connection)
        (change,) = recount(real, [case.events(LAST, cluster_of(connection))], {})
    _plainly(archive, copied, connection, case)
    plain = _counts(copied.derived(PRINCIPAL_DAYS, LAST).table)
    changed = _counts(blinded(change.days, change.blind))
    assert _counts(blinded(real.days, change.blind)) | changed == plain
    assert name != "mass-secret-read" or ATTACKER in changed


def _counts(days: pa.Table) -> dict[str, dict[str, Any]]:
    return {row["principal"]: {name: row[name] for name in NAMES} for row in days.to_pylist()}
