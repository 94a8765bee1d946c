"""The columns of the ranking, declared once: csv header, json keys and the tables of the page are made from it.

Imports the model and its sentences. tests/report/test_columns.py loops over the declaration.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from operator import attrgetter
from typing import TypeAlias

from pipelines.report.detail import Detail
from pipelines.report.model import Counterfactual, Evidence, RankedPrincipal, Reason, Together
from pipelines.report.opinions import disagreement
from pipelines.report.sentences import arrived

Cell: TypeAlias = "str | int | float | Sequence[Cell] | Mapping[str, Cell] | None"


@dataclass(frozen=True)
class Column:
    """One column of the ranking."""

    name: str
    title: str
    unit: str  # empty for a name or a ratio
    meaning: str
    cell: Callable[[RankedPrincipal], Cell]  # a value json can write; None where nothing is known
    figure: bool = False  # stands among the small figures of a card
    deep: bool = False  # too deep for a cell of a sheet: stands in Parquet and json alone


def utc(time: datetime | None) -> str | None:
    """ISO 8601 in UTC with microseconds and a Z, or None."""
    if time is None:
        return None
    return time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _reason(reason: Reason) -> Cell:
    return {
        "feature": reason.feature,
        "meaning": reason.meaning,
        "unit": reason.unit,
        "value": reason.value,
        "expected": reason.expected,
        "usual": reason.usual,
        "usual_low": reason.usual_low,
        "usual_high": reason.usual_high,
        "peers_low": reason.peers_low,
        "peers_high": reason.peers_high,
        "surprise": reason.surprise,
        "share": reason.share,
    }


def _counterfactual(found: Counterfactual | None) -> Cell:
    if found is None:
        return None
    return {
        "feature": found.feature,
        "value": found.value,
        "instead": found.instead,
        "rank": found.rank,
        "rank_without_all": found.rank_without_all,
        "score_without_all": found.score_without_all,
    }


def _together(found: Together | None) -> Cell:
    return None if found is None else {"kind": found.kind, "item": found.item, "principals": found.principals}


def _places(row: RankedPrincipal) -> Cell:
    places = row.places
    if places is None:
        return None
    by = {"codisp": places.codisp, "norm": places.norm, "aws_score": places.aws_score}
    return by | {"said": disagreement(row)}


def _newcomer(row: RankedPrincipal) -> Cell:
    found = row.newcomer
    if found is None:
        return None
    new = [
        {"feature": b.feature, "meaning": b.meaning, "unit": b.unit, "value": b.value, "before": b.before}
        for b in found.new
    ]
    absent, last = (None if night is None else night.isoformat() for night in (found.absent, found.last_night))
    return {"absent": absent, "last_night": last, "new": new, "said": arrived(row)}


def _evidence(evidence: Evidence) -> Cell:
    return {
        "feature": evidence.feature,
        "requests": evidence.requests,
        "audit_ids": list(evidence.audit_ids),
        "times": [utc(time) for time in evidence.times],
        "first_ts": utc(evidence.first_ts),
        "last_ts": utc(evidence.last_ts),
    }


def _detail(found: Detail | None) -> Cell:
    if found is None:
        return None
    plain = asdict(found)
    for things in plain["new"]:
        for item in things["first"]:
            item["first_ts"] = utc(item["first_ts"])
    for request in plain["requests"]:
        request["ts"] = utc(request["ts"])
    return plain


COLUMNS: tuple[Column, ...] = (
    Column(
        "rank",
        "Rank",
        "",
        "1 is the strangest; equal scores share a rank.",
        attrgetter("rank"),
    ),
    Column(
        "rank_lo",
        "Best rank",
        "",
        "Lower end of the rank interval: the best rank over the seeds.",
        attrgetter("rank_lo"),
    ),
    Column(
        "rank_hi",
        "Worst rank",
        "",
        "Upper end of the rank interval: the worst rank over the seeds.",
        attrgetter("rank_hi"),
    ),
    Column(
        "principal",
        "Principal",
        "",
        "Who it is, under one name for all its sessions.",
        attrgetter("principal"),
    ),
    Column(
        "usernames",
        "User names",
        "",
        "The user names of the log that were folded into this principal.",
        lambda row: list(row.usernames),
    ),
    Column(
        "type",
        "Type",
        "",
        "Person, workload, system account, control plane, node or unauthenticated.",
        attrgetter("type"),
    ),
    Column(
        "peer_group",
        "Peer group",
        "",
        "The principals it is compared with.",
        attrgetter("peer_group"),
    ),
    Column(
        "requests",
        "Requests",
        "requests",
        "Its requests of the night, each counted once.",
        attrgetter("requests"),
        figure=True,
    ),
    Column(
        "score",
        "Score",
        "",
        "CoDisp times norm; higher is stranger.",
        attrgetter("score"),
    ),
    Column(
        "codisp",
        "CoDisp",
        "",
        "Collusive displacement: how alone the row stands in the forest; at least 0, higher is stranger.",
        attrgetter("codisp"),
        figure=True,
    ),
    Column(
        "norm",
        "Norm",
        "",
        "Length of the row of weighted surprises: how much is unusual, all features together.",
        attrgetter("norm"),
        figure=True,
    ),
    Column(
        "aws_score",
        "AWS score",
        "",
        "The score as the forest of Amazon SageMaker defines it, for comparison.",
        attrgetter("aws_score"),
        figure=True,
    ),
    Column(
        "one_in",
        "One in",
        "principal-nights",
        "Such a score was met once in this many principal-nights of the archive. Ranks do not depend on it.",
        attrgetter("one_in"),
        figure=True,
    ),
    Column(
        "reasons",
        "Reasons",
        "",
        "The features that lifted the score most, with tonight's count and what was expected.",
        lambda row: [_reason(reason) for reason in row.reasons],
    ),
    Column(
        "counterfactual",
        "Otherwise",
        "",
        "The rank with the first reason's count at its usual value, and with the counts of all reasons at theirs.",
        lambda row: _counterfactual(row.counterfactual),
    ),
    Column(
        "strange_nights",
        "In a row",
        "nights",
        "Own nights in a row, this one the last, on which the first reason was strange.",
        attrgetter("strange_nights"),
        figure=True,
    ),
    Column(
        "together",
        "Moved with",
        "",
        "Something that several principals, this one among them, began to use on this night.",
        lambda row: _together(row.together),
    ),
    Column(
        "places",
        "Ranks by each",
        "",
        "The ranks by CoDisp, by norm and by the AWS score alone; where they lie far apart the report says so.",
        _places,
    ),
    Column(
        "newcomer",
        "Joined the first ten",
        "",
        "Of who is among the first ten and was not the night before: its own last night, and the reasons begun since.",
        _newcomer,
    ),
    Column(
        "evidence",
        "Evidence",
        "",
        "For each reason the number of its requests, up to 20 audit IDs with their times, and the first and last time.",
        lambda row: [_evidence(evidence) for evidence in row.evidence],
    ),
    Column(
        "detail",
        "Detail",
        "",
        "Of the first 100 ranks: requests by hour and outcome, what was new, the bindings used, up to 10 requests.",
        lambda row: _detail(row.detail),
        deep=True,
    ),
    Column(
        "marks",
        "Marks",
        "",
        "What analysts marked, and what the job noted, about this principal.",
        lambda row: list(row.marks),
    ),
    Column(
        "first_seen",
        "First seen",
        "",
        "First night of this principal; reset by an absence longer than the nights looked back on.",
        lambda row: None if row.first_seen is None else row.first_seen.isoformat(),
        figure=True,
    ),
    Column(
        "history_nights",
        "Own past",
        "nights",
        "Earlier nights on which this principal did anything.",
        attrgetter("history_nights"),
        figure=True,
    ),
)

SHEET: tuple[Column, ...] = tuple(column for column in COLUMNS if not column.deep)
"""The columns of ranking.csv."""
