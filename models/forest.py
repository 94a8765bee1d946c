"""The forest as a detector under scikit-learn's contract.

Imports nothing of ours outside models/. tests/models/test_forest.py, test_explain.py, test_input.py."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from models.base import check_cells
from models.engines import ENGINES, Engine, engine, unknown
from models.explain import changed, spread
from models.placement import Placement

Doubles = NDArray[np.float64]

# shares are several times larger than what they are made of
_ATTRIBUTED_AT_ONCE = 4096


# scikit-learn's name for the matrix is a capital X, also as a keyword
# ruff: noqa: N803
class RandomCutForest(OutlierMixin, BaseEstimator):
    """Random cut trees; a row's score is its CoDisp as a new row, expected over its random insertion.

    A row has the same score whether it was fitted or is new, alone or in a batch, on one thread or several.
    Same seed and same rows in the same order: same bits.

    Args:
        n_estimators: trees, at least 1.
        max_samples: rows drawn for each tree without replacement, at least 2; all rows when there are fewer.
        engine: "compiled", or "rrcf": the reference, some fifty times slower. Equal seeds give them
            different trees.
        contamination: share of fitted rows that predict calls outliers, above 0 and at most 0.5; or "auto",
            which calls a row an outlier when its CoDisp is above Tukey's outer fence of training_codisp_: the
            third quartile and three times the distance between the quartiles.
        random_state: seed of samples and cuts.
        n_jobs: threads of the compiled engine, at most one a processor; None is 1, -1 all processors, -2 all but one.

    Attributes:
        engine_: the engine that grew the trees, and walks them.
        max_samples_: rows in each tree.
        placement_: the units of the trees.
        trees_: the trees, in the order in which their scores are summed.
        training_codisp_: (n_rows,), CoDisp of each fitted row as a member of the trees that drew it, averaged
            over them, as rrcf's batch mode has it; NaN for a row that no tree drew. Higher is stranger.
        offset_: score_samples below this is an outlier.

    Source:
        Guha, Mishra, Roy, Schrijvers, "Robust Random Cut Forest Based Anomaly Detection on Streams",
        ICML 2016; Bartos, Mullapudi, Troutman, "rrcf", JOSS 2019.
    """

    def __init__(
        self,
        n_estimators: int = 300,
        max_samples: int = 256,
        engine: str = "compiled",
        contamination: float | str = "auto",
        random_state: int | np.random.RandomState | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.n_estimators = n_estimators
        self.max_samples = max_samples
        self.engine = engine
        self.contamination = contamination
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(self, X: ArrayLike, y: object = None) -> Self:  # noqa: ARG002 - y is scikit-learn's convention
        """The forest itself, grown on the rows of X: (n_rows, n_features), at least 2 rows.

        Raises:
            ValueError: a parameter is out of range; a cell is NaN, infinite or beyond 1e30.
        """
        before = dict(self.__dict__)
        try:
            self._check_params()
            self._grow(self._matrix(X, reset=True))
        except BaseException:
            # half of a new forest beside half of an old one would send kernels past the ends of arrays
            self.__dict__.clear()
            self.__dict__.update(before)
            raise
        return self

    def codisp(self, X: ArrayLike) -> Doubles:
        """Collusive displacement of each row as a new row, expected over its insertion, averaged over the trees.

        Args:
            X: (n_rows, n_features).
        Returns:
            (n_rows,), from 0 to max_samples_, unitless; higher is stranger.
        Raises:
            ValueError: a cell is NaN, infinite or beyond 1e30; the columns are not the fitted ones.
        Source:
            The closed form is derived in docs/forest.md.
        """
        asked = self._asked(X)
        return self._engine().codisp(self.trees_, asked, self._threads())

    def score_samples(self, X: ArrayLike) -> Doubles:
        """The negated CoDisp of each row, (n_rows,); lower is stranger."""
        return -self.codisp(X)

    def aws_score(self, X: ArrayLike) -> Doubles:
        """The score that AWS's forests give, from the same trees: inverse depth of each row as a new row.

        Returns:
            (n_rows,), above 0, unitless, mostly below 1 for usual rows; higher is stranger.
        Raises:
            ValueError: as codisp.
        Source:
            The RandomCutForest library of AWS: 1 / (depth + 1) above a node; at a leaf equal to the row
            (1 - mass / (2 n)) / (depth + log2(1 + mass)); times log2(1 + n) for trees of n rows.
        """
        asked = self._asked(X)
        return self._engine().aws_score(self.trees_, asked, self._threads())

    def attribute(self, X: ArrayLike) -> Doubles:
        """Where each row's CoDisp comes from: its shares by feature and side.

        In a tree, the row is cut off above node v with chance w_v = p_v prod (1 - p_u) over the ancestors u
        of v, and then scores S_v = max(n_v, M_v). If the mass n_v decides, the features share w_v S_v in
        proportion to how far the row sticks out of the node's box in each. If an earlier cut decides, M_v
        was attained there, and its feature has all of w_v S_v; so it is with a row that joins an equal leaf.

        Returns:
            (n_rows, n_features, 2), at least 0: how much comes from the feature being low, and from it being
            high. The shares of a row sum to its codisp, within 1e-5 of it.
        Raises:
            ValueError: as codisp.
        Source:
            The first rule is that of AWS's RandomCutForest (anomaly attribution); the second gives a
            collusive displacement to the cut that caused it. docs/forest.md compares the two.
        """
        check_is_fitted(self, "trees_")
        x = self._matrix(X, reset=False)
        whole = np.empty((*x.shape, 2))
        for start in range(0, len(x), _ATTRIBUTED_AT_ONCE):
            here = slice(start, start + _ATTRIBUTED_AT_ONCE)
            shares = self._engine().attribute(self.trees_, self.placement_.place(x[here]), self._threads())
            whole[here] = spread(self.placement_, x[here], shares)
        return whole

    def counterfactual(self, X: ArrayLike, i: int, changes: Mapping[Any, float]) -> float:
        """The CoDisp that row i of X would have with some features set to other values.

        Args:
            X: (n_rows, n_features).
            i: position of the row.
            changes: value by feature: its name if the forest was fitted with names, else its position.
        Raises:
            ValueError: as codisp; a feature is unknown; there is no row i.
        """
        check_is_fitted(self, "trees_")
        x = self._matrix(X, reset=False)
        names = getattr(self, "feature_names_in_", None)
        row = changed(x, i, changes, None if names is None else names.tolist())
        check_cells(row, names)
        placed = self.placement_.place(row)
        return float(self._engine().codisp(self.trees_, placed, 1)[0])

    def decision_function(self, X: ArrayLike) -> Doubles:
        """score_samples above offset_, (n_rows,); negative is an outlier."""
        scores = self.score_samples(X)
        return scores - self.offset_

    def predict(self, X: ArrayLike) -> NDArray[np.int64]:
        """-1 for each outlier and 1 for each other row, (n_rows,)."""
        return np.where(self.decision_function(X) < 0, -1, 1)

    @classmethod
    def from_rrcf(cls, trees: Iterable[Any], engine: str = "compiled") -> Self:
        """A forest of trees grown by the rrcf package, scored by either engine.

        Its max_samples is the largest tree's; its training_codisp_ stands in ascending order of rrcf's labels.
        New rows score as rrcf would score them, to 1e-6. rrcf stores points rounded to nine decimals, and the
        compiled engine rounds rows to single precision: a row within that of a stored point counts as equal to
        it here, while rrcf takes it for a new one close by.
        Raises:
            ValueError: no tree, an empty one, trees of different width; a point beyond 1e30; labels that cannot
                be sorted; two points too close for the engine to tell apart beside the extent of all.
        """
        from models.interop import from_rrcf, own_codisp

        given = list(trees)
        forest = cls(len(given), engine=engine)
        forest.engine_ = engine
        forest.placement_, forest.trees_ = from_rrcf(given, engine)
        forest.training_codisp_ = own_codisp(given)
        forest.max_samples_ = forest.trees_.sampled
        forest.max_samples = max(2, forest.max_samples_)
        forest.n_features_in_ = len(forest.placement_.origin)
        forest.offset_ = forest._fence()
        return forest

    def to_rrcf(self) -> list[Any]:
        """The trees as rrcf.RCTree objects over rows in the input's units; a point has the same label in all."""
        from models.interop import to_rrcf

        check_is_fitted(self, "trees_")
        return to_rrcf(self.trees_, self.placement_)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the fitted forest to one file, replacing it whole; see models.saved."""
        from models.saved import save

        check_is_fitted(self, "trees_")
        save(self, Path(path))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """The forest that save wrote.

        Raises:
            ValueError: the file is damaged, of a newer version, or no saved forest.
        """
        from models.saved import load

        return load(cls, Path(path))

    def _grow(self, x: Doubles) -> None:
        """Makes every fitted attribute."""
        self.engine_ = self.engine
        made_by = self._engine()
        self.max_samples_ = min(len(x), int(self.max_samples))
        self.placement_ = Placement.of(x, whole=made_by.WHOLE, lanes=made_by.LANES)
        # every seed before the first tree: tree k is the same whatever grew before it, or beside it
        seeds = check_random_state(self.random_state).randint(2**63 - 1, size=self.n_estimators, dtype=np.int64)
        rows = self.placement_.place(x)
        self.trees_, sample, own = made_by.grow(rows, seeds.astype(np.uint64), self.max_samples_, self._threads())
        drawn = np.bincount(sample.ravel(), minlength=len(x)).astype(np.float64)
        drawn[drawn == 0] = np.nan
        self.training_codisp_ = np.bincount(sample.ravel(), own.ravel(), minlength=len(x)) / drawn
        self.offset_ = self._offset(rows)

    def _engine(self) -> Engine:
        return engine(self.engine_)

    def _asked(self, X: ArrayLike) -> NDArray[Any]:
        check_is_fitted(self, "trees_")
        return self.placement_.place(self._matrix(X, reset=False))

    def _offset(self, rows: NDArray[Any]) -> float:
        """What score_samples must be below for an outlier; rows are the placed ones of fit."""
        if self.contamination != "auto":
            scores = -self._engine().codisp(self.trees_, rows, self._threads())
            return float(np.percentile(scores, 100 * float(self.contamination)))
        return self._fence()

    def _fence(self) -> float:
        """Where Tukey's outer fence of training_codisp_ lies among score_samples."""
        # no constant would do: usual rows score about 4 on blobs and 20 on sparse counts
        first, third = np.nanpercentile(self.training_codisp_, [25, 75])
        return -float(third + 3 * (third - first))

    def _threads(self) -> int:
        if self.n_jobs is None:
            return 1
        processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return min(self.n_jobs, processors) if self.n_jobs > 0 else max(1, processors + 1 + self.n_jobs)

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
        jobs: object = self.n_jobs
        whole = isinstance(jobs, int | np.integer) and type(jobs) is not bool
        if jobs is not None and not (whole and 0 < abs(jobs) <= 1024):  # type: ignore[arg-type]
            raise ValueError(f"n_jobs: found {jobs!r}; expected None or a whole number from -1024 to 1024 other than 0")
        if self.engine not in ENGINES:
            raise ValueError(unknown(self.engine))

    def _matrix(self, X: ArrayLike, *, reset: bool) -> Doubles:
        """X as float64; reset keeps its width and column names, otherwise they must be the kept ones."""
        # finiteness is checked here and not by scikit-learn, whose message names no cell
        if np.ma.is_masked(X):
            raise ValueError("found a masked array with masked cells; expected numbers everywhere, nothing is imputed")
        x: Doubles = validate_data(
            self, X, reset=reset, dtype=np.float64, ensure_all_finite=False, ensure_min_samples=2 if reset else 1
        )
        names = getattr(self, "feature_names_in_", None)
        check_cells(x, None if names is None else list(names))
        return x
