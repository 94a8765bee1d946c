"""How a notebook or a program uses the packages, read by mypy alone (`make lint`): each answer has the type it says.

A line with `type: ignore` is a use that must be refused; mypy complains of one that it no longer needs."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import assert_type

import duckdb
import numpy as np
import numpy.typing as npt
import pandas as pd

import features
import pipelines
from features.frames import FeatureMatrix
from models import RandomCutForest
from pipelines.opened import OpenArchive
from pipelines.store import ObjectStore, open_store


def an_archive_is_a_folder_a_name_or_a_store(store: ObjectStore) -> None:
    assert_type(pipelines.open_archive("s3://bucket/prefix"), OpenArchive)
    pipelines.open_archive(Path("build") / "demo").close()
    pipelines.open_archive(open_store("s3://bucket/prefix", region="eu-west-1"))
    pipelines.open_archive(store)
    pipelines.open_archive(7)  # type: ignore[arg-type]
    pipelines.open_archive()  # type: ignore[call-arg]


def each_table_is_a_relation_of_a_cluster_and_nights() -> None:
    with pipelines.open_archive("build/demo") as archive:
        assert_type(archive.clusters(), list[str])
        assert_type(archive.nights(), list[date])
        assert_type(archive.connection, duckdb.DuckDBPyConnection)
        tables = (
            archive.events,
            archive.requests,
            archive.items,
            archive.principal_days,
            archive.ranking,
            archive.marks,
        )
        for table in tables:
            assert_type(table(), duckdb.DuckDBPyRelation)
            table("prod", "2026-09-15")
            table("prod", date(2026, 9, 15))
            table(nights=["2026-09-14", date(2026, 9, 15)])
            table(cluster="prod", nights=archive.nights("prod")[-7:])
            table(nights=15)  # type: ignore[arg-type]
            table(cluster=date(2026, 9, 15))  # type: ignore[arg-type]


def features_are_frames() -> None:
    nights = features.load("build/demo", "prod")
    assert_type(nights, FeatureMatrix)
    assert_type(nights.frame(), pd.DataFrame)
    assert_type(nights.forest_frame(), pd.DataFrame)
    assert_type(nights.describe(), pd.DataFrame)
    assert_type(nights.derived(), pd.DataFrame)
    assert_type(nights.describe_derived(), pd.DataFrame)
    assert_type(nights.night(date(2026, 9, 15)).nights, tuple[date, ...])
    features.load(pipelines.open_archive("build/demo").store, "prod", ["2026-09-15"])
    features.load("build/demo")  # type: ignore[call-arg]
    nights.night("2026-09-15")  # type: ignore[arg-type]


def a_forest_reads_frames_and_arrays(table: pd.DataFrame, array: npt.NDArray[np.float64]) -> None:
    forest = RandomCutForest(n_estimators=100, max_samples=64, random_state=0)
    assert_type(forest.fit(table), RandomCutForest)
    assert_type(forest.fit(array).codisp(table), npt.NDArray[np.float64])
    forest.counterfactual(table, 0, {"secrets": 0.0})
    RandomCutForest(trees=100)  # type: ignore[call-arg]
