"""What a check of an archive can find, declared once: the text of a finding, what mends it, and whether it is damage.

Pure. tests/pipelines/test_check_damages.py does each kind of damage once; docs/archive.md lists the kinds."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

from pipelines.errors import DataError, EmptyNightError
from pipelines.report.text import shown_name, visible

_LONGEST_KEY = 1024
_ANEW = "restore it from a copy of the archive, or remove the night's folders and run the night again"
_AGAIN = "run 'auditforest {command} --cluster {cluster} --archive {archive} --date {night}'"


@dataclass(frozen=True)
class Kind:
    """One thing that can be wrong. Damage is data lost or altered; the rest a reader meets no harm in.

    `mend` may name {cluster}, {night} and the {command} that makes the object."""

    name: str
    damage: bool
    meaning: str
    mend: str


KINDS: tuple[Kind, ...] = (
    Kind("commit", True, "A commit is none, or its bytes are not those written.", _ANEW),
    Kind("gap", True, "A commit is missing, although a later one stands.", _ANEW),
    Kind("lost", True, "A commit that a table or a run's record names is missing, or another.", _ANEW),
    Kind("rewritten", True, "A commit leaves out what the one before it held.", _ANEW),
    Kind("counts", True, "The counts of a commit do not add up.", _ANEW),
    Kind("missing", True, "A part or a file of the quarantine that a commit names is missing.", _ANEW),
    Kind("bytes", True, "The bytes of a part are not those committed.", _ANEW),
    Kind("rows", True, "A part holds another number of rows than committed, or cannot be read as Parquet.", _ANEW),
    Kind("order", True, "The rows of a part are out of order, or of another night.", _ANEW),
    Kind("twice", True, "A part holds events that another part of the night holds.", _ANEW),
    Kind(
        "quarantine",
        True,
        "A file of the quarantine is damaged, or belongs to another place.",
        "restore it from a copy of the archive, or delete it and run the nights of its source object again",
    ),
    Kind("reference", True, "Events count lines of a part of the quarantine that no commit of it names.", _ANEW),
    Kind(
        "table", True, "A derived table is damaged, or belongs to another place.", f"delete the object, then {_AGAIN}"
    ),
    Kind("record", True, "A run's record cannot be read.", "restore it, or delete it: no table is made from it"),
    Kind(
        "mark",
        True,
        "An analyst's mark is not as it was written, or missing although a run's record names it.",
        "restore it from a copy of the archive; else remove what is left of it and mark again",
    ),
    Kind("columns", False, "A part or a table lacks columns of this version.", _AGAIN),
    Kind("stale", False, "A table or a report was made before the newest commit.", _AGAIN),
    Kind("mixed", False, "The tables of a night were not made together.", _AGAIN),
    Kind(
        "gone",
        False,
        "All events of a night are gone, although a table or a run's record was made from them.",
        "if no retention rule removed them, restore the folder from a copy of the archive",
    ),
    Kind("report", False, "A report's file is not as the run that wrote it left it.", _AGAIN),
    Kind(
        "orphan",
        False,
        "A part that no commit names: this program never reads it, other readers do.",
        "if no job is writing this night now, delete it",
    ),
    Kind("foreign", False, "An object that no archive holds.", "move it out of the archive"),
    Kind(
        "temporary",
        False,
        "A temporary file, left by a writer that was killed.",
        "if no job is writing to this archive now, delete it",
    ),
)

_BY_NAME = {kind.name: kind for kind in KINDS}


@dataclass(frozen=True)
class Finding:
    """One object that is not as it should be. `key` and `found` are raw: a listing may hold any name."""

    kind: Kind
    key: str
    found: str
    mend: str


@dataclass(frozen=True)
class Checked:
    """What a check looked at and what it found, damage first, then by key.

    `instead` is what is there where no night is."""

    url: str
    findings: tuple[Finding, ...]
    nights: int
    objects: int
    bytes: int
    rows: int
    instead: str = ""

    @property
    def damaged(self) -> int:
        """Findings that are damage."""
        return sum(f.kind.damage for f in self.findings)

    @property
    def empty(self) -> bool:
        """Is it no archive, or none of what was asked for? Then nothing there is out of place."""
        return not self.nights and not self.damaged


@dataclass
class Tally:
    """A check under way: what was looked at so far, each finding once for its kind and key."""

    archive: str
    findings: dict[tuple[str, str], Finding] = field(default_factory=dict)
    objects: int = 0
    bytes: int = 0
    rows: int = 0

    def saw(self, size: int, rows: int = 0) -> None:
        """One object was read."""
        self.objects += 1
        self.bytes += size
        self.rows += rows

    def find(
        self, name: str, key: str, found: str, *, cluster: str = "", night: date | None = None, command: str = ""
    ) -> None:
        """Keep a finding of the kind with this name."""
        kind = _BY_NAME[name]
        mend = kind.mend.format(archive=shlex.quote(self.archive), cluster=cluster, night=night, command=command)
        self.findings.setdefault((name, key), Finding(kind, key, found, mend))

    def has(self, *names: str, below: str) -> bool:
        """Is there a finding of one of these kinds below a folder?"""
        return any(name in names and key.startswith(f"{below}/") for name, key in self.findings)

    def checked(self, nights: int, instead: str) -> Checked:
        """The result, in order."""
        order = sorted(self.findings.values(), key=lambda f: (not f.kind.damage, f.key, f.kind.name))
        return Checked(self.archive, tuple(order), nights, self.objects, self.bytes, self.rows, instead)


def lines(checked: Checked) -> Iterator[str]:
    """A line for each finding, then one that sums up; none where there is no night. Safe for a screen."""
    if checked.empty:
        return
    for finding in checked.findings:
        where = f"{visible(checked.url)}/{shown_name(finding.key, _LONGEST_KEY)}"
        yield f"{finding.kind.name}: {where}: {visible(finding.found)}; {visible(finding.mend)}"
    rest = len(checked.findings) - checked.damaged
    yield (
        f"{_number(checked.nights, 'night')}, {_number(checked.objects, 'object')}, {_number(checked.bytes, 'byte')}, "
        f"{_number(checked.rows, 'row')} verified: {checked.damaged:,} damaged, {rest:,} to look at"
    )


def _number(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def refuse(checked: Checked, *, strict: bool) -> None:
    """Turn findings into the end of the command.

    Args:
        strict: anything found is an error, not damage alone.
    Raises:
        DataError: something is damaged.
        EmptyNightError: there was no night to look at.
    """
    if checked.empty:
        raise EmptyNightError(
            f"{checked.url}: no night of an archive found, one at least expected: {checked.instead}; look at --archive"
            ", --cluster, --from and --to"
        )
    number = len(checked.findings) if strict else checked.damaged
    if number:
        kinds = ", ".join(dict.fromkeys(f.kind.name for f in checked.findings if strict or f.kind.damage))
        raise DataError(
            f"{checked.url}: {_number(number, 'finding')} ({kinds}), none expected; each line printed names an object "
            "and what mends it"
        )
