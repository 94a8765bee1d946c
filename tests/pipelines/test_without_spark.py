"""Spark is an extra: nothing needs it until it is asked for, and then one line says what is missing."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pipelines.config import FeaturesConfig, ParseConfig
from pipelines.errors import ConfigError
from pipelines.spark.session import session


def test_a_missing_pyspark_is_a_usage_error_that_says_what_mends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyspark", None)
    monkeypatch.setitem(sys.modules, "pyspark.sql", None)
    with pytest.raises(ConfigError, match=r"features\.sql is spark: no package pyspark .* run .pip install 'pyspark"):
        session(FeaturesConfig(), ParseConfig()).__enter__()


def test_a_run_without_spark_imports_neither_spark_nor_sqlglot() -> None:
    asked = "import sys, pipelines.cli, pipelines.spark.counting; print({'pyspark', 'sqlglot'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True, timeout=120)
    assert found.stdout.strip() == "set()"
