"""The feature matrix as people read it: counts and the forest's rows as pandas frames, with units and meanings.

Apart from matrix.py, for a night that is ranked by a machine needs no pandas."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa

from features.catalogue import FEATURES, FOREST_NAMES, NAMES
from features.counts import Floats
from features.matrix import counts_of, rows_of


@dataclass(frozen=True)
class FeatureMatrix:
    """Principals, night by night, by features: `values` are the whole numbers of all features, NaN where a night was
    blind; `rows` what the forest reads of them. `nights` is empty where the rows are of one night that nobody named."""

    principals: tuple[str, ...]
    values: Floats
    rows: Floats
    nights: tuple[date, ...] = ()

    @classmethod
    def of(cls, days: pa.Table) -> FeatureMatrix:
        """Of the rows of principal_days, in their order."""
        counts = counts_of(days, NAMES)
        return cls(tuple(counts.principals), counts.values, rows_of(days))

    @classmethod
    def of_nights(cls, tables: Mapping[date, pa.Table]) -> FeatureMatrix:
        """Of the rows of principal_days of each night, one night after the other."""
        parts = [cls.of(days) for days in tables.values()]
        nights = (night for night, part in zip(tables, parts, strict=True) for _ in part.principals)
        return cls(
            tuple(principal for part in parts for principal in part.principals),
            np.concatenate([part.values for part in parts]),
            np.concatenate([part.rows for part in parts]),
            tuple(nights),
        )

    def frame(self) -> pd.DataFrame:
        """The counts: principals as index, features as columns, <NA> where the night was blind.

        Of several nights the index is (principal, night).
        """
        counts = pd.DataFrame(self.values, self._index(), list(NAMES))
        return counts.astype("Int64")

    def forest_frame(self) -> pd.DataFrame:
        """What the forest reads: surprise in decades, compressed and weighted; index as in frame()."""
        return pd.DataFrame(self.rows, self._index(), list(FOREST_NAMES))

    def night(self, night: date) -> FeatureMatrix:
        """The rows of one night alone; its frames have principals as index."""
        at = [row for row, of in enumerate(self.nights) if of == night]
        return FeatureMatrix(
            tuple(self.principals[row] for row in at),
            self.values[at],
            self.rows[at],
            tuple(self.nights[row] for row in at),
        )

    def describe(self) -> pd.DataFrame:
        """Of each feature its group, unit and meaning, whether the forest reads it, and what its counts are like.

        `blind` and `above_0` are numbers of rows, without a count and with one above 0; `median` and `max` are of
        the rows that have one.
        """
        counts = self.frame()
        told = pd.DataFrame(
            {"group": [f.group for f in FEATURES], "unit": [f.unit for f in FEATURES],
             "forest": [f.forest for f in FEATURES], "meaning": [f.meaning for f in FEATURES]},
            pd.Index(NAMES, name="feature"),
        )  # fmt: skip
        seen = {
            "blind": counts.isna().sum(),
            "above_0": (counts > 0).sum(),
            "median": counts.median(),
            "max": counts.max(),
        }
        for column, of in seen.items():
            told.insert(told.shape[1] - 1, column, of)
        return told

    def _index(self) -> pd.Index:
        if len(set(self.nights)) < 2:
            return pd.Index(self.principals, dtype="str", name="principal")
        return pd.MultiIndex.from_arrays([self.principals, self.nights], names=["principal", "night"])
