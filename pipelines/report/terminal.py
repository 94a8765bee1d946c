"""The first ranks on a terminal. Text from the log is drawn, never interpreted.

Tested in tests/report/test_terminal.py.
"""

from collections.abc import Iterator, Sequence

from rich.table import Table

from pipelines.report.backtest import LIMITS, BackTest, Group, headline, percent
from pipelines.report.drawing import drawable, table
from pipelines.report.groups import groups
from pipelines.report.model import Night, RankedPrincipal
from pipelines.report.opinions import disagreement
from pipelines.report.sentences import NOTHING, arrived, counted, figure, ranked_sentence, reason_sentence
from pipelines.report.text import clip, shown_name

_NAME = 100
_REASON = 300
_REMARK = 600
_RANKS = 10
_BEGUN = 2
"""Reasons named of a newcomer; the page of the night has all."""


def ranking_table(night: Night, top: int = 10) -> Table:
    """The first `top` principals with score, requests and first reason."""
    shown = f"the first {top} of " if len(night.ranked) > top else ""
    title = f"{clip(night.cluster, _NAME)}, night of {night.date.isoformat()}: {shown}{ranked_sentence(night)}"
    heads = ("Rank", "Principal", "Type", "Score", "Requests", "First reason")
    return table(title, heads, (_row(night, row) for row in night.ranked[:top]), ("Rank", "Score", "Requests"))


def _row(night: Night, row: RankedPrincipal) -> tuple[str, ...]:
    reason = reason_sentence(row.reasons[0]) if row.reasons else NOTHING
    badge = night.badges.get(row.principal)
    name = shown_name(row.principal, _NAME) + (f" [{badge}]" if badge else "")
    cells = (figure(row.rank), name, clip(row.type, _NAME), figure(row.score))
    return (*cells, figure(row.requests), clip(reason, _REASON))


def remarks(night: Night, top: int = 10) -> Iterator[str]:
    """What else is to be known of the first `top` ranks: who is new among them, who moved together, who is doubtful."""
    for row in night.ranked[:top]:
        for said in (arrived(row, _BEGUN), disagreement(row)):
            if said is not None:
                yield f"rank {row.rank}, {shown_name(row.principal, _NAME)}: {clip(said, _REMARK)}"
    for group in groups(night.ranked):
        ranks = [figure(member.rank) for member in group.members]
        if group.members[0].rank <= top:
            more = f" and {len(ranks) - _RANKS:,} more" if len(ranks) > _RANKS else ""
            yield f"ranks {', '.join(ranks[:_RANKS])}{more}: {clip(group.cause, _REMARK)}"


def backtest_tables(found: BackTest) -> Iterator[str | Table]:
    """The back-test: kinds, the weakest first, types of principals, innocent kinds, and what could not be."""
    yield from found.notices
    yield f"{clip(found.cluster, _NAME)}, {counted(len(found.nights), 'nights')} to {found.date}: {headline(found)}"
    yield _shares("Attack", found.kinds)
    yield _shares("Acted by", found.types)
    yield _shares("Innocent surprise (should stay low)", found.innocents)
    for failed in found.not_possible:
        cases = counted(failed.cases, "cases")
        yield f"not possible: {failed.kind} by a principal of type {failed.type}, {cases}: {failed.reason}"


def _shares(title: str, groups: Sequence[Group]) -> Table:
    limits = ("none above", *(f"at most {most}" for most in LIMITS[1:]))
    drawn = Table(title, "ATT&CK", "Cases", *limits)
    for group in groups:
        name = group.kind or group.type or NOTHING
        cells = (name, group.mitre or NOTHING, figure(group.cases), *map(percent, group.within))
        drawn.add_row(*map(drawable, cells))
    return drawn
