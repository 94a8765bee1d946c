"""The middle of earlier nights, beside numpy's own percentiles."""

from __future__ import annotations

import numpy as np

from features.counts import Counts
from features.usual import own_usual, peers_usual


def _counts(rows):
    principals, types, values = zip(*rows, strict=True)
    return Counts(np.array(principals, dtype=object), np.array(types, dtype=object), np.array(values, dtype=float))


PAST = _counts(
    [("eve", "person", [v, np.nan if v == 9 else 1]) for v in (9, 1, 4, 2, 3)] + [("bob", "person", [50, 0])]
)
TONIGHT = _counts([("eve", "person", [0, 0]), ("bob", "person", [0, 0]), ("new", "node", [0, 0])])


def test_the_own_range_is_of_the_principals_own_nights():
    found = own_usual(TONIGHT, PAST)
    assert found.median.tolist()[:2] == [[3, 1], [50, 0]]
    assert found.low[0].tolist() == [1, 1]
    assert found.high[0].tolist() == [9, 1]


def test_nobody_knows_the_usual_of_who_was_never_there():
    found = own_usual(TONIGHT, PAST), peers_usual(TONIGHT, PAST)
    assert all(np.isnan(getattr(one, part)[2]).all() for one in found for part in ("low", "median", "high"))


def test_the_peers_range_is_of_the_types_nights_and_leaves_one_in_five_out():
    nights = _counts([(f"p{n}", "person", [n]) for n in range(101)])
    found = peers_usual(_counts([("p1", "person", [0])]), nights)
    assert (found.low[0, 0], found.median[0, 0], found.high[0, 0]) == tuple(np.percentile(np.arange(101), [10, 50, 90]))


def test_many_principals_are_looked_up_in_blocks():
    rows = [(f"p{n}", "person", [n]) for n in range(2500)]
    assert own_usual(_counts(rows), _counts(rows)).median[:, 0].tolist() == list(range(2500))
