"""A night as a short text for a chat message or a ticket: below 4,000 characters, in Markdown.

Names stand in code spans, where neither Markdown nor Slack makes a link or a mention of them, without the characters
that end one. Tested in tests/report/test_markdown.py.
"""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.report.model import Night, RankedPrincipal
from pipelines.report.news import news
from pipelines.report.sentences import FIRST, counted, coverage_line, figure, in_short, lasting, notices
from pipelines.report.text import clip, shown_name

MOST = 4_000
"""Characters of the whole."""

_NAME = 90
_REASON = 120
_NOTICE = 200
_NOTICES = 3
_COVERAGE = 360
_HARMLESS = str.maketrans({"`": "'", "<": "\u2039", ">": "\u203a", "&": "+", "|": "/", "*": "\u2217", "~": "-"})


def night_md(night: Night) -> str:
    """The first ten ranks with what to know before reading them, a newline at its end."""
    return "\n".join(_lines(night)) + "\n"


def _lines(night: Night) -> Iterator[str]:
    yield f"**{_plain(night.cluster, _NAME)}, night of {night.date}**: {_headline(night)}"
    yield ""
    told = notices(night)
    yield from (f"- {_plain(notice, _NOTICE)}" for notice in told[:_NOTICES])
    if told[_NOTICES:]:
        yield f"- and {counted(len(told) - _NOTICES, 'more notices')} in the report"
    if told:
        yield ""
    yield from (_rank(row, night.badges.get(row.principal)) for row in night.ranked[:FIRST])
    if night.ranked[FIRST:]:
        yield f"\nand {counted(len(night.ranked) - FIRST, 'more principals')} in the report"
    yield f"\n{_plain(coverage_line(night), _COVERAGE)}"


def _headline(night: Night) -> str:
    ranked = f"{counted(len(night.ranked), 'principals')} ranked"
    found = news(night)
    if found is None:
        return ranked
    came = len(found.came)
    return f"{ranked}, {came:,} of the first {came + found.stayed:,} new since {found.since}"


def _rank(row: RankedPrincipal, badge: str | None) -> str:
    reason = _plain(in_short(row.reasons[0]), _REASON) if row.reasons else "no single feature stands out"
    # a name in quotes is one whose ends would not be seen
    name = clip(shown_name(row.principal, _NAME), _NAME).translate(_HARMLESS)
    marks = [mark for mark in (badge, lasting(row), *row.marks) if mark is not None]
    beside = f" ({_plain(', '.join(marks), _NAME)})" if marks else ""
    return f"{row.rank}. `{name}` {figure(row.score)}{beside}: {reason}"


def _plain(text: str, width: int) -> str:
    return clip(shown_name(text, width).strip('"'), width).translate(_HARMLESS)
