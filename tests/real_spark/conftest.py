"""Spark on this machine, started once; without `make test-spark` nothing here is collected."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest

from pipelines.archive import EVENTS, ITEMS, PRINCIPAL_DAYS, Addition, Archive
from pipelines.commits import Commit, Counts, Input
from pipelines.config import Config, FeaturesConfig, ParseConfig
from pipelines.decoded import Derived
from pipelines.engine import engine
from pipelines.stages.features import features
from pipelines.store import LocalStore

if "TEST_SPARK" not in os.environ:
    collect_ignore_glob = ["*"]
else:
    from pyspark.sql import SparkSession

    from pipelines.spark.counting import count_on_spark
    from pipelines.spark.session import session

NIGHT = date(2026, 9, 15)
PARSE = ParseConfig(threads=2)


@pytest.fixture(scope="session", autouse=True)
def spark() -> Iterator[SparkSession]:
    """A session as the job starts it; while it is active the job takes it for its own."""
    with session(FeaturesConfig(), PARSE) as started:
        yield started


@pytest.fixture
def both(tmp_path: Path) -> Callable[..., Derived]:
    """Counts nights of events, in order, on either engine; the last night's rows, when every byte was the same."""

    def count(*nights: Sequence[pa.Table], config: Config | None = None) -> Derived:
        asked = Config(parse=PARSE) if config is None else config
        archives = [Archive(LocalStore(tmp_path / name), "prod") for name in ("duckdb", "spark")]
        with engine(PARSE) as duck:
            for number, parts in enumerate(nights, 1):
                night = date(2026, 9, 15 - len(nights) + number)
                for archive in archives:
                    for part in parts:
                        _archived(archive, night, part)
                made = [
                    features(archives[0], duck, night, 28),
                    features(archives[1], duck, night, 28, partial(count_on_spark, archives[1], asked)),
                ]
                for table in (ITEMS, PRINCIPAL_DAYS):
                    one, other = (archive.derived(table, night) for archive in archives)
                    assert one is not None
                    assert other is not None
                    assert one.table.equals(other.table), differing(one.table, other.table)
                    assert one.sha256 == other.sha256
        return made[1]

    return count


def differing(one: pa.Table, other: pa.Table) -> str:
    """The first values in which two tables differ, and where; empty for equal ones, whatever their integers' width."""
    if one.num_rows != other.num_rows or one.column_names != other.column_names:
        return f"{one.num_rows} and {other.num_rows} rows of {one.column_names} and {other.column_names}"
    found = []
    for name in one.column_names:
        pairs = zip(one[name].to_pylist(), other[name].to_pylist(), strict=True)
        found += [f"{name} of row {n}: {a!r:.300} and {b!r:.300}" for n, (a, b) in enumerate(pairs) if a != b][:3]
    return "\n".join(found[:30])


def _archived(archive: Archive, night: date, events: pa.Table) -> None:
    def added(before: Commit | None) -> Addition:
        name = f"events-{0 if before is None else len(before.inputs)}.ndjson"
        counts = Counts(read=events.num_rows, archived=events.num_rows)
        return Addition(events.to_batches(), events.schema, (Input(name, "0" * 64, 1),), counts)

    archive.append(EVENTS, night, added)
