"""`auditforest show` as tests call it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from e2e.job import Ended, auditforest
from e2e.world import NIGHTS

BEFORE = NIGHTS[-2]
"""The night before the last."""


def show(root: Path, *arguments: object) -> Ended:
    """The command, of the archive at `root`."""
    return auditforest("show", *arguments, "--archive", root)


def told(root: Path, *arguments: object) -> dict[str, Any]:
    """What it tells as JSON."""
    ended = show(root, *arguments, "--format", "json")
    assert (ended.code, ended.err) == (0, "")
    found: dict[str, Any] = json.loads(ended.out)
    return found
