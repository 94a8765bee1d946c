"""Kinds of data every forest must bear, as (fitted rows, new rows); and a forest in a file."""

from __future__ import annotations

import numpy as np
import pytest
from forest_files import fitted


def _gaussian(rng):
    return rng.normal(size=(60, 4)), 2 * rng.normal(size=(6, 4))


def _small_integers_with_duplicates(rng):
    rows = rng.integers(0, 3, size=(80, 3)).astype(float)
    # two rows that were fitted, four that stick out
    return rows, np.vstack([rows[:2], rng.integers(-1, 5, size=(4, 3))])


def _a_constant_column(rng):
    rows, new = rng.normal(size=(50, 3)), rng.normal(size=(5, 3))
    rows[:, 1] = new[:4, 1] = 7.25
    return rows, new


def _a_large_offset(rng):
    return 1e6 + rng.normal(size=(40, 3)), 1e6 + 3 * rng.normal(size=(5, 3))


def _clusters_of_unlike_size(rng):
    centre = rng.choice([0.0, 40.0], p=[0.9, 0.1], size=(70, 1))
    return rng.normal(size=(70, 5)) + centre, np.vstack([np.full(5, 40.0), np.full(5, 20.0), rng.normal(size=(3, 5))])


def _fewer_rows_than_a_sample(rng):
    return rng.exponential(size=(5, 2)), 2 * rng.exponential(size=(5, 2))


SHAPES = {
    make.__name__.strip("_"): make
    for make in (
        _gaussian,
        _small_integers_with_duplicates,
        _a_constant_column,
        _a_large_offset,
        _clusters_of_unlike_size,
        _fewer_rows_than_a_sample,
    )
}


@pytest.fixture(params=SHAPES.values(), ids=SHAPES)
def shape(request):
    return request.param(np.random.default_rng(7))


@pytest.fixture
def saved(tmp_path):
    """The path of a saved forest."""
    fitted().save(tmp_path / "small.forest")
    return tmp_path / "small.forest"
