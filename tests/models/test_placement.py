"""Rows take the units of the trees without losing what tells them apart."""

from __future__ import annotations

import numpy as np
import pytest

from models.placement import Placement

RNG = np.random.default_rng(3)
FITTED = {
    "tiny": RNG.normal(size=(20, 3)) * 1e-12,
    "huge": RNG.normal(size=(20, 3)) * 1e29,
    "offset": 1e6 + RNG.normal(size=(20, 3)),
    "unlike_units": RNG.normal(size=(20, 3)) * [1e-6, 1.0, 1e6],
}
KINDS = {"whole": {"whole": True}, "single": {"whole": False, "lanes": 8}}
every_table = pytest.mark.parametrize("x", FITTED.values(), ids=FITTED)
every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


@every_table
def test_whole_rows_have_extents_that_add_up_exactly(x):
    rows = Placement.of(x, whole=True).place(x)
    assert (rows == np.rint(rows)).all()
    assert rows.min() == 0
    assert 2**51 <= np.ptp(rows, axis=0).sum() < 2**53


@every_table
def test_single_rows_lie_around_zero_with_a_span_of_one_to_two(x):
    rows = Placement.of(x, whole=False, lanes=8).place(x)
    assert rows.dtype == np.float32
    assert 1 <= np.ptp(rows, axis=0).sum() <= 2
    assert ((rows[:, :3] == 0).sum(axis=0) >= 1).all()


@every_kind
@every_table
def test_unequal_fitted_rows_stay_unequal(x, kind):
    assert len(np.unique(Placement.of(x, **kind).place(x), axis=0)) == len(x)


@every_kind
@every_table
def test_rows_are_taken_back_to_within_the_rounding_of_their_column(x, kind):
    placement = Placement.of(x, **kind)
    lost = np.abs(placement.take_back(placement.place(x)) - x)
    # whole numbers share one unit, single precision has one for each cell
    allowed = 2.0**-51 * np.ptp(x, axis=0).sum() if placement.whole else 2.0**-23 * np.ptp(x, axis=0)
    assert (lost <= allowed + 2.0**-52 * np.abs(x)).all()


@every_kind
def test_leaving_a_constant_column_is_measured_in_the_same_unit(kind):
    x = np.array([[0.0, 5.0, 0.0], [4.0, 5.0, 0.0]])
    placement = Placement.of(x, **kind)
    assert placement.constant.tolist() == [1, 2]
    asked = np.array([[1.0, 3.0, 7.0]])
    placed = placement.place(asked)
    unit = placed[0, 0] - placement.place(x)[0, 0]
    assert placement.away(asked).tolist() == [[-2 * unit, 7 * unit]]
    assert placed[0, placement.beside] == 9 * unit


@every_kind
def test_fitted_rows_never_leave_a_constant_column(kind):
    x = np.array([[0.0, 0.0], [1e30, 1e-30], [2e30, 2e-30]])
    placement = Placement.of(x, **kind)
    assert not placement.place(x)[:, placement.beside].any()


@every_kind
def test_the_largest_row_stays_finite_on_the_finest_unit(kind):
    placed = Placement.of(np.array([[0.0, 1.0], [5e-324, 1.0]]), **kind).place(np.array([[1e30, -1e30]]))
    assert np.isfinite(placed).all()


def test_a_row_far_out_leaves_the_others_all_their_bits():
    x = np.vstack([RNG.normal(size=(20, 1)), [[-1e12]]])
    placement = Placement.of(x, whole=False)
    back = placement.take_back(placement.place(x))[:20]
    assert np.abs(back - x[:20]).max() < 2.0**-22


@pytest.mark.parametrize("width", [1, 8, 9])
def test_rows_are_padded_with_zeros_to_whole_lanes(width):
    x = RNG.normal(size=(5, width))
    rows = Placement.of(x, whole=False, lanes=8).place(x)
    assert rows.shape == (5, 8 if width <= 8 else 16)
    assert not rows[:, width:].any()
