"""Pictures: a strip joins consecutive nights, higher scores stand higher; a column is as high as its hour was busy."""

import re
from datetime import date, timedelta

from report_builders import earlier, night, ranked

from pipelines.report.detail import Hour
from pipelines.report.pictures import HOURS, STRIP, Strips, day


def _night(back, score):
    return earlier(date(2026, 11, 22) - timedelta(days=back), [("eve", "person", 1, score)])


def test_consecutive_nights_are_joined_and_a_night_without_a_rank_is_a_gap():
    tonight = night(ranked(principal="eve", score=100.0), before=tuple(_night(back, 1.0) for back in (5, 4, 2)))
    strip = Strips(tonight).strip(tonight.ranked[0])
    assert re.sub(r"\d+", "#", strip.own) == "M# #h#l# #M# #h#"
    assert strip.said == "score on 3 earlier nights: 1"


def test_the_strangest_of_all_touches_the_top_and_nothing_leaves_the_picture():
    tonight = night(ranked(principal="eve", score=100.0), before=(_night(14, 0.0), _night(1, 5.0)))
    strips = Strips(tonight)
    strip = strips.strip(tonight.ranked[0])
    assert strip.tonight == (STRIP[0] - 4, 3)
    first = re.match(r"M(\d+) (\d+)h0", strip.own)
    assert (int(first[1]), int(first[2])) == (4, STRIP[1] - 3)
    numbers = [int(found) for found in re.findall(r"\d+", strips.peers()[0])]
    assert max(numbers) <= STRIP[0]


def test_a_night_of_zeros_is_drawn():
    tonight = night(ranked(score=0.0))
    assert Strips(tonight).strip(tonight.ranked[0]).said == "ranked on no earlier night"


def test_a_day_stacks_outcomes_to_the_height_of_the_busiest_hour():
    succeeded, refused, failed = day((Hour(0, 50, 50, 0), Hour(23, 1, 0, 0)))
    assert [one[:2] for one in (succeeded, refused, failed)] == [("succeeded", 51), ("refused", 50), ("failed", 0)]
    half = (HOURS[1] - 6) // 2
    assert succeeded[2] == f"M6 {HOURS[1]}v-{half}M282 {HOURS[1]}v-2"
    assert refused[2] == f"M6 {HOURS[1] - half}v-{half}"
    assert failed[2] == ""
