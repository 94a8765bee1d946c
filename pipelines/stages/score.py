"""The score stage: tonight's rows against a forest grown on the nights before, ranked, with reasons and evidence."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.catalogue import FOREST, Feature
from features.days import HASH
from features.evidence import evidence
from features.history import Surprises, surprises
from features.matrix import counts_of, rows_of
from models.rank import ranks
from pipelines.archive import PRINCIPAL_DAYS, RANKING, Archive, Derived
from pipelines.config import ForestConfig
from pipelines.errors import OrderError
from pipelines.ranking import table as ranking_table
from pipelines.stages.features import NO_PAST, events_of, requests_of, typed
from pipelines.stages.history import History, history
from pipelines.stages.judge import Scores, judge
from pipelines.stages.origin import code, unchanged

MAX_REASONS = 5

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]


def score(
    archive: Archive, engine: duckdb.DuckDBPyConnection, night: date, length: int, wanted: int, config: ForestConfig
) -> Derived:
    """The night's ranking, made now or found as it would be made.

    Raises:
        OrderError: no event of the night is archived, or it was not counted yet, or from other events or another
            history than stand there now.
        DataError: the archive is damaged.
    """
    commit = events_of(archive, night)
    past = history(archive, night, length)
    days = _days(archive, night, {"events": commit.sha256, "history": past.origin, "length": length})
    origin = {
        "days": days.sha256,
        "history": past.origin,
        "notices": list(past.notices),
        "forest": config.model_dump(mode="json"),
        "wanted": wanted,
        "code": dict(code()),
    }
    found = unchanged(archive, RANKING, night, origin)
    if found is not None:
        return found
    with requests_of(archive, engine, commit, past):
        table = _rank(engine, days.table, past, config)
    kept = ("night", "cluster", "generation", "counts", "blind", "left_out", "history_nights")
    meta = {name: days.meta[name] for name in kept} | {
        "table": RANKING,
        "origin": origin,
        "history_wanted": wanted,
        "notices": list(past.notices),
        "seed": config.seed,
        "trees": config.trees,
        "version": code()["auditforest"],
    }
    return Derived(table, meta, archive.replace(RANKING, night, table, meta))


def _days(archive: Archive, night: date, wanted: Mapping[str, Any]) -> Derived:
    days = archive.derived(PRINCIPAL_DAYS, night)
    mend = f"run {typed('features', archive, night)}"
    where = f"{archive.store.url}: {archive.cluster}, {night}"
    if days is None:
        raise OrderError(f"{where}: the night has no counts yet; {mend}")
    if days.meta["catalogue"] != HASH or any(days.meta["origin"].get(name) != made for name, made in wanted.items()):
        raise OrderError(f"{where}: the counts are of other events, history or features than stand here now; {mend}")
    return days


def _rank(engine: duckdb.DuckDBPyConnection, days: pa.Table, past: History, config: ForestConfig) -> pa.Table:
    before = past.days
    found = judge(rows_of(days), None if before is None else rows_of(before), config)
    reasons, nights = _why(days, before, found)
    proof = _evidence(engine, days["principal"].to_pylist(), reasons)
    place = ranks(found.score)
    records = []
    for i, principal in enumerate(days["principal"].to_pylist()):
        records.append(
            {
                "rank": int(place[i]),
                "principal": principal,
                "usernames": days["usernames"][i].as_py(),
                "type": days["type"][i].as_py(),
                "peer_group": days["peer_group"][i].as_py(),
                "requests": days["requests"][i].as_py(),
                "score": float(found.score[i]),
                "codisp": float(found.codisp[i]),
                "norm": float(found.norm[i]),
                "aws_score": float(found.aws[i]),
                "reasons": reasons[i],
                "evidence": [proof[r["feature"]][principal] for r in reasons[i] if principal in proof[r["feature"]]],
                "marks": [],
                "first_seen": days["first_seen"][i].as_py(),
                "history_nights": int(nights[i]),
            }
        )
    records.sort(key=lambda r: (r["rank"], r["principal"]))
    return ranking_table(records)


def _why(days: pa.Table, before: pa.Table | None, found: Scores) -> tuple[list[list[dict[str, Any]]], Whole]:
    """Of each principal: its reasons, and how many earlier nights it has."""
    tonight = counts_of(days)
    judged = surprises(tonight, NO_PAST if before is None else counts_of(before))
    shares = found.shares()
    reasons = [_reasons(shares[i], i, days, tonight.values, judged) for i in range(days.num_rows)]
    return reasons, judged.nights


def _reasons(share: Floats, i: int, days: pa.Table, counts: Floats, judged: Surprises) -> list[dict[str, Any]]:
    """The features that the score comes from most: largest shares, earlier declared first on a tie.

    A count at or below the principal's usual one is no reason, whatever its peers do.
    """
    above = ~(counts[i] <= judged.usual[i]) & (share > 0) & (judged.least[i] > 0)
    order = np.argsort(-share, kind="stable")
    found = []
    for at in order[above[order]][:MAX_REASONS]:
        usual = judged.usual[i, at]
        found.append(
            {
                "feature": FOREST[at].name,
                "value": days[FOREST[at].name][i].as_py(),
                "expected": float(judged.expected[i, at]),
                "usual": None if np.isnan(usual) else float(usual),
                "surprise": float(judged.least[i, at]),
                "share": float(share[at]),
            }
        )
    return found


def _evidence(
    engine: duckdb.DuckDBPyConnection, principals: Sequence[str], reasons: Sequence[Sequence[Mapping[str, Any]]]
) -> dict[str, dict[str, dict[str, Any]]]:
    """By feature and principal: the evidence record."""
    wanted: dict[Feature, list[str]] = defaultdict(list)
    declared = {f.name: f for f in FOREST}
    for principal, found in zip(principals, reasons, strict=True):
        for reason in found:
            wanted[declared[reason["feature"]]].append(principal)
    return {
        f.name: {row.pop("principal"): {"feature": f.name} | row for row in evidence(engine, f, names).to_pylist()}
        for f, names in wanted.items()
    }
