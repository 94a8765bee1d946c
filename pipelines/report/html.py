"""report.html: one page that needs nothing else and asks nobody, below 500 KB however many principals and texts.

Whatever the templates print passes `visible`, then is escaped. The page's style and script are ours alone, named by
their hashes; without the script everything is open. Tested in tests/report/test_html.py and, in a real browser, in
tests/browser.
"""

import base64
import hashlib
import html
import re
from collections.abc import Iterable, Sequence
from functools import cache
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from pipelines.report.backtest import LIMITS, BackTest, headline, percent
from pipelines.report.columns import COLUMNS
from pipelines.report.model import Night
from pipelines.report.news import news
from pipelines.report.pictures import HOURS, Strips
from pipelines.report.principal import Shown, cell_said, clock, day_said, shown, span
from pipelines.report.sentences import (
    FIRST,
    NO_REASON,
    NOTHING,
    SCORE,
    SHARED_OUT,
    alike_sentence,
    counted,
    coverage_line,
    figure,
    notices,
    outcome,
    ranked_sentence,
)
from pipelines.report.text import clip, shown_name, visible

MOST_BYTES = 500_000
"""Of a page; sections, then rows, are left out for it, and the page says so."""

_PARTS = re.compile("([:/@])(?=.)")

_FOR_ROWS = 345_000
_FOR_EXPECTED = 40_000
_FOR_WORDS = 5_000
"""Kept back for what the page says of what it leaves out."""

_NAME = 200  # characters of a name in a section
_SHORT_NAME = 80  # in a row
_NOTE = 1_000
_MARK = 1_100  # whole: what it says and until when, before 1,000 characters of an analyst
_COVERAGE = 4_000  # a source may be blind for every feature there is


def report_html(night: Night, backtest: BackTest | None = None) -> str:
    """The whole page; the same night and back-test give the same text."""
    strips = Strips(night)
    everybody = shown(night, strips)
    part = environment().get_template("principal.html.jinja").make_module({"night": night})
    rows = _within(_FOR_ROWS, ((one, part.row(one)) for one in everybody[: len(night.ranked)]))  # type: ignore[attr-defined]
    expected = _within(_FOR_EXPECTED, ((one, part.row(one)) for one in everybody[len(night.ranked) :]))  # type: ignore[attr-defined]
    style, script = resource("report.css"), resource("report.js")

    def page(sections: Sequence[Markup]) -> str:
        return (
            environment()
            .get_template("report.html.jinja")
            .render(
                night=night,
                style=style,
                script=script,
                csp=content_security_policy(style, script),
                notices=notices(night),
                coverage_line=coverage_line(night),
                news=news(night),
                ranked_sentence=ranked_sentence(night),
                revised=[str(before.date) for before in night.before if before.generation > 1],
                rows=rows,
                expected=expected,
                sections=sections,
                types=sorted({row.type for row in night.ranked}),
                folded=sum(len(one.folded) for one, _ in rows),
                peers=strips.peers(),
                columns=COLUMNS,
                score_sentence=SCORE,
                backtest=backtest,
                limits=LIMITS,
            )
        )

    left = MOST_BYTES - _FOR_WORDS - len(page(()).encode())
    opened = _within(left, ((one, part.section(one)) for one, _ in rows))  # type: ignore[attr-defined]
    return page([text for _, text in opened])


def _within(budget: int, parts: Iterable[tuple[Shown, Markup]]) -> list[tuple[Shown, Markup]]:
    """The first of these that together take no more bytes."""
    kept = []
    for one, text in parts:
        budget -= len(text.encode())
        if budget < 0:
            break
        kept.append((one, text))
    return kept


def content_security_policy(style: str, script: str | None = None) -> str:
    """A policy under which nothing but this very style and script has an effect, and nothing is loaded."""
    scripts = "" if script is None else f"script-src '{_digest(script)}'; "
    return f"default-src 'none'; {scripts}style-src '{_digest(style)}'; base-uri 'none'; form-action 'none'"


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def resource(name: str) -> str:
    """A style or a script, as it stands beside this module."""
    return resources.files("pipelines.report").joinpath(name).read_text(encoding="utf-8")


@cache
def environment() -> Environment:
    """Templates whose every printed value is visible text, escaped."""
    made = Environment(
        loader=PackageLoader("pipelines.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printed,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters.update(
        alike_sentence=alike_sentence,
        cell=cell_said,
        clip=clip,
        clock=clock,
        counted=counted,
        day_said=day_said,
        figure=figure,
        headline=headline,
        multiline=_multiline,
        name=_name,
        outcome=outcome,
        percent=percent,
        span=span,
        visible=visible,
    )
    made.globals.update(
        name_width=_NAME,
        no_reason=NO_REASON,
        id_width=_SHORT_NAME,
        note_width=_NOTE,
        mark_width=_MARK,
        coverage_width=_COVERAGE,
        figures=[column for column in COLUMNS if column.figure],
        hours_size=HOURS,
        first_ranks=FIRST,
        shared_out=SHARED_OUT,
    )
    return made


def _name(text: str, width: int) -> Markup:
    """A name that breaks where its parts end."""
    return Markup(_PARTS.sub(r"\1<wbr>", str(escape(shown_name(text, width)))))


def _multiline(text: str) -> Markup:
    """A text of our own making with its line breaks."""
    return Markup("\n".join(html.escape(visible(line), quote=False) for line in text.splitlines()))


def _printed(value: object) -> object:
    """What stands on the page for a value: markup of our own as it is, all else visible text."""
    if hasattr(value, "__html__"):
        return value
    return NOTHING if value is None else visible(str(value))
