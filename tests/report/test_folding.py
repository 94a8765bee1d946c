"""Principals that moved together."""

from report_builders import ranked

from pipelines.report.folding import Place, places
from pipelines.report.model import Together

AGENT, ADDRESS = Together("agent", "kubectl", 9), Together("address", "203.0.113.7", 3)


def test_those_behind_the_first_ten_are_folded_behind_the_first_of_their_group():
    rows = [ranked(rank, together=AGENT if rank in (2, 3, 11, 13) else None) for rank in range(1, 14)]
    found = places(rows)
    assert found[1] == Place(1, (10, 12))
    assert [place.head for place in found] == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 11, 1]


def test_none_of_the_first_ten_and_nobody_who_moved_otherwise_is_folded():
    rows = [ranked(rank, together=AGENT) for rank in range(1, 11)] + [ranked(11, together=ADDRESS)]
    assert [place.folded for place in places(rows)] == [()] * 11
