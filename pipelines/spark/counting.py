"""A night counted on Spark: events in, the same tables out that DuckDB counts.

Results pass through a staging folder as Parquet: of any size, and the same on this machine and on a cluster."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from features.days import AFTER_CROWDS, BEFORE_CROWDS, Counted, counted
from features.sql import text
from pipelines.archive import Archive
from pipelines.commits import Commit, folder
from pipelines.config import Config
from pipelines.errors import ConfigError, RetryError
from pipelines.parsing.events import SCHEMA
from pipelines.scratch import scratch
from pipelines.spark.session import session
from pipelines.stages.features import lacking
from pipelines.store import LocalStore, ObjectStore, open_store

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_SCARCE = re.compile("OutOfMemoryError|No space left on device|Unable to acquire [0-9]+ bytes")


@dataclass(frozen=True)
class _Staging:
    """A folder that Spark and this process both reach."""

    store: ObjectStore
    prefix: str

    def url(self, name: str) -> str:
        """Of one table, for Spark."""
        return f"{self.store.url}/{self.prefix}/{name}"

    def put(self, name: str, table: pa.Table) -> None:
        """One table, for Spark to read."""
        body = BytesIO()
        pq.write_table(table, body)
        self.store.put(f"{self.prefix}/{name}/part-0.parquet", body.getvalue())

    def get(self, name: str) -> pa.Table:
        """A table that Spark wrote, its rows in any order."""
        keys = [key for key in self.store.list(f"{self.prefix}/{name}/") if key.endswith(".parquet")]
        return pa.concat_tables(pq.read_table(BytesIO(self.store.get(key) or b"")) for key in keys)


def count_on_spark(archive: Archive, config: Config, commit: Commit, past_items: pa.Table) -> Counted:
    """The night in numbers, in the order in which DuckDB gives it.

    Raises:
        ConfigError: pyspark or Java is missing, or the executors of a cluster have no staging folder.
        DataError: a part is missing or damaged.
        RetryError: Spark ran short of memory or space.
    """
    with (
        session(config.features, config.parse) as spark,
        _staging(spark, config) as staging,
        _events(archive, commit, config) as paths,
    ):
        staging.put("past_items", past_items)
        try:
            unknown = _run(spark, paths, staging)
        except Exception as error:
            short = _SCARCE.search(str(error))
            if short is None:
                raise
            raise RetryError(f"Spark: {short[0]}; raise spark_memory under [features], or free space") from error
        days = staging.get("days").sort_by("principal")
        items = staging.get("items").sort_by([(name, "ascending") for name in ("principal", "kind", "item")])
        return counted(days, items, staging.get("night"), unknown)


@contextmanager
def _staging(spark: SparkSession, config: Config) -> Iterator[_Staging]:
    run = f"auditforest-{secrets.token_hex(8)}"
    where = config.features.spark_staging
    if where is not None:
        yield _Staging(open_store(where, endpoint=config.aws.endpoint, region=config.aws.region), run)
    elif spark.sparkContext.master.startswith("local"):
        with scratch() as here:
            yield _Staging(LocalStore(here), run)
    else:
        raise ConfigError(
            "features.spark_staging: unset, and Spark's executors are other machines; name an s3://BUCKET/PREFIX that "
            "they may write to and this process may read"
        )


@contextmanager
def _events(archive: Archive, commit: Commit, config: Config) -> Iterator[list[str]]:
    """The night's parts: verified copies on this machine; a cluster reads them where they lie."""
    if config.features.spark_staging is None:
        with archive.files(commit) as parts:
            yield [str(part) for part in parts]
    else:
        where = f"{archive.store.url}/{folder(commit.table, commit.cluster, commit.night)}"
        yield [f"{where}/{part.file}" for part in commit.parts]


def _run(spark: SparkSession, events: list[str], staging: _Staging) -> frozenset[str]:
    """Every statement in its order; each table is staged, and read from there by the next ones.

    Returns the columns that older versions wrote none of."""
    staging.put("no_event", SCHEMA.empty_table())
    found = _read(spark, *events, merged=True)
    found.unionByName(_read(spark, staging.url("no_event")), allowMissingColumns=True).createOrReplaceTempView("events")
    _read(spark, staging.url("past_items")).createOrReplaceTempView("past_items")
    spark.sql(text("spark", "requests")).createOrReplaceTempView("requests")

    def make(*names: str) -> DataFrame:
        for name in names:
            spark.sql(text("spark", name)).write.parquet(staging.url(name))
            made = _read(spark, staging.url(name))
            made.createOrReplaceTempView(name)
        return made

    if make(*BEFORE_CROWDS).limit(1).count():
        make("crowded_tallies").createOrReplaceTempView("tallies")
    make(*AFTER_CROWDS, "days", "night")
    return lacking(frozenset(found.columns))


def _read(spark: SparkSession, *paths: str, merged: bool = False) -> DataFrame:
    # a path is a glob to Spark
    plain = (re.sub(r"([\\{}\[\]*?])", r"\\\1", path) for path in paths)
    return spark.read.option("mergeSchema", merged).parquet(*plain)
