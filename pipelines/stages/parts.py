"""Parquet files as the engine reads them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def quoted(path: Path) -> str:
    """SQL for the path."""
    return "'" + str(path).replace("'", "''") + "'"


def read_parts(parts: Sequence[Path], more: str = "") -> str:
    """SQL for the rows of these files."""
    return f"read_parquet([{', '.join(map(quoted, parts))}], hive_partitioning = false{more})"
