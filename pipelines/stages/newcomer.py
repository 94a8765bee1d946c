"""Who joined the first ranks since the night before, and which of its reasons were not strange on its own last night.

tests/pipelines/test_newcomer.py."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from features.counts import STRANGE
from features.matrix import SUFFIXES
from pipelines.archive import RANKING, Archive
from pipelines.decoded import Derived
from pipelines.report.sentences import FIRST
from pipelines.stages.history import History, PastNight

Record = dict[str, Any]


def ranking_before(archive: Archive, past: History) -> Derived | None:
    """Who stands where in the ranking of the last night of the history; None where it has none.

    Raises:
        DataError: it is damaged.
    """
    return archive.derived(RANKING, past.nights[-1].night, ("principal", "rank")) if past.nights else None


def newcomers(ranked: Iterable[Mapping[str, Any]], past: History, before: Derived | None) -> dict[str, Record]:
    """By principal, of those at the top who were not there the night before: the last night and what has begun since.

    Args:
        ranked: records of the night's ranking; before: the ranking of the night before, without which nobody is new.
    """
    if before is None:
        return {}
    there = _top(before.table)
    new = {r["principal"]: r["reasons"] for r in ranked if r["rank"] <= FIRST and r["principal"] not in there}
    last = _last_nights(new, past)
    eve = past.nights[-1].night
    return {principal: _unlike(reasons, last.get(principal), eve) for principal, reasons in new.items()}


def _top(ranking: pa.Table) -> frozenset[str]:
    top = ranking.filter(pc.less_equal(ranking["rank"], FIRST))
    return frozenset(top["principal"].to_pylist())


def _last_nights(principals: Collection[str], past: History) -> dict[str, tuple[PastNight, Record]]:
    """Of each principal that the history knows: its last night there, and its row of principal_days."""
    found: dict[str, tuple[PastNight, Record]] = {}
    for night in reversed(past.nights):
        wanted = pa.array([p for p in principals if p not in found], pa.string())
        rows = night.days.table.filter(pc.is_in(night.days.table["principal"], wanted))
        found |= {row["principal"]: (night, row) for row in rows.to_pylist()}
        if len(found) == len(principals):
            break
    return found


def _unlike(reasons: Iterable[Mapping[str, Any]], last: tuple[PastNight, Record] | None, eve: date) -> Record:
    if last is None:
        return {"absent": None, "last_night": None, "new": []}
    night, then = last
    new = [
        {"feature": reason["feature"], "value": reason["value"], "before": then[reason["feature"]]}
        for reason in reasons
        if min(then[f"{reason['feature']}_{suffix}"] for suffix in SUFFIXES.values()) < STRANGE
    ]
    return {"absent": None if night.night == eve else eve, "last_night": night.night, "new": new}
