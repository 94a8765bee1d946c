"""Measures that disagree are told with what it means; those that agree are not."""

from __future__ import annotations

from itertools import permutations

import pytest
from report_builders import bare, ranked

from pipelines.report.model import Places
from pipelines.report.opinions import FACTOR, disagree, disagreement
from pipelines.report.sentences import FIRST


@pytest.mark.parametrize(
    ("places", "said"),
    [
        ((1, 2, 4), False),
        ((2, FIRST + 1, 3), True),
        ((3, FIRST + 1, 3), False),
        ((FIRST, FACTOR * FIRST, 12), True),
        ((FIRST, FACTOR * FIRST - 1, 12), False),
        ((FIRST + 1, 10 * FIRST, 90), False),
        ((1, FIRST, 2), False),
    ],
)
def test_one_measure_must_see_at_the_top_what_another_ranks_far_below(places, said):
    assert disagree(Places(*places)) is said


def test_the_sentence_names_who_saw_it_and_what_it_means():
    told = disagreement(ranked(places=Places(2, 1_041, 12)))
    assert told == (
        "The measures disagree, rank 2 by CoDisp, 1,041 by norm, 12 by AWS score:"
        " it stands alone, though by few or slight surprises."
    )


@pytest.mark.parametrize("places", list(permutations((1, 20, 60))), ids=str)
def test_every_way_to_disagree_has_a_meaning_of_its_own(places):
    others = {disagreement(ranked(places=Places(*p))).partition(": ")[2] for p in permutations((1, 20, 60))}
    assert len(others) == 6
    assert disagreement(ranked(places=Places(*places))).endswith(".")


def test_where_nothing_is_known_nothing_is_said():
    assert disagreement(bare()) is None
    assert disagreement(ranked()) is None
