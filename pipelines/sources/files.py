"""Plain files: a file, a folder or a glob of audit events, plain, .gz or .zst; stored.py reads them."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import ConfigError
from pipelines.sources import stored
from pipelines.sources.base import Source
from pipelines.sources.export_layout import is_exported, is_of_other_stream, is_write_test
from pipelines.sources.names import name_of_file

ENDINGS = (".ndjson", ".jsonl", ".json", ".log", ".parquet")
"""Names read from a folder, each also with .gz, .gzip, .zst or .zstd; a file named outright is always read."""

_PACKED = ("", ".gz", ".gzip", ".zst", ".zstd")


@dataclass(frozen=True)
class SourceFile:
    """One source object: the path to read, and the name it goes by in records and quarantine."""

    path: Path
    name: str

    @property
    def size(self) -> int:
        """Bytes as stored."""
        return self.path.stat().st_size

    @contextmanager
    def open(self) -> Iterator[stored.StoredReading]:
        """The file, open and inflated.

        Raises:
            ConfigError: it cannot be opened.
        """
        try:
            raw = self.path.open("rb")
        except OSError as error:
            raise ConfigError(f"{self.path}: cannot be read ({error.strerror}); check its permissions") from error
        with raw, stored.reading(self.name, str(self.path), raw, passed_over=is_of_other_stream(self.name)) as found:
            yield found


def select(source: str, apart_from: Path | None = None) -> Source:
    """Files of a source: the file itself, the logs below a folder, or what a glob matches, sorted by name.

    A glob gives the files it matches whatever their names, and the logs below the folders it matches.
    A file that links lead to twice is read once.

    Args:
        apart_from: a folder of which no file is read: the archive itself, whose records end in .json, too.
    Raises:
        ConfigError: nothing is there, or nothing there looks like an audit log.
    """
    try:
        return _select(source, apart_from)
    except OSError as error:
        raise ConfigError(
            f"--source {source}: {error.filename} cannot be read ({error.strerror}); check the path and its permissions"
        ) from error


def _select(source: str, apart_from: Path | None) -> Source:
    path = Path(source)
    if apart_from is not None and path.resolve().is_relative_to(apart_from.resolve()):
        raise ConfigError(f"--source {source}: lies in the archive {apart_from}; keep the logs elsewhere")
    if path.is_file():
        return Source((SourceFile(path, name_of_file(path.name)),), ())
    named: Set[Path] = set()
    if path.is_dir():
        root, (found, others) = path, _told_apart(_below(path), apart_from)
    else:
        if not glob.has_magic(source):
            raise ConfigError(f"--source {source}: no such file or folder; expected a file, a folder or a quoted glob")
        # Path.glob knows no absolute pattern
        matches = {Path(p) for p in glob.glob(source, recursive=True)}  # noqa: PTH207
        root, (found, others) = _root(source), _told_apart(_matched(matches), apart_from)
        if not found:
            raise ConfigError(f"--source {source}: the glob matches no file; check it (* stays within a folder)")
        named = {p.resolve() for p in matches if not p.is_dir()}
    if not found:
        raise ConfigError(f"--source {source}: holds no file; expected a folder of audit logs")
    logs = [p for p in found if p.resolve() in named or _looks_like_log(p.name) or is_exported(p.as_posix())]
    if not logs:
        raise ConfigError(
            f"--source {source}: none of its {len(found)} files ends in {', '.join(ENDINGS)} "
            "(plain, .gz or .zst); name the file itself, or a glob"
        )
    logs = [p for p in logs if not is_write_test(p.name)]
    return Source(_named(logs, root), _names({*found, *others} - set(logs), root))


def _matched(matches: Set[Path]) -> Iterator[Path]:
    """The files among the matches, and all below the folders among them; links to folders only where none is
    matched behind them."""
    entered = {path.parent for path in matches}
    for path in matches:
        if path.is_symlink() or not path.is_dir():
            found: Iterable[Path] = (path,)
        else:
            found = () if path.parent in matches else _below(path)
        yield from (one for one in found if one not in entered)


def _told_apart(paths: Iterable[Path], apart_from: Path | None) -> tuple[list[Path], list[Path]]:
    """The files among the paths, each once, and what is none, such as a pipe or a link to nothing; none of either
    below the folder."""
    out = None if apart_from is None else apart_from.resolve()
    found, others = {}, []
    for path in sorted(paths, reverse=True):
        real = path.resolve()
        if out is not None and real.is_relative_to(out):
            continue
        if real.is_file():
            found[real] = path
        else:
            others.append(path)
    return list(found.values()), others


def _below(folder: Path) -> Iterator[Path]:
    def fail(error: OSError) -> None:
        raise error

    # Path.rglob passes over a folder it may not read, and its logs would be missed in silence
    for inner, folders, names in os.walk(folder, onerror=fail):
        yield from (Path(inner, name) for name in names)
        # not walked, for it may lead in a circle
        yield from (link for name in folders if (link := Path(inner, name)).is_symlink())


def _root(pattern: str) -> Path:
    plain = Path(pattern).parts
    fixed = next((i for i, part in enumerate(plain) if glob.has_magic(part)), len(plain))
    return Path(*plain[:fixed]) if fixed else Path()


def _name(path: Path, root: Path) -> str:
    return name_of_file(path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name)


def _names(paths: Iterable[Path], root: Path) -> tuple[str, ...]:
    return tuple(sorted(_name(path, root) for path in paths))


def _named(paths: Iterable[Path], root: Path) -> tuple[SourceFile, ...]:
    return tuple(sorted((SourceFile(path, _name(path, root)) for path in paths), key=lambda f: f.name))


def _looks_like_log(name: str) -> bool:
    return any(name.lower().endswith(end + packed) for end in ENDINGS for packed in _PACKED)
