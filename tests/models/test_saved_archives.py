"""Archives that save does not write are refused before they are unpacked; a changed byte never leads astray."""

from __future__ import annotations

import io
import os
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from forest_files import (
    fitted,
    forged,
    packed,
    parts,
    refused,
    resealed,
    sealed,
    some_rows,
    told,
    unpacked,
)

from models import RandomCutForest
from models.engines import ENGINES


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
