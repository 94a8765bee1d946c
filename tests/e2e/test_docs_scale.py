"""docs/scale.md names files, options and job parameters that exist; what it runs on Spark is in tests/real_spark."""

from __future__ import annotations

import re
from pathlib import Path

from e2e.job import auditforest

from pipelines.declared import options

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "scale.md").read_text()


def test_every_file_it_names_is_there() -> None:
    named = re.findall(r"\b(?:features|deploy|tests|benchmarks)/[\w./*-]*\w", PAGE)
    assert len(named) > 6
    assert not [name for name in named if not list(ROOT.glob(name))]


def test_every_flag_of_its_command_is_known() -> None:
    (command,) = re.findall(r"```console\nauditforest (\w+ .*)\n```", PAGE)
    stage, *words = command.split()
    said = auditforest(stage, "--help").out
    assert not [flag for flag in words if flag.startswith("--") and f" {flag} " not in said]


def test_its_keys_are_options() -> None:
    known = {option.rpartition(".")[2] for option in options()}
    assert {"sql", "spark_memory", "threads", "memory_limit"} <= known & set(re.findall(r"`(\w+)`", PAGE))


def test_the_parameters_of_a_job_are_those_that_the_script_reads() -> None:
    script = (ROOT / "deploy" / "spark" / "job.py").read_text()
    read = {f"--{name}" for name in re.findall(r'"(cluster|archive|staging|date|from|to)"', script)}
    services = PAGE[PAGE.index("### EMR Serverless") :]
    given = set(re.findall(r'"(--[a-z]+)"', services))
    assert {"--cluster", "--archive", "--staging", "--date"} <= given <= read
