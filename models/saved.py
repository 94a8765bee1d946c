"""A fitted forest in one file: a line of plain text, a line of JSON, then arrays in npz.

The first line, `random-cut-forest 1 sha256=...`, holds the format's version and the digest of all that follows.
A digest shows damage and not forgery, and compiled code does not look where it reads. So what a file says is
held against itself, and against what an engine could have grown, before there is a forest.
Imports nothing of ours outside models/. tests/models/test_saved_forged.py forges a file for every check."""

from __future__ import annotations

import io
import json
import os
import re
import secrets
from hashlib import sha256
from importlib.metadata import version
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeVar

import numpy as np
from pydantic import Field, ValidationError

from models.base import LARGEST
from models.engines import engine
from models.placement import Placement, placed_width
from models.saved_arrays import Arrays, Declared, Strict, must, unpacked
from models.trees import Trees, check

if TYPE_CHECKING:
    from models.forest import RandomCutForest

F = TypeVar("F", bound="RandomCutForest")

VERSION: Final = 1
_FIRST_LINE = re.compile(rb"random-cut-forest ([1-9][0-9]{0,8})[ \n](?:sha256=([0-9a-f]{64})\n)?")
_OF_TREES = ("first", "dim", "cut", "right", "mass", "row", "rows")
_OF_PLACEMENT = ("origin", "varying", "constant")
_ARRAYS = (*_OF_TREES, *_OF_PLACEMENT, "training_codisp_")
# of all arrays; a thousand trees of a thousand rows and sixty columns in double precision are half of it
_MOST_BYTES = 2**30
_LONGEST_HEADER = 2**24


class _Parameters(Strict, frozen=True):
    """What the estimator was made with; most ranges it checks itself."""

    n_estimators: int
    max_samples: int
    engine: str
    contamination: float | Literal["auto"]
    random_state: Annotated[int, Field(ge=0, lt=2**32)] | None
    # each may become a thread
    n_jobs: Annotated[int, Field(ge=-1024, le=1024)] | None


class _Header(Strict, frozen=True):
    """The line of JSON."""

    libraries: dict[str, str]
    parameters: _Parameters
    max_samples_: int = Field(ge=1)
    n_features_in_: int = Field(ge=1)
    feature_names_in_: list[str] | None
    offset_: float
    # with it, cells up to 1e30 stay far from the ends of double precision
    exponent: int = Field(ge=-200, le=200)
    whole: bool
    lanes: int
    arrays: dict[str, Declared]


class _NewerError(ValueError):
    """The file may be sound, only this program is too old for it."""


def save(forest: RandomCutForest, path: Path) -> None:
    """Writes a fitted forest, replacing the file at once and whole; the same forest gives the same bytes.

    A random_state that is no whole number is saved as None.
    Raises:
        ValueError: load would refuse the file, say because a parameter was changed since fit.
    """
    try:
        body = _body(forest)
    except ValueError as error:
        raise ValueError(f"{path}: not saved: {error}; fit the forest again") from error
    # of a link, the file it leads to is replaced; only within a folder is that one step
    path = path.resolve()
    temporary = path.with_name(f".forest-{secrets.token_hex(8)}")
    try:
        with temporary.open("xb") as out:
            out.write(f"random-cut-forest {VERSION} sha256={sha256(body).hexdigest()}\n".encode() + body)
            out.flush()
            os.fsync(out.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def load(cls: type[F], path: Path) -> F:
    """The forest that save wrote.

    Raises:
        ValueError: the file is damaged, of a newer format, or no saved forest; the message tells which.
    """
    try:
        line, npz = _parts(path)
        header = _header(line)
        forest = cls(**header.parameters.model_dump())
        forest._check_params()
        _check_header(header)
        arrays = unpacked(npz, header.arrays)
        forest.placement_ = _placement(header, arrays)
        forest.trees_ = _trees(header, arrays)
        own = forest.training_codisp_ = arrays["training_codisp_"]
        must((np.isnan(own) | (own >= 0) & (own < np.inf)).all(), "training_codisp_: another", "NaN or at least 0")
    except _NewerError as error:
        raise ValueError(f"{path}: {error}; load it with a program as new as the one that saved it") from error
    # JSON as deep as Python's stack is a RecursionError
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: {error}; save the forest again with this program") from error
    for name in ("max_samples_", "n_features_in_", "offset_"):
        setattr(forest, name, getattr(header, name))
    forest.engine_ = header.parameters.engine
    if header.feature_names_in_ is not None:
        forest.feature_names_in_ = np.array(header.feature_names_in_, dtype=object)
    return forest


def _body(forest: RandomCutForest) -> bytes:
    """All that follows the first line."""
    forest._check_params()
    held = vars(forest) | vars(forest.placement_) | vars(forest.trees_)
    arrays = {name: np.ascontiguousarray(held[name], held[name].dtype.newbyteorder("<")) for name in _ARRAYS}
    names, seed = held.get("feature_names_in_"), forest.random_state
    parameters = forest.get_params() | {"random_state": int(seed) if isinstance(seed, Integral) else None}
    header = {
        "libraries": {name: version(name) for name in ("numpy", "scikit-learn", "numba", "rrcf")},
        "parameters": {name: v.item() if isinstance(v, np.generic) else v for name, v in parameters.items()},
        "feature_names_in_": None if names is None else [str(name) for name in names],
        "offset_": float(forest.offset_),
        **{name: held[name] for name in ("max_samples_", "n_features_in_", "exponent", "whole", "lanes")},
        "arrays": {name: {"dtype": a.dtype.str, "shape": list(a.shape)} for name, a in arrays.items()},
    }
    must(all(map(_encodable, names if names is not None else [])), "a feature name with half a character", "whole text")
    line = json.dumps(header).encode()
    _check_header(_header(line))
    npz = io.BytesIO()
    np.savez_compressed(npz, allow_pickle=False, **arrays)
    return line + b"\n" + npz.getvalue()


def _encodable(name: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in str(name))


def _parts(path: Path) -> tuple[bytes, bytes]:
    """The line of JSON and the archive, of a file whose digest is right."""
    with path.open("rb") as file:
        line = file.readline(128)
        told = _FIRST_LINE.match(line)
        if not told:
            raise ValueError(f"found {line[:32]!r}; expected a saved forest, which begins with 'random-cut-forest'")
        if int(told[1]) > VERSION:
            raise _NewerError(f"found format {int(told[1])}; expected at most {VERSION}, the newest known here")
        size = os.fstat(file.fileno()).st_size
        most = _MOST_BYTES + 2 * _LONGEST_HEADER
        must(size <= most, f"a file of {size} bytes", f"at most {most}")
        body = file.read(size)
    intact = told[2] == sha256(body).hexdigest().encode()
    must(intact, "a file that was cut short or changed", "the bytes that its first line has the sha256 of")
    header, _, npz = body.partition(b"\n")
    return header, npz


def _header(line: bytes) -> _Header:
    must(len(line) <= _LONGEST_HEADER, f"a header of {len(line)} bytes", f"at most {_LONGEST_HEADER}")
    try:
        return _Header.model_validate(json.loads(line, object_pairs_hook=_once))
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        where = ".".join(map(str, fault["loc"]))
        raise ValueError(f"header, {where}: found {fault['input']!r:.60}; {fault['msg']}") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    must(len(dict(pairs)) == len(pairs), "a key twice in an object of the header", "each key once")
    return dict(pairs)


def _check_header(header: _Header) -> None:
    """Nothing; what no forest could have is refused before anything of its size is made."""
    given, made_by = header.parameters, engine(header.parameters.engine)
    found, needed = (header.whole, header.lanes), (made_by.WHOLE, made_by.LANES)
    must(found == needed, f"whole, lanes {found}", f"{needed} with engine {given.engine!r}")
    sampled, names = header.max_samples_, header.feature_names_in_
    must(sampled <= given.max_samples, f"max_samples_={sampled}", f"at most max_samples={given.max_samples}")
    alike = names is None or len(names) == header.n_features_in_
    must(alike, f"feature names {names!s:.60}", f"one for each of {header.n_features_in_} features")
    must(header.arrays.keys() == set(_ARRAYS), f"arrays {sorted(header.arrays)}", f"{sorted(_ARRAYS)}")
    for name, array in _expected(header).items():
        must(header.arrays[name] == array, f"{name}: {header.arrays[name]}", str(array))
    n_nodes, n_rows = (header.arrays[name].shape[0] for name in ("dim", "rows"))
    must(1 <= n_rows <= n_nodes, f"{n_rows} rows of leaves", f"1 to {n_nodes}")
    total = sum(array.n_bytes for array in header.arrays.values())
    must(total <= _MOST_BYTES, f"arrays of {total} bytes", f"at most {_MOST_BYTES}")


def _expected(header: _Header) -> dict[str, Declared]:
    """What each array must be, given the header's count of nodes, leaves' rows, varying columns and fitted rows."""
    free = ("dim", "rows", "varying", "training_codisp_")
    n_nodes, n_rows, n_varying, n_fitted = (header.arrays[name].shape[0] for name in free)
    n_trees, n_features = header.parameters.n_estimators, header.n_features_in_
    must(n_varying <= n_features, f"{n_varying} varying columns", f"at most {n_features}")
    width = placed_width(n_varying, n_features - n_varying, whole=header.whole, lanes=header.lanes)
    cell = "<f8" if header.whole else "<f4"
    return {
        "first": Declared(dtype="<i8", shape=[n_trees + 1]),
        **dict.fromkeys(("dim", "right", "mass", "row"), Declared(dtype="<i4", shape=[n_nodes])),
        "cut": Declared(dtype=cell, shape=[n_nodes]),
        "rows": Declared(dtype=cell, shape=[n_rows, width]),
        "origin": Declared(dtype="<f8", shape=[n_features]),
        "varying": Declared(dtype="<i8", shape=[n_varying]),
        "constant": Declared(dtype="<i8", shape=[n_features - n_varying]),
        "training_codisp_": Declared(dtype="<f8", shape=[n_fitted]),
    }


def _placement(header: _Header, arrays: Arrays) -> Placement:
    origin, varying, constant = (arrays[name] for name in _OF_PLACEMENT)
    must((np.abs(origin) <= LARGEST).all(), "origin: a NaN or larger number", f"at most {LARGEST:g}")
    rising = all((ascending[1:] > ascending[:-1]).all() for ascending in (varying, constant))
    every = np.array_equal(np.sort(np.concatenate([varying, constant])), np.arange(len(origin)))
    must(rising and every, "varying and constant: other columns", f"0 to {len(origin) - 1}, rising, in one of them")
    return Placement(origin, header.exponent, varying, constant, header.whole, header.lanes)


def _trees(header: _Header, arrays: Arrays) -> Trees:
    trees = Trees(*(arrays[name] for name in _OF_TREES))
    rows = trees.rows
    check(trees)
    must(not rows[:, len(arrays["varying"]) :].any(), "rows: a number in the padding", "zeros")
    if header.whole:
        must(np.array_equal(rows, np.rint(rows)), "rows: a fraction", "whole numbers")
    must(trees.sampled == header.max_samples_, f"trees of {trees.sampled} rows", f"max_samples_={header.max_samples_}")
    return trees
