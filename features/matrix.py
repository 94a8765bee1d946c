"""The feature matrix: a night's principals by its features, as the forest reads it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.catalogue import FOREST, FOREST_NAMES, weight
from features.counts import Counts, Floats
from features.history import Surprises, least, together

_WEIGHTS = np.array([weight(f) for f in FOREST])
SUFFIXES = {"own": "own_surprise", "peers": "peers_surprise", "cluster": "cluster_surprise"}
"""Of the columns of principal_days that keep the three surprises as they stood that night."""

JUDGED_BY = "judged_by"
"""Column that a reader of several nights adds: how many nights of history each row was judged by."""


def weighted(surprise: Floats) -> Floats:
    """Rows for the forest: surprise in decades, compressed and weighted by group."""
    compressed: Floats = np.log1p(surprise) * _WEIGHTS
    return compressed


def counts_of(days: pa.Table, names: Sequence[str] = FOREST_NAMES) -> Counts:
    """The counts of principal_days rows, NaN where a feature was blind; without names those that the forest reads.

    Rows that say how many nights judged them bring their surprises along, so that a later night can tell what to
    learn of them."""
    values = np.empty((days.num_rows, len(names)))
    for i, name in enumerate(names):
        values[:, i] = days[name].cast(pa.float64()).to_numpy(zero_copy_only=False)
    judged = JUDGED_BY in days.schema.names and names is FOREST_NAMES
    return Counts(
        _texts(days["principal"]),
        _texts(days["type"]),
        values,
        least_of(days) if judged else None,
        days[JUDGED_BY].to_numpy() if judged else None,
    )


def _texts(column: pa.ChunkedArray) -> npt.NDArray[np.object_]:
    return np.array(column.to_pylist(), dtype=object)


def with_surprises(days: pa.Table, found: Surprises) -> pa.Table:
    """principal_days with the three surprises of every feature that the forest reads."""
    for part, suffix in SUFFIXES.items():
        values: Floats = getattr(found, part)
        for i, name in enumerate(FOREST_NAMES):
            days = days.append_column(f"{name}_{suffix}", pa.array(values[:, i], pa.float64()))
    return days


def rows_of(days: pa.Table) -> Floats:
    """Rows for the forest out of principal_days, by the surprises kept in it; (n, features)."""
    return weighted(of_three(days, together))


def least_of(days: pa.Table) -> Floats:
    """The smallest of the three surprises kept in principal_days, decades; (n, features)."""
    return of_three(days, least)


def of_three(days: pa.Table, one: Callable[[Floats, Floats, Floats], Floats]) -> Floats:
    """One number of the three surprises kept in principal_days, (n, features).

    Args:
        one: of a column's surprises against own past, peers and cluster.
    """
    found = np.empty((days.num_rows, len(FOREST_NAMES)))
    if not len(found):
        # a table of no rows need not hold surprises
        return found
    # column by column: all of a history's surprises at once would take as much memory again
    for i, name in enumerate(FOREST_NAMES):
        own, peers, cluster = (days[f"{name}_{suffix}"].to_numpy() for suffix in SUFFIXES.values())
        found[:, i] = one(own, peers, cluster)
    return found
