"""Saved forests for tests: made small, taken apart and forged with the digest that their bytes have."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile

import numpy as np
import pytest

from models import RandomCutForest

METHODS = ("codisp", "aws_score", "attribute", "predict", "score_samples", "decision_function")


def some_rows(n=40, columns=4):
    """Rows with a duplicate and a constant column."""
    rows = np.random.default_rng(3).normal(size=(n, columns)).round(2)
    rows[1] = rows[0]
    rows[:, 2] = 7.25
    return rows


def fitted(engine="compiled", rows=None, **changes):
    """A small forest."""
    asked = {"n_estimators": 5, "max_samples": 16, "random_state": 4, "engine": engine, **changes}
    return RandomCutForest(**asked).fit(some_rows() if rows is None else rows)


def assert_same(forest, other, asked):
    """Both are made alike, hold the same and say the same of the rows asked."""
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
    """The arrays of an npz, by name."""
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


def told(*path, value):
    """A change of the header at the path."""

    def change(header):
        for key in path[:-1]:
            header = header[key]
        header[path[-1]] = value

    return change


def resealed(path, change):
    """Rewrites a saved forest with the bytes of its archive changed."""
    _, header, npz = parts(path)
    sealed(path, header, change(npz))
