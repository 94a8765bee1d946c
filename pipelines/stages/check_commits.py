"""One night of an append-only table, verified: its chain of commits, and every part they name.

Reads one part at a time, from a temporary file. tests/pipelines/test_check_damages.py holds the truth."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import count, pairwise
from pathlib import Path

from pipelines import commits
from pipelines.archive import EVENTS
from pipelines.commits import Commit, Part
from pipelines.errors import DataError
from pipelines.scratch import scratch
from pipelines.stages.check_rows import problem
from pipelines.stages.check_twice import Met
from pipelines.stages.findings import Tally
from pipelines.store import ObjectStore

_ADDED = ("read", "archived", "duplicate", "quarantined", "outside", "blank")


@dataclass(frozen=True)
class Look:
    """Where a check looks, where it notes, and the one file it may fill."""

    store: ObjectStore
    tally: Tally
    scratch: Path

    def fetched(self, key: str) -> str | None:
        """Put an object into the scratch file; its SHA-256, or None where there is none."""
        self.scratch.unlink(missing_ok=True)
        return self.store.download(key, self.scratch)

    @property
    def size(self) -> int:
        """Bytes of the object last fetched."""
        return self.scratch.stat().st_size


@dataclass(frozen=True)
class Chain:
    """The commits of a night that can be read, and the highest generation that stands, readable or not."""

    commits: Mapping[int, Commit]
    top: int
    listed: bool
    """Did the night's folder hold anything when it was listed?"""

    @property
    def parts(self) -> tuple[Part, ...]:
        """Every part that any of them names, once."""
        return tuple(dict.fromkeys(part for commit in self.commits.values() for part in commit.parts))


def chain(look: Look, table: str, cluster: str, night: date, listed: Sequence[str]) -> Chain:
    """Read every commit of a night and note what is wrong with them.

    Args:
        listed: names of the objects in the night's folder; commits made since are asked for.
    """
    known = sorted(int(name[len("_commit-") : -len(".json")]) for name in listed if name.startswith("_commit-"))
    found: dict[int, Commit] = {}
    top = previous = 0
    for generation in _tried(known):
        where = commits.key(table, cluster, night, generation)
        try:
            commit = commits.at(look.store, table, cluster, night, generation)
        except DataError as error:
            look.tally.find("commit", where, said(look.store, where, error))
        else:
            if commit is None and generation > max(known, default=0):
                break
            if commit is None:
                continue
            found[generation] = commit
            look.tally.saw(len(commit.body()))
            _counts(look.tally, where, commit)
        if generation > previous + 1:
            missing = commits.key(table, cluster, night, previous + 1)
            look.tally.find("gap", missing, f"missing, although generation {generation} stands")
        top = previous = generation
    _rewritten(look.tally, found)
    return Chain(found, top, bool(listed))


def _tried(known: Sequence[int]) -> Iterator[int]:
    yield from known
    yield from count(known[-1] + 1 if known else 1)


def said(store: ObjectStore, where: str, error: DataError) -> str:
    """What an error says was found, without the place before it and the advice behind it."""
    return str(error).removeprefix(f"{store.url}/{where}: ").partition("; ")[0]


def _counts(tally: Tally, where: str, commit: Commit) -> None:
    counts = commit.counts
    ended = counts.archived + counts.duplicate + counts.quarantined + counts.outside
    rows = sum(part.rows for part in commit.parts)
    if counts.read != ended:
        tally.find(
            "counts", where, f"{counts.read} lines read, but {ended} archived, duplicate, quarantined or outside"
        )
    elif rows != counts.archived:
        tally.find("counts", where, f"{counts.archived} lines archived, but {rows} rows in its parts")


def _rewritten(tally: Tally, found: Mapping[int, Commit]) -> None:
    """Each commit holds all of the one before: parts and inputs in their places, counts at least as high."""
    for (_, before), (generation, after) in pairwise(found.items()):
        dropped = [
            what
            for what, kept in (
                ("parts", after.parts[: len(before.parts)] == before.parts),
                ("inputs", after.inputs[: len(before.inputs)] == before.inputs),
                ("counts", all(getattr(after.counts, n) >= getattr(before.counts, n) for n in _ADDED)),
                ("quarantine", set(before.quarantine) <= set(after.quarantine)),
            )
            if not kept
        ]
        if dropped:
            where = commits.key(after.table, after.cluster, after.night, generation)
            tally.find("rewritten", where, f"its {', '.join(dropped)} are not those of the commit before, and more")


def parts(look: Look, table: str, cluster: str, night: date, read: Chain) -> None:
    """Verify every part a night's commits name, and that no two of them hold the same event."""
    with scratch() as folder:
        met = Met(folder) if table == EVENTS and len(read.parts) > 1 else None
        for part in read.parts:
            where = f"{commits.folder(table, cluster, night)}/{part.file}"
            if not _arrived(look, where, part):
                continue
            look.tally.saw(look.size, part.rows)
            wrong = problem(look.scratch, table, part.rows, night)
            if wrong is not None:
                look.tally.find(wrong[0], where, wrong[1], cluster=cluster, night=night, command="export")
            elif met is not None and (again := met.again(look.scratch)):
                look.tally.find(
                    "twice", where, f"{again} of its {part.rows} rows stand in other parts of the night, too"
                )


def _arrived(look: Look, where: str, part: Part) -> bool:
    """Is the part in the scratch file, with the bytes that were committed?"""
    try:
        digest = look.fetched(where)
    except DataError as error:
        look.tally.find("bytes", where, said(look.store, where, error))
        return False
    if digest is None:
        look.tally.find("missing", where, f"missing, {part.bytes} bytes expected")
        return False
    size = look.size
    unlike = f"{size} bytes, {part.bytes} expected" if size != part.bytes else "another checksum"
    if digest != part.sha256 or size != part.bytes:
        look.tally.find("bytes", where, unlike)
    return digest == part.sha256


def orphans(look: Look, table: str, cluster: str, night: date, listed: Iterable[str], named: Iterable[str]) -> None:
    """Name the parts that no commit names; none where a commit is damaged, for they may be its own.

    Args:
        listed: names of the objects in the night's folder.
    """
    folder = commits.folder(table, cluster, night)
    if look.tally.has("commit", "gap", "lost", "rewritten", "reference", below=folder):
        return
    for name in sorted(name for name in set(listed) - set(named) if name.startswith("part-")):
        try:
            digest = look.fetched(f"{folder}/{name}")
        except DataError as error:
            look.tally.find("orphan", f"{folder}/{name}", said(look.store, f"{folder}/{name}", error))
            continue
        # gone since it was listed: someone tidied up
        if digest is not None:
            look.tally.find("orphan", f"{folder}/{name}", f"{look.size} bytes that no commit names")
