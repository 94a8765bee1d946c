"""Machine code of this package is kept beside the forest's, and never outlives the sources or tables it is made of."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
FIND = """
import numpy as np
from pipelines.compiled.words import find, table
known, held = table([(0, "verb", 7)]), np.frombuffer(b"verb", np.uint8)
start = held.ctypes.data
print(find(start, 4, 0, start + 4, known.ctypes.data), sum(find.stats.cache_hits.values()))
"""


def python(root: Path, kept: Path) -> list[int]:
    """What FIND prints: the meaning found, and how often machine code was taken from the folder."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", FIND],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1", "NUMBA_CACHE_DIR": str(kept)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [int(word) for word in done.stdout.split()]


def test_machine_code_is_made_once_and_anew_after_any_source_changed(tmp_path: Path) -> None:
    root, kept = tmp_path / "checkout", tmp_path / "kept"
    for package in ("models", "features", "pipelines"):
        shutil.copytree(ROOT / package, root / package, ignore=shutil.ignore_patterns("__pycache__"))
    assert python(root, kept) == [7, 0]
    assert python(root, kept) == [7, 1]
    # a file that words.py imports, and the one declaration elsewhere that becomes a constant of machine code
    for changed in ("compiled/vectors.py", "parsing/caps.py"):
        source = root / "pipelines" / changed
        source.write_text(source.read_text() + "\n")
        assert python(root, kept) == [7, 0]


def test_where_nothing_can_be_kept_it_works_all_the_same() -> None:
    program = (
        "import models.compiled.cache as cache\n"
        "cache._candidates = lambda: []\n"
        "import warnings; warnings.simplefilter('ignore')\n" + FIND
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["7", "0"], done.stderr


def test_what_was_warmed_is_not_compiled_again(tmp_path: Path) -> None:
    again = (
        "from pipelines.compiled import rows, encode, warm; warm.main();"
        "print(*(sum(k.stats.cache_misses.values()) for k in (rows.fill, encode.encode, encode.write, encode.spread)))"
    )
    for program in (["-m", "pipelines.compiled.warm"], ["-c", again]):
        done = subprocess.run(
            [sys.executable, "-W", "error", *program],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "NUMBA_CACHE_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert str(tmp_path) in done.stdout
    assert done.stdout.splitlines()[-1] == "0 0 0 0"
