"""A night in a few lines."""

from dataclasses import replace

import pytest
from report_builders import HOSTILE, bare, night, night_of, ranked

from pipelines.report.summary import First, Summary


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_summary_reads_back_as_it_was_written_in_plain_ascii_and_is_short(text):
    summary = Summary.of(replace(night_of(text), cluster="prod-usw2"))
    told = summary.to_json()
    assert told.isascii()
    assert len(told) < 25_000
    assert Summary.from_json(told.encode()) == summary


def test_the_first_three_are_named_with_their_first_reason_and_everybody_is_counted():
    found = Summary.of(night(ranked(), bare(2), ranked(3), ranked(4), expected=(ranked(5),), notices=("x",)))
    assert (found.principals, found.notices) == (5, 2)
    assert found.first[:2] == (
        First(1, "role/dev-eve", 120.5, "Secrets read, listed or watched with success: 41 requests; usually 0"),
        First(2, "role/dev-eve", 60.25, None),
    )
    assert len(found.first) == 3
