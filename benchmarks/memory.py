"""What fit, score and attribution add to the peak of memory, each size in a process of its own.

`python -m benchmarks.memory ROWS COLUMNS` prints the bytes of one size. Imports models/ and benchmarks/."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.forest_data import COUNTS, draw
from benchmarks.markdown import number, table
from models import RandomCutForest
from pipelines.peak import peak_bytes

TREES = 100
SIZES = ((100_000, 24), (100_000, 64))
# what is called, and of how many rows at most
_STEPS = (("fit", None), ("codisp", None), ("attribute", 10_000), ("attribute", None))


def extra(n_rows: int, n_columns: int) -> list[int]:
    """Bytes that the peak has risen by after each step, in a fresh process; what a step returns is part of it."""
    command = [sys.executable, "-m", "benchmarks.memory", str(n_rows), str(n_columns)]
    ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=Path(__file__).parents[1])
    return [int(word) for word in ran.stdout.split()]


def shown(found: dict[tuple[int, int], list[int]]) -> str:
    """A table of extra()'s answers, by (rows, columns)."""
    rows = [[f"{n:,}", f"{d}", *(number(b * 1e-6) for b in found[n, d])] for n, d in found]
    note = f"{TREES} trees, counts, one thread, one step after the other; attribution returns 16 bytes for each cell."
    steps = [call if most is None else f"{call}, {most:,} rows" for call, most in _STEPS]
    return table("Peak of memory above that of rows and loaded kernels, MB", ["rows", "D", *steps], rows, [note])


def main() -> None:
    """Command line."""
    n_rows, n_columns = (int(word) for word in sys.argv[1:])
    few = draw(COUNTS, 300, n_columns)
    warm = RandomCutForest(2, random_state=0).fit(few)
    warm.codisp(few)
    warm.attribute(few)
    x = draw(COUNTS, n_rows, n_columns)
    before = peak_bytes()
    forest = RandomCutForest(TREES, random_state=0)
    for call, most in _STEPS:
        getattr(forest, call)(x[:most])
        print(peak_bytes() - before)


if __name__ == "__main__":
    main()
