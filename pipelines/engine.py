"""The DuckDB connection of a run: UTC, a memory limit, spill files in a folder that goes with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory

import duckdb

from pipelines.config import ParseConfig


@contextmanager
def engine(config: ParseConfig) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that never reaches the network; closed and swept afterwards."""
    with TemporaryDirectory(prefix="auditforest-spill-") as spill:
        settings: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": config.memory_limit,
            "temp_directory": spill,
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        }
        if config.threads is not None:
            settings["threads"] = str(config.threads)
        connection = duckdb.connect(":memory:", config=settings)
        try:
            connection.execute("SET TimeZone = 'UTC'; SET preserve_insertion_order = true")
            yield connection
        finally:
            connection.close()
