"""`python -m models.warm`: compile every kernel now and keep the machine code, so that no night waits for it.

Run it while a container image is built, with NUMBA_CACHE_DIR set as it will be at run time and on the kind of
processor that will run it; for a mixture of processors set NUMBA_CPU_NAME=x86-64-v3 and an empty
NUMBA_CPU_FEATURES both times. tests/models/test_cache.py."""

from __future__ import annotations

import sys

import numpy as np

from models.compiled.cache import warmed
from models.forest import RandomCutForest


def _ask() -> None:
    rows = np.random.default_rng(0).normal(size=(64, 9))
    forest = RandomCutForest(2, 16, random_state=0).fit(rows)
    for ask in (forest.codisp, forest.aws_score, forest.attribute):
        ask(rows)


def main() -> int:
    """0 once every kernel is compiled and kept; 1 where it cannot be kept."""
    return warmed(_ask, "kernels")


if __name__ == "__main__":
    sys.exit(main())
