"""The quarantine, verified: each file whole and in its home, and no fewer lines than the events count.

Reads one file at a time. tests/pipelines/test_check_damages.py holds the truth."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from pipelines import commits, quarantine
from pipelines.archive import EVENTS, QUARANTINE
from pipelines.errors import DataError
from pipelines.stages.check_commits import Chain, Look, said
from pipelines.stages.check_rows import table_problem


@dataclass(frozen=True)
class Counted:
    """How many lines a commit of events counts as quarantined, and where: files of homes, and rows in other parts."""

    commit: str
    lines: int
    files: tuple[str, ...]
    rows: int


def counted(look: Look, events: Chain, earlier: Chain) -> Iterator[Counted]:
    """What each commit of a night's events counts.

    Args:
        earlier: the commits of the night's own quarantine, which archives of the first layout have.
    """
    rows = {part.file: part.rows for part in earlier.parts}
    for generation, commit in events.commits.items():
        where = commits.folder(QUARANTINE, commit.cluster, commit.night)
        files = tuple(name for name in commit.quarantine if quarantine.FILE.fullmatch(name))
        parts = [name for name in commit.quarantine if name not in files]
        if parts and look.tally.has("commit", "gap", "rewritten", below=where):
            continue
        lost = [name for name in parts if name not in rows]
        for name in lost:
            found = f"named by generation {generation} of the events, by no commit beside it"
            look.tally.find("reference", f"{where}/{name}", found)
        if not lost:
            key = commits.key(EVENTS, commit.cluster, commit.night, generation)
            yield Counted(key, commit.counts.quarantined, files, sum(rows[name] for name in parts))


def check_files(look: Look, cluster: str, listed: Collection[str], counts: Sequence[Counted]) -> None:
    """Verify the files that a listing holds and those that events count.

    Args:
        listed: names below the cluster's folder.
    """
    named = {name for one in counts for name in one.files}
    rows = {name: _rows(look, cluster, name, must=name in named) for name in sorted({*listed, *named})}
    for one in counts:
        found = [rows[name] for name in one.files]
        held = one.rows + sum(filter(None, found))
        if None not in found and one.lines > held:
            look.tally.find("counts", one.commit, f"{one.lines} lines quarantined, but {held} in their files")


def _rows(look: Look, cluster: str, name: str, *, must: bool) -> int | None:
    """How many lines stand in a file, what is wrong with it noted; None where it cannot be read."""
    where = f"{quarantine.root(cluster)}/{name}"
    try:
        if look.fetched(where) is None:
            if must:
                look.tally.find("missing", where, "missing, although events count its lines")
            return None
        lines = quarantine.read(look.scratch.read_bytes(), name, f"{look.store.url}/{where}")
    except DataError as error:
        look.tally.find("quarantine", where, said(look.store, where, error))
        return None
    count: int = lines.rows.num_rows
    look.tally.saw(look.size, count)
    wrong = table_problem(lines.rows, quarantine.SCHEMA, quarantine.ORDER)
    if wrong is not None:
        look.tally.find(wrong[0], where, wrong[1], cluster=cluster, night=lines.night, command="export")
    return count
