"""A source of files: what is chosen and passed over, what is inflated, what is told of a file that cannot be read."""

from __future__ import annotations

import gzip
import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pytest
from builders import event, line, lines

from pipelines.errors import ConfigError, DataError, Exit
from pipelines.parsing.lines import lines_of
from pipelines.sources import stored
from pipelines.sources.base import Batch, LongLine, Source
from pipelines.sources.files import ENDINGS, SourceFile, select

LOG = lines(event() for _ in range(20))


def zstd(data: bytes) -> bytes:
    return bytes(pa.Codec("zstd").compress(data, asbytes=True))


def gz(data: bytes) -> bytes:
    return gzip.compress(data, 1)


def put(folder: Path, *names: str, data: bytes = LOG) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def chosen(source: Path | str) -> list[str]:
    return [f.name for f in select(str(source)).objects]


def read(path: Path) -> list[Batch]:
    with SourceFile(path, path.name).open() as stream:
        return [b for b in stream.batches() if isinstance(b, Batch)]


def inflated(path: Path) -> bytes:
    return b"".join(b.data for b in read(path))


def refused(source: Path | str) -> str:
    with pytest.raises(ConfigError) as caught:
        select(str(source))
    assert caught.value.exit_code == Exit.USAGE
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", ["audit.log", "noending", "audit.txt", "a b.ndjson", "[x].log", "ünï.log"])
def test_a_file_named_outright_is_read_whatever_its_name(tmp_path: Path, name: str) -> None:
    put(tmp_path, name, "other.log")
    selection = select(str(tmp_path / name))
    assert [(f.path, f.name) for f in selection.objects] == [(tmp_path / name, name)]
    assert selection.ignored == ()


def test_a_folder_gives_its_logs_by_relative_name_in_order(tmp_path: Path) -> None:
    put(tmp_path, "b.log", "a/z.ndjson", "a/b/c.json", "a.jsonl.gz", "A.LOG.ZST")
    assert chosen(tmp_path) == ["A.LOG.ZST", "a.jsonl.gz", "a/b/c.json", "a/z.ndjson", "b.log"]


@pytest.mark.parametrize("packed", ["", ".gz", ".gzip", ".zst", ".zstd"])
@pytest.mark.parametrize("ending", ENDINGS)
def test_each_ending_of_a_log_is_taken_from_a_folder(tmp_path: Path, ending: str, packed: str) -> None:
    put(tmp_path, f"audit{ending}{packed}")
    assert chosen(tmp_path) == [f"audit{ending}{packed}"]


def test_files_of_a_folder_that_are_no_logs_are_listed(tmp_path: Path) -> None:
    put(tmp_path, "a.log", "labels.tsv", "sub/README.md", "sub/x.gz", "audit.log.bak")
    selection = select(str(tmp_path))
    assert [f.name for f in selection.objects] == ["a.log"]
    assert selection.ignored == ("audit.log.bak", "labels.tsv", "sub/README.md", "sub/x.gz")


def test_a_folder_without_a_log_is_refused_with_the_endings(tmp_path: Path) -> None:
    put(tmp_path, "labels.tsv", "x.md")
    text = refused(tmp_path)
    assert "none of its 2 files ends in .ndjson, .jsonl, .json, .log" in text


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path) == f"--source {tmp_path}: holds no file; expected a folder of audit logs"


def test_a_source_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert f"--source {tmp_path / 'x.log'}: no such file or folder" in refused(tmp_path / "x.log")


def test_a_glob_that_matches_nothing_is_refused(tmp_path: Path) -> None:
    assert "the glob matches no file" in refused(tmp_path / "*.log")


def test_a_glob_that_matches_only_folders_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.log").mkdir()
    assert "the glob matches no file" in refused(tmp_path / "*.log")


def test_a_name_no_file_system_knows_is_refused() -> None:
    assert "cannot be read" in refused("x" * 5000)


def test_a_glob_names_files_relative_to_its_fixed_part(tmp_path: Path) -> None:
    put(tmp_path, "n/2/b.txt", "n/1/a.txt", "n/1/c.md", "m/1/a.txt")
    assert chosen(tmp_path / "n" / "*" / "*.txt") == ["1/a.txt", "2/b.txt"]


def test_a_glob_of_any_depth_gives_each_file_once(tmp_path: Path) -> None:
    put(tmp_path, "a.log", "x/b.log", "x/y/c.log")
    assert chosen(tmp_path / "**" / "*.log") == ["a.log", "x/b.log", "x/y/c.log"]
    assert chosen(tmp_path / "**" / "**" / "*.log") == ["a.log", "x/b.log", "x/y/c.log"]


def test_a_folder_that_a_glob_matches_is_read_as_a_folder_is(tmp_path: Path) -> None:
    put(tmp_path, "a.txt", "2026-09-15/b.log", "2026-09-15/10/c.json", "2026-09-15/d.txt", "other/e.log")
    for pattern, expected, passed in (
        ("*", ["2026-09-15/10/c.json", "2026-09-15/b.log", "a.txt", "other/e.log"], ("2026-09-15/d.txt",)),
        ("2*", ["2026-09-15/10/c.json", "2026-09-15/b.log"], ("2026-09-15/d.txt",)),
        ("*/*", ["2026-09-15/10/c.json", "2026-09-15/b.log", "2026-09-15/d.txt", "other/e.log"], ()),
    ):
        source = select(str(tmp_path / pattern))
        assert ([f.name for f in source.objects], source.ignored) == (expected, passed), pattern


def test_a_glob_of_folders_without_a_log_is_refused_with_the_endings(tmp_path: Path) -> None:
    put(tmp_path, "x/labels.tsv", "x/y.md")
    assert "none of its 2 files ends in .ndjson, .jsonl, .json, .log" in refused(tmp_path / "*")


def test_a_relative_source_is_named_as_an_absolute_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "n/a.log", "n/x/b.log")
    monkeypatch.chdir(tmp_path)
    assert chosen("n") == chosen(tmp_path / "n") == ["a.log", "x/b.log"]
    assert chosen("n/**/*.log") == chosen("./n/**/*.log") == ["a.log", "x/b.log"]
    assert chosen("**/*.log") == ["n/a.log", "n/x/b.log"]


@contextmanager
def as_nobody() -> Iterator[None]:
    """The superuser may read everything, so the test is somebody else for a while."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def locked() -> Iterator[Path]:
    # not tmp_path: pytest shuts its parents to anybody else
    with TemporaryDirectory() as outer:
        inner = Path(outer, "locked")
        put(inner, "a.log")
        put(inner.parent, "open.log")
        inner.parent.chmod(0o755)
        inner.chmod(0)
        yield inner
        inner.chmod(0o755)


def test_a_folder_that_may_not_be_read_is_told_and_not_passed_over(locked: Path) -> None:
    with as_nobody():
        assert f"{locked} cannot be read (Permission denied)" in refused(locked.parent)
        assert "cannot be read (Permission denied)" in refused(locked / "a.log")


def test_a_file_that_may_not_be_read_is_told(locked: Path) -> None:
    path = locked.parent / "open.log"
    path.chmod(0)
    with as_nobody(), pytest.raises(ConfigError) as caught:
        read(path)
    assert str(caught.value) == f"{path}: cannot be read (Permission denied); check its permissions"


def test_a_file_that_went_away_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone.log: cannot be read .No such file"):
        read(tmp_path / "gone.log")


@pytest.mark.parametrize("name", ["audit.log", "audit.log.gz", "audit.log.zst"])
@pytest.mark.parametrize("pack", [bytes, gz, zstd], ids=["plain", "gzip", "zstd"])
def test_compression_is_told_by_the_bytes_and_not_by_the_name(
    tmp_path: Path, pack: Callable[[bytes], bytes], name: str
) -> None:
    put(tmp_path, name, data=pack(LOG))
    assert inflated(tmp_path / name) == LOG


@pytest.mark.parametrize("pack", [gz, zstd], ids=["gzip", "zstd"])
def test_members_and_frames_are_read_one_after_the_other(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    # the second begins inside a line
    parts = [LOG[:1], LOG[1:700], b"", LOG[700:]]
    put(tmp_path, "a.log", data=b"".join(pack(part) for part in parts))
    assert inflated(tmp_path / "a.log") == LOG


def test_zeros_after_a_gzip_member_are_padding(tmp_path: Path) -> None:
    put(tmp_path, "a.log", data=gz(LOG) + bytes(512))
    assert inflated(tmp_path / "a.log") == LOG


RANDOM = random.Random(7)
NOISE = lines(event(agent=RANDOM.randbytes(400).hex()) for _ in range(200))
BROKEN: dict[str, bytes] = {
    "gz-cut": gz(NOISE)[:-2000],
    "gz-without-its-checksum": gz(NOISE)[:-8],
    "gz-cut-in-its-head": gz(NOISE)[:5],
    "gz-second-member-cut": gz(LOG) + gz(NOISE)[:-100],
    "gz-other-bytes-inside": gz(NOISE)[:2000] + b"\xff" * 400 + gz(NOISE)[2400:],
    "gz-unknown-block": gz(NOISE)[:10] + b"\x07" + gz(NOISE)[11:],
    "gz-wrong-checksum": gz(NOISE)[:-8] + bytes(8),
    "gz-text-behind": gz(LOG) + b"text",
    "zst-cut": zstd(NOISE)[:-2000],
    "zst-cut-in-its-head": zstd(NOISE)[:5],
    "zst-second-frame-cut": zstd(LOG) + zstd(NOISE)[:-100],
    "zst-other-bytes-in-its-head": zstd(NOISE)[:4] + b"\xff" * 40 + zstd(NOISE)[44:],
    "zst-text-behind": zstd(LOG) + b"text",
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_a_damaged_stream_is_a_data_error_that_names_the_file(tmp_path: Path, data: bytes) -> None:
    put(tmp_path, "audit.log", data=data)
    with pytest.raises(DataError) as caught:
        read(tmp_path / "audit.log")
    assert caught.value.exit_code == Exit.DATA
    assert str(caught.value).startswith(f"{tmp_path / 'audit.log'}: the compressed stream is cut or damaged (")
    assert "\n" not in str(caught.value)


def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path: Path) -> None:
    put(tmp_path, "a.log", data=b"\xef\xbb\xbf" + LOG)
    assert [(b.offset, b.data) for b in read(tmp_path / "a.log")] == [(3, LOG)]


def test_an_event_behind_a_hole_of_any_size_is_no_long_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # a log cut with copytruncate while its writer goes on at its old place
    monkeypatch.setattr(stored, "MAX_LINE_BYTES", 100_000)
    monkeypatch.setattr(stored, "_BATCH_BYTES", 50_000)
    put(tmp_path, "a.log", data=bytes(1_000_000) + LOG)
    (batch,) = read(tmp_path / "a.log")
    found = lines_of(batch)
    assert (found.pos[0], len(found), found.blank) == (1_000_000, 20, 0)


def test_blank_lines_do_not_count_among_the_lines_of_a_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "_BATCH_LINES", 10)
    data = b"\n" * 50_000 + LOG.replace(b"\n", b"\n" * 1000)
    put(tmp_path, "a.log", data=data)
    batches = read(tmp_path / "a.log")
    assert b"".join(b.data for b in batches) == data
    assert [len(lines_of(b)) for b in batches if b.data.strip()] == [10, 10]
    assert len(batches) <= 3


@pytest.mark.parametrize("pack", [bytes, gz, zstd], ids=["plain", "gzip", "zstd"])
@pytest.mark.parametrize("data", [b"", b"\xef\xbb\xbf"], ids=["nothing", "only-a-mark"])
def test_an_empty_file_has_no_lines(tmp_path: Path, data: bytes, pack: Callable[[bytes], bytes]) -> None:
    put(tmp_path, "a.log", data=pack(data))
    assert read(tmp_path / "a.log") == []


@pytest.mark.parametrize(
    "data",
    [LOG[:-1], LOG.replace(b"\n", b"\r\n"), b"\n\n" + LOG + b"\n\n", b"x", b"\n", b"ab", b"abc", b"\xef\xbb"],
    ids=["no-last-newline", "crlf", "blank-lines", "one-byte", "newline", "two-bytes", "three-bytes", "half-a-mark"],
)
@pytest.mark.parametrize("chunk", [1, 7, 1000, 16_000_000])
def test_batches_are_the_file_cut_at_line_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes, chunk: int
) -> None:
    monkeypatch.setattr(stored, "_BATCH_BYTES", chunk)
    put(tmp_path, "a.log", data=data)
    batches = read(tmp_path / "a.log")
    assert b"".join(b.data for b in batches) == data
    assert all(b.data.endswith(b"\n") for b in batches[:-1])
    assert [b.offset for b in batches] == [len(b"".join(x.data for x in batches[:i])) for i in range(len(batches))]
    assert {b.source for b in batches} == {"a.log"}


def test_an_ordinary_file_is_one_batch(tmp_path: Path) -> None:
    put(tmp_path, "a.log")
    assert read(tmp_path / "a.log") == [Batch("a.log", 0, LOG)]


STORED: dict[str, bytes] = {
    "plain": LOG,
    "gzip": gz(LOG),
    "gzip-padded": gz(LOG) + bytes(512),
    "members": gz(LOG) + gz(NOISE),
    "zstd": zstd(NOISE),
    "frames": zstd(LOG) + zstd(NOISE),
    "empty": b"",
    "with-a-long-line": line({"x": "y" * 3000}) + LOG,
}


@pytest.mark.parametrize("data", STORED.values(), ids=STORED)
def test_hash_and_size_of_a_reading_are_those_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes
) -> None:
    monkeypatch.setattr(stored, "MAX_LINE_BYTES", 2000)
    monkeypatch.setattr(stored, "_BATCH_BYTES", 1500)
    put(tmp_path, "a.log", data=data)
    file = SourceFile(tmp_path / "a.log", "a.log")
    with file.open() as stream:
        for _ in stream.batches():
            pass
        assert (stream.sha256, stream.stored_bytes) == (sha256(data).hexdigest(), len(data))
    assert file.size == len(data)


def test_a_bomb_of_one_line_is_measured_and_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "MAX_LINE_BYTES", 100_000)
    monkeypatch.setattr(stored, "_BATCH_BYTES", 50_000)
    bomb = b"x" * 30_000_000
    put(tmp_path, "a.log.gz", data=gz(bomb + b"\n" + LOG))
    with SourceFile(tmp_path / "a.log.gz", "a").open() as stream:
        first, *rest = stream.batches()
    assert isinstance(first, LongLine)
    assert (first.length, first.sha256, len(first.start)) == (len(bomb), sha256(bomb).hexdigest(), 4096)
    assert rest == [Batch("a", len(bomb) + 1, LOG)]


NAMES = [b"a\xff.log", b"a\\xff.log", b"a\\udcff.log", "a\u00ff.log".encode(), b"a\\\\xff.log", b"a\n.log", b"a\\n.log"]


def test_no_two_files_share_a_name_however_they_are_called(tmp_path: Path) -> None:
    for name in NAMES:
        (tmp_path / os.fsdecode(name)).write_bytes(line(event()))
    found = chosen(tmp_path)
    assert len(set(found)) == len(NAMES)
    assert all(name.isprintable() and name.encode() for name in found)
    assert {"a\\udcff.log", "a\\\\xff.log", "a\u00ff.log", "a\\n.log"} <= set(found)


def test_a_file_passed_over_goes_by_an_escaped_name_too(tmp_path: Path) -> None:
    put(tmp_path, "a.log", os.fsdecode(b"b\xff.txt"))
    assert select(str(tmp_path)).ignored == ("b\\udcff.txt",)


def test_what_is_no_file_is_passed_over_and_named(tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "logs", tmp_path / "elsewhere"
    put(folder, "a.log", "sub/b.log")
    put(elsewhere, "c.log", "archive/d.json")
    os.mkfifo(folder / "pipe.log")
    (folder / "gone.log").symlink_to(tmp_path / "gone.log")
    (folder / "sub" / "link").symlink_to(elsewhere, target_is_directory=True)
    (folder / "circle").symlink_to(folder, target_is_directory=True)
    (folder / "own").symlink_to(elsewhere / "archive", target_is_directory=True)
    selection = select(str(folder), elsewhere / "archive")
    assert [f.name for f in selection.objects] == ["a.log", "sub/b.log"]
    assert selection.ignored == ("circle", "gone.log", "pipe.log", "sub/link")
    matched = select(f"{folder}/*", elsewhere / "archive")
    assert ([f.name for f in matched.objects], matched.ignored) == (["a.log", "sub/b.log"], selection.ignored)
    # ** follows links
    deep = select(f"{folder}/sub/**", elsewhere / "archive")
    assert ([f.name for f in deep.objects], deep.ignored) == (["b.log", "link/c.log"], ())


def test_two_objects_of_one_name_are_no_source(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^source: 2 objects of the name a\.log found; rename one"):
        Source((SourceFile(tmp_path / "1", "a.log"), SourceFile(tmp_path / "2", "a.log")))


EXPORTED = [f"3c0b/{stream}/000000.gz" for stream in ("authenticator-1", "kube-apiserver-1", "kube-apiserver-audit-1")]


@pytest.mark.parametrize("pattern", ["**/*.gz", "**"])
def test_other_logs_of_an_export_task_are_counted_and_not_read(tmp_path: Path, pattern: str) -> None:
    put(tmp_path, *EXPORTED, data=gz(LOG))
    put(tmp_path, "aws-logs-write-test", data=b"Permission Check Successful")
    source = select(str(tmp_path / pattern))
    assert [one.name for one in source.objects] == EXPORTED
    counted = []
    for one in source.objects:
        with one.open() as reading:
            counted += [(b.data, b.skipped) for b in reading.batches() if isinstance(b, Batch)]
    assert counted == [(b"", 20), (b"", 20), (LOG, 0)]
    assert source.ignored == (() if pattern.endswith("gz") else ("aws-logs-write-test",))


def test_another_log_that_is_named_outright_is_read(tmp_path: Path) -> None:
    put(tmp_path, *EXPORTED, data=gz(LOG))
    for source in (tmp_path / EXPORTED[0], (tmp_path / EXPORTED[0]).parent / "*.gz"):
        (one,) = select(str(source)).objects
        with one.open() as reading:
            assert [b.data for b in reading.batches() if isinstance(b, Batch)] == [LOG]


def test_what_an_export_task_wrote_is_read_from_a_folder_as_it_lies(tmp_path: Path) -> None:
    names = ("task/kube-apiserver-audit-0123/000000.gz", "task/kube-apiserver-audit-0123/000001.gz")
    put(tmp_path, *names, "task/aws-logs-write-test", "task/kube-apiserver-audit-0123/notes.gz", data=gz(LOG))
    assert chosen(tmp_path) == list(names)
    assert chosen(tmp_path / "task" / "kube-apiserver-audit-0123") == ["000000.gz", "000001.gz"]
