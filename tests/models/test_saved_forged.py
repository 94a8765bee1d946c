"""Arrays and headers that no forest has are refused, whatever digest the file bears."""

from __future__ import annotations

import json

import numpy as np
import pytest
from forest_files import (
    assert_same,
    fitted,
    forged,
    parts,
    refused,
    sealed,
    some_rows,
    told,
)

from models import RandomCutForest


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
