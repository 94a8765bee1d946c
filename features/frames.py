"""The feature matrix as people read it: counts and the forest's rows as pandas frames, with units and meanings.

Apart from matrix.py, for a night that is ranked by a machine needs no pandas."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa

from features.catalogue import FEATURES, FOREST_NAMES, NAMES
from features.counts import Floats
from features.derived import DERIVED, Stored
from features.derived import derived as made_of
from features.matrix import counts_of, rows_of


@dataclass(frozen=True)
class FeatureMatrix:
    """Principals, night by night, by features: `values` are the whole numbers of all features, NaN where a night was
    blind; `rows` what the forest reads of them. `nights` is empty where the rows are of one night that nobody named."""

    principals: tuple[str, ...]
    values: Floats
    rows: Floats
    nights: tuple[date, ...] = ()
    stored: Callable[[date], Stored] | None = field(default=None, repr=False, compare=False)
    """Reads what a night's shares and distances are made of; none where the rows were not loaded from an archive."""

    @classmethod
    def of(cls, days: pa.Table) -> FeatureMatrix:
        """Of the rows of principal_days, in their order."""
        counts = counts_of(days, NAMES)
        return cls(tuple(counts.principals), counts.values, rows_of(days))

    @classmethod
    def of_nights(cls, tables: Mapping[date, pa.Table], stored: Callable[[date], Stored]) -> FeatureMatrix:
        """Of the rows of principal_days of each night, one night after the other."""
        parts = [cls.of(days) for days in tables.values()]
        nights = (night for night, part in zip(tables, parts, strict=True) for _ in part.principals)
        return cls(
            tuple(principal for part in parts for principal in part.principals),
            np.concatenate([part.values for part in parts]),
            np.concatenate([part.rows for part in parts]),
            tuple(nights),
            stored,
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
            self.stored,
        )

    def derived(self) -> pd.DataFrame:
        """Shares, entropies and distances, made now of what is stored; index as in frame(), NaN where there is none.

        Reads the items of each night, and of the nights it was judged by: a minute for very many. The forest reads
        none of these numbers.
        Raises:
            ValueError: the rows were not loaded from an archive, or a night's items are missing or damaged.
        """
        if self.stored is None:
            raise ValueError("rows that were not loaded from an archive; features.load(archive, cluster) expected")
        made = [made_of(self.stored(night)).drop_columns(["principal"]) for night in dict.fromkeys(self.nights)]
        numbers: pd.DataFrame = pa.concat_tables(made).to_pandas()
        return numbers.set_index(self._index())

    def describe_derived(self) -> pd.DataFrame:
        """Of each number in derived() its unit, what it is made of and its meaning, and what it is like.

        `known` is a number of rows; `median` and `max` are of those. Raises what derived() raises.
        """
        numbers = self.derived()
        told = pd.DataFrame(
            {"unit": [d.unit for d in DERIVED], "of": [", ".join(d.of) for d in DERIVED]},
            pd.Index([d.name for d in DERIVED], name="number"),
        )
        seen = {"known": numbers.notna().sum(), "median": numbers.median(), "max": numbers.max()}
        return told.assign(**seen, meaning=[d.meaning for d in DERIVED])

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
