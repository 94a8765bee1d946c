"""The DuckDB connection of a run: UTC, a memory limit, spill files in a folder that goes with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import duckdb
import pyarrow as pa

from pipelines.config import ParseConfig
from pipelines.scratch import scratch

# of each connection, also of one to the same engine; else times would be read in the machine's zone
_SESSION = "SET TimeZone = 'UTC'; SET preserve_insertion_order = false"

_USUAL_BYTES = 1_000_000_000
"""Of the engine and what stands beside it. What the engine has left of it is enough: for less it spills."""
READING_BYTES = 500_000_000
"""What reading and writing a night take beside the engine."""
COUNTING_BYTES = 600_000_000
"""What counting and ranking it take: tables of all principals and of what each of them did, as long as their names."""
_AT_REST_BYTES = 64_000_000
_THREAD_BYTES = 110_000_000
"""What one thread takes of it; more threads than fit would end in an error, not in spilling."""


@contextmanager
def engine(config: ParseConfig) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that never reaches the network; closed and swept afterwards."""
    with scratch() as spill:
        settings: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": config.memory_limit,
            "temp_directory": str(spill),
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            # it makes a join of each list of an IN: the query that reads lines then takes longer to plan and to run
            "disabled_optimizers": "in_clause",
        }
        if config.threads is not None:
            settings["threads"] = str(config.threads)
        connection = duckdb.connect(":memory:", config=settings)
        try:
            _begin(connection)
            _set_threads(connection, _threads(connection))
            yield connection
        finally:
            connection.close()


def worker(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """A second connection to the same engine, for another thread."""
    other = connection.cursor()
    _begin(other)
    return other


def _begin(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(_SESSION)
    # a query of more than two seconds would draw its own progress among the results on stdout; in a notebook without
    # ipywidgets it draws none, and refuses to be told so
    if connection.execute("SELECT current_setting('enable_progress_bar')").fetchall()[0][0]:
        connection.execute("SET enable_progress_bar = false")


@contextmanager
def modest(connection: duckdb.DuckDBPyConnection, beside: int = READING_BYTES) -> Iterator[None]:
    """Leaves room, for a while, for what else is made of a night; what the user gave beyond that stays.

    Arrow takes its memory from the system meanwhile: its own pool keeps a sixth more, and has it cleared for it.

    Args:
        beside: bytes to leave.
    """
    given, threads = _limit(connection), _threads(connection)
    connection.execute(f"SET memory_limit = '{max(min(given, _USUAL_BYTES - beside), given - beside)}B'")
    _set_threads(connection, threads)
    pool = pa.default_memory_pool()
    pa.set_memory_pool(pa.system_memory_pool())
    try:
        yield
    finally:
        pa.set_memory_pool(pool)
        connection.execute(f"SET memory_limit = '{given}B'; SET threads = {threads}")


@contextmanager
def alone(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """All memory for one thread."""
    threads = _threads(connection)
    connection.execute("SET threads = 1")
    try:
        yield
    finally:
        connection.execute(f"SET threads = {threads}")


def at_rest(connection: duckdb.DuckDBPyConnection) -> None:
    """Have the engine give back the memory of work that is done: else it keeps some for work to come."""
    given = _limit(connection)
    # what it still needs and cannot spill it keeps
    with suppress(duckdb.OutOfMemoryException):
        connection.execute(f"SET memory_limit = '{min(given, _AT_REST_BYTES)}B'")
    connection.execute(f"SET memory_limit = '{given}B'")


def _threads(connection: duckdb.DuckDBPyConnection) -> int:
    found: int = connection.execute("SELECT current_setting('threads')").fetchall()[0][0]
    return found


def _set_threads(connection: duckdb.DuckDBPyConnection, asked: int) -> None:
    """As many threads as are asked for, or as the memory holds."""
    connection.execute(f"SET threads = {max(1, min(asked, _limit(connection) // _THREAD_BYTES))}")


def _limit(connection: duckdb.DuckDBPyConnection) -> int:
    found: int = connection.execute("SELECT parse_formatted_bytes(current_setting('memory_limit'))").fetchall()[0][0]
    # the text is cut after a tenth of its unit; with a 1024th more it reads the same when it was set again
    unit = 1 << 10 * ((found.bit_length() - 1) // 10)
    return found + unit // 1024
