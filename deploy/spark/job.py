"""The features stage on a cluster's Spark: what the starters for EMR Serverless and Glue share.

The driver needs auditforest and what it needs; the executors need nothing, they run SQL. docs/scale.md has the
commands, tests/real_spark/test_job.py submits both starters to a Spark on one machine."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

from pyspark.sql import SparkSession

from pipelines.cli import main as auditforest
from pipelines.declared import environment_name

_PASSED_ON = ("cluster", "archive", "date", "from", "to")


def main(arguments: Sequence[str]) -> None:
    """Counts the asked nights; options of the service beside ours are passed over.

    Raises:
        SystemExit: it failed; bears auditforest's exit code.
    """
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    for name in ("cluster", "archive", "staging"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("date", "from", "to"):
        parser.add_argument(f"--{name}")
    given = vars(parser.parse_known_args(arguments)[0])
    os.environ[environment_name("features.spark_staging")] = given["staging"]
    asked = [word for name in _PASSED_ON if given[name] is not None for word in (f"--{name}", given[name])]
    # the service made it ready: auditforest finds it and starts none of its own
    SparkSession.builder.appName("auditforest").getOrCreate()
    auditforest(["features", "--sql", "spark", *asked])
