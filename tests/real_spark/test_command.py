"""`auditforest features --sql spark` as a user runs it, in a process of its own."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from e2e.job import auditforest, process

SAMPLE = Path(__file__).parents[2] / "data" / "sample"
NIGHTS = ("--cluster", "prod-usw2", "--from", "2026-09-08", "--to", "2026-09-09")
TABLES = ("items", "principal_days")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of two nights of the sample, not counted yet. Not to be changed."""
    archive = tmp_path_factory.mktemp("sample") / "archive"
    done = auditforest("export", *NIGHTS, "--source", SAMPLE, "--archive", archive)
    assert done.code == 0, done.err
    return archive


def test_nights_of_the_sample_are_the_same_objects_as_duckdb_makes(exported: Path, tmp_path: Path) -> None:
    duck, spark = (shutil.copytree(exported, tmp_path / name) for name in ("duck", "spark"))
    spilled = tmp_path / "spill [1] é"
    spilled.mkdir()
    plain = process("features", *NIGHTS, "--archive", duck)
    asked = process("features", *NIGHTS, "--archive", spark, "--sql", "spark", TMPDIR=str(spilled), patience_s=600)
    assert (asked.code, asked.out) == (plain.code, plain.out), asked.err
    assert asked.complaints == []
    made = {p.relative_to(spark): p.read_bytes() for table in TABLES for p in (spark / table).rglob("*.parquet")}
    assert len(made) == 4
    assert made == {name: (duck / name).read_bytes() for name in made}
    assert list(spilled.iterdir()) == []


def test_without_java_one_line_says_what_mends_it(exported: Path) -> None:
    ended = process("features", *NIGHTS, "--archive", exported, "--sql", "spark", PATH="/none", JAVA_HOME="")
    assert ended.code == 2
    (line,) = ended.complaints
    assert "no Java 17 or later" in line
    assert "apt-get install openjdk-17-jre-headless" in line


def test_an_older_java_is_told_apart(exported: Path, tmp_path: Path) -> None:
    old = tmp_path / "java"
    old.write_text(
        "#!/bin/sh\necho 'Exception java.lang.UnsupportedClassVersionError: class file version 61.0' >&2\nexit 1\n"
    )
    old.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    ended = process("features", *NIGHTS, "--archive", exported, "--sql", "spark", PATH=path, JAVA_HOME="")
    assert ended.code == 2
    assert "no Java 17 or later" in ended.complaints[0]
