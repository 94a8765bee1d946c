"""report.html: one page that needs nothing else, runs nothing and asks nobody.

Whatever the template prints passes `visible`, then is escaped. Tested in tests/report/test_html.py.
"""

import base64
import hashlib
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from pipelines.report.backtest import LIMITS, BackTest, headline, percent
from pipelines.report.columns import COLUMNS, Cell, Column, utc
from pipelines.report.model import Evidence, Night, RankedPrincipal, Reason
from pipelines.report.opinions import disagreement
from pipelines.report.sentences import (
    NOTHING,
    SCORE,
    arrived,
    counted,
    coverage_line,
    figure,
    habit,
    lasting,
    moved,
    notices,
    otherwise,
    rarity,
    reason_sentence,
)
from pipelines.report.text import clip, shown_name, visible

IN_FULL = 25
_MOST_USERNAMES = 20
_NAME = 200  # characters of a name on a card
_SHORT_NAME = 80  # in the table of the later ranks
_NOTE = 1_000


@dataclass(frozen=True)
class _ShownReason:
    reason: Reason
    tonight: str
    habit: str
    rarity: str
    expected: str
    share: int | None  # per cent
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True)
class _Card:
    row: RankedPrincipal
    badge: str | None  # what analysts say of it
    bar: float  # of the strangest score, 0 to 100
    reasons: tuple[_ShownReason, ...]
    loose_evidence: tuple[Evidence, ...]  # of features that are not among the reasons
    usernames: tuple[str, ...]  # where they say more than the principal's name
    more_usernames: int
    notes: tuple[str, ...]  # since when, and with whom
    said: tuple[str, ...]  # what would be otherwise, what is new, where the measures disagree


def report_html(night: Night, backtest: BackTest | None = None) -> str:
    """The whole page; the same night and back-test give the same text."""
    style = _resource("report.css")
    return _template().render(
        night=night,
        style=style,
        csp=content_security_policy(style),
        notices=notices(night),
        coverage_line=coverage_line(night),
        cards=[_card(row, night) for row in night.ranked[:IN_FULL]],
        expected=[[_brief(column, row) for column in _BRIEF] for row in night.expected],
        later=[[_brief(column, row) for column in _BRIEF] for row in night.ranked[IN_FULL:]],
        brief=_BRIEF,
        figures=[column for column in COLUMNS if column.figure],
        columns=COLUMNS,
        score_sentence=SCORE,
        backtest=backtest,
        limits=LIMITS,
    )


def content_security_policy(style: str) -> str:
    """A policy under which nothing but this very style element has an effect."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


_BRIEF = tuple(column for column in COLUMNS if column.brief)


def _resource(name: str) -> str:
    return resources.files("pipelines.report").joinpath(name).read_text(encoding="utf-8")


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("pipelines.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printed,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        clip=clip,
        counted=counted,
        figure=figure,
        headline=headline,
        name=shown_name,
        percent=percent,
        time=_time,
        utc=utc,
        visible=visible,
    )
    environment.globals.update(name_width=_NAME, id_width=_SHORT_NAME, note_width=_NOTE)
    return environment.get_template("report.html.jinja")


def _printed(value: object) -> object:
    """What stands on the page for a value: markup of our own as it is, all else visible text."""
    if hasattr(value, "__html__"):
        return value
    return NOTHING if value is None else visible(str(value))


def _time(time: datetime, night: date) -> str:
    """The time of day, after the date where that is not the night's own."""
    return f"{time:%H:%M:%S}" if time.date() == night else f"{time:%Y-%m-%d %H:%M:%S}"


def _card(row: RankedPrincipal, night: Night) -> _Card:
    strangest = max(one.score for one in night.principals)
    features = {reason.feature for reason in row.reasons}
    usernames = () if row.usernames == (row.principal,) else row.usernames
    return _Card(
        row=row,
        badge=night.badges.get(row.principal),
        bar=round(100 * max(0.0, min(1.0, row.score / strangest)), 1) if strangest > 0 else 0.0,
        reasons=tuple(_shown_reason(reason, row.evidence) for reason in row.reasons),
        loose_evidence=tuple(item for item in row.evidence if item.feature not in features),
        usernames=usernames[:_MOST_USERNAMES],
        more_usernames=len(usernames[_MOST_USERNAMES:]),
        notes=tuple(note for note in (lasting(row), moved(row), *row.marks) if note is not None),
        said=tuple(line for line in (arrived(row), otherwise(row), disagreement(row)) if line is not None),
    )


def _shown_reason(reason: Reason, evidence: tuple[Evidence, ...]) -> _ShownReason:
    return _ShownReason(
        reason=reason,
        tonight=counted(reason.value, reason.unit),
        habit=habit(reason),
        rarity=rarity(reason.surprise),
        expected=figure(reason.expected),
        share=None if reason.share is None else round(100 * reason.share),
        evidence=tuple(item for item in evidence if item.feature == reason.feature),
    )


def _brief(column: Column, row: RankedPrincipal) -> str:
    """A cell of the tables of the later ranks and of the expected."""
    if column.name == "marks":
        return "; ".join(clip(mark, _NOTE) for mark in row.marks) or NOTHING
    if column.name == "reasons":
        return clip(reason_sentence(row.reasons[0]), _NOTE) if row.reasons else NOTHING
    return _flat(column.cell(row))


def _flat(cell: Cell) -> str:
    if cell is None or isinstance(cell, int | float):
        return figure(cell)
    if isinstance(cell, str):
        return shown_name(cell, _SHORT_NAME)
    return ", ".join(_flat(part) for part in cell) or NOTHING
