"""The rows of the forest out of counts and surprises, and the same counts for people."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from features.catalogue import FOREST, FOREST_NAMES, GROUP_SIZES, NAMES, WEIGHTS
from features.counts import STRANGE, YOUNG, learnt
from features.history import Reference, Surprises, surprises, together
from features.matrix import JUDGED_BY, SUFFIXES, counts_of, least_of, rows_of, weighted, with_surprises


@pytest.fixture(scope="module")
def days(night, busy):
    counted = night(*(e | {"level": "Metadata", "requestObject": None} for e in busy)).counted
    assert counted.blind
    return counted.days


@pytest.fixture(scope="module")
def judged(days):
    shape = (days.num_rows, len(FOREST_NAMES))
    parts = np.random.default_rng(7).exponential(size=(4, *shape))
    calm = Reference(np.ones(shape), np.ones(shape))
    counts = counts_of(days)
    return Surprises(*parts, np.zeros(days.num_rows, dtype=np.int64), (calm, calm, calm), counts, counts)


def test_a_column_is_compressed_surprise_times_weight_over_the_root_of_the_group():
    surprise = np.arange(2.0 * len(FOREST_NAMES)).reshape(2, -1)
    found = weighted(surprise)
    for at, f in enumerate(FOREST):
        expected = np.log1p(surprise[:, at]) * WEIGHTS[f.group] / np.sqrt(GROUP_SIZES[f.group])
        assert found[:, at] == pytest.approx(expected)


def test_counts_keep_their_nulls_and_order(days):
    counts = counts_of(days, NAMES)
    assert counts.principals.tolist() == days["principal"].to_pylist()
    assert counts.types.tolist() == days["type"].to_pylist()
    for at, name in enumerate(NAMES):
        expected = [np.nan if v is None else v for v in days[name].to_pylist()]
        assert np.array_equal(counts.values[:, at], expected, equal_nan=True)
    assert np.isnan(counts.values).all(axis=0).sum() == sum(days[n].null_count > 0 for n in NAMES) > 0


def test_no_rows_are_a_matrix_of_no_rows(days):
    none = days.slice(0, 0)
    assert counts_of(none).values.shape == (0, len(FOREST_NAMES))
    assert rows_of(none).shape == (0, len(FOREST_NAMES))


def test_rows_are_made_of_the_three_stored_surprises_together(days, judged):
    stored = with_surprises(days, judged)
    assert rows_of(stored).tolist() == weighted(together(judged.own, judged.peers, judged.cluster)).tolist()


def test_the_least_of_the_stored_surprises_is_that_of_the_night(days, judged):
    assert least_of(with_surprises(days, judged)).tolist() == judged.least.tolist()


def test_the_smallest_surprise_decides_what_is_learnt(days, judged):
    """Strange by one yardstick alone is not strange: what an earlier night counted so is learnt whole."""
    one = np.full_like(judged.own, STRANGE - 0.5)
    odd = replace(judged, own=one, peers=one, cluster=np.full_like(one, 28.0))
    kept = counts_of(with_surprises(days, odd).append_column(JUDGED_BY, pa.array([YOUNG] * len(days))))
    assert together(odd.own, odd.peers, odd.cluster).min() > STRANGE
    assert np.array_equal(learnt(kept).values, kept.values, equal_nan=True)


def test_a_blind_feature_is_calm_from_count_to_row(days):
    counts = counts_of(days)
    rows = rows_of(with_surprises(days, surprises(counts, counts)))
    assert np.isfinite(rows).all()
    assert not rows[np.isnan(counts.values)].any()
    assert rows.any()


def test_every_surprise_is_kept_beside_its_count(days, judged):
    stored = with_surprises(days, judged)
    assert stored.select(days.column_names).equals(days)
    for part, suffix in SUFFIXES.items():
        kept = np.column_stack([stored[f"{name}_{suffix}"] for name in FOREST_NAMES])
        assert kept.tolist() == getattr(judged, part).tolist()


def test_rows_survive_several_chunks(days, judged):
    stored = with_surprises(days, judged)
    halves = pa.concat_tables([stored.slice(0, 1), stored.slice(1)])
    assert rows_of(halves).tolist() == rows_of(stored).tolist()
    assert np.array_equal(counts_of(halves).values, counts_of(days).values, equal_nan=True)


def test_the_forest_reads_the_counts_of_its_own_features_alone(days):
    wanted = [NAMES.index(name) for name in FOREST_NAMES]
    assert np.array_equal(counts_of(days).values, counts_of(days, NAMES).values[:, wanted], equal_nan=True)
