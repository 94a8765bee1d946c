"""The command line as tests use it: run a job, look at what it left behind."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from unittest import mock

from e2e.world import CLUSTER
from s3_server import AWS_ENVIRONMENT

from pipelines.cli import main
from pipelines.stages.listing import INDEX

NO_CLUSTER = (
    "auditforest: no cluster: pass --cluster NAME, or declare each under [clusters.NAME] in auditforest.toml to run "
    "them all; commands without --source find the only cluster of --archive WHERE"
)
FEW_TREES = ("--trees", "10")


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code and what it printed."""

    code: int
    out: str
    err: str

    @property
    def complaints(self) -> list[str]:
        """Lines on stderr that are no JSON log lines."""
        return [line for line in self.err.splitlines() if not line.startswith("{")]


def auditforest(*arguments: object, **environment: str) -> Ended:
    """A command line, run in this process as the entry point runs it, with these variables set."""
    out, err = _Stream(), _Stream()
    code = 0
    with mock.patch.dict(os.environ, _plain() | environment, clear=True), redirect_stdout(out), redirect_stderr(err):
        try:
            main([str(a) for a in arguments])
        except SystemExit as end:
            code = int(end.code or 0)
    return Ended(code, out.text, err.text)


def _plain() -> dict[str, str]:
    """The environment without any option, credential or colour of whoever runs the tests."""
    own = ("AUDITFOREST_", "AWS_", "FORCE_COLOR", "TTY_", "COLUMNS", "PYTHONIOENCODING")
    return {name: value for name, value in os.environ.items() if not name.startswith(own)} | AWS_ENVIRONMENT


class _Stream(io.TextIOWrapper):
    """What a process has for stdout: text over bytes, no terminal."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", write_through=True)

    @property
    def text(self) -> str:
        self.flush()
        self.seek(0)
        return self.read()


def nightly(source: Path, archive: Path | str, *nights: date, trees: int = 10, **environment: str) -> Ended:
    """One night, or all from the first to the last."""
    asked = ("--date", nights[0]) if len(nights) == 1 else ("--from", nights[0], "--to", nights[-1])
    options = ("--cluster", CLUSTER, "--source", source, "--archive", archive, "--trees", trees)
    return auditforest("nightly", *options, *asked, **environment)


def everything(root: Path, *, apart_from: str = "runs/") -> dict[str, bytes]:
    """Every object of a local archive but the records of its runs and the list of its reports, which tell of all."""
    found = {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}
    return {name: body for name, body in found.items() if not name.startswith((apart_from, INDEX))}


def records(root: Path) -> list[dict[str, Any]]:
    """Records of the runs so far, the latest last."""
    found = [json.loads(p.read_bytes()) for p in (root / "runs").glob("*.json")]
    return sorted(found, key=lambda r: str(r["started"]))


def ranking_of(root: Path, night: date) -> dict[str, Any]:
    """ranking.json of a night."""
    found: dict[str, Any] = json.loads(object_of(root, "reports", night, "ranking.json").read_bytes())
    return found


def object_of(root: Path, table: str, night: date, name: str) -> Path:
    """Where an object of a night lies in a local archive."""
    return root / table / f"cluster={CLUSTER}" / f"date={night}" / name


def process(*arguments: object, cwd: Path | None = None, patience_s: int = 120, **environment: str) -> Ended:
    """The same in a process of its own."""
    command = [sys.executable, "-m", "pipelines", *map(str, arguments)]
    done = subprocess.run(
        command, cwd=cwd, env=_plain() | environment, capture_output=True, timeout=patience_s, check=False
    )
    encoding = environment.get("PYTHONIOENCODING", "utf-8")
    return Ended(done.returncode, done.stdout.decode(encoding), done.stderr.decode(encoding))
