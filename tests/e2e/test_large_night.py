"""A night of several row groups, so that threads share it: the same bytes however many, and pandas counts the same."""

from __future__ import annotations

import shutil
from datetime import date
from functools import partial
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from e2e.job import auditforest, everything

from benchmarks import events, features_pandas
from benchmarks.corpus import NIGHT, SAMPLE
from features import days
from pipelines.archive import EVENTS, Archive
from pipelines.parquet import decode
from pipelines.stages import features as stage
from pipelines.store import LocalStore, open_store

CLUSTER = "prod-usw2"
LARGE = date.fromisoformat(NIGHT.decode())
EARLIER = date(2026, 9, 14)
COUNT = 150_000


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A large night that is not counted yet, and one earlier that is. Not to be changed."""
    folder = tmp_path_factory.mktemp("large")
    where = ("--cluster", CLUSTER, "--source", SAMPLE, "--from", EARLIER, "--to", LARGE)
    assert auditforest("export", *where, "--archive", folder / "recorded").code == 0
    recorded, made = (Archive(open_store(str(folder / name)), CLUSTER) for name in ("recorded", "large"))
    shutil.copytree(
        folder / "recorded" / EVENTS, folder / "large" / EVENTS, ignore=lambda _, n: {f"date={LARGE}"} & {*n}
    )
    assert events.archived(made, recorded, COUNT) == pytest.approx(COUNT, rel=0.2)
    assert auditforest("features", "--cluster", CLUSTER, "--archive", folder / "large", "--date", EARLIER).code == 0
    return folder / "large"


def counted(archive: Path, folder: Path, threads: int) -> Path:
    """A copy of the archive with the large night counted."""
    shutil.copytree(archive, folder)
    where = ("--cluster", CLUSTER, "--archive", folder, "--date", LARGE)
    # a thread takes 110 MB of what is left beside reading and writing: room for eight
    room = {"AUDITFOREST_PARSE__MEMORY_LIMIT": "2GB"}
    ended = auditforest("features", *where, AUDITFOREST_PARSE__THREADS=str(threads), **room)
    assert ended.code == 0, ended.err
    return folder


@pytest.fixture(scope="module")
def alone(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The large night, counted by one thread."""
    return counted(archive, tmp_path_factory.mktemp("alone") / "archive", 1)


def test_the_night_is_shared_by_threads(archive: Path) -> None:
    parts = Archive(LocalStore(archive), CLUSTER).newest(EVENTS, LARGE)
    assert parts is not None
    assert sum(part.rows for part in parts.parts) > 4 * 32_768


@pytest.mark.parametrize("threads", [2, 8])
def test_any_number_of_threads_gives_the_same_bytes(threads: int, archive: Path, alone: Path, tmp_path: Path) -> None:
    assert everything(counted(archive, tmp_path / "archive", threads)) == everything(alone)


def test_a_night_in_slices_is_counted_and_ranked_to_the_same_bytes(
    alone: Path, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ranked(folder: Path) -> dict[str, bytes]:
        where = ("--cluster", CLUSTER, "--archive", folder, "--date", LARGE)
        assert auditforest("score", *where, "--trees", 20, "--seeds", 2).code == 0
        return {name: body for name, body in everything(folder).items() if f"/date={LARGE}/" in name}

    whole = ranked(shutil.copytree(alone, tmp_path / "whole"))
    made: list[int] = []
    monkeypatch.setattr(stage, "prepare", partial(_in_slices, made))
    assert ranked(counted(archive, tmp_path / "sliced", 1)) == whole
    assert "ranking" in {name.partition("/")[0] for name in whole}
    # the requests of a ranked night are kept in files, one a slice
    assert made[0] == 0
    assert made[1] > 3


def _in_slices(made: list[int], *given: duckdb.DuckDBPyConnection, folder: Path, **more: bool) -> None:
    days.prepare(*given, folder=folder, most_events=COUNT // 5, **more)
    made.append(len(list(folder.glob("*.parquet"))))


def test_all_that_is_counted_is_stored_in_whole_numbers(alone: Path) -> None:
    from features.catalogue import NAMES

    for table, columns in (("principal_days", NAMES), ("items", ("requests",))):
        rows, _ = decode(next((alone / table).glob(f"*/date={LARGE}/*.parquet")).read_bytes(), table)
        assert {str(rows.schema.field(name).type) for name in columns} == {"int64"}


def test_the_rival_in_pandas_counts_the_same(alone: Path) -> None:
    def table(name: str, night: date) -> pd.DataFrame:
        path = next((alone / name).glob(f"*/date={night}/*.parquet"))
        return decode(path.read_bytes(), name)[0].to_pandas()

    parts = sorted((alone / EVENTS).glob(f"*/date={LARGE}/part-*"))
    days, items = features_pandas.counted(parts, table("items", EARLIER))
    ours = table("principal_days", LARGE).set_index("principal")
    assert set(days.index) == set(ours.index[ours["requests"] > 0])
    assert {"requests", "peak_minute", "distinct_secrets", "new_addresses_for_type"} <= {*days}
    pd.testing.assert_frame_equal(days, ours.loc[days.index, list(days)], check_names=False)
    key = ["principal", "kind", "item"]
    # the kinds that only people read are not counted there
    known = table("items", LARGE)
    known = known[known["kind"].isin(items["kind"].unique())]
    theirs, mine = (t.sort_values(key, ignore_index=True) for t in (items, known))
    pd.testing.assert_frame_equal(theirs[list(mine)], mine, check_dtype=False)


def test_the_same_number_of_events_gives_the_same_night(archive: Path, tmp_path: Path) -> None:
    recorded = Archive(LocalStore(archive.parent / "recorded"), CLUSTER)
    events.archived(Archive(LocalStore(tmp_path), CLUSTER), recorded, COUNT)
    kept = f"/date={LARGE}/"
    assert everything(tmp_path) == {n: b for n, b in everything(archive).items() if kept in n and n.startswith(EVENTS)}
