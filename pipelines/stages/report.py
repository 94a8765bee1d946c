"""The report stage: the night's ranking as CSV, JSON and HTML under fixed names.

Made of rankings and marks alone: its own ranking and, for who stood where, those of the nights before."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

from features.catalogue import feature
from features.feature import Feature
from pipelines.archive import RANKING, Archive
from pipelines.commits import folder, gaps
from pipelines.decoded import Derived
from pipelines.errors import OrderError
from pipelines.marking.applied import applied
from pipelines.marking.holding import holding
from pipelines.report.backtest import BackTest
from pipelines.report.detail import Detail
from pipelines.report.html import report_html
from pipelines.report.model import (
    Begun,
    Counterfactual,
    Coverage,
    Evidence,
    Newcomer,
    Night,
    Places,
    RankedPrincipal,
    Reason,
    Together,
)
from pipelines.report.ranking_json import ranking_json
from pipelines.report.summary import Summary
from pipelines.report.table_csv import ranking_csv
from pipelines.stages.features import typed
from pipelines.stages.made import made
from pipelines.stages.ranked import counts_as_ranked, ranked_before

REPORTS = "reports"
BACKTEST = "backtest.json"
_LAST = "ranking.json"


@dataclass(frozen=True)
class Published:
    """A night's report: what it says, where it stands and the hash of each file."""

    night: Night
    html: str
    files: dict[str, str]


def report(archive: Archive, night: date) -> Published:
    """Write the night's reports; the same rankings and marks give the same bytes.

    Raises:
        OrderError: no event of the night is archived, or it was not ranked yet, or by a version this one cannot read.
        DataError: the ranking is damaged.
    """
    ranking = made(archive, RANKING, night, "report")
    said = night_of(archive, ranking, night)
    shown = {row.principal for row in said.ranked}
    said = replace(marked(archive, ranking, said), before=ranked_before(archive, night, shown))
    to = folder(REPORTS, archive.cluster, night)
    bodies = {
        "ranking.csv": ranking_csv(said),
        "summary.json": Summary.of(said).to_json(),
        "report.html": report_html(said, _backtest(archive, f"{to}/{BACKTEST}")),
        # the last, for its generation tells whether the report is whole
        _LAST: ranking_json(said),
    }
    files = {name: archive.publish(f"{to}/{name}", body.encode()) for name, body in bodies.items()}
    return Published(said, f"{to}/report.html", files)


def marked(archive: Archive, ranking: Derived, night: Night) -> Night:
    """The night, of all its principals or some, with the marks that hold on it.

    Raises:
        OrderError: somebody is expected, and the counts that tell whether this still holds are others, or gone.
    """
    held = holding(archive.marks(), night.date)
    expected = [name for name, one in held.items() if one.expected and not one.ended]
    counts = counts_as_ranked(archive, ranking, night.date, expected) if expected else {}
    return applied(night, held, counts)


def _backtest(archive: Archive, where: str) -> BackTest | None:
    """The back-test that ends with the night, if there was one.

    Raises:
        OrderError: it was stored by a version this one cannot read, or is damaged.
    """
    body = archive.store.get(where)
    try:
        return None if body is None else BackTest.from_json(body)
    except (ValueError, RecursionError) as error:
        raise OrderError(
            f"{archive.store.url}/{where}: no back-test that this version reads ({type(error).__name__}); "
            "run 'auditforest evaluate' again, or remove the object"
        ) from error


def reported(archive: Archive, night: date) -> int | None:
    """The generation of the night that its whole report shows; None where none can be read."""
    body = archive.store.get(f"{folder(REPORTS, archive.cluster, night)}/{_LAST}")
    try:
        return None if body is None else int(json.loads(body)["generation"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def night_of(archive: Archive, ranking: Derived, night: date) -> Night:
    """The night's ranking, all of it or some rows, as the report's own words.

    Raises:
        OrderError: it was ranked by a version that this one cannot read.
    """
    try:
        return _night(ranking)
    except (KeyError, TypeError, ValueError) as error:
        # a feature or a column that was renamed since
        raise OrderError(
            f"{archive.store.url}: {archive.cluster}, {night}: ranked by another version of auditforest ({error}); "
            f"run {typed('score', archive, night)}"
        ) from error


def _night(ranking: Derived) -> Night:
    meta = ranking.meta
    counts = meta["counts"]
    fields = (
        "read",
        "archived",
        "duplicate",
        "quarantined",
        "outside",
        "collisions",
        "truncated",
        "mistyped",
    )
    return Night(
        cluster=meta["cluster"],
        date=date.fromisoformat(meta["night"]),
        generation=meta["generation"],
        coverage=Coverage(
            **{name: counts[name] for name in fields},
            hours_seen=tuple(counts["hours_seen"]),
            gaps=gaps(counts["hours_seen"]),
            blind=tuple(meta["blind"]),
        ),
        history_nights=meta["history_nights"],
        history_expected=meta["history_wanted"],
        ranked=tuple(_principal(row) for row in ranking.table.to_pylist()),
        notices=tuple(meta["notices"]),
        seed=meta["seed"],
        trees=meta["trees"],
        version=meta["version"],
    )


def _principal(row: dict[str, Any]) -> RankedPrincipal:
    reasons = tuple(_reason(r) for r in row["reasons"])
    proof = tuple(_evidence(e) for e in row["evidence"])
    made = {
        "usernames": tuple(row["usernames"]),
        "marks": tuple(row["marks"]),
        "reasons": reasons,
        "evidence": proof,
        "detail": None if row["detail"] is None else Detail.of(row["detail"]),
        "counterfactual": _counterfactual(row["counterfactual"]),
        "together": None if row["together"] is None else Together(**row["together"]),
        "places": Places(**row["places"]),
        "newcomer": _newcomer(row["newcomer"]),
    }
    return RankedPrincipal(**(row | made))


def _counterfactual(row: dict[str, Any] | None) -> Counterfactual | None:
    return None if row is None else Counterfactual(unit=feature(row["feature"]).unit, **row)


def _newcomer(row: dict[str, Any] | None) -> Newcomer | None:
    if row is None:
        return None
    return Newcomer(row["absent"], row["last_night"], tuple(_begun(feature(b["feature"]), b) for b in row["new"]))


def _begun(declared: Feature, row: dict[str, Any]) -> Begun:
    return Begun(meaning=declared.meaning, unit=declared.unit, **row)


def _reason(row: dict[str, Any]) -> Reason:
    declared = feature(row["feature"])
    return Reason(meaning=declared.meaning, unit=declared.unit, **row)


def _evidence(row: dict[str, Any]) -> Evidence:
    return Evidence(
        row["feature"],
        row["requests"],
        tuple(row["audit_ids"]),
        tuple(time.astimezone(UTC) for time in row["times"]),
        _utc(row["first_ts"]),
        _utc(row["last_ts"]),
    )


def _utc(time: datetime | None) -> datetime | None:
    return None if time is None else time.astimezone(UTC)
