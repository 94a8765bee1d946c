"""Forests that are measured beside ours, behind one interface; those not installed are named and left out.

Imports models/ alone. Each rival's package is imported when it is asked for."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import joblib  # noqa: TID251 - only its context makes scikit-learn's scoring use threads
import numpy as np
from numpy.typing import NDArray

from benchmarks.timing import cores
from models import RandomCutForest
from models.engines import engine
from models.placement import Placement
from models.reference.grow import rrcf as reference

Doubles = NDArray[np.float64]

SAMPLE = 256
OURS, GROWING, SKLEARN = "ours", "ours, growing alone", "scikit-learn"


class Model(Protocol):
    """A fitted forest; what it is asked about is what its rival's given() made of rows."""

    def score(self, given: Any) -> Any:
        """A score for each row."""
        ...

    def attribute(self, given: Any) -> Any:
        """Shares of the score by column for each row."""
        ...

    def nbytes(self) -> int:
        """Bytes of its arrays, or of its saved form where they are out of reach."""
        ...


@dataclass(frozen=True)
class Rival:
    """A kind of forest, and how much of the work it gets where the whole would take minutes.

    Attributes:
        build: from given rows, trees and threads.
        given: rows as it takes them; not part of the time.
        most_trees: it grows no more, and times are scaled up to the trees asked for.
        most_rows: it sees no more rows when it is built; the time is then a lower bound.
        most_points: it is asked about no more rows at once.
        built_once: each build is measured a single time.
    """

    name: str
    build: Callable[[Any, int, int], Model]
    given: Callable[[Doubles], Any] = np.asarray
    scores: bool = True
    explains: bool = False
    threads: bool = True
    most_trees: int = sys.maxsize
    most_rows: int = sys.maxsize
    most_points: int = sys.maxsize
    built_once: bool = False


class _Fitted:
    """Model of an estimator with scikit-learn's fit, by the methods that it calls score and attribute."""

    def __init__(self, score: Callable[..., Any], nbytes: Callable[[], int], attribute: Any = None) -> None:
        self.score = score
        self.attribute = attribute
        self.nbytes = nbytes


def ours() -> Rival:
    """The compiled engine, through the estimator."""

    def build(x: Doubles, trees: int, threads: int) -> Model:
        forest = RandomCutForest(trees, SAMPLE, random_state=1, n_jobs=threads).fit(x)
        return _Fitted(forest.codisp, lambda: forest.trees_.nbytes, forest.attribute)

    return Rival(OURS, build, explains=True)


def growing() -> Rival:
    """The compiled engine's trees without the estimator's checks, placement and threshold."""
    compiled = engine("compiled")

    def given(x: Doubles) -> Any:
        return Placement.of(x, whole=compiled.WHOLE, lanes=compiled.LANES).place(x)

    def build(rows: Any, trees: int, threads: int) -> Model:
        grown = compiled.grow(rows, np.arange(trees, dtype=np.uint64), min(SAMPLE, len(rows)), threads)
        return _Fitted(len, lambda: grown.trees.nbytes)

    return Rival(GROWING, build, given, scores=False)


def sklearn() -> Rival:
    """scikit-learn's IsolationForest; its scores need a joblib context to use threads."""
    ensemble = import_module("sklearn.ensemble")

    def build(x: Doubles, trees: int, threads: int) -> Model:
        forest = ensemble.IsolationForest(n_estimators=trees, max_samples=SAMPLE, random_state=1, n_jobs=threads)
        forest.fit(x)

        def score(x: Doubles) -> Any:
            if threads == 1:
                return forest.score_samples(x)
            with joblib.parallel_backend("threading", n_jobs=threads):
                return forest.score_samples(x)

        def nbytes() -> int:
            states = [tree.tree_.__getstate__() for tree in forest.estimators_]
            return sum(state["nodes"].nbytes + state["values"].nbytes for state in states)

        return _Fitted(score, nbytes)

    return Rival(SKLEARN, build)


def isotree() -> Rival:
    """isotree's plain isolation forest."""
    package = import_module("isotree")

    def build(x: Doubles, trees: int, threads: int) -> Model:
        forest = package.IsolationForest(ntrees=trees, sample_size=SAMPLE, ndim=1, nthreads=threads, random_seed=1)
        forest.fit(x)

        def nbytes() -> int:
            with tempfile.TemporaryDirectory() as folder:
                forest.export_model(str(Path(folder) / "model"))
                return (Path(folder) / "model").stat().st_size

        return _Fitted(forest.predict, nbytes)

    return Rival("isotree", build)


class Krcf:
    """AWS's Rust forest, fed one row at a time, without its recency bias."""

    def __init__(self, rows: list[list[float]], trees: int, threads: int) -> None:
        options = {
            "dimensions": len(rows[0]), "shingle_size": 1, "num_trees": trees, "sample_size": SAMPLE, "lambda": 0.0,
            "initial_accept_fraction": 1.0, "output_after": 1, "random_seed": 1,
            "parallel_execution_enabled": threads > 1,
        }  # fmt: skip
        self.forest = import_module("krcf").RandomCutForest(options)
        for row in rows:
            self.forest.update(row)

    def score(self, given: list[list[float]]) -> list[float]:
        """Inverse depth of each row."""
        return [self.forest.score(row) for row in given]

    def attribute(self, given: list[list[float]]) -> list[Any]:
        """A pair of lists, low and high, for each row."""
        return [self.forest.attribution(row) for row in given]

    def nbytes(self) -> int:
        """Bytes of its MessagePack."""
        return len(self.forest.to_msgpack())


def krcf() -> Rival:
    """See Krcf."""
    import_module("krcf")
    return Rival("krcf", Krcf, np.ndarray.tolist, explains=True, most_rows=10_000, most_points=300, built_once=True)


class _Jrcf:
    """AWS's Java forest, fed one row at a time, without its recency bias."""

    def __init__(self, x: Doubles, trees: int, threads: int) -> None:
        package = import_module("jrcf.rcf")
        # the Python wrapper does not pass the first of these on
        made = package.RandomCutForest.builder().initialAcceptFraction(1.0).numberOfTrees(trees).sampleSize(SAMPLE)
        made = made.dimensions(x.shape[1]).shingleSize(1).timeDecay(0.0).outputAfter(1).randomSeed(1)
        made = made.parallelExecutionEnabled(threads > 1)
        made = made.threadPoolSize(threads) if threads > 1 else made
        self.model = package.RandomCutForestModel(made.build(), dimensions=x.shape[1])
        for row in x:
            self.model.update(row)

    def score(self, given: Doubles) -> list[float]:
        return [self.model.score(row) for row in given]

    def attribute(self, given: Doubles) -> list[Any]:
        return [self.model.forest.getAnomalyAttribution(self.model._convert_to_java_array(row)) for row in given]

    def nbytes(self) -> int:
        return len(self.model.to_dict()["forest"])


def jrcf() -> Rival:
    """See _Jrcf; the virtual machine compiles and collects on the thread that called it, and is warm."""
    os.environ.setdefault("JAVA_OPTS", "-XX:+UseSerialGC -Xbatch")
    import_module("jrcf.rcf")
    x = np.random.default_rng(0).normal(size=(500, 24))
    for threads in (1, 1, cores()):
        model = _Jrcf(x, 100, threads)
        model.score(x[:200])
        model.attribute(x[:200])
    return Rival("jrcf", _Jrcf, explains=True, most_rows=500, most_points=100, built_once=True)


class _Rrcf:
    """The package rrcf: trees of Python objects; a new row is inserted, scored and forgotten in each."""

    def __init__(self, x: Doubles, trees: int) -> None:
        state = np.random.RandomState(1)
        samples = [state.permutation(len(x))[:SAMPLE] for _ in range(trees)]
        self.trees = [reference.RCTree(x[s], index_labels=np.arange(len(s)), random_state=state) for s in samples]

    def score(self, given: Doubles) -> list[float]:
        return [sum(self._displaced(tree, row) for tree in self.trees) for row in given]

    def _displaced(self, tree: Any, row: Doubles) -> float:
        tree.insert_point(row, index="new")
        displaced = float(tree.codisp("new"))
        tree.forget_point("new")
        return displaced

    def nbytes(self) -> int:
        return sum(self._bytes_below(tree.root) for tree in self.trees)

    def _bytes_below(self, root: Any) -> int:
        total, stack = 0, [root]
        while stack:
            node = stack.pop()
            parts = [getattr(node, slot, None) for slot in node.__slots__]
            total += sys.getsizeof(node) + sum(sys.getsizeof(p) for p in parts if isinstance(p, np.ndarray))
            stack += [child for child in (getattr(node, "l", None), getattr(node, "r", None)) if child is not None]
        return total


def rrcf() -> Rival:
    """See _Rrcf; it runs on one thread."""

    def build(x: Doubles, trees: int, threads: int) -> Model:  # noqa: ARG001 - Rival's
        made = _Rrcf(x, trees)
        return _Fitted(made.score, made.nbytes)

    return Rival("rrcf", build, threads=False, most_trees=5, most_points=50)


def available() -> tuple[list[Rival], list[str]]:
    """All that are installed, ours first; and a line for each that is not."""
    found, missing = [ours(), growing()], []
    for make in (sklearn, isotree, krcf, jrcf, rrcf):
        try:
            found.append(make())
        # without Java its bridge raises a ValueError
        except (ImportError, OSError, ValueError) as error:
            missing.append(f"{make.__name__} is left out: {error}")
    return found, missing
