"""What a mark is, what of all marks holds on a night, and what a report makes of it."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from itertools import permutations

import pytest
from mark_builders import EVE, MADE, NIGHT, mark, named
from report_builders import HOSTILE, night, ranked, reason
from rich.text import Text

from features.counts import STRANGE
from pipelines.archive import Archive
from pipelines.errors import ConfigError, DataError
from pipelines.marking import asked
from pipelines.marking.applied import applied
from pipelines.marking.author import aws_identity
from pipelines.marking.holding import confirmed, holding
from pipelines.marking.record import CONFIRMED, EXPECTED, INVESTIGATING, NONE, STATES, Range, key, read, written
from pipelines.report.html import report_html
from pipelines.report.model import Night
from pipelines.report.ranking_json import ranking_json
from pipelines.report.sentences import notices
from pipelines.report.table_csv import ranking_csv
from pipelines.report.terminal import ranking_table

NEXT = NIGHT + timedelta(days=1)
LATER = NIGHT + timedelta(days=11)

# In the archive, a folder and S3


def test_a_mark_comes_back_as_it_was_written(store):
    archive = Archive(store, "prod-usw2")
    made = [archive.add_mark(one) for one in (mark(NONE, 3), mark(CONFIRMED, 1), mark(minute=2, os_user=None))]
    assert [one.state for one in archive.marks()] == [CONFIRMED, EXPECTED, NONE]
    assert sorted(one.id for one in made) == sorted(one.id for one in Archive(store, "prod-usw2").marks())
    assert Archive(store, "prod-usw2").marks()[0] == made[1]


def test_a_mark_is_one_object_that_is_never_replaced(store):
    archive = Archive(store, "prod-usw2")
    made = archive.add_mark(mark())
    assert archive.add_mark(mark()) == made
    assert store.list("") == [key(made)]
    assert not store.put_new(key(made), b"other bytes")


def test_a_name_that_other_bytes_hold_is_an_error(store):
    made, _ = written(mark())
    store.put(key(made), b"other bytes")
    with pytest.raises(DataError, match="other bytes stand under this name"):
        Archive(store, "prod-usw2").add_mark(mark())


def test_marks_of_another_cluster_are_not_seen(store):
    Archive(store, "prod").add_mark(mark(cluster="prod"))
    Archive(store, "prod-usw22").add_mark(mark(cluster="prod-usw22"))
    assert Archive(store, "prod-usw2").marks() == []
    assert len(Archive(store, "prod").marks()) == 1


def test_what_is_no_mark_among_the_marks_is_passed_over(store):
    store.put(f"marks/cluster=prod-usw2/date={NIGHT}/notes.txt", b"")
    assert Archive(store, "prod-usw2").marks() == []


@pytest.mark.parametrize("harm", [lambda b: b[:-9], lambda b: b[:99] + b"x" + b[100:], lambda _: b""])
def test_a_damaged_mark_is_named(store, harm):
    made, body = written(mark())
    store.put(key(made), harm(body))
    with pytest.raises(DataError, match=rf"mark-{made.id}\.parquet: no mark as it was written .*mark again"):
        Archive(store, "prod-usw2").marks()


def test_a_mark_under_another_name_or_night_is_refused():
    made, body = written(mark())
    assert read(body, key(made), "here") == made
    for other in (replace(made, id="0" * 16), replace(made, night=NEXT), replace(made, cluster="prod")):
        with pytest.raises(DataError, match="written under another name"):
            read(body, key(other), "here")


def test_a_state_that_this_version_does_not_know_is_refused():
    made, body = written(mark("abandoned"))
    with pytest.raises(DataError, match="it says 'abandoned'"):
        read(body, key(made), "here")


# What holds


def held(*marks, on=NIGHT):
    """What holds of Eve, in whichever order the marks are read."""
    each = [holding([written(one)[0] for one in order], on).get(EVE) for order in permutations(marks)]
    assert all(one == each[0] for one in each)
    return each[0]


def test_a_mark_holds_from_its_night_to_its_last():
    nights = {on: held(mark(), on=NIGHT + timedelta(days=on)) for on in (-1, 0, 10, 11)}
    assert nights[-1] is None
    assert [nights[on].ended for on in (0, 10, 11)] == [False, False, True]


@pytest.mark.parametrize("state", [INVESTIGATING, CONFIRMED])
def test_of_what_never_stood_apart_no_end_is_told(state):
    assert held(mark(state), on=LATER) is None


def test_a_later_mark_of_the_same_scope_takes_the_place_of_an_earlier_one():
    found = held(mark(features=named("gets")), mark(INVESTIGATING, 1, features=named("gets")))
    assert [one.state for one in found.marks] == [INVESTIGATING]
    other = held(mark(features=named("gets")), mark(INVESTIGATING, 1, features=named("lists")))
    assert [one.state for one in other.marks] == [EXPECTED, INVESTIGATING]
    assert (other.mark.state, other.expected) == (INVESTIGATING, ())


def test_a_mark_that_was_superseded_does_not_return_when_the_later_one_ends():
    assert held(mark(until=LATER), mark(INVESTIGATING, 1), on=LATER) is None


def test_a_mark_is_taken_back_by_none_and_so_is_only_its_scope():
    assert held(mark(), mark(CONFIRMED, 1), mark(NONE, 2)) is None
    assert held(mark(), mark(NONE, 1), mark(INVESTIGATING, 2)).mark.state == INVESTIGATING
    kept = held(
        mark(features=named("gets")), mark(minute=1, features=named("lists")), mark(NONE, 2, features=named("gets"))
    )
    assert [one.scope for one in kept.marks] == [{"lists"}]


def test_what_is_taken_back_on_a_later_night_holds_on_the_earlier_ones():
    marks = (mark(), mark(NONE, 1, night=NEXT))
    assert held(*marks).mark.state == EXPECTED
    assert held(*marks, on=NEXT) is None


def test_of_marks_made_at_one_moment_the_more_careful_counts():
    assert held(*(mark(state) for state in STATES)).mark.state == CONFIRMED
    assert STATES == (NONE, EXPECTED, INVESTIGATING, CONFIRMED)


def test_expected_and_confirmed_contradict_each_other_and_the_later_counts():
    for first, second in permutations((EXPECTED, CONFIRMED)):
        found = held(mark(first), mark(second, 1))
        assert (found.mark.state, [one.state for one in found.contrary]) == (second, [first, second])
        assert held(mark(first), mark(second, 1, features=named("gets"))).mark.state == second


def test_to_investigate_contradicts_nothing_nor_does_what_ended_or_was_taken_back():
    assert held(mark(), mark(INVESTIGATING, 1)).contrary == ()
    assert held(mark(CONFIRMED), mark(minute=1, until=LATER), on=LATER).contrary == ()
    assert held(mark(CONFIRMED), mark(NONE, 1), mark(minute=2)).contrary == ()


# Confirmed nights


def confirmed_of(*marks):
    return {on: set(who) for on, who in confirmed([written(one)[0] for one in marks]).items()}


def test_a_confirmed_night_is_known_by_its_latest_mark_whatever_became_of_later_nights():
    assert confirmed_of(mark(CONFIRMED)) == {NIGHT: {EVE}}
    assert confirmed_of(mark(CONFIRMED), mark(minute=1, night=NEXT)) == {NIGHT: {EVE}}
    assert confirmed_of(mark(CONFIRMED), mark(minute=1)) == {}
    assert confirmed_of(mark(CONFIRMED), mark(NONE, 1, night=NEXT)) == {}
    assert confirmed_of(mark(), mark(INVESTIGATING, principal="bob")) == {}


# In a report


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


def test_only_the_named_features_are_watched_where_some_are_named():
    both = (*named("gets"), Range("secret_reads", 0, named=False))
    assert names(shown(mark(features=both)).expected) == [EVE]
    assert names(shown(mark(features=tuple(replace(one, named=False) for one in both))).expected) == []


def test_several_scopes_are_watched_together():
    gets, lists = mark(features=named("gets", "secret_reads")), mark(minute=1, features=named("lists"))
    assert names(shown(gets, lists).expected) == [EVE]
    assert len(shown(gets, lists, value=42).ranked[0].marks) == 5


def test_what_cannot_be_seen_or_is_counted_no_more_proves_nothing():
    said = shown(mark(), value=None).ranked[0].marks[0]
    assert said == "re-opened because secret_reads cannot be seen this night, marked 0 to 41"


@pytest.mark.parametrize(("surprise", "apart"), [(STRANGE, False), (STRANGE - 0.1, True)])
def test_what_is_newly_strange_was_never_called_expected(surprise, apart):
    made = shown(mark(), reasons=(reason(), reason(feature="shells", value=3, surprise=surprise)))
    assert names(made.expected) == ([EVE] if apart else [])
    if not apart:
        assert made.ranked[0].marks[0] == "re-opened because shells is strange and was not when it was marked: 3"


def test_who_had_no_reason_when_it_was_marked_has_none_to_stay_apart_for():
    strange = reason(surprise=STRANGE)
    assert names(shown(mark(features=()), reasons=(strange,)).ranked) == [EVE, "bob"]
    assert names(shown(mark(features=()), reasons=()).expected) == [EVE]


def test_a_mark_that_ended_is_told_once_more():
    made = shown(mark(), on=LATER)
    assert made.ranked[0].marks[0] == "re-opened because its mark as expected ended with 2026-12-02"


def test_a_contradiction_is_told_with_who_said_what():
    said = notices(shown(mark(), mark(CONFIRMED, 1, os_user="bob")))[0]
    first, second = "expected for 2026-11-22 by ann at 2026-11-23 09:00:00 UTC", "confirmed for 2026-11-22 by bob at "
    assert said.startswith(
        f"Marks of {EVE} contradict each other: {first}, {second}2026-11-23 09:01:00 UTC. The latest"
    )
    assert "The latest counts: confirmed." in said


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


# What a command line may say


def test_a_mark_needs_words_that_are_text_and_not_too_many():
    assert asked.because(" ok ") == " ok "
    assert asked.because("x" * asked.LONGEST)
    for text, said in (("  ", "nothing found"), ("x" * 1001, "1,001 characters"), ("a\udcff", "no UTF-8")):
        with pytest.raises(ConfigError, match=said):
            asked.because(text)


def test_a_mark_ends_on_its_own_night_at_the_earliest_and_after_ninety_unasked():
    assert asked.until(NIGHT, NIGHT) == NIGHT
    assert asked.until(None, NIGHT) - NIGHT == timedelta(days=90)
    with pytest.raises(ConfigError, match="is before the marked night"):
        asked.until(NIGHT - timedelta(days=1), NIGHT)


REASONS = [{"feature": "secret_reads", "value": 41}, {"feature": "deletes", "value": 3}]


def test_the_reasons_of_the_night_are_marked_and_what_is_named():
    assert asked.ranges(EXPECTED, [], REASONS, {}) == (
        Range("secret_reads", 41, named=False),
        Range("deletes", 3, named=False),
    )
    counts = {"secret_reads": 41, "requests": 90}
    assert asked.ranges(EXPECTED, ["requests", "secret_reads=60"], REASONS, counts) == (
        Range("requests", 90, named=True),
        Range("secret_reads", 60, named=True),
        Range("deletes", 3, named=False),
    )
    assert asked.ranges(NONE, ["requests"], REASONS, counts) == (Range("requests", 90, named=True),)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("secret_read", "no feature, .* nearest known: secret_reads"),
        ("?", "no feature, .*features --list"),
        ("", "no feature"),
        ("requests=many", "nearest known: requests"),
        ("requests=89", "90 were counted this night; expected as many or more"),
        ("deletes", "the log of this night cannot show it"),
        ("\x1b[2J", "no feature"),
    ],
)
def test_a_feature_that_cannot_be_marked_is_an_error(text, said):
    with pytest.raises(ConfigError, match=said) as refused:
        asked.ranges(EXPECTED, [text], [], {"requests": 90, "deletes": None})
    assert str(refused.value).isprintable()


def test_a_mark_is_of_one_cluster():
    assert asked.sole(["prod"]) == "prod"
    for clusters, found in (([], "none declared"), (["a", "b"], "a, b declared")):
        with pytest.raises(ConfigError, match=f"{found}; pass --cluster"):
            asked.sole(clusters)


def test_the_writer_is_known_by_role_or_profile_or_key_and_never_by_a_secret():
    everything = {
        "AWS_ROLE_ARN": "arn",
        "AWS_PROFILE": "audit",
        "AWS_ACCESS_KEY_ID": "AKIA",
        "AWS_SECRET_ACCESS_KEY": "s",
    }
    assert aws_identity(everything) == "role arn"
    assert aws_identity({"AWS_PROFILE": "", "AWS_ACCESS_KEY_ID": "AKIA"}) == "access key AKIA"
    assert aws_identity({"AWS_SECRET_ACCESS_KEY": "s"}) is None
