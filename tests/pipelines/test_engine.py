"""The engine of a run beside what else needs memory."""

from __future__ import annotations

import subprocess
import sys

import duckdb
import pyarrow as pa
import pytest

from pipelines.config import ParseConfig
from pipelines.engine import alone, at_rest, engine, modest
from pipelines.parsing.handed import SCHEMA
from pipelines.parsing.parse import reading

_RESTED = """
from pathlib import Path
from pipelines.config import ParseConfig
from pipelines.engine import at_rest, engine

def resident():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) * 1024

with engine(ParseConfig(threads=2)) as made:
    made.execute("SELECT count(*) FROM (SELECT md5(i::VARCHAR) AS h FROM range(2000000) t(i) GROUP BY h)").fetchall()
    kept = resident()
    at_rest(made)
    print(kept - resident())
"""


def _limit(made: duckdb.DuckDBPyConnection) -> str:
    found: str = made.execute("SELECT current_setting('memory_limit')").fetchall()[0][0]
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_an_engine_at_rest_gives_back_what_work_took() -> None:
    # a process of its own: what others freed before would be counted
    ended = subprocess.run([sys.executable, "-c", _RESTED], capture_output=True, text=True, check=True)
    assert int(ended.stdout) > 30_000_000


@pytest.mark.parametrize("limit", ["200MB", "20MB", "4GB"])
def test_an_engine_at_rest_keeps_its_limit(limit: str) -> None:
    with engine(ParseConfig(memory_limit=limit)) as made:
        before = _limit(made)
        for _ in range(3):
            at_rest(made)
            with modest(made):
                at_rest(made)
        assert _limit(made) == before


def test_an_engine_at_rest_keeps_what_it_still_needs() -> None:
    with engine(ParseConfig()) as made:
        made.execute("CREATE TEMP TABLE kept AS SELECT i, md5(i::VARCHAR) AS h FROM range(3000000) t(i)")
        before = _limit(made)
        at_rest(made)
        assert made.execute("SELECT count(*), max(i) FROM kept").fetchall() == [(3_000_000, 2_999_999)]
        made.execute("SELECT count(DISTINCT h) FROM kept")
        assert _limit(made) == before


@pytest.mark.parametrize(
    ("limit", "asked", "reading", "otherwise"),
    [("1GB", 64, 4, 9), ("1GB", 2, 2, 2), ("100MB", 8, 1, 1), ("8GB", 64, 67, 64)],
)
def test_no_more_threads_run_than_the_memory_holds(limit: str, asked: int, reading: int, otherwise: int) -> None:
    def threads() -> int:
        found: int = made.execute("SELECT current_setting('threads')").fetchall()[0][0]
        return found

    with engine(ParseConfig(memory_limit=limit, threads=asked)) as made:
        assert threads() == otherwise
        with modest(made):
            assert threads() == min(asked, reading)
            with alone(made):
                assert threads() == 1
            assert threads() == min(asked, reading)
        assert threads() == otherwise


def test_a_slow_query_draws_nothing_on_the_screen() -> None:
    with engine(ParseConfig()) as made:
        assert made.execute("SELECT current_setting('enable_progress_bar')").fetchall() == [(False,)]


def test_lines_are_read_without_a_join_for_each_list_of_the_query() -> None:
    def joins(made: duckdb.DuckDBPyConnection) -> int:
        made.register("lines", pa.table([[]] * len(SCHEMA), SCHEMA))
        plan: str = made.execute(f"EXPLAIN {reading(None)}").fetchall()[0][1]
        return plan.count("MARK")

    with engine(ParseConfig()) as made, duckdb.connect() as plain:
        assert joins(plain) > joins(made) == 0
