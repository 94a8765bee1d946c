"""Rows become whole numbers that rrcf's rounding leaves alone."""

from __future__ import annotations

import numpy as np
import pytest

from models.grid import Grid

RNG = np.random.default_rng(3)
FITTED = {
    "tiny": RNG.normal(size=(20, 3)) * 1e-12,
    "huge": RNG.normal(size=(20, 3)) * 1e29,
    "offset": 1e6 + RNG.normal(size=(20, 3)),
    "unlike_units": RNG.normal(size=(20, 3)) * [1e-6, 1.0, 1e6],
}


@pytest.mark.parametrize("x", FITTED.values(), ids=FITTED)
def test_fitted_rows_are_whole_numbers_whose_extents_add_up_exactly(x):
    placed, outside = Grid.of(x).place(x)
    assert (placed == np.rint(placed)).all()
    assert placed.min() == 0
    assert 2**51 <= np.ptp(placed, axis=0).sum() < 2**53
    assert not outside.any()


@pytest.mark.parametrize("x", FITTED.values(), ids=FITTED)
def test_unequal_fitted_rows_stay_unequal(x):
    placed, _ = Grid.of(x).place(x)
    assert len(np.unique(placed, axis=0)) == len(x)


def test_leaving_a_constant_column_is_measured_in_the_same_unit():
    x = np.array([[0.0, 5.0], [4.0, 5.0]])
    placed, outside = Grid.of(x).place(np.array([[1.0, 3.0]]))
    assert outside[0] == 2 * placed[0, 0]


def test_the_largest_row_stays_finite_on_the_finest_grid():
    x = np.array([[0.0], [5e-324]])
    placed, outside = Grid.of(x).place(np.array([[1e30]]))
    assert np.isfinite(placed).all()
    assert np.isfinite(outside).all()
