"""What a derived table was made from: stands in its metadata, and tells whether making it again would change it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pipelines.archive import Archive
from pipelines.decoded import Derived

LIBRARIES = ("duckdb", "numba", "numpy", "pandas", "pyarrow", "rrcf", "scikit-learn", "scipy")
"""Named with every table and run: another version may give other bytes."""


@cache
def code() -> Mapping[str, str]:
    """Version of the product, hash of its source, and the libraries under it."""
    root = Path(__file__).parents[2]
    digest = sha256()
    for package in ("features", "models", "pipelines"):
        for path in sorted((root / package).rglob("*.py")):
            digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return {
        "auditforest": version("auditforest"),
        "source": digest.hexdigest()[:16],
        **{name: version(name) for name in LIBRARIES},
    }


def unchanged(archive: Archive, table: str, night: date, origin: Mapping[str, Any]) -> Derived | None:
    """The table as it stands, if it was made of exactly this; else None, and it has to be made."""
    found = archive.derived(table, night)
    if found is None or found.meta.get("origin") != origin:
        return None
    return found
