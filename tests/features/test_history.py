"""Surprise: the tail probability itself, then what the past, the peers and the cluster make of a count."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import nbinom, poisson

from features.counts import Counts
from features.history import CAP, PSEUDO_NIGHTS, UNSEEN, decades, surprises, together

GRID = [1e-9, 1e-3, 0.5, 1.0, 3.7, 100.0, 1e5, 1e9]
XS = [1.0, 2.0, 3.0, 10.0, 100.0, 1e4, 1e6]
NIGHTS = 20


def _counts(*rows):
    """Rows of (principal, type, values...)."""
    values = np.array([row[2:] for row in rows], dtype=float)
    return Counts(np.array([r[0] for r in rows], dtype=object), np.array([r[1] for r in rows], dtype=object), values)


def _none(features=1):
    return Counts(np.empty(0, dtype=object), np.empty(0, dtype=object), np.empty((0, features)))


def _cell(x, mean, variance):
    return float(decades(np.array([x]), np.array([mean]), np.array([variance]))[0])


@pytest.mark.parametrize("mean", GRID)
@pytest.mark.parametrize("ratio", [1 + 1e-6, 1.05, 2.0, 50.0, 1e6, 1e12, 1e18])
def test_the_tail_is_that_of_the_negative_binomial(mean, ratio):
    variance = mean * ratio
    size = mean * mean / (variance - mean)
    with np.errstate(all="ignore"):
        exact = -nbinom.logsf(np.array(XS) - 1, size, size / (mean + size)) / np.log(10)
    found = decades(np.array(XS), np.full(len(XS), mean), np.full(len(XS), variance))
    assert found == pytest.approx(np.clip(exact, 0, CAP), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("mean", GRID)
@pytest.mark.parametrize("ratio", [0.0, 0.5, 1.0])
def test_the_tail_is_poisson_where_the_variance_is_no_larger_than_the_mean(mean, ratio):
    with np.errstate(all="ignore"):
        exact = -poisson.logsf(np.array(XS) - 1, mean) / np.log(10)
    found = decades(np.array(XS), np.full(len(XS), mean), np.full(len(XS), mean * ratio))
    assert found == pytest.approx(np.clip(exact, 0, CAP), rel=1e-6, abs=1e-9)


def test_nothing_seen_is_no_surprise_nor_is_blindness():
    assert [_cell(x, 5.0, 9.0) for x in (0.0, np.nan)] == [0.0, 0.0]


def test_the_surprise_is_capped():
    assert _cell(1e6, 1e-9, 1e-9) == CAP


def test_one_in_a_hundred_is_two_decades():
    assert _cell(1.0, -np.log(0.99), 0.0) == pytest.approx(2.0)


POSITIVE = st.floats(1e-9, 1e9)


@given(st.integers(0, 10**9), POSITIVE, POSITIVE)
def test_the_surprise_is_finite_and_grows_with_the_count(x, mean, variance):
    lower, upper = _cell(float(x), mean, variance), _cell(float(x + 1 + x // 7), mean, variance)
    assert 0 <= lower <= upper + 1e-6 <= CAP + 1e-6


PAST = [(p, "person", v) for p, vs in (("eve", (4, 4, 4, 4, 4)), ("bob", (0, 1, 0, 1, 0))) for v in vs]
PAST += [("cart", "workload", v) for v in (90, 110, 100, 95, 105)]


def test_few_is_never_strange():
    found = surprises(_counts(("eve", "person", 1)), _counts(*[("eve", "person", 500)] * NIGHTS))
    assert found.least[0, 0] == pytest.approx(0, abs=1e-6)


def test_the_least_of_three_is_told():
    found = surprises(_counts(("eve", "person", 60), ("cart", "workload", 60)), _counts(*PAST))
    assert found.least.tolist() == np.minimum(found.own, np.minimum(found.peers, found.cluster)).tolist()
    assert found.own[0, 0] > 5
    assert found.least[0, 0] == found.cluster[0, 0] < found.peers[0, 0]
    assert found.least is found.least, "who explains a night asks for it once a reason"


@pytest.mark.parametrize(
    ("three", "one"),
    [
        ((4, 4, 4), 4.0),
        ((0, 30, 30), 0.0),
        ((1, 1, 28), 10**0.5),
        ((2, 16, 0.5), (0.5 * 18.5 / 3) ** 0.5),
    ],
    ids=["agree", "one is calm", "one is far stranger", "mixed"],
)
def test_three_surprises_are_one_between_their_least_and_their_mean(three, one):
    for order in permutations(np.array([[part]], dtype=float) for part in three):
        assert together(*order).tolist() == [[pytest.approx(one)]]


@given(hnp.arrays(float, (3, 4), elements=st.floats(0, CAP)))
def test_three_together_are_never_milder_than_the_least_nor_stranger_than_the_mean(three):
    one = together(*three)
    slack = 1e-9
    assert (one >= three.min(axis=0) - slack).all()
    assert (one <= three.mean(axis=0) + slack).all()


def test_other_counts_of_a_row_are_judged_by_its_own_references():
    night = _counts(("eve", "person", 60), ("cart", "workload", 60))
    found = surprises(night, _counts(*PAST))
    whose = np.array([1, 0, 0])
    again = found.together_of(night.values[whose], whose)
    assert again.tolist() == together(found.own, found.peers, found.cluster)[whose].tolist()
    assert found.together_of(night.values * 0, np.arange(2)).tolist() == [[0.0], [0.0]]


def test_peers_and_cluster_are_all_their_earlier_nights():
    found = surprises(_counts(("eve", "person", 9)), _counts(*PAST))
    people = np.array([v for _, t, v in PAST if t == "person"], dtype=float)
    everybody = np.array([v for _, _, v in PAST], dtype=float)
    for got, values in ((found.peers, people), (found.cluster, everybody)):
        mean = (values.sum() + UNSEEN) / (len(values) + 1)
        assert got[0, 0] == pytest.approx(_cell(9.0, mean, max(values.var(), mean + 0.05 * mean**2)))


def test_the_own_past_is_mixed_with_three_nights_of_the_peers():
    past = [("eve", "person", 10.0), ("eve", "person", 10.0), ("bob", "person", 1.0), ("bob", "person", 1.0)]
    found = surprises(_counts(("eve", "person", 20)), _counts(*past))
    peers = (22 + UNSEEN) / 5
    mean = (20 + PSEUDO_NIGHTS * peers) / 5
    # nobody's nights differ among themselves, so the dispersion is the least there is
    assert found.own[0, 0] == pytest.approx(_cell(20.0, mean, mean + 0.05 * mean**2))


def test_with_three_nights_the_own_variance_counts_in_the_same_proportion():
    past = [("eve", "person", 10.0)] * 3
    found = surprises(_counts(("eve", "person", 20)), _counts(*past))
    mean = (30 + PSEUDO_NIGHTS * (30 + UNSEEN) / 4) / 6
    assert found.own[0, 0] == pytest.approx(_cell(20.0, mean, 0.5 * (mean + 0.05 * mean**2)))


def test_a_night_on_which_the_principal_did_nothing_is_no_night_of_its_past():
    past = [("eve", "person", 10.0), ("bob", "person", 0.0), ("eve", "person", 12.0)]
    found = surprises(_counts(("eve", "person", 10), ("new", "person", 1)), _counts(*past))
    assert found.nights.tolist() == [2, 0]
    assert found.usual[0, 0] == 11.0
    assert np.isnan(found.usual[1, 0])


def test_without_a_past_everybody_is_judged_by_tonights_others():
    tonight = _counts(("a", "person", 0), ("b", "person", 2), ("c", "person", 40), ("d", "workload", 3))
    found = surprises(tonight, _none())
    people = (2 + UNSEEN) / 3
    assert found.peers[2, 0] == pytest.approx(_cell(40.0, people, max(1.0, people + 0.05 * people**2)))
    others = (42 + UNSEEN) / 4
    variance = (4 + 1600) / 3 - 14**2
    assert found.cluster[3, 0] == pytest.approx(_cell(3.0, others, variance))
    assert found.peers[3, 0] == found.cluster[3, 0]
    assert found.own.tolist() == found.peers.tolist()
    assert np.isfinite(found.least).all()
    assert np.isfinite(found.expected).all()


def test_without_a_past_the_expected_count_is_that_of_the_deciding_reference():
    tonight = _counts(("a", "person", 1), ("b", "person", 30), ("c", "workload", 50), ("d", "workload", 60))
    found = surprises(tonight, _none())
    assert found.cluster[1, 0] < found.peers[1, 0]
    assert found.expected[1, 0] == pytest.approx((111 + UNSEEN) / 4)


def test_one_principal_alone_without_a_past_is_finite():
    found = surprises(_counts(("a", "person", 7, 0, np.nan)), _none(3))
    assert np.isfinite(found.least).all()
    assert found.least[0, 1:].tolist() == [0, 0]


def test_a_blind_night_is_skipped_and_not_taken_for_zero():
    seen = [("eve", "person", v) for v in (8.0, 10.0, 12.0, 10.0)]
    blind = [("eve", "person", np.nan)] * 4
    tonight = _counts(("eve", "person", 11))
    with_blind, without = surprises(tonight, _counts(*seen, *blind)), surprises(tonight, _counts(*seen))
    for part in ("own", "peers", "cluster", "usual"):
        assert getattr(with_blind, part).tolist() == getattr(without, part).tolist()
    assert surprises(_counts(("eve", "person", np.nan)), _counts(*seen)).least.tolist() == [[0.0]]


def test_one_night_seen_among_blind_ones_gives_no_variance():
    past = [("eve", "person", 10.0), *[("eve", "person", np.nan)] * 3]
    found = surprises(_counts(("eve", "person", 20)), _counts(*past))
    assert found.own[0, 0] == surprises(_counts(("eve", "person", 20)), _counts(past[0])).own[0, 0]


def test_one_night_seen_of_a_principal_says_nothing_of_how_much_nights_differ():
    past = [*[("eve", "person", v) for v in (4.0, 16.0, 2.0, 18.0)], ("bob", "person", 500.0)]
    tonight = _counts(("eve", "person", 60))
    with_blind = surprises(tonight, _counts(*past, ("bob", "person", np.nan)))
    assert with_blind.own[0, 0] == surprises(tonight, _counts(*past)).own[0, 0]


def test_what_no_earlier_night_could_see_is_judged_by_tonights_others():
    blind = [(name, "person", 5.0, np.nan) for name in ("a", "b", "c") for _ in range(4)]
    tonight = _counts(("a", "person", 5, 7), ("b", "person", 5, 7), ("c", "person", 5, 6))
    with_past, alone = surprises(tonight, _counts(*blind)), surprises(tonight, _none(2))
    for part in ("own", "peers", "cluster", "expected"):
        assert getattr(with_past, part)[:, 1].tolist() == getattr(alone, part)[:, 1].tolist()
    assert with_past.least[:, 1].max() < 1
    assert np.isnan(with_past.usual[:, 1]).all()
    assert with_past.usual[:, 0].tolist() == [5, 5, 5]


def test_a_type_never_seen_before_falls_back_to_the_cluster():
    found = surprises(_counts(("n", "node", 12), ("m", "node", 900)), _counts(*PAST))
    assert found.peers.tolist() == found.cluster.tolist()


def test_tonights_others_change_nothing_once_there_is_a_past():
    one = ("eve", "person", 9)
    alone = surprises(_counts(one), _counts(*PAST))
    crowd = surprises(_counts(one, ("bob", "person", 10**6), ("x", "node", 10**6)), _counts(*PAST))
    for part in ("own", "peers", "cluster", "expected", "usual", "nights"):
        assert getattr(crowd, part)[0].tolist() == getattr(alone, part)[0].tolist()


@given(st.permutations(range(len(PAST))))
def test_the_order_of_past_rows_does_not_matter(order):
    tonight = _counts(("eve", "person", 9), ("cart", "workload", 200), ("n", "node", 3))
    found, again = surprises(tonight, _counts(*PAST)), surprises(tonight, _counts(*(PAST[i] for i in order)))
    for part in ("own", "peers", "cluster", "expected", "usual"):
        assert getattr(again, part) == pytest.approx(getattr(found, part), rel=1e-12, nan_ok=True)


def test_calm_principals_added_do_not_lift_the_others_absurdly():
    def least(calm):
        quiet = [(f"calm-{n}", "workload", 1.0) for n in range(calm)]
        past = [row for _ in range(NIGHTS) for row in quiet] + PAST
        return surprises(_counts(("eve", "person", 6), ("bob", "person", 40), *quiet), _counts(*past)).least

    few, many = least(5), least(200)
    # the cluster is 40 times calmer, which is 1.6 decades
    assert (many[:2] - few[:2] < 2).all()
    assert many[1] > many[0]
    assert many[2:].max() < 1


def test_inputs_are_left_alone():
    tonight, past = _counts(("eve", "person", 9)), _counts(*PAST)
    for one in (tonight, past):
        one.values.flags.writeable = False
    surprises(tonight, past)
