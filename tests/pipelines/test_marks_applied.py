"""What a report makes of the marks that hold on its night."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser

import pytest
from mark_builders import EVE, MADE, NIGHT, mark, named
from report_builders import HOSTILE, night, ranked, reason
from rich.text import Text

from features.counts import STRANGE
from pipelines.marking import asked
from pipelines.marking.applied import applied
from pipelines.marking.holding import holding
from pipelines.marking.record import CONFIRMED, EXPECTED, INVESTIGATING, Range, written
from pipelines.report.html import report_html
from pipelines.report.model import Night
from pipelines.report.ranking_json import ranking_json
from pipelines.report.sentences import notices
from pipelines.report.table_csv import ranking_csv
from pipelines.report.terminal import ranking_table

NEXT = NIGHT + timedelta(days=1)
LATER = NIGHT + timedelta(days=11)


def shown(*marks, value: int | None = 41, on=NIGHT, **row) -> Night:
    """A night of Eve and Bob, with these marks; `value` is Eve's count of each feature that a mark watches."""
    tonight = night(ranked(principal=EVE, **row), ranked(2, principal="bob"), date=on)
    found = holding([written(one)[0] for one in marks], on)
    return applied(tonight, found, {m.principal: {one.feature: value for one in every(marks)} for m in marks})


def every(marks):
    return [one for m in marks for one in m.features]


def names(rows):
    return [row.principal for row in rows]


def test_who_is_expected_stands_apart_with_rank_and_score_as_they_were():
    made = shown(mark())
    assert (names(made.ranked), names(made.expected)) == (["bob"], [EVE])
    assert made.expected[0].marks == ("expected until 2026-12-02: ticket 4711",)
    assert (made.expected[0].rank, made.expected[0].score, made.ranked[0].rank) == (1, 120.5, 2)
    assert notices(made)[0].startswith("1 principal marked as expected")


@pytest.mark.parametrize("state", [INVESTIGATING, CONFIRMED])
def test_any_other_mark_is_a_badge_beside_the_principal(state):
    made = shown(mark(state), marks=("few requests",))
    assert (names(made.ranked), names(made.expected)) == ([EVE, "bob"], [])
    on = {INVESTIGATING: "", CONFIRMED: " on 2026-11-22"}[state]
    assert made.ranked[0].marks == (f"{state}{on} until 2026-12-02: ticket 4711", "few requests")
    assert made.badges == {EVE: state}
    assert f'<span class="badge">{state}</span>' in report_html(made)
    assert [cell for cell in ranking_table(made).columns[1].cells if "[" in str(cell)] == [Text(f"{EVE} [{state}]")]


def test_a_night_without_marks_is_as_it_was():
    assert shown() == night(ranked(principal=EVE), ranked(2, principal="bob"), date=NIGHT)


@pytest.mark.parametrize(("value", "apart"), [(0, True), (41, True), (42, False)])
def test_who_leaves_the_marked_range_stands_in_the_ranking_again(value, apart):
    made = shown(mark(), value=value, on=NEXT)
    assert names(made.expected) == ([EVE] if apart else [])
    if not apart:
        assert made.ranked[0].marks == (
            "re-opened because secret_reads left the marked range: 42, marked 0 to 41",
            "expected until 2026-12-02: ticket 4711",
        )
        assert made.badges == {EVE: "re-opened"}


def test_where_some_features_are_named_the_count_of_another_is_not_watched():
    both = (Range("gets", 50, named=True), Range("secret_reads", 41, named=False))
    assert names(shown(mark(features=both), value=42).expected) == [EVE]
    assert names(shown(mark(features=tuple(replace(one, named=False) for one in both)), value=42).expected) == []


def test_several_scopes_are_watched_together():
    gets, lists = mark(features=named("gets", "secret_reads")), mark(minute=1, features=named("lists"))
    assert names(shown(gets, lists).expected) == [EVE]
    assert len(shown(gets, lists, value=42).ranked[0].marks) == 5


@pytest.mark.parametrize(("value", "apart"), [(60, True), (61, False)])
def test_of_a_feature_the_latest_range_holds_so_that_a_wider_one_widens(value, apart):
    wider = mark(minute=1, features=(Range("secret_reads", 60, named=True),))
    assert names(shown(mark(), wider, value=value, on=NEXT).expected) == ([EVE] if apart else [])
    assert names(shown(replace(wider, made_at=MADE), mark(minute=1), value=42).expected) == []


def test_what_cannot_be_seen_or_is_counted_no_more_proves_nothing():
    said = shown(mark(), value=None).ranked[0].marks[0]
    assert said == "re-opened because secret_reads cannot be seen this night, marked 0 to 41"


@pytest.mark.parametrize(("surprise", "apart"), [(STRANGE, False), (STRANGE - 0.1, True)])
def test_what_is_newly_strange_was_never_called_expected(surprise, apart):
    made = shown(mark(), reasons=(reason(), reason(feature="shells", value=3, surprise=surprise)))
    assert names(made.expected) == ([EVE] if apart else [])
    if not apart:
        assert made.ranked[0].marks[0] == "re-opened because shells is strange and was not when it was marked: 3"


@pytest.mark.parametrize(("value", "apart"), [(3, True), (4, False)])
def test_a_reason_that_was_not_named_is_expected_as_it_was_and_no_further(value, apart):
    scoped = mark(features=(Range("secret_reads", 41, True), Range("shells", 3, False)))
    made = shown(scoped, reasons=(reason(), reason(feature="shells", value=value, surprise=STRANGE)))
    assert names(made.expected) == ([EVE] if apart else [])
    if not apart:
        said = "re-opened because shells is strange and was less when it was marked: 4, then 3"
        assert made.ranked[0].marks[0] == said


def test_who_had_no_reason_when_it_was_marked_has_none_to_stay_apart_for():
    strange = reason(surprise=STRANGE)
    assert names(shown(mark(features=()), reasons=(strange,)).ranked) == [EVE, "bob"]
    assert names(shown(mark(features=()), reasons=()).expected) == [EVE]


def test_a_mark_that_ended_is_told_when_it_does():
    made = shown(mark(), on=LATER)
    assert made.ranked[0].marks[0] == "re-opened because its mark as expected ended with 2026-12-02"


def test_a_contradiction_is_told_with_what_was_said_and_what_settles_it():
    first, second = mark(), mark(CONFIRMED, 1, features=named("gets", "deletes"))
    said = notices(shown(first, second))[0]
    one, other = (written(made)[0].id for made in (first, second))
    assert said == (
        f"Marks of {EVE} contradict each other: expected for 2026-11-22 (mark {one}, made 2026-11-23 09:00:00 UTC), "
        f"confirmed for 2026-11-22 (mark {other}, made 2026-11-23 09:01:00 UTC). The latest counts: confirmed. "
        "'auditforest marks --all' tells who made them. To settle it, take back what is wrong, by 'auditforest mark "
        "PRINCIPAL --as none' with --date 2026-11-22, or with --date 2026-11-22 --feature deletes --feature gets, "
        "then mark again."
    )
    assert "with --date 2026-11-22, then mark" in notices(shown(first, mark(CONFIRMED, 1)))[0]


def test_who_wrote_a_mark_is_told_by_the_mark_alone_and_never_by_a_report():
    secret = {"os_user": "ann.of.the.payroll", "aws_identity": "access key AKIAEXAMPLE"}
    made = shown(mark(**secret), mark(CONFIRMED, 1, **secret))
    published = ranking_json(made) + ranking_csv(made) + report_html(made)
    assert made.notices
    assert not [told for told in secret.values() if told in published]


def test_json_holds_the_section_and_the_marks():
    document = json.loads(ranking_json(shown(mark())))
    assert (names_in(document["ranking"]), names_in(document["expected"])) == (["bob"], [EVE])
    (one,) = document["marks"]
    assert (one["state"], one["because"], one["until"]) == ("expected", "ticket 4711", "2026-12-02")
    assert one["features"] == [{"feature": "secret_reads", "most": 41, "named": False}]
    assert one["made_at"] == f"{MADE:%Y-%m-%dT%H:%M:%S}.000000Z"


def names_in(rows):
    return [row["principal"] for row in rows]


def test_csv_lists_the_expected_last():
    rows = list(csv.DictReader(io.StringIO(ranking_csv(shown(mark())))))
    assert [(row["principal"], row["rank"]) for row in rows] == [("bob", "2"), (EVE, "1")]
    assert json.loads(rows[1]["marks"]) == ["expected until 2026-12-02: ticket 4711"]


def test_the_page_holds_every_word_of_a_mark_that_sets_somebody_apart():
    words = asked.because("a long story ".ljust(asked.LONGEST - 12, "o") + " and its end")
    assert f"expected until 2026-12-02: {words}" in report_html(shown(mark(because=words)))
    again = report_html(shown(mark(because=words), value=42))
    assert "re-opened because secret_reads left the marked range: 42, marked 0 to 41" in again
    assert f"expected until 2026-12-02: {words}" in again


def test_a_night_on_which_all_are_expected_can_be_shown():
    made = shown(mark(), mark(principal="bob"))
    assert (names(made.ranked), names(made.expected)) == ([], [EVE, "bob"])
    assert "Nobody to rank: no request of a principal who is not expected in this night." in report_html(made)
    assert ranking_table(made).row_count == 0


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("state", [EXPECTED, CONFIRMED])
def test_words_that_mean_harm_do_none(text, state):
    one = replace(written(mark())[0], state=state, because=text, os_user=text)
    contrary = replace(written(mark(CONFIRMED if state == EXPECTED else EXPECTED, -1))[0], os_user=text)
    calm = Tags(report_html(shown(mark(state))))
    made = applied(night(ranked(principal=EVE)), holding([contrary, one], NIGHT), {EVE: {"secret_reads": 1}})
    page, table, document = report_html(made), ranking_csv(made), ranking_json(made)
    assert Tags(page).names <= calm.names | {"section", "ul", "li"}
    assert Tags(page).attributes <= calm.attributes
    assert not {c for c in page + table if (c < " " and c != "\n") or "\x7f" <= c <= "\x9f" or c == "\u202e"}
    assert not [cell for row in csv.reader(io.StringIO(table)) for cell in row if cell.startswith(tuple("=+-@\t\r"))]
    assert json.loads(document)["marks"][0]["because"] == text
    assert document.isascii()


class Tags(HTMLParser):
    """Names of the tags and attributes of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}
