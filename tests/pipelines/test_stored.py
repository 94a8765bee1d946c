"""Inflating: what is packed once or twice, in pieces, cut, damaged, or packed to fill a disk."""

from __future__ import annotations

import gzip
import io
import tracemalloc
from collections.abc import Callable
from hashlib import sha256

import pyarrow as pa
import pytest
from builders import event, lines
from envelope_builders import LINES, firehose, walked

from pipelines.envelopes import inflate
from pipelines.errors import DataError
from pipelines.sources import stored
from pipelines.sources.base import LongLine

LOG = lines(event(agent=f"{i:032}") for i in range(60))
Pack = Callable[[bytes], bytes]


def zstd(data: bytes) -> bytes:
    return bytes(pa.Codec("zstd").compress(data, asbytes=True))


def gz(data: bytes) -> bytes:
    return gzip.compress(data, 1)


def frame(data: bytes, window_log: int = 17) -> bytes:
    """A zstd frame that holds the data as they are (RFC 8878)."""
    return b"\x28\xb5\x2f\xfd\0" + bytes([window_log - 10 << 3]) + (len(data) << 3 | 1).to_bytes(3, "little") + data


def skipped(data: bytes, number: int = 0) -> bytes:
    """A frame that every reader of zstd passes over."""
    return bytes([0x50 + number]) + b"\x2a\x4d\x18" + len(data).to_bytes(4, "little") + data


PACKS: dict[str, Pack] = {
    "gzip": gz,
    "zstd": zstd,
    "gzip in gzip": lambda data: gz(gz(data)),
    "zstd in gzip": lambda data: gz(zstd(data)),
    "gzip in zstd": lambda data: zstd(gz(data)),
    "gzip members": lambda data: gz(data[:100]) + gz(b"") + gz(data[100:]),
    "gzip of gzip members": lambda data: gz(gz(data[:100]) + gz(data[100:])),
    "gzip members of one gzip": lambda data: gz(gz(data)[:50]) + gz(gz(data)[50:]),
    "padded gzip": lambda data: gz(data) + bytes(700_000),
    "gzip padded between": lambda data: gz(data[:100]) + bytes(300_000) + gz(data[100:]) + bytes(3),
    "zstd frames": lambda data: zstd(data[:100]) + zstd(b"") + zstd(data[100:]),
    "zstd as pzstd writes it": lambda data: skipped(b"size") + zstd(data[:100]) + skipped(b"size") + zstd(data[100:]),
    "zstd behind any skipped frame": lambda data: b"".join(skipped(data, n) for n in range(16)) + zstd(data),
    "zstd of the widest window": lambda data: frame(data, 27),
}


def read(data: bytes) -> bytes:
    return b"\n".join(walked(data).lines)


def refused(data: bytes) -> str:
    with pytest.raises(DataError) as caught:
        walked(data)
    assert str(caught.value).startswith("/o: ")
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("chunk", [7, 1000, 16_000_000])
@pytest.mark.parametrize("pack", PACKS.values(), ids=PACKS)
def test_what_was_packed_is_read(monkeypatch: pytest.MonkeyPatch, pack: Pack, chunk: int) -> None:
    monkeypatch.setattr(stored, "_BATCH_BYTES", chunk)
    assert read(pack(LOG)) == LOG.rstrip()
    assert walked(pack(firehose(LINES))).lines == LINES


@pytest.mark.parametrize("pack", PACKS.values(), ids=PACKS)
def test_hash_and_size_are_those_of_the_stored_bytes(pack: Pack) -> None:
    data = pack(LOG)
    with stored.reading("o", "/o", io.BytesIO(data)) as found:
        list(found.batches())
    assert (found.sha256, found.stored_bytes) == (sha256(data).hexdigest(), len(data))


@pytest.mark.parametrize("before", [b"", skipped(b"size")])
def test_a_window_too_wide_is_told_apart_from_damage(before: bytes) -> None:
    assert "zstd with a window of more than 128 MB; " in refused(before + frame(LOG, 31))
    assert "the compressed stream is cut or damaged (" in refused(before + frame(LOG, 27)[:-1])


def test_three_layers_are_refused() -> None:
    assert "compressed more than 2 times over" in refused(gz(gz(gz(LOG))))


@pytest.mark.parametrize("pack", [gz, zstd, PACKS["gzip in gzip"]], ids=["gzip", "zstd", "gzip in gzip"])
def test_a_stream_cut_anywhere_inside_is_told(pack: Pack) -> None:
    data = pack(LOG)
    for cut in [*range(4, len(data), 41), len(data) - 1]:
        assert "the compressed stream is cut or damaged (" in refused(data[:cut])


@pytest.mark.parametrize("pack", [gz, zstd, PACKS["gzip in gzip"]], ids=["gzip", "zstd", "gzip in gzip"])
def test_other_bytes_behind_the_end_are_told(pack: Pack) -> None:
    for junk in (b"x", b"text behind", b"\x1f", b"\x1f\x8b", b"\0\0x"):
        assert "the compressed stream is cut or damaged (" in refused(pack(LOG) + junk)


def test_any_byte_changed_inside_gzip_is_told_or_harmless() -> None:
    data = gz(LOG)
    for at in range(10, len(data), 29):
        assert "damaged (" in refused(data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :])


@pytest.fixture
def small_bombs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inflate, "BOMB_BYTES", 1_000_000)
    monkeypatch.setattr(inflate, "BOMB_TIMES", 30)


BOMB = bytes(60_000_000)
BOMBS: dict[str, bytes] = {
    "gzip": gz(BOMB),
    "gzip of lines": gz(b"\n" * len(BOMB)),
    "zstd": zstd(BOMB),
    "gzip in gzip": gz(gz(BOMB)),
    "zstd in gzip": gz(zstd(BOMB)),
    "empty members in gzip": gz(gz(b"") * 100_000),
    "behind a good log": gz(LOG + BOMB),
    "in a later member": gz(LOG) + gz(BOMB),
    "of one value": gz(b'{"kind":"EventList","items":[\n' + BOMB),
    "of parquet": gz(b"PAR1" + BOMB),
}


@pytest.mark.usefixtures("small_bombs")
@pytest.mark.parametrize("data", BOMBS.values(), ids=BOMBS)
def test_a_bomb_is_refused_before_it_has_taken_memory(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(stored, "_BATCH_BYTES", 100_000)
    monkeypatch.setattr(stored, "MAX_LINE_BYTES", 200_000)
    monkeypatch.setattr("pipelines.envelopes.sniff.SNIFF_BYTES", 200_000)
    tracemalloc.start()
    with pytest.raises(DataError) as caught, stored.reading("o", "/o", io.BytesIO(data)) as found:
        for _ in found.batches():
            pass
    text = str(caught.value)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "inflates to more than 30 times its size (" in text
    assert text.endswith("take it out of the source, or unpack it if it is a log")
    # what other threads of the process take meanwhile is measured, too
    assert peak < len(BOMB) / 2


@pytest.mark.usefixtures("small_bombs")
def test_a_small_or_an_ordinary_object_is_no_bomb() -> None:
    assert walked(gz(bytes(900_000))).lines == [bytes(900_000)]
    noise = lines(event(agent=sha256(str(i).encode()).hexdigest() * 4) for i in range(5000))
    assert read(gz(noise)) == noise.rstrip()


def test_a_line_too_long_in_a_packed_object_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "MAX_LINE_BYTES", 10_000)
    monkeypatch.setattr(stored, "_BATCH_BYTES", 5000)
    found = walked(gz(LOG + b"x" * 50_000 + b"\n" + LOG))
    (long,) = found.long
    assert isinstance(long, LongLine)
    assert (long.offset, long.length) == (len(LOG), 50_000)
    assert found.lines == LOG.splitlines() * 2
