"""The job scripts of deploy/spark, submitted as the services submit them, to a Spark on this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from e2e.job import auditforest
from real_spark.install import PACKAGES

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "deploy" / "spark"
SAMPLE = ROOT / "data" / "sample"
CLUSTER, NIGHT = "prod-usw2", "2026-09-09"
OF_GLUE = ("--JOB_NAME", "auditforest", "--JOB_ID", "j_1", "--JOB_RUN_ID", "jr_1", "--enable-metrics", "true")


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of two nights of the sample, both counted by DuckDB. Not to be changed."""
    archive = tmp_path_factory.mktemp("counted") / "archive"
    span = ("--cluster", CLUSTER, "--from", "2026-09-08", "--to", NIGHT, "--archive", archive)
    for stage in (("export", "--source", SAMPLE), ("features",)):
        assert auditforest(*stage, *span).code == 0
    return archive


def test_a_submitted_job_writes_the_tables_that_duckdb_writes(counted: Path, tmp_path: Path) -> None:
    archive, staging = tmp_path / "archive", tmp_path / "staging"
    shutil.copytree(counted, archive)
    tables = sorted(archive.glob(f"*/cluster={CLUSTER}/date={NIGHT}/*s.parquet"))
    assert [table.name for table in tables] == ["items.parquet", "principal_days.parquet"]
    before = [table.read_bytes() for table in tables]
    for table in tables:
        table.unlink()
    ended = _submitted("emr_serverless.py", *_asked(archive, staging))
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[-1].startswith(f"{NIGHT}  ")
    assert [table.read_bytes() for table in tables] == before
    assert list(staging.glob("auditforest-*/days/*.parquet"))


def test_a_job_of_glue_passes_over_its_parameters_and_fails_with_auditforests_exit_code(tmp_path: Path) -> None:
    ended = _submitted("glue.py", *OF_GLUE, *_asked(tmp_path, tmp_path / "staging"))
    assert ended.returncode == 2
    # spark-submit has stdout and stderr of the script in one
    assert f"no event of {CLUSTER} is archived for {NIGHT}" in ended.stdout


def _asked(archive: Path, staging: Path) -> tuple[object, ...]:
    return ("--cluster", CLUSTER, "--archive", archive, "--staging", staging, "--date", NIGHT)


def _submitted(script: str, *words: object) -> subprocess.CompletedProcess[str]:
    command = [PACKAGES / "bin" / "spark-submit", "--master", "local[2]", "--driver-memory", "2g"]
    command += ["--conf", "spark.ui.enabled=false", "--conf", "spark.driver.host=127.0.0.1"]
    command += ["--conf", "spark.sql.shuffle.partitions=4", "--py-files", SCRIPTS / "job.py", SCRIPTS / script]
    environment = os.environ | {"PYSPARK_PYTHON": sys.executable, "SPARK_HOME": str(PACKAGES / "pyspark")}
    words = tuple(map(str, (*command, *words)))
    return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=600, check=False)
