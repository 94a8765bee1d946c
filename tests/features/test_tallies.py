"""Requests added up: nothing is lost that anything is counted by, and like requests are one row."""

from __future__ import annotations

import pytest
from builders import NIGHT, event

from features.catalogue import FEATURES
from features.items import KINDS

CART = "system:serviceaccount:shop:cart"
PLAIN = [f for f in FEATURES if f.new is None and f.over is None and f.at_most is None]
BOUNDED = [f for f in FEATURES if f.at_most is not None]


@pytest.fixture(scope="module")
def busy_night(night, busy):
    return night(*busy, event(resource="leases", group="coordination.k8s.io"))


def _by_principal(engine, sql):
    return dict(engine.sql(f"SELECT principal, {sql} FROM requests GROUP BY principal").fetchall())


@pytest.mark.parametrize("f", PLAIN, ids=lambda f: f.name)
def test_a_feature_is_what_the_requests_one_by_one_give(busy_night, f):
    counted = f"FILTER (WHERE NOT left_out AND coalesce({f.counts}, false))"
    plain = f.aggregate or f"count({f'DISTINCT {f.distinct}' if f.distinct else '*'})"
    one_by_one = _by_principal(busy_night.engine, f"coalesce({plain} {counted}, 0)")
    assert {principal: day[f.name] for principal, day in busy_night.days.items()} == one_by_one
    assert any(one_by_one.values())


def test_the_busiest_minute_is_what_the_requests_one_by_one_give(busy_night):
    busiest = busy_night.engine.sql(
        "SELECT principal, max(n) FROM (SELECT principal, date_trunc('minute', ts) AS minute, count(*) FILTER "
        "(WHERE NOT left_out) AS n FROM requests GROUP BY ALL) GROUP BY principal"
    )
    assert {name: day["peak_minute"] for name, day in busy_night.days.items()} == dict(busiest.fetchall())


@pytest.mark.parametrize("f", BOUNDED, ids=lambda f: f.name)
def test_a_bounded_count_is_what_the_requests_one_by_one_give(busy_night, f):
    number = f"count(*) FILTER (WHERE NOT left_out AND coalesce({f.counts}, false))"
    bounded = busy_night.engine.sql(
        f"SELECT principal, CAST(sum(least(n, {f.at_most})) AS BIGINT) FROM (SELECT principal, {number} AS n "
        f"FROM requests GROUP BY principal, {f.distinct}) GROUP BY principal"
    )
    assert {principal: day[f.name] for principal, day in busy_night.days.items()} == dict(bounded.fetchall())


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_an_item_is_counted_and_first_seen_as_the_requests_one_by_one_give(busy_night, kind):
    columns = "principal, item, requests, first_ts"
    one_by_one = busy_night.engine.sql(
        f"SELECT principal, item, count(*) AS requests, min(ts) AS first_ts FROM ({kind.found('requests')}) "
        "WHERE item IS NOT NULL GROUP BY principal, item ORDER BY ALL"
    )
    found = busy_night.engine.sql(f"SELECT {columns} FROM items WHERE kind = '{kind.name}' ORDER BY ALL")
    assert found.to_arrow_table().to_pylist() == one_by_one.to_arrow_table().to_pylist()


def test_like_requests_of_an_hour_are_one_row_with_their_number_and_the_first_time(night):
    times = (f"{NIGHT}T12:{minute}:00Z" for minute in ("59", "01", "30"))
    found = night(*(event(at=at) for at in times), event(at=f"{NIGHT}T13:00:00Z"))
    tallies = found.engine.sql("SELECT n, CAST(ts AS VARCHAR) FROM tallies WHERE grain = 'alike' ORDER BY ts")
    assert tallies.fetchall() == [(3, f"{NIGHT} 12:01:00+00"), (1, f"{NIGHT} 13:00:00+00")]


def test_a_bound_holds_for_the_night_and_not_for_each_hour(night):
    found = night(*(event(name="cart-0", code=404, at=f"{NIGHT}T{hour:02}:00:00Z") for hour in range(9)))
    assert found.days[CART]["not_found"] == 5


def test_what_nothing_is_counted_by_makes_no_further_row(night):
    found = night(*(event(uri=f"/api/v1/pods?limit={n}", agent=f"cart/v{n}") for n in range(5)))
    assert found.engine.sql("SELECT n FROM tallies WHERE grain = 'alike'").fetchall() == [(5,)]


def test_no_night_gives_no_rows(night):
    assert night().engine.sql("SELECT * FROM tallies").fetchall() == []
