"""Earlier nights, looked back on."""

from datetime import date

import pytest

from pipelines.report.earlier import EarlierNight, Standing, spans


def test_a_night_tells_who_stood_where_and_what_its_groups_scored():
    rows = [("eve", "person", 1, 9.0), ("cart", "workload", 2, 1.0)]
    night = EarlierNight.of(date(2026, 11, 21), 2, rows, {"eve", "cart"})
    assert night.standings == {"eve": Standing(1, 9.0), "cart": Standing(2, 1.0)}
    assert night.peers == {"person": (9.0, 9.0), "workload": (1.0, 1.0)}


def test_who_is_not_shown_has_no_standing_and_counts_among_its_peers():
    rows = [("eve", "person", 1, 9.0), ("bob", "person", 2, 1.0)]
    night = EarlierNight.of(date(2026, 11, 21), 2, rows, {"eve"})
    assert night.standings == {"eve": Standing(1, 9.0)}
    assert night.peers == {"person": (1.0, 9.0)}


@pytest.mark.parametrize(("scores", "span"), [([3.0], (3.0, 3.0)), ([float(n) for n in range(11)], (1.0, 9.0))])
def test_four_of_five_scores_of_a_group_lie_within_its_span(scores, span):
    assert spans(("person", score) for score in reversed(scores)) == {"person": span}
