"""features.load: the counted nights of an archive as an analyst asks for them, or a line that says what is wrong."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import boto3
import numpy as np
import pandas as pd
import pytest
from builders import event
from e2e.job import Ended, auditforest, object_of
from e2e.world import ACTORS, ATTACKER, CLUSTER, LAST, NIGHTS, written
from s3_server import AWS_ENVIRONMENT

import features
from features.catalogue import FEATURES, FOREST_NAMES, NAMES
from features.derived import DERIVED
from features.frames import FeatureMatrix
from features.matrix import rows_of
from pipelines.parquet import decode, encode
from pipelines.store import open_store

NAMES_OF_ALL_KINDS = [
    "\u202eeve\u202c", "a\u0000b", "e\u0301ve", "\u00e9ve", "zero\u200bwidth", "line\nbreak", "\U0001f600",
    "a" * 1_000, "../../etc/passwd", "date=2026-01-01", "NULL", "nan", "'; DROP TABLE requests; --", "$1 {0} %s", " ",
    "\ufeffbom", "\U0010ffff", "\u0430dmin", "admin", "ADMIN", "\ud7ff\ue000",
]  # fmt: skip
"""What a caller may be called: letters that hide, that turn round, that look alike, that mean something elsewhere."""


def stages(archive: Path, cluster: str, night: date, events: Sequence[Mapping[str, Any]]) -> None:
    """A night of these events, counted."""
    source = written(archive.with_name(f"source-{cluster}-{night}"), {night: list(events)})
    where = ("--cluster", cluster, "--archive", archive, "--date", night)
    for words in (("export", *where, "--source", source), ("features", *where)):
        ended = auditforest(*words)
        assert ended.code == 0, ended.err


@pytest.fixture(scope="module")
def root(built: tuple[Path, Ended]) -> Path:
    """The archive of ten nights. Not to be changed."""
    return built[0]


def days(root: Path, night: date) -> Any:
    return decode(object_of(root, "principal_days", night, "principal_days.parquet").read_bytes(), "days")[0]


def test_a_night_is_a_frame_of_whole_numbers_with_principals_as_index(root: Path) -> None:
    matrix = features.load(root, CLUSTER, LAST)
    frame, stored = matrix.frame(), days(root, LAST)
    assert list(frame.columns) == list(NAMES)
    assert frame.index.name == "principal"
    assert frame.index.to_list() == stored["principal"].to_pylist()
    assert set(frame.dtypes) == {pd.Int64Dtype()}
    assert frame.loc[ATTACKER, "distinct_secrets"] == 61
    for name in NAMES:
        assert [None if pd.isna(value) else value for value in frame[name]] == stored[name].to_pylist()


def test_several_nights_have_principal_and_night_as_index_and_each_is_there_alone(root: Path) -> None:
    some = [LAST, NIGHTS[0], NIGHTS[3]]
    matrix = features.load(str(root), CLUSTER, [*map(str, some), LAST])
    frame = matrix.frame()
    assert frame.index.names == ["principal", "night"]
    assert list(dict.fromkeys(frame.index.get_level_values("night"))) == sorted(some)
    for night in some:
        alone = features.load(root, CLUSTER, [night])
        pd.testing.assert_frame_equal(alone.frame(), matrix.night(night).frame())
        pd.testing.assert_frame_equal(alone.forest_frame(), matrix.night(night).forest_frame())
        assert np.array_equal(alone.rows, rows_of(days(root, night)))
    assert list(matrix.forest_frame().columns) == list(FOREST_NAMES)


def test_without_nights_all_counted_ones_are_loaded(root: Path) -> None:
    matrix = features.load(root, CLUSTER)
    assert sorted(set(matrix.nights)) == list(NIGHTS)
    assert len(set(matrix.principals)) == len(ACTORS)


def test_what_is_described_is_what_is_declared_and_what_was_counted(root: Path) -> None:
    matrix = features.load(root, CLUSTER)
    told, frame = matrix.describe(), matrix.frame()
    assert told.index.to_list() == list(NAMES)
    for column in ("group", "unit", "meaning", "forest"):
        assert told[column].to_list() == [getattr(f, column) for f in FEATURES]
    assert told["max"].to_list() == frame.max().to_list()
    assert told.loc["requests", "above_0"] == len(frame)
    assert told["blind"].sum() == frame.isna().sum().sum()


def test_shares_and_distances_are_made_of_the_night_and_those_it_was_judged_by(root: Path) -> None:
    matrix = features.load(root, CLUSTER, [NIGHTS[0], LAST])
    numbers, frame = matrix.derived(), matrix.frame()
    assert list(numbers.columns) == [d.name for d in DERIVED]
    pd.testing.assert_index_equal(numbers.index, frame.index)
    pd.testing.assert_series_equal(
        numbers["list_share"], (frame["lists"] / frame["requests"]).astype(float), check_names=False
    )
    first, last = (numbers.xs(night, level="night").loc[ATTACKER] for night in (NIGHTS[0], LAST))
    assert (first["active_nights"], last["active_nights"]) == (0, len(NIGHTS) - 1)
    assert (first["days_known"], last["days_known"]) == (0, len(NIGHTS) - 1)
    assert np.isnan(first["profile_distance"])
    distances = matrix.night(LAST).derived()["profile_distance"]
    assert distances.idxmax() == ATTACKER
    assert distances[ATTACKER] == last["profile_distance"]


def test_what_is_derived_is_described_as_it_is_declared(root: Path) -> None:
    matrix = features.load(root, CLUSTER, LAST)
    told, numbers = matrix.describe_derived(), matrix.derived()
    assert told.index.to_list() == [d.name for d in DERIVED]
    for column in ("unit", "meaning"):
        assert told[column].to_list() == [getattr(d, column) for d in DERIVED]
    assert told["known"].to_list() == numbers.notna().sum().to_list()
    assert told["max"].to_list() == numbers.max().to_list()


def test_earlier_nights_that_are_gone_are_left_out_of_what_is_derived(root: Path, tmp_path: Path) -> None:
    archive = shutil.copytree(root, tmp_path / "archive")
    for night in NIGHTS[:-2]:
        object_of(archive, "items", night, "items.parquet").unlink()
    numbers = features.load(archive, CLUSTER, LAST).derived()
    assert numbers.loc[ATTACKER, "active_nights"] == 1
    object_of(archive, "items", LAST, "items.parquet").unlink()
    with pytest.raises(ValueError, match=f"date={LAST}/items.parquet: not a whole table of this archive"):
        features.load(archive, CLUSTER, LAST).derived()
    with pytest.raises(ValueError, match="not loaded from an archive"):
        FeatureMatrix.of(days(root, LAST)).derived()


def test_a_blind_feature_is_missing_and_no_zero(tmp_path: Path) -> None:
    role = {"verb": "create", "resource": "roles", "group": "rbac.authorization.k8s.io"}
    stages(tmp_path / "archive", CLUSTER, LAST, [event(at=f"{LAST}T12:00:00Z", **role)])
    matrix = features.load(tmp_path / "archive", CLUSTER, LAST)
    assert matrix.frame()["strong_rbac_writes"].isna().all()
    assert matrix.frame()["rbac_writes"].to_list() == [1]
    assert matrix.describe().loc["strong_rbac_writes", "blind"] == 1
    assert np.isfinite(matrix.rows).all()


def test_a_store_may_be_handed_over_instead_of_a_folder(root: Path) -> None:
    handed = features.load(open_store(str(root)), CLUSTER, LAST)
    pd.testing.assert_frame_equal(handed.frame(), features.load(root, CLUSTER, LAST).frame())


def test_a_bucket_is_read_through_its_store(root: Path, moto: str) -> None:
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    boto3.client("s3", endpoint_url=moto, region_name="us-east-1", **keys).create_bucket(Bucket="loaded")
    with mock.patch.dict(os.environ, AWS_ENVIRONMENT):
        store = open_store("s3://loaded/archive", endpoint=moto, region="us-east-1")
        key = f"principal_days/cluster={CLUSTER}/date={LAST}/principal_days.parquet"
        store.put(key, (root / key).read_bytes())
        found = features.load(store, CLUSTER)
    pd.testing.assert_frame_equal(found.frame(), features.load(root, CLUSTER, LAST).frame())


def test_two_clusters_of_an_archive_are_kept_apart(tmp_path: Path) -> None:
    for cluster, user in (("blue", "eve"), ("blue-2", "bob")):
        stages(tmp_path / "archive", cluster, LAST, [event(user=user, at=f"{LAST}T12:00:00Z")])
    assert features.load(tmp_path / "archive", "blue").principals == ("eve",)
    assert features.load(tmp_path / "archive", "blue-2", LAST).principals == ("bob",)
    with pytest.raises(ValueError, match="asked for, only nights of blue, blue-2 found"):
        features.load(tmp_path / "archive", "bleu")


def test_callers_with_names_of_all_kinds_are_each_one_row_of_their_name(tmp_path: Path) -> None:
    at = f"{LAST}T12:00:00Z"
    stages(tmp_path / "archive", CLUSTER, LAST, [event(user=name, at=at) for name in NAMES_OF_ALL_KINDS])
    frame = features.load(tmp_path / "archive", CLUSTER, LAST).frame()
    assert sorted(frame.index) == sorted(NAMES_OF_ALL_KINDS)
    assert frame["requests"].to_list() == [1] * len(NAMES_OF_ALL_KINDS)


def test_a_night_of_one_event_is_a_row(tmp_path: Path) -> None:
    stages(tmp_path / "archive", CLUSTER, LAST, [event(user="eve", at=f"{LAST}T12:00:00Z")])
    matrix = features.load(tmp_path / "archive", CLUSTER, LAST)
    assert matrix.frame()["requests"].to_dict() == {"eve": 1}
    assert matrix.describe().loc["requests", ["above_0", "median", "max"]].to_list() == [1, 1, 1]


GONE = LAST + timedelta(days=3)


@pytest.mark.parametrize(
    ("archive", "cluster", "nights", "said"),
    [
        ("nowhere", CLUSTER, LAST, "nowhere: no such folder; the root of an archive expected"),
        ("s3://bucket/archive", CLUSTER, LAST, "hand over pipelines.store.open_store('s3://bucket/archive')"),
        (None, CLUSTER, "yesterday", "night 'yesterday': expected a date as YYYY-MM-DD"),
        (None, CLUSTER, [LAST, GONE], f"{GONE} of {CLUSTER} asked for, counted nights from {NIGHTS[0]} to "),
        (None, CLUSTER, GONE, f"run 'auditforest features --cluster {CLUSTER} --archive "),
        (None, CLUSTER, [], f"counted nights from {NIGHTS[0]} to {LAST} found; name at least one"),
        (None, "prod-2", LAST, f"only nights of {CLUSTER} found"),
        (None, "../events", None, f"only nights of {CLUSTER} found"),
    ],
)  # fmt: skip
def test_what_cannot_be_loaded_says_what_was_found_and_what_mends_it(
    root: Path, archive: str | None, cluster: str, nights: Any, said: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        features.load(root if archive is None else archive, cluster, nights)


def test_a_night_of_an_older_catalogue_says_so(root: Path, tmp_path: Path) -> None:
    archive = shutil.copytree(root, tmp_path / "archive")
    path = object_of(archive, "principal_days", LAST, "principal_days.parquet")
    rows, meta = decode(path.read_bytes(), "days")
    path.write_bytes(encode(rows.drop_columns(["requests"]), meta | {"catalogue": "older"}))
    with pytest.raises(
        ValueError, match=f"{LAST} of {CLUSTER} counted by another catalogue than this .* --date {LAST}'"
    ):
        features.load(archive, CLUSTER)
    assert features.load(archive, CLUSTER, NIGHTS[:-1]).principals


@pytest.mark.parametrize("body", [b"", b"PAR1 and no more", b"\x00" * 4096], ids=["empty", "no table", "zeros"])
def test_a_damaged_table_is_named(body: bytes, root: Path, tmp_path: Path) -> None:
    archive = shutil.copytree(root, tmp_path / "archive")
    object_of(archive, "principal_days", LAST, "principal_days.parquet").write_bytes(body)
    with pytest.raises(ValueError, match=f"date={LAST}/principal_days.parquet: not a whole table of this archive"):
        features.load(archive, CLUSTER)
