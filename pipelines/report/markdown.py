"""A night as a short text for a chat message or a ticket: below 4,000 characters, in Markdown.

What the log or an analyst wrote stands in code spans, where neither Markdown nor Slack makes a link or a mention of it,
without the characters that end one. Tested in tests/report/test_markdown.py.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterator

from pipelines.report.model import Night, RankedPrincipal
from pipelines.report.news import news
from pipelines.report.sentences import (
    FIRST,
    NO_REASON,
    counted,
    coverage_line,
    doubts,
    figure,
    in_short,
    lasting,
    notices,
    ranked_sentence,
)
from pipelines.report.text import name_within, within

MOST = 4_000
"""Characters of the whole."""

_NAME = 90
_MARKS = 60
_REASON = 120
_NOTICE = 200
_COVERAGE = 360
"""So many of each are kept at least."""
_NOTICES = 3
"""So many are told at least."""
_WIDER = (MOST // _MARKS, 24, 12, 6, 4, 3, 2)
"""Times as many are kept, where the whole has room for them: of the first, as many as the whole can hold."""
_HARMLESS = str.maketrans({"`": "'", "<": "\u2039", ">": "\u203a", "&": "+", "|": "/", "*": "\u2217", "~": "-"})


def night_md(night: Night) -> str:
    """The first ten ranks with what to know before them, a newline at its end.

    Where that is too long, long texts are cut first, then notices left out, then ranks.
    """
    made = (_text(night, *size) for size in _sizes(night))
    return next(text for text in made if len(text) < MOST)


def _sizes(night: Night) -> Iterator[tuple[int, int, int]]:
    """Ranks, how much wider than at least their texts are, and notices: the most first."""
    told = len(notices(night))
    yield from ((FIRST, wider, told) for wider in (*_WIDER, 1))
    too_many = bisect(range(told), False, key=lambda most: len(_text(night, FIRST, 1, most)) >= MOST)
    yield FIRST, 1, max(too_many - 1, _NOTICES)
    yield from ((ranks, 1, _NOTICES) for ranks in range(FIRST - 1, -1, -1))


def _text(night: Night, ranks: int, wider: int, most: int) -> str:
    return "\n".join(_lines(night, ranks, wider, most)) + "\n"


def _lines(night: Night, ranks: int, wider: int, most: int) -> Iterator[str]:
    yield f"**{_plain(night.cluster, _NAME * wider)}, night of {night.date}**: {_headline(night)}"
    yield ""
    # first what the coverage below tells nothing of; only these name principals
    told = [(_quoted, notice) for notice in night.notices] + [(_plain, doubt) for doubt in doubts(night)]
    yield from (f"- {drawn(notice, _NOTICE * wider)}" for drawn, notice in told[:most])
    if told[most:]:
        yield f"- and {counted(len(told) - most, 'more notices')} in the report"
    if told:
        yield ""
    yield from (_rank(row, night.badges.get(row.principal), wider) for row in night.ranked[:ranks])
    if night.ranked[ranks:]:
        yield f"\nand {counted(len(night.ranked) - ranks, 'more principals')} in the report"
    yield f"\n{_plain(coverage_line(night), _COVERAGE * wider)}"


def _headline(night: Night) -> str:
    ranked = ranked_sentence(night)
    found = news(night)
    return ranked if found is None else f"{ranked}; {found.said}"


def _rank(row: RankedPrincipal, badge: str | None, wider: int) -> str:
    reason = _plain(in_short(row.reasons[0]), _REASON * wider) if row.reasons else NO_REASON.lower()
    said = [mark for mark in (lasting(row),) if mark is not None]
    # what analysts say begins with the badge
    if badge is not None and not any(mark.startswith(badge) for mark in row.marks):
        said.insert(0, badge)
    said += [_quoted(mark, _MARKS * wider) for mark in row.marks]
    beside = f" ({', '.join(said)})" if said else ""
    return f"{row.rank}. {_quoted(row.principal, _NAME * wider)} {figure(row.score)}{beside}: {reason}"


def _plain(text: str, width: int) -> str:
    """A text of our own, in which nothing may be markup."""
    return within(text, width).translate(_HARMLESS)


def _quoted(text: str, width: int) -> str:
    """Somebody else's text in a code span, in quotes where its ends would not be seen."""
    return f"`{name_within(text, width).translate(_HARMLESS)}`"
