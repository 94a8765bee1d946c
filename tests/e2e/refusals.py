"""How a command that refuses ends, what it advises, and the night that such tests ask for."""

from __future__ import annotations

import shlex
from pathlib import Path

from e2e.job import FEW_TREES, Ended, auditforest
from e2e.world import CLUSTER, NIGHTS

from pipelines.errors import Exit

FIRST, SECOND = NIGHTS[:2]


def refused(ended: Ended, code: Exit, *said: str) -> str:
    """The one line a failure ends with, after all that must be true of any failure."""
    assert ended.code == code, ended.err
    assert ended.out == ""
    (line,) = ended.complaints
    assert line.startswith("auditforest: ")
    for words in said:
        assert words in line
    return line.removeprefix("auditforest: ")


def nothing_committed(archive: Path) -> bool:
    """Whether no reader can find anything of any night."""
    return not any((archive / table).exists() for table in ("events", "items", "principal_days", "ranking", "reports"))


def command(*more: object, cluster: str = CLUSTER, **given: object) -> list[object]:
    """nightly with a source, an archive and a date where the test gives them; None leaves one out."""
    asked: dict[str, object] = {"source": "source", "archive": "archive", "date": FIRST} | given
    flags = [part for name, value in asked.items() if value is not None for part in (f"--{name}", value)]
    return ["nightly", "--cluster", cluster, *flags, *FEW_TREES, *more]


def one_log(folder: Path, body: bytes, name: str = "audit.ndjson") -> Path:
    """A new folder with a log of these bytes."""
    folder.mkdir()
    (folder / name).write_bytes(body)
    return folder


def advised(message: str) -> Ended:
    """How the command ends that a message tells the user to run, typed as it stands."""
    return auditforest(*shlex.split(message.rpartition("run 'auditforest ")[2].removesuffix("'")))
