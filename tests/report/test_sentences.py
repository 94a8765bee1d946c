"""The sentences an analyst reads."""

from datetime import date

import pytest
from report_builders import coverage, night, ranked, reason

from pipelines.report.model import Begun, Counterfactual, Newcomer, Together
from pipelines.report.sentences import (
    arrived,
    counted,
    coverage_line,
    figure,
    lasting,
    moved,
    nights,
    notices,
    otherwise,
    reason_sentence,
    run_line,
)


@pytest.mark.parametrize(
    ("surprise", "said"),
    [
        (1.0, "10"),
        (2.0, "100"),
        (3.5, "3,200"),
        (3.999, "10,000"),
        (5.9999, "1 million"),
        (6.2, "1.6 million"),
        (7.2, "16 million"),
        (11.0, "100 billion"),
        (15.38, "2.4 \N{MULTIPLICATION SIGN} 10^15"),
        (29.99, "9.8 \N{MULTIPLICATION SIGN} 10^29"),
        (30.0, "at least 10^30"),
        (44.0, "at least 10^30"),
    ],
)
def test_nights_are_told_at_two_significant_digits(surprise, said):
    assert nights(surprise) == said


RARE = "expected less than once in 3,200 nights"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, f"41 requests; usually 0 a night, its peers 0 to 2; {RARE}"),
        ({"value": 1}, f"1 request; usually 0 a night, its peers 0 to 2; {RARE}"),
        ({"usual_low": None}, f"41 requests; no usual night of its own, its peers 0 to 2; {RARE}"),
        ({"usual_low": 0.5, "usual_high": 3.0}, f"41 requests; usually 0.5 to 3 a night, its peers 0 to 2; {RARE}"),
        ({"peers_high": None}, f"41 requests; usually 0 a night; {RARE}"),
        ({"surprise": 0.0}, "41 requests; usually 0 a night, its peers 0 to 2; not rare on its own"),
        (
            {"surprise": 30.0},
            "41 requests; usually 0 a night, its peers 0 to 2; expected less than once in at least 10^30 nights",
        ),
    ],
    ids=str,
)
def test_a_reason_says_tonight_the_habit_and_the_rarity(changes, said):
    assert reason_sentence(reason(**changes)) == f"Secrets read, listed or watched with success: {said}"


@pytest.mark.parametrize(
    ("unit", "one"),
    [
        ("requests", "1 request"),
        ("addresses", "1 address"),
        ("identities", "1 identity"),
        ("bytes", "1 byte"),
        ("ms", "1 ms"),
        ("s", "1 s"),
        ("", "1"),
    ],
)
def test_one_thing_is_told_in_the_singular(unit, one):
    assert counted(1, unit) == one


@pytest.mark.parametrize(
    ("value", "said"),
    [(None, "\N{EN DASH}"), (0, "0"), (12_345, "12,345"), (12_345.6, "12,346"), (0.0234, "0.0234"), (3.0, "3")],
)
def test_a_figure_has_three_digits(value, said):
    assert figure(value) == said


def test_a_whole_night_is_told_without_a_notice():
    assert notices(night()) == ()
    assert coverage_line(night()) == (
        "1,000 lines read = 900 archived + 60 duplicate + 30 quarantined + 10 outside the asked nights;"
        " 24 of 24 hours seen; 0 truncated; 0 mistyped; 0 collisions; blind: no feature"
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"history_nights": 3}, "Only 3 earlier nights of the 7 expected"),
        ({"history_nights": 1}, "Only 1 earlier night of the 7 expected"),
        ({"history_nights": 0}, "No earlier night"),
        (
            {"coverage": coverage(hours_seen=tuple(range(22)))},
            "No event in 2 hours at the ends of the day (22, 23 UTC)",
        ),
        ({"coverage": coverage(hours_seen=(*range(5), *range(7, 24)), gaps=(5, 6))}, "A gap of 2 hours (05, 06 UTC)"),
        ({"coverage": coverage(mistyped=2)}, "2 events with a field of a wrong type"),
        ({"generation": 3}, "Revised: this is generation 3"),
        ({"coverage": coverage(archived=899)}, "1,000 lines read, 999 accounted for"),
        ({"coverage": coverage(collisions=1)}, "1 collision:"),
        ({"notices": ("Said by the job.",)}, "Said by the job."),
    ],
)
def test_a_doubt_becomes_one_notice(changes, said):
    (notice,) = notices(night(**changes))
    assert said in notice


def test_a_missing_hour_is_named_in_the_coverage_line():
    line = coverage_line(night(coverage=coverage(hours_seen=(0, *range(4, 24)), gaps=(1, 2, 3))))
    assert "21 of 24 hours seen (no event in 01, 02, 03 UTC; gaps at 01, 02, 03)" in line


def test_hours_missing_at_the_ends_of_a_day_are_no_gap():
    line = coverage_line(night(coverage=coverage(hours_seen=tuple(range(4, 20)))))
    assert "16 of 24 hours seen (no event in 00, 01, 02, 03, 20, 21, 22, 23 UTC);" in line


def test_a_run_tells_where_its_lines_ended_and_whether_anything_was_new():
    counts = {"read": 1, "archived": 0, "duplicate": 0, "quarantined": 1, "outside": 0}
    one = "1 line read = 0 archived + 0 duplicate + 1 quarantined + 0 outside the asked nights"
    assert run_line(counts) == one
    known = {"read": 2000, "archived": 0, "duplicate": 1500, "quarantined": 0, "outside": 500}
    said = "nothing new; 2,000 lines read = 0 archived + 1,500 duplicate + 0 quarantined + 500 outside the asked nights"
    assert run_line(known) == said


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"counterfactual": None}, None),
        ({}, "With 0 instead of 41 requests: rank 38."),
        (
            {"reasons": (reason(), reason(feature="execs"))},
            "With 0 instead of 41 requests: rank 38. With all its reasons as usual: rank 38.",
        ),
        (
            {
                "reasons": (reason(), reason(feature="execs")),
                "counterfactual": Counterfactual("secret_reads", "requests", 41, 2, 9, 4, 30.25),
            },
            "With 2 instead of 41 requests: rank 9."
            " Still rank 4 with all its reasons as usual, by a score of 30.2 instead of 120.",
        ),
        (
            {"counterfactual": Counterfactual("secret_reads", "requests", 41, 2, 4, 4, 30.25)},
            "With 2 instead of 41 requests: still rank 4, by a score of 30.2 instead of 120.",
        ),
    ],
)
def test_what_would_be_otherwise_is_said_also_where_it_would_not_be(changes, said):
    assert otherwise(ranked(**changes)) == said


@pytest.mark.parametrize(
    ("nights_in_a_row", "said"), [(0, None), (1, "strange since tonight"), (3, "strange for 3 nights")]
)
def test_it_is_said_since_when_somebody_is_strange(nights_in_a_row, said):
    assert lasting(ranked(strange_nights=nights_in_a_row)) == said


@pytest.mark.parametrize(
    ("newcomer", "said"),
    [
        (None, None),
        (Newcomer(None, None, ()), "Joined the first ten tonight because no earlier night of it is known."),
        (
            Newcomer(None, date(2026, 11, 20), ()),
            "Joined the first ten tonight for reasons that were strange on 2026-11-20, its last night, too.",
        ),
        (
            Newcomer(date(2026, 11, 21), date(2026, 11, 20), ()),
            "Joined the first ten tonight because it made no request on 2026-11-21, with reasons that were strange on"
            " 2026-11-20, its last night, too.",
        ),
        (
            Newcomer(date(2026, 11, 21), date(2026, 11, 20), (Begun("execs", "Shells opened.", "requests", 4, 0),)),
            "Joined the first ten tonight because it made no request on 2026-11-21, and with what was not strange on"
            " 2026-11-20, its last night: Shells opened, 4 requests after 0.",
        ),
        (
            Newcomer(
                None,
                date(2026, 11, 20),
                (
                    Begun("secret_reads", "Secrets read, listed or watched with success.", "requests", 41, 0),
                    Begun("strong_rbac_writes", "Strong roles.", "requests", 1, None),
                ),
            ),
            "Joined the first ten tonight because of what was not strange on 2026-11-20, its last night:"
            " Secrets read, listed or watched with success, 41 requests after 0;"
            " Strong roles, 1 request after \N{EN DASH}.",
        ),
    ],
)
def test_who_joined_the_first_ten_is_told_with_what_has_begun(newcomer, said):
    assert arrived(ranked(newcomer=newcomer)) == said


def test_where_there_is_little_room_the_first_reasons_of_a_newcomer_are_named_and_the_others_counted():
    begun = tuple(Begun(name, f"{name}.", "requests", 2, 0) for name in ("gets", "lists", "watches"))
    said = arrived(ranked(newcomer=Newcomer(None, date(2026, 11, 20), begun)), 2)
    assert said is not None
    assert said.endswith(": gets, 2 requests after 0; lists, 2 requests after 0; and 1 more.")


def test_who_moved_with_others_shares_a_named_cause():
    assert moved(ranked()) is None
    assert (
        moved(ranked(together=Together("address", "203.0.113.7", 9))) == "moved with 8 others: new address 203.0.113.7"
    )
