"""A Spark session: the one that is there, on a cluster, else one of this machine.

On this machine it listens on loopback alone, and what it writes goes to a folder that goes with it."""

from __future__ import annotations

import shutil
import signal
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING, Any

from pipelines.config import FeaturesConfig, ParseConfig
from pipelines.errors import ConfigError, RetryError
from pipelines.scratch import scratch

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_SESSION = {
    "spark.sql.session.timeZone": "UTC",
    # as the statements are tested: what has no value is an error, not null
    "spark.sql.ansi.enabled": "true",
    # times as they stand in the file, also those before 1900
    "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",
    "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
}
"""What every session must have: else a time or a text would mean something else."""

_OF_THIS_MACHINE = {
    "spark.app.name": "auditforest",
    "spark.ui.enabled": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.sql.catalogImplementation": "in-memory",
    "spark.sql.shuffle.partitions": "8",
}


@contextmanager
def session(features: FeaturesConfig, parse: ParseConfig) -> Iterator[SparkSession]:
    """The session that is active, else one of this machine that is stopped afterwards.

    Raises:
        ConfigError: pyspark or Java is missing.
        RetryError: Spark does not start.
    """
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise ConfigError(
            "features.sql is spark: no package pyspark in this Python; run \"pip install 'pyspark>=4'\" (490 MB), "
            "or count with duckdb"
        ) from error
    active = SparkSession.getActiveSession()
    if active is not None:
        yield _settled(active)
        return
    with scratch() as folder:
        started = _started(features, parse, folder)
        try:
            yield _settled(started)
        finally:
            started.stop()


def _settled(spark: SparkSession) -> SparkSession:
    for name, value in _SESSION.items():
        spark.conf.set(name, value)
    return spark


def _started(features: FeaturesConfig, parse: ParseConfig, folder: Path) -> SparkSession:
    from pyspark import SparkConf, SparkContext
    from pyspark.sql import SparkSession

    gateway = _java(features.spark_memory)
    conf = SparkConf().setAll(list(_OF_THIS_MACHINE.items())).setMaster(f"local[{parse.threads or '*'}]")
    # Java keeps to the first such folder it was told of, and removes what it put there when it ends
    conf.set("spark.local.dir", gettempdir()).set("spark.sql.warehouse.dir", str(folder / "warehouse"))
    with _own_interrupt(), warnings.catch_warnings():
        # of a pandas it was not tried with; its pandas is not used
        warnings.simplefilter("ignore", FutureWarning)
        return SparkSession(SparkContext(conf=conf, gateway=gateway))


@cache
def _java(memory: str) -> Any:
    """The Java process, one as long as this one lives; what it says goes to a file, for stderr holds lines of ours."""
    from pyspark import SparkConf
    from pyspark.errors import PySparkException
    from pyspark.java_gateway import launch_gateway

    conf = SparkConf().set("spark.driver.memory", memory.removesuffix("B").lower())
    with scratch() as folder:
        said = folder / "java.log"
        with said.open("wb") as log:
            try:
                return launch_gateway(conf, {"stdout": log, "stderr": log})
            except (PySparkException, OSError) as error:
                raise _no_java(" ".join(said.read_text(errors="replace").split()) or str(error)) from error


def _no_java(said: str) -> ConfigError | RetryError:
    if shutil.which("java") is None or "UnsupportedClassVersion" in said:
        return ConfigError(
            f"features.sql is spark: no Java 17 or later ({said[:200]}); install one (Debian: apt-get install "
            "openjdk-17-jre-headless) and set JAVA_HOME where there are several, or count with duckdb"
        )
    return RetryError(f"Spark does not start: {said[:300]}; free memory, then run again, or count with duckdb")


@contextmanager
def _own_interrupt() -> Iterator[None]:
    """Spark takes Ctrl-C for itself; a run has its own way to end."""
    own = signal.getsignal(signal.SIGINT)
    yield
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, own)
