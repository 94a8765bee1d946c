"""Places: 1 is the strangest."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.rank import ranks

SCORES = st.lists(st.integers(-4, 4).map(float) | st.floats(allow_nan=False), max_size=30)


@pytest.mark.parametrize(
    ("score", "places"),
    [([], []), ([2.5], [1]), ([1, 3, 2], [3, 1, 2]), ([9, 9, 1], [1, 1, 3]), ([0.0, -0.0, 5], [2, 2, 1])],
    ids=["none", "one", "distinct", "a_tie", "signed_zeros"],
)
def test_the_highest_score_has_place_one_and_ties_share(score, places):
    found = ranks(np.array(score, dtype=float))
    assert found.tolist() == places
    assert found.dtype == np.int64


@given(SCORES)
def test_a_place_is_one_more_than_the_number_of_higher_scores(score):
    places = ranks(np.array(score))
    assert places.tolist() == [1 + sum(other > own for other in score) for own in score]


def test_ranking_leaves_the_scores_alone():
    score = np.array([1.0, 2.0])
    score.flags.writeable = False
    assert ranks(score).tolist() == [2, 1]


def test_a_nan_has_no_place():
    with pytest.raises(ValueError, match="score 1: found NaN"):
        ranks(np.array([1.0, np.nan]))
