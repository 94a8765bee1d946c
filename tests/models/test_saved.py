"""A forest comes back from its file bit for bit; a damaged or hostile file is a ValueError that names it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from forest_files import (
    assert_same,
    fitted,
    parts,
    refused,
    some_rows,
)
from sklearn.base import clone

from models import RandomCutForest
from models.engines import ENGINES

GOLDEN = Path(__file__).parent / "golden"
NAMES = ["requests", "namespaces", "façade", "errors"]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_loaded_forest_is_the_saved_one_bit_for_bit(engine, shape, tmp_path):
    rows, new = shape
    forest = fitted(engine, rows, n_jobs=2, contamination=0.1)
    forest.save(tmp_path / "forest")
    assert_same(forest, RandomCutForest.load(tmp_path / "forest"), np.vstack([rows, new]))


@pytest.mark.parametrize("engine", ENGINES)
def test_feature_names_come_back_and_are_checked(engine, tmp_path):
    rows = pd.DataFrame(some_rows(), columns=NAMES)
    forest = fitted(engine, rows)
    forest.save(tmp_path / "forest")
    loaded = RandomCutForest.load(tmp_path / "forest")
    assert_same(forest, loaded, rows)
    assert loaded.feature_names_in_.tolist() == NAMES
    assert loaded.feature_names_in_.dtype == object
    with pytest.raises(ValueError, match="feature names"):
        loaded.codisp(rows.rename(columns={"errors": "faults"}))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("rows", [np.full((9, 3), 2.5), np.eye(2), -1e30 * np.eye(3)], ids=["equal", "two", "huge"])
def test_an_odd_forest_comes_back(engine, rows, tmp_path):
    forest = fitted(engine, rows)
    forest.save(tmp_path / "forest")
    assert_same(forest, RandomCutForest.load(tmp_path / "forest"), rows)


@pytest.mark.parametrize("engine", ENGINES)
def test_rows_that_no_tree_drew_stay_unscored(engine, tmp_path):
    forest = fitted(engine, some_rows(90), n_estimators=2, max_samples=3)
    assert np.isnan(forest.training_codisp_).any()
    forest.save(tmp_path / "forest")
    assert_same(forest, RandomCutForest.load(tmp_path / "forest"), some_rows())


@pytest.mark.parametrize("engine", ENGINES)
def test_trees_taken_from_rrcf_come_back(engine, tmp_path):
    trees = fitted("rrcf").to_rrcf() + fitted("rrcf", some_rows(9)).to_rrcf()
    forest = RandomCutForest.from_rrcf(trees, engine=engine)
    forest.save(tmp_path / "forest")
    assert_same(forest, RandomCutForest.load(tmp_path / "forest"), some_rows())


def test_a_loaded_forest_can_be_cloned_and_fitted_again(saved):
    loaded = RandomCutForest.load(saved)
    again = clone(loaded).fit(some_rows())
    assert again.get_params() == loaded.get_params()
    assert again.codisp(some_rows()).tobytes() == loaded.codisp(some_rows()).tobytes()


def test_saving_twice_gives_the_same_bytes(tmp_path):
    paths = [tmp_path / name for name in ("a", "b", "c")]
    for path in paths[:2]:
        fitted().save(path)
    RandomCutForest.load(paths[0]).save(paths[2])
    assert len({path.read_bytes() for path in paths}) == 1


@pytest.mark.parametrize(
    ("seed", "kept"),
    [(np.int64(7), 7), (None, None), (np.random.RandomState(0), None)],
    ids=["numpy", "none", "state"],
)
def test_a_seed_is_kept_if_it_is_a_number(seed, kept, tmp_path):
    fitted(random_state=seed, max_samples=np.int32(16), contamination=np.float32(0.25)).save(tmp_path / "forest")
    loaded = RandomCutForest.load(tmp_path / "forest")
    assert loaded.random_state == kept
    assert (loaded.max_samples, loaded.contamination) == (16, 0.25)


def test_the_header_is_for_people_to_read(saved):
    first, header, _ = parts(saved)
    assert first.startswith(b"random-cut-forest 1 sha256=")
    assert header["libraries"].keys() == {"numpy", "scikit-learn", "numba", "rrcf"}
    assert header["libraries"]["numpy"] == np.__version__
    assert header["arrays"]["cut"]["dtype"] == "<f4"
    assert header["parameters"]["engine"] == "compiled"


@pytest.mark.parametrize("fault", [OSError("no space left on device"), KeyboardInterrupt()], ids=["disk", "person"])
@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_an_interrupted_save_leaves_the_old_file_and_nothing_beside_it(saved, monkeypatch, step, fault):
    def interrupted(*_):
        raise fault

    before = saved.read_bytes()
    monkeypatch.setattr(*{"fsync": (os, "fsync"), "replace": (Path, "replace")}[step], interrupted)
    with pytest.raises(type(fault)):
        fitted("rrcf").save(saved)
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


@pytest.mark.parametrize(
    "change",
    [
        {"n_estimators": 6},
        {"max_samples": 8},
        {"engine": "rrcf"},
        {"n_jobs": 0},
        {"n_jobs": 5000},
        {"random_state": -1},
        {"contamination": 0.7},
    ],
    ids=str,
)
def test_what_load_would_refuse_is_not_saved(saved, change):
    before = saved.read_bytes()
    with pytest.raises(ValueError, match=r"small\.forest: not saved: .*; fit the forest again"):
        fitted().set_params(**change).save(saved)
    assert saved.read_bytes() == before


def test_a_forest_of_format_1_stays_readable():
    # made once, by the first program that wrote the format; a change that needs another file needs another format
    told = json.loads((GOLDEN / "format-1.json").read_text())
    asked = pd.DataFrame(told["rows"], columns=told["names"])
    forest = RandomCutForest.load(GOLDEN / "format-1.forest")
    for method, expected in told["expected"].items():
        np.testing.assert_allclose(getattr(forest, method)(asked), expected, rtol=1e-5, atol=1e-9, err_msg=method)
    assert forest.get_params() == told["parameters"]
    np.testing.assert_allclose(forest.training_codisp_, np.array(told["training_codisp"], dtype=float), rtol=1e-5)


def test_a_file_with_any_byte_changed_is_refused(saved):
    whole = saved.read_bytes()
    # the text, and a spread over the arrays
    places = [*range(200), *range(200, len(whole), 37), len(whole) - 1]
    for place in places:
        for flip in (0x01, 0x80):
            saved.write_bytes(whole[:place] + bytes([whole[place] ^ flip]) + whole[place + 1 :])
            refused(saved, "found")


def test_a_file_cut_short_or_grown_is_refused(saved):
    whole = saved.read_bytes()
    for length in [*range(130), *range(130, len(whole), 61), len(whole) - 1]:
        saved.write_bytes(whole[:length])
        refused(saved, "found")
    saved.write_bytes(whole + b"\0")
    refused(saved, "cut short or changed")


@pytest.mark.parametrize("later", [b"random-cut-forest 2\n", b"random-cut-forest 17 blake3=9\nqrs"], ids=["2", "17"])
def test_a_newer_format_is_told_from_damage(saved, later):
    saved.write_bytes(later)
    mends = "load it with a program as new as the one that saved it"
    refused(saved, "found format (2|17); expected at most 1, the newest known here", mends)


@pytest.mark.parametrize(
    "other", [b"", b"\n", b"PK\x03\x04", b"random-cut-forest 0 \n", b"random-cut-tree 1 \n", bytes(99)], ids=repr
)
def test_another_file_is_no_saved_forest(saved, other):
    saved.write_bytes(other)
    refused(saved, "expected a saved forest")


def test_a_missing_file_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        RandomCutForest.load(tmp_path / "nowhere")
