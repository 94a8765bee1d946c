"""The arrays of a saved forest: an npz that is unpacked only as far as it holds what is declared of it.

Imports nothing of ours. tests/models/test_saved_archives.py forges archives."""

from __future__ import annotations

import io
import math
import zipfile
import zlib
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

Arrays = dict[str, NDArray[Any]]


class Strict(BaseModel, frozen=True, extra="forbid", strict=True, allow_inf_nan=False):
    """A JSON object with these keys and no others, of just these types."""


class Declared(Strict, frozen=True):
    """numpy's name of the type, little-endian, and the lengths; in C order."""

    dtype: str
    shape: list[Annotated[int, Field(ge=0)]] = Field(min_length=1, max_length=2)

    @property
    def n_bytes(self) -> int:
        """Of its cells."""
        return np.dtype(self.dtype).itemsize * math.prod(self.shape)


def unpacked(npz: bytes, declared: dict[str, Declared]) -> Arrays:
    """The arrays; each is unpacked only if its size in the directory is the declared one.

    Raises:
        ValueError: the archive is damaged, or holds anything else.
    """
    # zipfile reads the directory whole, and a 64-bit one, if there is any, in place of the one looked at here
    size = int.from_bytes(npz[-10:-6], "little")
    ends = npz[-22:-18] == b"PK\5\6" and npz[-42:-38] != b"PK\6\7" and size <= 4096
    must(ends, "no npz, or one with a long directory", "what save writes")
    try:
        with zipfile.ZipFile(io.BytesIO(npz)) as archive:
            found = sorted(archive.namelist())
            must(found == sorted(f"{name}.npy" for name in declared), f"npz members {found}", "one for each array")
            return {name: _array(archive, name, array) for name, array in declared.items()}
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise ValueError(f"npz: found what cannot be unpacked ({error}); expected an archive") from error


def _array(archive: zipfile.ZipFile, name: str, declared: Declared) -> NDArray[Any]:
    """The array, writable and in the machine's byte order; its own header must say what is declared."""
    member = archive.getinfo(f"{name}.npy")
    # of the methods, only deflate needs no more memory than it fills
    must(member.compress_type == zipfile.ZIP_DEFLATED, f"{name}: another packing", "deflate")
    beside = member.file_size - declared.n_bytes
    must(0 <= beside <= 1024, f"{name}: {member.file_size} bytes", f"{declared} and npy's header")
    with archive.open(member) as stream:
        # without a number, read unpacks all there is and then cuts it to the size in the directory
        npy = stream.read(member.file_size)
    dtype, shape = np.dtype(declared.dtype), tuple(declared.shape)
    start = len(npy) - declared.n_bytes
    magic, length, told = npy[:8], int.from_bytes(npy[8:10], "little"), npy[10:start]
    # versions of numpy pad it with more or fewer spaces
    expected = f"{{'descr': {declared.dtype!r}, 'fortran_order': False, 'shape': {shape}, }}"
    alike = magic == b"\x93NUMPY\x01\0" and length == len(told) and told.split() == expected.encode().split()
    must(start > 0 and alike, f"{name}: npy header {magic + told[:80]!r}", f"version 1.0 and {expected}")
    return np.ndarray(shape, dtype, npy, offset=start).astype(dtype.newbyteorder("="))


def must(true: object, found: str, expected: str) -> None:
    """Nothing.

    Raises:
        ValueError: it is not so.
    """
    if not true:
        raise ValueError(f"found {found:.300}; expected {expected:.300}")
