"""A night's audit log of any size, made from the recorded sample: new ids, new times, new generated names.

The recorded nights are laid end to end, again and again, and squeezed into one UTC day. Of each line only ids, times
and names that the API server generates change, each into as many bytes, so the text is as repetitive as the recorded
one; a line and its like stand further apart than any compressor looks. The same size gives the same bytes.

Imports nothing of ours. tests/test_benchmark_ingest.py holds the claims."""

from __future__ import annotations

import gzip
import itertools
import re
import shutil
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

SAMPLE = Path(__file__).parents[1] / "data" / "sample"
NIGHT = b"2026-09-15"

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]

_DAY_US = 86_400_000_000
_HEX = b"0123456789abcdef"
# the letters of generated names (k8s.io/apimachinery/pkg/util/rand)
_SAFE = b"bcdfghjklmnpqrstvwxz2456789"
_UUID = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
_NAME = re.compile(rb"-(?:([%b]{8,10})-)?([%b]{5})(?![0-9a-z])" % (_SAFE, _SAFE))
_TIMES = re.compile(rb'"requestReceivedTimestamp":"([^"]{27})","stageTimestamp":"([^"]{27})"')
# digits of HH:MM:SS.ffffff, and what each is worth in microseconds
_CLOCK = np.array([11, 12, 14, 15, 17, 18, 20, 21, 22, 23, 24, 25])
_WORTH = np.array([36_000_000_000, 3_600_000_000, 600_000_000, 60_000_000, 10_000_000, 1_000_000,
                   100_000, 10_000, 1_000, 100, 10, 1])  # fmt: skip
_BASE = np.array([3, 10, 6, 10, 6, 10, 10, 10, 10, 10, 10, 10])
# of an id the version and the variant stay
_ID_DIGITS = np.array([i for i in range(36) if i not in (8, 13, 14, 18, 19, 23)])


@dataclass(frozen=True)
class Recorded:
    """One recorded night: its bytes, and where what changes stands in them."""

    data: Bytes
    ends: Ints
    digits: Ints
    letters: Ints
    received: Ints
    staged: Ints


def recorded(path: Path) -> Recorded:
    """A night of the sample.

    Raises:
        ValueError: a line is not as the API server wrote it.
    """
    with pa.input_stream(str(path), compression="zstd") as stream:
        text = bytes(stream.read())
    data = np.frombuffer(text, np.uint8)
    ends = np.flatnonzero(data == ord("\n")) + 1
    times = np.array([m.span(k)[0] for m in _TIMES.finditer(text) for k in (1, 2)], np.int64).reshape(-1, 2)
    if not np.array_equal(np.searchsorted(ends, times[:, 0], "right"), np.arange(len(ends))):
        raise ValueError(f"{path}: {len(times)} pairs of times in {len(ends)} lines found; one in each line expected")
    ids = np.array([m.start() for m in _UUID.finditer(text)], np.int64)
    names = [m.span(k) for m in _NAME.finditer(text) for k in (1, 2) if m[k]]
    letters = np.concatenate([np.arange(a, b) for a, b in names]) if names else np.empty(0, np.int64)
    return Recorded(data, ends, (ids[:, None] + _ID_DIGITS).ravel(), letters, times[:, 0], times[:, 1])


def again(night: Recorded, copy: int, slot: int, slots: int) -> bytes:
    """The night once more: other ids and names in each copy, its times squeezed into one of the day's slots."""
    out, rng = night.data.copy(), np.random.default_rng(copy)
    for where, alphabet in ((night.digits, _HEX), (night.letters, _SAFE)):
        # one permutation for the copy: an id met twice stays one id
        table, signs = np.arange(256, dtype=np.uint8), np.frombuffer(alphabet, np.uint8)
        table[signs] = rng.permutation(signs)
        out[where] = table[out[where]]
    staged = _clock(night.data, night.staged)
    lasted = (staged - _clock(night.data, night.received)) % _DAY_US
    moved = (slot * _DAY_US + staged) // slots
    _write(out, night.staged, moved)
    # received before midnight it would belong to two days
    _write(out, night.received, np.maximum(moved - lasted, 0))
    return out.tobytes()


def _clock(data: Bytes, at: Ints) -> Ints:
    """Microseconds since midnight."""
    return np.asarray((data[at[:, None] + _CLOCK].astype(np.int64) - ord("0")) @ _WORTH, np.int64)


def _write(out: Bytes, at: Ints, micros: Ints) -> None:
    out[at[:, None] + np.arange(len(NIGHT))] = np.frombuffer(NIGHT, np.uint8)
    out[at[:, None] + _CLOCK] = (micros[:, None] // _WORTH % _BASE + ord("0")).astype(np.uint8)


def pieces(size: int, nights: Sequence[Recorded]) -> Iterator[bytes]:
    """The log in order: whole lines, `size` bytes or up to a line more."""
    ends = itertools.accumulate(len(n.data) for n in itertools.cycle(nights))
    slots = 1 + sum(1 for _ in itertools.takewhile(lambda end: end < size, ends))
    for slot in range(slots):
        copy, which = divmod(slot, len(nights))
        data = again(nights[which], copy, slot, slots)
        if slot == slots - 1:
            data = data[: data.index(b"\n", size - 1) + 1]
        size -= len(data)
        yield data


def sample() -> list[Recorded]:
    """All recorded nights."""
    return [recorded(path) for path in sorted(SAMPLE.glob("*.ndjson.zst"))]


def write(path: Path, size: int, nights: Sequence[Recorded]) -> None:
    """The log as one plain file; one that stands there is taken for it."""
    if not path.exists():
        beside = path.with_name(path.name + ".part")
        with beside.open("wb") as out:
            out.writelines(pieces(size, nights))
        beside.rename(path)


def packed(plain: Path, ending: str) -> Path:
    """The file beside itself, as .gz (level 6, no time in it) or .zst (level 3)."""
    path = plain.with_name(plain.name + ending)
    if not path.exists():
        beside = path.with_name(path.name + ".part")
        with plain.open("rb") as data, _packing(beside, ending) as out:
            shutil.copyfileobj(data, out, 1 << 20)
        beside.rename(path)
    return path


@contextmanager
def _packing(path: Path, ending: str) -> Iterator[Any]:
    with path.open("wb") as raw:
        if ending == ".gz":
            with gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=raw, mtime=0) as out:
                yield out
        else:
            with pa.output_stream(raw, compression="zstd") as out:
                yield out


def size(text: str) -> int:
    """Bytes of "200MB" or "10GB".

    Raises:
        ValueError: it is no size.
    """
    found = re.fullmatch(r"(\d+)(MB|GB)", text.strip())
    if found is None:
        raise ValueError(f"--sizes: {text!r} found; whole MB or GB expected, such as 200MB,2GB")
    return int(found[1]) * {"MB": 10**6, "GB": 10**9}[found[2]]


def scattered(plain: Path, folder: Path, size: int) -> list[Path]:
    """The file's lines as many small files, each `size` bytes or up to a line more."""
    folder.mkdir(parents=True, exist_ok=True)
    paths: list[Path] = []
    with plain.open("rb") as lines:
        while data := lines.read(size):
            paths.append(folder / f"{len(paths):06}.ndjson")
            paths[-1].write_bytes(data + lines.readline())
    return paths


def gzip_ratio(parts: Iterable[bytes]) -> float:
    """How many times smaller gzip makes the bytes."""
    packer, raw, small = zlib.compressobj(6, wbits=31), 0, 0
    for part in parts:
        raw += len(part)
        small += len(packer.compress(part))
    return raw / (small + len(packer.flush()))
