"""The score stage: tonight's rows against a forest grown on the nights before, ranked, with reasons and evidence."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from features.catalogue import FEATURES
from features.days import HASH
from features.evidence import evidence
from features.feature import Feature
from features.matrix import rows_of
from models.rank import ranks
from pipelines.archive import PRINCIPAL_DAYS, RANKING, Archive
from pipelines.config import ForestConfig
from pipelines.decoded import Derived
from pipelines.engine import COUNTING_BYTES, at_rest, modest
from pipelines.errors import OrderError
from pipelines.ranking import table as ranking_table
from pipelines.report.sentences import counted
from pipelines.stages.detail import detailed
from pipelines.stages.features import events_of, requests_of, typed
from pipelines.stages.history import History, history
from pipelines.stages.judge import first, judge
from pipelines.stages.made import made
from pipelines.stages.newcomer import newcomers, ranking_before
from pipelines.stages.origin import code, unchanged
from pipelines.stages.together import together
from pipelines.stages.why import Record, Why

FEW_REQUESTS = 20
FEW_NIGHTS = 3
"""With fewer a rank is marked: it stands on little."""

_KNOWN = ["principal", "usernames", "type", "peer_group", "requests", "first_seen"]
"""Columns of principal_days that the ranking shows as they are."""


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
    read = {"events": commit.sha256, "history": past.origin, "confirmed": past.confirmed, "length": length}
    days = _days(archive, night, read)
    ranked_before = ranking_before(archive, past)
    origin = {
        "days": days.sha256,
        "history": past.origin,
        "confirmed": past.confirmed,
        "ranked_before": None if ranked_before is None else ranked_before.sha256,
        "notices": list(past.notices),
        "forest": config.model_dump(mode="json"),
        "wanted": wanted,
        "code": dict(code()),
    }
    found = unchanged(archive, RANKING, night, origin)
    if found is not None:
        return found
    with modest(engine, COUNTING_BYTES), requests_of(archive, engine, commit, past):
        # the forest needs the room that the counting took
        at_rest(engine)
        records = _rank(engine, days.table, past, config)
    new = newcomers(records, past, ranked_before)
    table = ranking_table(r | {"newcomer": new.get(r["principal"])} for r in records)
    kept = ("night", "cluster", "generation", "counts", "blind", "left_out", "history_nights")
    meta = {name: days.meta[name] for name in kept} | {
        "table": RANKING,
        "origin": origin,
        "history_wanted": wanted,
        "notices": [*past.notices, *_strangers(records, past)],
        "seed": config.seed,
        "trees": config.trees,
        "version": code()["auditforest"],
    }
    return Derived(table, meta, archive.replace(RANKING, night, table, meta))


def _strangers(records: Sequence[Record], past: History) -> Iterator[str]:
    """What to say where no principal of the night was there on any earlier one."""
    if past.nights and records and not any(record["history_nights"] for record in records):
        nights = counted(len(past.nights), "earlier nights")
        yield (
            f"Everybody is new: nobody of tonight is known from the {nights}. Is this the log of another cluster? Each"
            " is compared with what others did then."
        )


def _days(archive: Archive, night: date, wanted: Mapping[str, Any]) -> Derived:
    days = made(archive, PRINCIPAL_DAYS, night)
    if days.meta["catalogue"] != HASH or any(days.meta["origin"].get(name) != value for name, value in wanted.items()):
        raise OrderError(
            f"{archive.store.url}: {archive.cluster}, {night}: the counts are of other events, history, marks or "
            f"features than stand here now; run {typed('features', archive, night)}"
        )
    return days


def _rank(engine: duckdb.DuckDBPyConnection, days: pa.Table, past: History, config: ForestConfig) -> list[Record]:
    before = past.days
    one = first(rows_of(days), None if before is None else rows_of(before), config)
    why = Why(days, before, one, past.seen if past.confirmed else None)
    found = judge(one, why.otherwise)
    otherwise = why.counterfactuals(found)
    known = days.select(_KNOWN).to_pylist()
    names = [row["principal"] for row in known]
    reasons = [why.reasons(i) for i in range(len(names))]
    proof = _evidence(engine, names, reasons)
    moved = together(engine)
    place, one_in = ranks(found.score), one.one_in
    places = {"codisp": ranks(found.codisp), "norm": ranks(one.norm), "aws_score": ranks(one.aws)}
    records = [
        row
        | {
            "rank": int(place[i]),
            "rank_lo": int(min(found.low[i], place[i])),
            "rank_hi": int(max(found.high[i], place[i])),
            "score": float(found.score[i]),
            "codisp": float(found.codisp[i]),
            "norm": float(one.norm[i]),
            "aws_score": float(one.aws[i]),
            "one_in": None if np.isnan(one_in[i]) else float(one_in[i]),
            "reasons": reasons[i],
            "counterfactual": otherwise.get(i),
            "strange_nights": why.strange_nights(i),
            "together": moved.get(row["principal"]),
            "places": {name: int(by[i]) for name, by in places.items()},
            "evidence": [
                proof[r["feature"], row["principal"]] for r in reasons[i] if (r["feature"], row["principal"]) in proof
            ],
            "marks": thin(row["requests"], int(why.nights[i])),
            "history_nights": int(why.nights[i]),
        }
        for i, row in enumerate(known)
    ]
    records.sort(key=lambda r: (r["rank"], r["principal"]))
    return detailed(engine, records)


def thin(requests: int, nights: int) -> list[str]:
    """What little a rank stands on, in words; a decisive request may be among few, so such rows are ranked all the
    same."""
    found = []
    if requests < FEW_REQUESTS:
        found.append("few requests")
    if nights < FEW_NIGHTS:
        found.append("few nights" if nights else "first night")
    return found


def _evidence(
    engine: duckdb.DuckDBPyConnection, principals: Sequence[str], reasons: Sequence[Sequence[Mapping[str, Any]]]
) -> dict[tuple[str, str], dict[str, Any]]:
    """By feature and principal: the evidence record."""
    wanted: dict[Feature, list[str]] = defaultdict(list)
    declared = {f.name: f for f in FEATURES}
    for principal, found in zip(principals, reasons, strict=True):
        for reason in found:
            wanted[declared[reason["feature"]]].append(principal)
    # each name once, however many features it has evidence of
    known = {name: name for name in principals}
    return {
        (f.name, known[row.pop("principal")]): {"feature": f.name} | row
        for f, names in wanted.items()
        for row in evidence(engine, f, names).to_pylist()
    }
