"""Machine code is compiled once, kept where it is asked to be, and never taken from a stranger."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FIT = """
import numpy as np
from models import RandomCutForest
rows = np.random.default_rng(0).normal(size=(200, 21))
forest = RandomCutForest(20, 64, random_state=0).fit(rows)
print(forest.codisp(2 * rows).tobytes().hex(), forest.attribute(2 * rows).tobytes().hex())
"""
FOLDER = "from models.compiled.cache import folder; print(folder())"


# root may read and write anywhere until it gives up CAP_DAC_OVERRIDE (1) and CAP_DAC_READ_SEARCH (2), by
# prctl(PR_CAPBSET_DROP, ...) before an exec
AS_ANYBODY = (
    "import ctypes, os, sys;"
    "[os.geteuid() or ctypes.CDLL(None).prctl(24, capability, 0, 0, 0) for capability in (1, 2)];"
    "os.execv(sys.argv[1], sys.argv[1:])"
)


def python(*words, cwd=ROOT, obeying_modes=False, **environment):
    """A Python process that imports the repository."""
    kept = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    through = [sys.executable, "-c", AS_ANYBODY] if obeying_modes else []
    return subprocess.run(
        [*through, sys.executable, "-W", "error", *words],
        cwd=cwd,
        env={**kept, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def warm(tmp_path_factory):
    """A folder that the command has filled."""
    folder = tmp_path_factory.mktemp("kernels")
    done = python("-m", "models.warm", NUMBA_CACHE_DIR=str(folder))
    assert done.returncode == 0, done.stderr
    assert str(folder) in done.stdout
    return folder


@pytest.fixture(scope="module")
def fitted(warm):
    """What a forest finds by the code of that folder, which is as it was before."""
    before = files(warm)
    assert before
    done = python("-c", FIT, NUMBA_CACHE_DIR=str(warm))
    assert done.returncode == 0, done.stderr
    return done.stdout, files(warm) == before


def test_a_warmed_folder_is_all_that_a_run_needs(fitted):
    assert fitted[1]


def test_a_warmed_folder_may_be_read_only(warm, fitted, tmp_path):
    sealed, scratch = tmp_path / "sealed", tmp_path / "scratch"
    shutil.copytree(warm, sealed)
    scratch.mkdir()
    for path in (*sealed.rglob("*"), sealed):
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = files(sealed)
    refused = python("-c", f"open({str(sealed / 'new')!r}, 'w')", obeying_modes=True)
    assert "PermissionError" in refused.stderr
    done = python("-c", FIT, obeying_modes=True, NUMBA_CACHE_DIR=str(sealed), TMPDIR=str(scratch))
    assert done.returncode == 0, done.stderr
    assert done.stdout == fitted[0]
    assert files(sealed) == before
    assert not list(scratch.iterdir())
    for path in (sealed, *sealed.rglob("*")):
        path.chmod(0o755)


def test_code_is_named_by_the_sources_it_was_made_of(tmp_path):
    shutil.copytree(ROOT / "models", tmp_path / "models", ignore=shutil.ignore_patterns("__pycache__"))
    where = {"cwd": tmp_path, "PYTHONPATH": str(tmp_path), "NUMBA_CACHE_DIR": str(tmp_path / "kept")}
    first = python("-c", FOLDER, **where).stdout
    with (tmp_path / "models/compiled/lanes.py").open("a") as source:
        source.write("# changed\n")
    second = python("-c", FOLDER, **where).stdout
    assert first.startswith(str(tmp_path / "kept"))
    assert first != second


@pytest.mark.parametrize("mode", [0o777, 0o720], ids=oct)
def test_a_folder_that_others_may_write_to_is_not_used(tmp_path, mode):
    named = {"NUMBA_CACHE_DIR": str(tmp_path)}
    taken = Path(python("-c", FOLDER, **named).stdout.strip())
    assert taken.parent == tmp_path
    taken.chmod(mode)
    done = python("-W", "ignore", "-c", FOLDER, **named)
    assert done.stdout.strip() == "None"


def test_where_nothing_can_be_kept_the_warning_says_what_to_set(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    done = python("-c", FOLDER, NUMBA_CACHE_DIR=str(blocked))
    assert done.returncode == 1
    assert f"{blocked}: machine code cannot be kept" in done.stderr
    assert "set NUMBA_CACHE_DIR" in done.stderr


def test_the_setting_of_other_users_of_numba_is_left_alone(tmp_path):
    program = "import numba, models.compiled.engine; print(numba.config.CACHE_DIR)"
    assert python("-c", program, NUMBA_CACHE_DIR=str(tmp_path)).stdout.strip() == str(tmp_path)


def test_a_processor_with_narrower_vectors_finds_the_same_bits(fitted, tmp_path):
    # generic has vectors of 16 bytes and no fused multiplication
    plain = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "", "NUMBA_CACHE_DIR": str(tmp_path)}
    found = python("-c", FIT, **plain)
    assert found.returncode == 0, found.stderr
    assert found.stdout == fitted[0]


def test_a_folder_that_cannot_be_read_is_not_taken_for_an_empty_one(warm, tmp_path):
    sealed = tmp_path / "sealed"
    shutil.copytree(warm, sealed)
    inner = next(sealed.iterdir())
    inner.chmod(0o000)
    done = python("-W", "ignore", "-c", FOLDER, obeying_modes=True, NUMBA_CACHE_DIR=str(sealed), TMPDIR=str(tmp_path))
    inner.chmod(0o700)
    assert done.stdout.strip() == "None", done.stderr


def test_what_an_image_was_built_with_may_be_read_by_everybody(warm):
    assert {path.stat().st_mode & 0o777 for path in warm.iterdir()} == {0o755}


def test_a_user_without_a_home_can_still_use_the_forest():
    done = python("-c", "import models.compiled.engine", HOME="~", NUMBA_CACHE_DIR="")
    assert done.returncode == 0, done.stderr


DAMAGE = {
    "empty": lambda path: path.write_bytes(b""),
    "cut_short": lambda path: path.write_bytes(path.read_bytes()[:100]),
    "no_pickle": lambda path: path.write_bytes(b"no pickle at all" * 20),
}


# an index and its code are read alike: each damage is done to one of the two
@pytest.mark.parametrize(("damage", "kind"), [("empty", "nbc"), ("cut_short", "nbi"), ("no_pickle", "nbc")])
def test_damaged_machine_code_is_made_anew(warm, fitted, tmp_path, kind, damage):
    copy = Path(shutil.copytree(warm, tmp_path / "copy"))
    for path in copy.rglob(f"grow.grow-*.{kind}"):
        DAMAGE[damage](path)
    done = python("-W", "ignore", "-c", FIT, NUMBA_CACHE_DIR=str(copy))
    assert done.returncode == 0, done.stderr
    assert done.stdout == fitted[0]
    again = python("-c", FIT, NUMBA_CACHE_DIR=str(copy))
    assert again.returncode == 0, again.stderr


def test_a_child_process_leaves_its_parent_the_copied_code(warm, tmp_path):
    sealed = tmp_path / "sealed"
    shutil.copytree(warm, sealed)
    for path in (*sealed.rglob("*"), sealed):
        path.chmod(0o555 if path.is_dir() else 0o444)
    program = (
        "import os, sys; from models.compiled.cache import folder; kept = folder()\n"
        "if os.fork() == 0: sys.exit(0)\n"
        "os.wait(); print(kept.is_dir(), list(kept.iterdir()) != [])"
    )
    done = python("-c", program, obeying_modes=True, NUMBA_CACHE_DIR=str(sealed), TMPDIR=str(tmp_path))
    for path in (sealed, *sealed.rglob("*")):
        path.chmod(0o755)
    assert done.stdout == "True True\n", done.stderr


def test_without_a_writable_temporary_folder_a_sealed_one_is_warned_of(warm, tmp_path):
    sealed = tmp_path / "sealed"
    shutil.copytree(warm, sealed)
    for path in (*sealed.rglob("*"), sealed):
        path.chmod(0o555 if path.is_dir() else 0o444)
    program = f"import tempfile; tempfile.mkdtemp = lambda **_: open('/nonexistent/x'); {FOLDER}"
    done = python("-W", "ignore", "-c", program, obeying_modes=True, NUMBA_CACHE_DIR=str(sealed))
    for path in (sealed, *sealed.rglob("*")):
        path.chmod(0o755)
    assert done.stdout.strip() == "None", done.stderr
