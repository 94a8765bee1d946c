"""The reference detector: a Robust Random Cut Forest that scores rows without inserting them.

Imports nothing of ours outside models/. tests/models/test_reference.py, test_walk.py."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from models.base import check_cells
from models.grid import Grid
from models.grow import CutState, grow
from models.walk import expected_codisp

# scikit-learn's name for the matrix is a capital X, also as a keyword
# ruff: noqa: N803


class ReferenceForest(OutlierMixin, BaseEstimator):
    """Random cut trees grown by rrcf; a row's score is its CoDisp, expected over its random insertion.

    A row has the same score whether it was fitted or is new, alone or in a batch. Same seed and same rows
    in the same order: same bits.

    Args:
        n_estimators: trees, at least 1.
        max_samples: rows drawn for each tree without replacement, at least 2; all rows when there are fewer.
        contamination: share of fitted rows that predict calls outliers, above 0 and at most 0.5; or "auto",
            which calls a row an outlier when its CoDisp is above Tukey's outer fence of the fitted rows'
            CoDisp, the third quartile and three times the distance between the quartiles.
        random_state: seed of samples and cuts.

    Attributes:
        max_samples_: rows in each tree.
        grid_: the whole-number grid of the trees.
        trees_: the trees, in the order in which their scores are summed.
        offset_: score_samples below this is an outlier.

    Source:
        Guha, Mishra, Roy, Schrijvers, "Robust Random Cut Forest Based Anomaly Detection on Streams",
        ICML 2016.
    """

    def __init__(
        self,
        n_estimators: int = 100,
        max_samples: int = 256,
        contamination: float | str = "auto",
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_estimators = n_estimators
        self.max_samples = max_samples
        self.contamination = contamination
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: object = None) -> Self:  # noqa: ARG002 - y is scikit-learn's convention
        """The forest itself, grown on the rows of X: (n_principals, n_features).

        Raises:
            ValueError: a parameter is out of range; a cell is NaN, infinite or beyond 1e30.
        """
        self._check_params()
        x = self._matrix(X, reset=True)
        self.max_samples_ = min(len(x), int(self.max_samples))
        self.grid_ = Grid.of(x)
        rows, outside = self.grid_.place(x)
        # every seed before the first tree: tree k is the same whatever grew before it, or beside it
        seeds = check_random_state(self.random_state).randint(2**31 - 1, size=self.n_estimators)
        states = [CutState(int(seed)) for seed in seeds]
        self.trees_ = tuple(grow(rows[state.permutation(len(rows))[: self.max_samples_]], state) for state in states)
        scores = -expected_codisp(self.trees_, rows, outside)
        if self.contamination == "auto":
            # no constant would do: usual rows score about 4 on blobs and 20 on sparse counts
            low, high = np.percentile(scores, [25, 75])
            self.offset_ = float(low - 3 * (high - low))
        else:
            self.offset_ = float(np.percentile(scores, 100 * float(self.contamination)))
        return self

    def codisp(self, X: ArrayLike) -> NDArray[np.float64]:
        """Collusive displacement of each row as a new row, averaged over the trees.

        Args:
            X: (n_principals, n_features).
        Returns:
            (n_principals,), from 0 to max_samples_, unitless; higher is stranger.
        Raises:
            ValueError: a cell is NaN, infinite or beyond 1e30; the columns are not the fitted ones.
        """
        check_is_fitted(self)
        return expected_codisp(self.trees_, *self.grid_.place(self._matrix(X, reset=False)))

    def score_samples(self, X: ArrayLike) -> NDArray[np.float64]:
        """The negated CoDisp of each row, (n_principals,); lower is stranger."""
        return -self.codisp(X)

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """score_samples above offset_, (n_principals,); negative is an outlier."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: ArrayLike) -> NDArray[np.int64]:
        """-1 for each outlier and 1 for each other row, (n_principals,)."""
        return np.where(self.decision_function(X) < 0, -1, 1)

    def _check_params(self) -> None:
        """Nothing; a parameter out of range is a ValueError that names it."""
        for name, least in (("n_estimators", 1), ("max_samples", 2)):
            value = getattr(self, name)
            # True is an int to Python
            if type(value) is bool or not isinstance(value, int | np.integer) or value < least:
                raise ValueError(f"{name}: found {value!r}; expected a whole number of at least {least}")
        share: object = self.contamination
        if share != "auto" and not (isinstance(share, float | np.floating) and 0 < share <= 0.5):
            raise ValueError(f"contamination: found {share!r}; expected 'auto' or a number in (0, 0.5]")

    def _matrix(self, X: ArrayLike, *, reset: bool) -> NDArray[np.float64]:
        """X as float64; reset keeps its width and column names, otherwise they must be the kept ones."""
        # finiteness is checked here and not by scikit-learn, whose message names no cell
        x: NDArray[np.float64] = validate_data(self, X, reset=reset, dtype=np.float64, ensure_all_finite=False)
        names = getattr(self, "feature_names_in_", None)
        check_cells(x, None if names is None else list(names))
        return x
