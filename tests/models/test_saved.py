"""A forest comes back from its file bit for bit; a damaged or hostile file is a ValueError that names it."""

from __future__ import annotations

import hashlib
import io
import json
import os
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from models import RandomCutForest
from models.engines import ENGINES

GOLDEN = Path(__file__).parent / "golden"
NAMES = ["requests", "namespaces", "façade", "errors"]
METHODS = ("codisp", "aws_score", "attribute", "predict", "score_samples", "decision_function")


def some_rows(n=40, columns=4):
    """Rows with a duplicate and a constant column."""
    rows = np.random.default_rng(3).normal(size=(n, columns)).round(2)
    rows[1] = rows[0]
    rows[:, 2] = 7.25
    return rows


def fitted(engine="compiled", rows=None, **changes):
    asked = {"n_estimators": 5, "max_samples": 16, "random_state": 4, "engine": engine, **changes}
    return RandomCutForest(**asked).fit(some_rows() if rows is None else rows)


def assert_same(forest, other, asked):
    assert other.get_params() == forest.get_params()
    assert vars(other).keys() == vars(forest).keys()
    for method in METHODS:
        assert getattr(other, method)(asked).tobytes() == getattr(forest, method)(asked).tobytes(), method
    assert other.training_codisp_.tobytes() == forest.training_codisp_.tobytes()
    for name in ("offset_", "max_samples_", "n_features_in_"):
        assert getattr(other, name) == getattr(forest, name)
    for name in ("first", "dim", "cut", "right", "mass", "row", "rows"):
        was, found = (getattr(each.trees_, name) for each in (forest, other))
        assert (found.tobytes(), found.dtype, found.shape) == (was.tobytes(), was.dtype, was.shape)
        # kernels are compiled for such arrays, and anew for any other
        assert found.flags.writeable
        assert found.flags.c_contiguous


@pytest.fixture
def saved(tmp_path):
    """The path of a saved forest."""
    fitted().save(tmp_path / "small.forest")
    return tmp_path / "small.forest"


def parts(path):
    """The first line, the JSON object, and the bytes of the archive."""
    first, line, npz = path.read_bytes().split(b"\n", 2)
    return first, json.loads(line), npz


def packed(arrays, method=zipfile.ZIP_DEFLATED):
    """An npz of arrays or, where one is given as bytes, of just those."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, array in arrays.items():
            npy = io.BytesIO()
            if isinstance(array, bytes):
                npy.write(array)
            else:
                np.save(npy, array, allow_pickle=True)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), npy.getvalue(), method)
    return out.getvalue()


def unpacked(npz):
    return dict(np.load(io.BytesIO(npz), allow_pickle=False))


def sealed(path, line, npz):
    """Writes the file with the digest that its bytes have."""
    body = (line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" + npz
    path.write_bytes(b"random-cut-forest 1 sha256=" + hashlib.sha256(body).hexdigest().encode() + b"\n" + body)


def forged(path, arrays=None, header=None):
    """Rewrites a saved forest with its arrays changed and declared as they are, then its header changed."""
    _, head, npz = parts(path)
    cells = unpacked(npz)
    for name, change in (arrays or {}).items():
        cells[name] = change(cells[name].copy())
    head["arrays"] = {name: {"dtype": a.dtype.str, "shape": list(a.shape)} for name, a in cells.items()}
    if header:
        header(head)
    sealed(path, head, packed(cells))


def refused(path, match, mends="save the forest again with this program"):
    """Loads what is to be refused; the message names the file, the fault and what mends it."""
    with pytest.raises(ValueError, match=match) as caught:
        RandomCutForest.load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert message.endswith(f"; {mends}")
    assert "\n" not in message
    assert len(message) < 1000


# the way there and back


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


# damage


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


# forgery: every file below has the digest that its bytes have


def put(place, value):
    """A change of one cell of an array."""

    def change(array):
        array[place] = value
        return array

    return change


def at_inner(value):
    """A change of the root's cell; the root of the saved forest's first tree has children."""
    return put(0, value)


def last(value):
    """A change of the last cell, a leaf's."""
    return put(-1, value)


FORGED_ARRAYS = {
    "a_child_before_its_parent": ({"right": at_inner(0)}, "right child"),
    "a_child_in_another_tree": ({"right": at_inner(10_000)}, "right child"),
    "a_child_far_below": ({"right": at_inner(-(2**31))}, "right child"),
    "two_parents": ({"right": at_inner(2)}, "one parent"),
    "a_leaf_with_a_child": ({"right": last(1)}, "leaves have no column"),
    "a_column_too_many": ({"dim": at_inner(8)}, "columns of the rows"),
    "a_column_of_the_padding": ({"dim": at_inner(5)}, "parts its children"),
    "a_column_below_none": ({"dim": last(-2)}, "leaves have no column"),
    "a_row_too_many": ({"row": last(10_000)}, "leaves name rows"),
    "a_leaf_without_a_row": ({"row": last(-1)}, "leaves name rows"),
    "an_inner_node_with_a_row": ({"row": at_inner(0)}, "inner nodes have no row"),
    "a_cut_beside_the_box": ({"cut": at_inner(9.0)}, "parts its children"),
    "a_cut_of_nan": ({"cut": at_inner(np.nan)}, "cuts are finite"),
    "a_leaf_cut_of_nan": ({"cut": last(np.nan)}, "cuts are finite"),
    "an_infinite_row": ({"rows": put((0, 0), np.inf)}, "rows are finite"),
    "a_row_of_nan": ({"rows": put((0, 0), np.nan)}, "rows are finite"),
    "rows_turned_over": ({"rows": np.negative}, "parts its children"),
    "rows_all_equal": ({"rows": np.zeros_like}, "parts its children"),
    "a_cell_in_the_padding": ({"rows": put((0, 7), 1.0)}, "padding"),
    "a_mass_of_none": ({"mass": last(0)}, "at least 1"),
    "a_negative_mass": ({"mass": last(-5)}, "at least 1"),
    "a_mass_that_is_no_sum": ({"mass": at_inner(15)}, "sum of its children"),
    "masses_that_wrap": ({"mass": lambda mass: np.full_like(mass, 2**31 - 1)}, "sum of its children"),
    "trees_of_other_size": ({"mass": lambda mass: 2 * mass}, "trees of 32 rows"),
    "no_first_tree": ({"first": at_inner(1)}, "first goes from 0"),
    "trees_that_overlap": ({"first": put(1, 0)}, "every tree has a node"),
    "trees_that_end_late": ({"first": last(10_000)}, "first goes from 0"),
    "trees_from_below": ({"first": put(1, -1)}, "every tree has a node"),
    # differences of these wrap around and come out positive
    "trees_far_away": ({"first": lambda first: put(2, -2)(put(1, 2**63 - 1)(first))}, "every tree has a node"),
    "a_cell_at_nan": ({"origin": at_inner(np.nan)}, "origin"),
    "a_cell_at_infinity": ({"origin": at_inner(-np.inf)}, "origin"),
    "a_cell_far_out": ({"origin": at_inner(1.5e30)}, "origin"),
    "a_column_twice": ({"varying": put(1, 0)}, "varying and constant"),
    "columns_out_of_order": ({"varying": lambda varying: varying[::-1].copy()}, "varying and constant"),
    "a_column_beyond_the_last": ({"varying": last(4)}, "varying and constant"),
    "a_column_before_the_first": ({"constant": at_inner(-1)}, "varying and constant"),
    "a_column_in_both": ({"constant": at_inner(0)}, "varying and constant"),
    "a_column_in_neither": ({"constant": lambda constant: constant[:0]}, "constant"),
    "a_negative_codisp": ({"training_codisp_": at_inner(-0.5)}, "training_codisp_"),
    "an_infinite_codisp": ({"training_codisp_": at_inner(np.inf)}, "training_codisp_"),
    "no_rows": ({"rows": lambda rows: rows[:0]}, "0 rows of leaves"),
    "more_rows_than_nodes": ({"rows": lambda rows: np.repeat(rows, 50, axis=0)}, "rows of leaves"),
    "too_few_rows": ({"rows": lambda rows: rows[:3]}, "more leaves than there are rows"),
    "rows_without_padding": ({"rows": lambda rows: rows[:, :3].copy()}, "rows: dtype"),
    "rows_of_another_width": ({"rows": lambda rows: np.hstack([rows, rows])}, "rows: dtype"),
    "rows_in_a_line": ({"rows": np.ravel}, "rows: dtype"),
    "masses_in_a_table": ({"mass": lambda mass: mass[:, None]}, "mass: dtype"),
    "a_number_for_an_array": ({"mass": lambda mass: mass[0].reshape(())}, "mass"),
    "a_node_without_a_cut": ({"cut": lambda cut: cut[:-1]}, "cut: dtype"),
    "a_tree_too_few": ({"first": lambda first: first[1:]}, "first: dtype"),
    "rows_in_double_precision": ({"rows": np.float64}, "rows: dtype"),
    "masses_of_64_bits": ({"mass": np.int64}, "mass: dtype"),
    "masses_without_a_sign": ({"mass": np.uint32}, "mass: dtype"),
    "cuts_in_half_precision": ({"cut": np.float16}, "cut: dtype"),
    "cuts_in_another_order": ({"cut": lambda cut: cut.astype(">f4")}, "cut: dtype"),
    "complex_codisp": ({"training_codisp_": np.complex128}, "training_codisp_: dtype"),
    "texts": ({"dim": lambda dim: dim.astype(str)}, "dim: dtype"),
    "pickled_objects": ({"dim": lambda dim: dim.astype(object)}, "dim: dtype"),
}


@pytest.mark.parametrize(("arrays", "match"), FORGED_ARRAYS.values(), ids=FORGED_ARRAYS)
def test_arrays_that_no_forest_has_are_refused(saved, arrays, match):
    forged(saved, arrays)
    refused(saved, match)


@pytest.mark.parametrize(
    ("arrays", "match"),
    [
        ({"rows": put((0, 0), 0.5)}, "a fraction|parts its children"),
        ({"rows": lambda rows: rows / 2, "cut": lambda cut: cut / 2}, "a fraction"),
        ({"rows": np.float32}, "rows: dtype"),
        ({"cut": np.float32}, "cut: dtype"),
    ],
    ids=["a_fraction", "halves", "single_rows", "single_cuts"],
)
def test_the_reference_engine_takes_whole_numbers_in_double_precision(saved, arrays, match):
    fitted("rrcf").save(saved)
    forged(saved, arrays)
    refused(saved, match)


def test_the_forger_forges_only_what_it_is_told(saved):
    forged(saved)
    assert_same(fitted(), RandomCutForest.load(saved), some_rows())


def told(*path, value):
    """A change of the header at the path."""

    def change(header):
        for key in path[:-1]:
            header = header[key]
        header[path[-1]] = value

    return change


def without(*path):
    def change(header):
        for key in path[:-1]:
            header = header[key]
        del header[path[-1]]

    return change


FORGED_HEADERS = {
    "engine_unknown": (told("parameters", "engine", value="cuda"), "engine: found .cuda."),
    "engine_of_other_trees": (told("parameters", "engine", value="rrcf"), "whole, lanes"),
    "engine_in_a_list": (told("parameters", "engine", value=["rrcf"]), "parameters.engine"),
    "trees_none": (told("parameters", "n_estimators", value=0), "n_estimators"),
    "trees_one_more": (told("parameters", "n_estimators", value=6), "first: dtype"),
    "trees_a_fraction": (told("parameters", "n_estimators", value=5.0), "n_estimators"),
    "trees_true": (told("parameters", "n_estimators", value=True), "n_estimators"),
    "trees_a_text": (told("parameters", "n_estimators", value="5"), "n_estimators"),
    "trees_countless": (told("parameters", "n_estimators", value=10**300), "first: dtype"),
    "samples_too_few": (told("parameters", "max_samples", value=1), "max_samples"),
    "samples_fewer_than_drawn": (told("parameters", "max_samples", value=15), "max_samples_=16"),
    "seed_negative": (told("parameters", "random_state", value=-1), "random_state"),
    "seed_large": (told("parameters", "random_state", value=2**32), "random_state"),
    "seed_a_list": (told("parameters", "random_state", value=[1, 2]), "random_state"),
    "threads_none": (told("parameters", "n_jobs", value=0), "n_jobs"),
    "threads_countless": (told("parameters", "n_jobs", value=10**9), "n_jobs"),
    "contamination_high": (told("parameters", "contamination", value=0.6), "contamination"),
    "contamination_a_word": (told("parameters", "contamination", value="high"), "contamination"),
    "contamination_nan": (told("parameters", "contamination", value=float("nan")), "contamination"),
    "parameter_unknown": (told("parameters", "warm_start", value=1), "parameters.warm_start"),
    "parameter_missing": (without("parameters", "n_jobs"), "parameters.n_jobs"),
    "drawn_fewer": (told("max_samples_", value=15), "trees of 16 rows"),
    "drawn_none": (told("max_samples_", value=0), "max_samples_"),
    "drawn_missing": (without("max_samples_"), "max_samples_"),
    "features_more": (told("n_features_in_", value=5), "origin|constant"),
    "features_fewer": (told("n_features_in_", value=2), "varying"),
    "features_countless": (told("n_features_in_", value=10**4299), "origin|constant|digits"),
    "names_too_few": (told("feature_names_in_", value=["a"]), "feature names"),
    "names_of_numbers": (told("feature_names_in_", value=[1, 2, 3, 4]), "feature_names_in_.0"),
    "names_a_text": (told("feature_names_in_", value="abcd"), "feature_names_in_"),
    "offset_nan": (told("offset_", value=float("nan")), "offset_"),
    "offset_infinite": (told("offset_", value=float("-inf")), "offset_"),
    "offset_a_text": (told("offset_", value="-3"), "offset_"),
    "offset_none": (told("offset_", value=None), "offset_"),
    "unit_too_fine": (told("exponent", value=201), "exponent"),
    "unit_too_coarse": (told("exponent", value=-201), "exponent"),
    "unit_a_fraction": (told("exponent", value=1.5), "exponent"),
    "whole_for_single": (told("whole", value=True), "whole, lanes"),
    "whole_a_number": (told("whole", value=0), "whole"),
    "lanes_none": (told("lanes", value=0), "whole, lanes"),
    "lanes_fewer": (told("lanes", value=4), "whole, lanes"),
    "libraries_a_list": (told("libraries", value=[]), "libraries"),
    "key_unknown": (told("shell", value="reboot"), "shell"),
    "array_missing": (without("arrays", "cut"), "arrays"),
    "array_unknown": (told("arrays", "more", value={"dtype": "<i4", "shape": [1]}), "arrays"),
    "array_without_shape": (without("arrays", "cut", "shape"), "arrays.cut.shape"),
    "dtype_unknown": (told("arrays", "cut", "dtype", value="nonsense"), "cut: dtype"),
    "dtype_object": (told("arrays", "cut", "dtype", value="|O"), "cut: dtype"),
    "shape_empty": (told("arrays", "dim", "shape", value=[]), "arrays.dim.shape"),
    "shape_deep": (told("arrays", "dim", "shape", value=[1, 1, 1]), "arrays.dim.shape"),
    "shape_negative": (told("arrays", "rows", "shape", value=[-1, 8]), "arrays.rows.shape.0"),
    "shape_smaller": (told("arrays", "training_codisp_", "shape", value=[39]), "bytes|npy header"),
    "shape_larger": (
        told("arrays", "training_codisp_", "shape", value=[41]),
        "training_codisp_: (448 bytes|npy header)",
    ),
    "shape_countless": (told("arrays", "training_codisp_", "shape", value=[2**40]), "arrays of"),
    "shape_past_64_bits": (told("arrays", "training_codisp_", "shape", value=[2**70]), "arrays of"),
}


@pytest.mark.parametrize(("change", "match"), FORGED_HEADERS.values(), ids=FORGED_HEADERS)
def test_a_header_that_no_forest_has_is_refused(saved, change, match):
    forged(saved, header=change)
    refused(saved, match)


@pytest.mark.parametrize(
    ("line", "match"),
    [
        (b"", "Expecting value"),
        (b"[]", "found"),
        (b"null", "found"),
        (b"{", "found|Expecting"),
        (b'"\xff"', "decode"),
        (b"[" * 200_000, "recursion"),
        (b'{"a":' * 200_000, "recursion"),
        (b'{"lanes":' + b"9" * 5000 + b"}", "digits"),
        (b" " * (2**24 + 1), "a header of 16777217 bytes"),
    ],
    ids=["empty", "list", "null", "open", "no_text", "deep_lists", "deep_objects", "long_number", "long"],
)
def test_a_line_that_is_no_header_is_refused(saved, line, match):
    sealed(saved, line, parts(saved)[2])
    refused(saved, match)


def test_a_header_with_a_key_twice_is_refused(saved):
    _, header, npz = parts(saved)
    line = json.dumps(header).replace('"lanes": 8', '"lanes": 1, "lanes": 8')
    sealed(saved, line.encode(), npz)
    refused(saved, "a key twice")


def resealed(path, change):
    """Rewrites a saved forest with the bytes of its archive changed."""
    _, header, npz = parts(path)
    sealed(path, header, change(npz))


def with_members(change):
    """A change of the archive's members, given as arrays or bytes."""
    return lambda npz: packed(change(unpacked(npz)))


def twice(npz):
    """The archive with one member by the name of another."""
    return npz.replace(b"row.npy", b"dim.npy")


def npy(array):
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def npy_with(text):
    """Members in which mass has another npy header of the same length."""

    def change(arrays):
        whole = npy(arrays["mass"])
        start = len(whole) - arrays["mass"].nbytes
        return arrays | {"mass": whole[:10] + text(whole[10:start].rstrip()).ljust(start - 11) + b"\n" + whole[start:]}

    return with_members(change)


def npy_patched(place, value):
    """Members in which mass begins otherwise."""

    def change(arrays):
        whole = npy(arrays["mass"])
        return arrays | {"mass": whole[:place] + value + whole[place + len(value) :]}

    return with_members(change)


FORGED_ARCHIVES = {
    "none": (lambda _: b"", "no npz"),
    "no_archive": (lambda _: bytes(500), "no npz"),
    "cut_short": (lambda npz: npz[:-1], "no npz"),
    "without_beginning": (lambda npz: npz[40:], "negative seek"),
    "another_packing": (lambda npz: packed(unpacked(npz), zipfile.ZIP_LZMA), "another packing"),
    "no_packing": (lambda npz: packed(unpacked(npz), zipfile.ZIP_STORED), "another packing"),
    "a_member_more": (with_members(lambda a: a | {"more": a["cut"]}), "npz members"),
    "a_member_less": (with_members(lambda a: {name: a[name] for name in a if name != "cut"}), "npz members"),
    "a_member_elsewhere": (with_members(lambda a: a | {"../cut": a["cut"]}), "npz members"),
    "a_member_twice": (twice, "npz members"),
    "a_member_longer": (with_members(lambda a: a | {"cut": np.append(a["cut"], a["cut"])}), "cut: npy header|bytes"),
    "a_member_shorter": (with_members(lambda a: a | {"cut": a["cut"][:9]}), "cut: .* bytes"),
    "no_npy": (with_members(lambda a: a | {"cut": bytes(128 + a["cut"].nbytes)}), "cut: npy header"),
    "npy_only_cells": (with_members(lambda a: a | {"cut": a["cut"].tobytes()}), "cut: npy header"),
    "another_type": (with_members(lambda a: a | {"cut": a["cut"].view(np.int32)}), "cut: npy header"),
    "another_order": (with_members(lambda a: a | {"rows": np.asfortranarray(a["rows"])}), "rows: npy header"),
    "another_shape": (with_members(lambda a: a | {"rows": a["rows"].T.copy()}), "rows: npy header"),
    "objects": (npy_with(lambda text: text.replace(b"<i4", b"|O ")), "mass: npy header"),
    "objects_within": (npy_with(lambda text: text.replace(b"'<i4'", b"[('a','O')]")), "mass: npy header"),
    "code": (npy_with(lambda _: b"__import__('os').abort()"), "mass: npy header"),
    "a_key_more": (npy_with(lambda text: text.replace(b"}", b"'a': 1}")), "mass: npy header"),
    "deep": (npy_with(lambda _: b"(" * 100), "mass: npy header"),
    "another_magic": (npy_patched(0, b"\x93NUMPI"), "mass: npy header"),
    "another_version": (npy_patched(6, b"\x02"), "mass: npy header"),
    "another_length": (npy_patched(8, b"\x00"), "mass: npy header"),
}


@pytest.mark.parametrize(("change", "match"), FORGED_ARCHIVES.values(), ids=FORGED_ARCHIVES)
def test_an_archive_that_save_does_not_write_is_refused(saved, change, match):
    resealed(saved, change)
    refused(saved, match)


def test_a_pickle_is_never_opened(saved):
    class Trap:
        def __reduce__(self):
            return (os.abort, ())

    forged(saved, {"dim": lambda dim: np.array([Trap()] * len(dim))})
    refused(saved, "dim: dtype")
    fitted().save(saved)
    forged(saved, {"dim": lambda dim: np.array([Trap()] * len(dim))}, told("arrays", "dim", "dtype", value="<i4"))
    refused(saved, "dim: npy header|dim: .* bytes")


def entry(npz, name):
    """Where the archive's directory tells of the member."""
    return npz.rindex(b"PK\x01\x02", 0, npz.rindex(name.encode()))


def patched(npz, place, value, length=4):
    return npz[:place] + value.to_bytes(length, "little") + npz[place + length :]


def lying(npz):
    """mass unpacks to 64 MB, and the directory tells the size that the header declares."""
    arrays = unpacked(npz)
    size = 128 + arrays["mass"].nbytes
    npz = packed(arrays | {"mass": bytes(2**26)})
    return patched(npz, entry(npz, "mass.npy") + 24, size)


def crowded(npz):
    """A directory of many members."""
    out = io.BytesIO(npz)
    with zipfile.ZipFile(out, "a") as archive:
        for k in range(20_000):
            archive.writestr(f"{k}.npy", b"")
    return out.getvalue()


def crowded_in_64_bits(npz):
    """The same, told by a second end of the directory that zipfile prefers to the usual one."""
    npz = crowded(npz)
    size, offset = (int.from_bytes(npz[-k:][:4], "little") for k in (10, 6))
    end = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 20_011, 20_011, size, offset)
    return npz[:-22] + end + struct.pack("<4sLQL", b"PK\6\7", 0, offset + size, 1) + patched(npz[-22:], 12, 99)


BOMBS = {
    "larger_than_declared": (with_members(lambda a: a | {"mass": bytes(2**26)}), "mass: 67108864 bytes"),
    "larger_than_the_directory_says": (lying, "cannot be unpacked"),
    "a_long_directory": (crowded, "a long directory"),
    "a_long_directory_behind_a_short_one": (crowded_in_64_bits, "a long directory"),
}


@pytest.mark.parametrize(("bomb", "match"), BOMBS.values(), ids=BOMBS)
def test_a_bomb_is_refused_without_being_unpacked(saved, bomb, match):
    resealed(saved, bomb)
    tracemalloc.start()
    try:
        refused(saved, match)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2**22 + 4 * saved.stat().st_size


def test_arrays_declared_larger_than_any_forest_are_refused_without_being_made(saved):
    def change(header):
        header["arrays"]["training_codisp_"]["shape"] = [2**27]

    forged(saved, header=change)
    refused(saved, "arrays of 10737[0-9]{5} bytes; expected at most 1073741824")


def test_a_file_larger_than_any_forest_is_not_read(saved):
    with saved.open("r+b") as file:
        # sparse: takes no room on the disk
        file.truncate(2**40)
    refused(saved, "a file of 1099511627776 bytes")


def test_a_member_that_ends_early_is_refused(saved):
    def early(npz):
        whole = unpacked(npz)
        told, size = npy(whole["mass"])[: -whole["mass"].nbytes], whole["mass"].nbytes
        # as much is missing as the cells are longer than the header: counted from the end, all is in its place
        npz = packed(whole | {"mass": told + bytes((size - len(told)) // 2)})
        return patched(npz, entry(npz, "mass.npy") + 24, len(told) + size)

    resealed(saved, early)
    refused(saved, "mass: npy header")


def test_an_archive_with_any_byte_changed_is_refused_or_the_same_forest(saved):
    expected = fitted().codisp(some_rows()).tobytes()
    _, header, npz = parts(saved)
    directory = npz.index(b"PK\x01\x02")
    for place in [*range(0, directory, 29), *range(directory, len(npz))]:
        sealed(saved, header, patched(npz, place, npz[place] ^ (0x01, 0x10, 0xFF)[place % 3], length=1))
        try:
            forest = RandomCutForest.load(saved)
        except ValueError as error:
            assert str(error).startswith(f"{saved}: ")  # noqa: PT017 - dates and the like mean nothing
        else:
            assert forest.codisp(some_rows()).tobytes() == expected


@pytest.mark.parametrize("engine", ENGINES)
def test_any_cell_changed_is_refused_or_scores_a_number(saved, engine):
    fitted(engine).save(saved)
    _, header, npz = parts(saved)
    arrays = unpacked(npz)
    rng = np.random.default_rng(1)
    for name, array in arrays.items():
        for _ in range(25):
            raw = bytearray(array.tobytes())
            place = int(rng.integers(len(raw)))
            raw[place] ^= int(rng.integers(1, 256))
            sealed(saved, header, packed(arrays | {name: np.frombuffer(raw, array.dtype).reshape(array.shape)}))
            try:
                forest = RandomCutForest.load(saved)
            except ValueError as error:
                assert str(error).startswith(f"{saved}: ")  # noqa: PT017 - some changes are another sound forest
            else:
                assert np.isfinite(forest.codisp(some_rows())).all()
                assert np.isfinite(forest.attribute(some_rows())).all()
