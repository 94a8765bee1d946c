"""The short text fits a message, and nothing in it becomes a link, a mention or markup."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from report_builders import HOSTILE, bare, coverage, earlier, night, night_of, ranked

from pipelines.report.html import report_html
from pipelines.report.markdown import MOST, night_md
from pipelines.report.model import Marked
from pipelines.report.summary import Summary
from pipelines.report.terminal import ranking_table


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_it_is_short_and_every_line_is_ours_whatever_the_log_holds(text):
    made = night_md(night_of(text))
    assert len(made) < MOST
    calm = night_md(night_of("calm"))
    assert [line[:2] for line in made.splitlines()][1:] == [line[:2] for line in calm.splitlines()][1:]
    assert not re.search("[<>|*~&]", made.replace("**", ""))
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]", made)
    assert all(line.count("`") == 4 for line in made.splitlines() if re.match(r"\d+\. ", line))


@pytest.mark.parametrize("name", ["@channel", "https://evil.example/", "`x`", "<!here>", "[a](https://evil.example)"])
def test_a_name_stands_in_one_code_span(name):
    (line,) = (one for one in night_md(night(ranked(principal=name))).splitlines() if one.startswith("1. "))
    assert re.fullmatch(r"1\. `[^`]+` 120 .*", line)
    assert not re.search("@|evil|here|x", re.sub("`[^`]*`", "", line).partition(":")[0])


LINK = "[password](https://evil.example/ @here www.evil.example)"


@pytest.mark.parametrize(
    "told",
    [night(notices=(f"Marks of {LINK} contradict each other",)), night(ranked(marks=(LINK,)))],
    ids=["notice", "mark"],
)
def test_words_of_others_are_no_link_and_no_mention(told):
    made = night_md(told)
    assert LINK in made
    assert not re.search(r"[@\[\]]|evil|password", re.sub("`[^`\n]*`", "", made))


def test_no_word_of_a_mark_or_a_notice_is_cut_while_the_whole_has_room_for_it():
    words, notice = "ticket 4711: " + "a long story " * 70, "Marks of eve contradict each other. " * 10
    ten = [ranked(rank) for rank in range(2, 11)]
    cluster = "c" * 100
    notices = (notice, "Two.", "Three.", "Four.")
    made = night_md(replace(night(ranked(marks=(words, "re-opened" * 80)), *ten, notices=notices), cluster=cluster))
    assert all(whole in made for whole in (words, "re-opened" * 80, *notices, cluster))
    crowded = night_md(night(*(ranked(rank, marks=(words,)) for rank in range(1, 11))))
    assert len(re.findall(r"(?m)^\d+\. ", crowded)) == 10
    assert MOST / 2 < len(crowded) < MOST


def test_each_mark_stands_in_a_span_of_its_own_and_what_it_says_once():
    night_, until, made_at = date(2026, 11, 22), date(2026, 12, 2), datetime(2026, 11, 23, tzinfo=UTC)
    held = Marked("id", ranked().principal, "confirmed", "ticket 4711", night_, until, made_at, (), ())
    said = "confirmed on 2026-11-22 until 2026-12-02: ticket 4711"
    made = night_md(night(ranked(marks=(said, "first night")), marks=(held,)))
    assert f"`{said}`, `first night`)" in made
    assert made.count("confirmed") == 1


def test_a_name_that_is_cut_tells_its_own_length():
    long = night(*(ranked(rank, principal="\u200b" * 2_000) for rank in range(1, 11)))
    assert night_md(long).count("…(2,000 characters)…") == 10
    assert night_md(night(ranked(principal="\u200b" * 15))).count("\\u200b") == 15


def test_everybody_of_a_night_is_counted_as_ranked_and_how_many_stand_apart():
    tonight = night(ranked(1), ranked(3), expected=(ranked(2), ranked(4)))
    assert night_md(tonight).startswith(
        "**prod-usw2, night of 2026-11-22**: 4 principals ranked, 2 of them expected and set apart"
    )
    assert "4 principals ranked, 2 of them expected and set apart" in report_html(tonight)
    assert "4 principals ranked, 2 of them expected and set apart" in str(ranking_table(tonight).title)
    before = (earlier(date(2026, 11, 21), [("role/dev-eve", "person", 11, 1.0)]),)
    told = night_md(replace(tonight, before=before)).splitlines()[0]
    assert told.endswith(" set apart; 2 joined the first ten since the night of 2026-11-21")
    assert Summary.of(tonight).principals == 4


def test_ranks_are_dropped_rather_than_be_too_long_and_counted_as_left_out(monkeypatch):
    whole = night_md(night(*(ranked(rank) for rank in range(1, 13))))
    monkeypatch.setattr("pipelines.report.markdown.MOST", len(whole) - 150)
    made = night_md(night(*(ranked(rank) for rank in range(1, 13))))
    assert len(made) < len(whole) - 150
    assert re.findall(r"(?m)^\d+(?=\. )", made) == [*"12345678"]
    assert "and 4 more principals in the report" in made


def test_notices_are_all_told_while_they_fit_those_of_marks_and_history_before_those_of_counts():
    said = tuple(f"Marks of principal {nth} contradict each other. {'x' * 150}" for nth in range(9))
    ten = [ranked(rank) for rank in range(1, 11)]
    lines = night_md(night(*ten, notices=said, generation=2)).splitlines()
    assert [line for line in lines if line.startswith("- ")][:9] == [f"- `{one}`" for one in said]
    assert lines[11].startswith("- Revised: this is generation 2")
    many = night_md(night(*ten, notices=said * 4, generation=2))
    told = [line for line in many.splitlines() if line.startswith("- ")]
    assert told[-1] == f"- and {37 - len(told[:-1])} more notices in the report"
    assert len(re.findall(r"(?m)^\d+\. ", many)) == 10
    assert MOST - len(told[0]) - 2 < len(many) < MOST
    huge = night_md(night(*ten, notices=tuple("y" * 500 for _ in range(2_000))))
    assert huge.count("`yyy") >= 3


def test_it_says_what_to_know_first_then_ten_ranks_then_how_many_more():
    lines = night_md(night(*(ranked(rank) for rank in range(1, 13)), notices=("One.", "Two.", "Three.", "Four.")))
    assert lines.splitlines()[:8] == [
        "**prod-usw2, night of 2026-11-22**: 12 principals ranked",
        "",
        "- `One.`",
        "- `Two.`",
        "- `Three.`",
        "- `Four.`",
        "",
        "1. `role/dev-eve` 120 (strange since tonight): "
        "Secrets read, listed or watched with success: 41 requests; usually 0",
    ]
    assert lines.splitlines()[17:] == ["", "and 2 more principals in the report", "", *lines.splitlines()[-1:]]
    assert lines.splitlines()[-1].startswith("1,000 lines read = 900 archived")


def test_notices_for_which_there_is_no_room_are_counted():
    made = night_md(night(*(ranked(rank) for rank in range(1, 11)), notices=("Told at length. " * 20,) * 40))
    told = re.findall("(?m)^- `", made)
    assert 3 <= len(told) < 40
    assert f"- and {40 - len(told)} more notices in the report" in made
    assert len(made) < MOST


def test_a_night_of_nobody_and_a_principal_without_a_reason_are_told():
    assert "0 principals ranked" in night_md(night(ranked=()))
    assert "1. `role/dev-eve` 120: no single feature stands out" in night_md(night(bare()))


def test_a_source_that_is_blind_for_everything_is_still_short():
    blind = tuple(f"a_feature_with_a_long_name_{nth}" for nth in range(100))
    assert len(night_md(night(*(ranked(rank) for rank in range(1, 13)), coverage=coverage(blind=blind)))) < MOST
