"""Rare hours: few nights of the principal, of its type while it has few itself, as whole numbers."""

from __future__ import annotations

import math

import pytest
from builders import NIGHT, event

CART, PAY = (f"system:serviceaccount:shop:{n}" for n in ("cart", "pay"))


def _nights(principal, hours, nights, kind="workload"):
    return [(principal, kind, "hour", f"{hour:02}") for hour in hours for _ in range(nights)]


def _at(hour, requests=5, user=CART):
    return [event(user=user, at=f"{NIGHT}T{hour:02}:{n:02}:00Z") for n in range(requests)]


def _rare(night, past, events, user=CART):
    """Requests in rare hours, and the tenths of decades of the rarest."""
    found = night(*events, past=past)
    tenths = found.engine.execute("SELECT coalesce(max(tenths), 0) FROM hours WHERE principal = ?", [user]).fetchall()
    assert found.days[user]["rarest_hour"] == tenths[0][0] // 10
    return found.days[user]["rare_hour_requests"], tenths[0][0]


def test_an_hour_of_every_night_and_its_neighbours_are_not_rare(night):
    past = _nights(CART, range(8, 18), 20)
    for hour in (7, 8, 12, 17, 18):
        assert _rare(night, past, _at(hour)) == (0, 0)


def test_an_hour_without_any_night_is_rare_and_the_further_the_longer_the_past(night):
    rarities = [_rare(night, _nights(CART, range(8, 18), nights), _at(3))[1] for nights in (7, 14, 28)]
    assert rarities == sorted(rarities)
    assert rarities[0] > 20


def test_the_rarity_is_ten_times_the_decades_of_the_smoothed_share(night):
    # one night in 28 in the hour itself; the type is this principal alone
    past = _nights(CART, [12], 28) + _nights(CART, [3], 1)
    share = (0.5 * 1 + 3 * 0.5 / 28) / (28 + 3)
    assert _rare(night, past, _at(3)) == (5, math.floor(-10 * math.log10(share)))


def test_midnight_has_neighbours_on_both_sides(night):
    past = _nights(CART, [23], 10)
    assert _rare(night, past, _at(0)) == (0, 0)
    assert _rare(night, past, _at(2))[0] == 5


@pytest.mark.parametrize(("requests", "part"), [(1, 1), (3, 3), (5, 5), (9, 5)])
def test_fewer_than_five_requests_make_an_hour_less_rare(night, requests, part):
    past = _nights(CART, [12], 28)
    whole = _rare(night, past, _at(3))[1]
    assert _rare(night, past, _at(3, requests)) == (requests, whole * part // 5)


def test_a_newcomer_is_judged_by_its_type(night):
    past = _nights(PAY, range(8, 18), 20)
    assert _rare(night, past, _at(12)) == (0, 0)
    assert _rare(night, past, _at(3))[0] == 5


def test_only_ones_own_type_counts_and_without_its_past_nothing_is_rare(night):
    past = _nights("eve", [3], 20, "person")
    assert _rare(night, past, _at(3)) == _rare(night, past, _at(12)) == (0, 0)


def test_the_rarest_hour_is_the_greatest_and_the_requests_are_all(night):
    past = _nights(CART, [12], 28) + _nights(CART, [3], 1)
    both = _rare(night, past, [*_at(3), *_at(20)])
    assert both == (10, _rare(night, past, _at(20))[1])
