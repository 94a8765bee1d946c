"""A night's tables are the same bytes whichever engine counted them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pyarrow as pa
from real_spark.conftest import NIGHT
from real_spark.hostile import hostile

from features.crowds import MOST_SESSIONS
from pipelines.config import Config, FeaturesConfig
from pipelines.decoded import Derived
from pipelines.parsing.body_facts import FACTS
from pipelines.parsing.events import SCHEMA

EVE = date(2026, 9, 14)
Both = Callable[..., Derived]


def test_hostile_names_and_rows_full_of_nulls_are_counted_alike(both: Both) -> None:
    parts = [hostile(NIGHT, 1_000, seed=2), hostile(NIGHT, 300, seed=3, nulls=0.9)]
    made = both([hostile(EVE, 2_000, seed=1)], parts)
    assert made.table.num_rows > 100
    assert made.meta["history_nights"] == 1


def test_a_flood_of_sessions_is_one_crowd_on_both(both: Both) -> None:
    role, number = "SRE", MOST_SESSIONS + 1
    rows = hostile(NIGHT, number, seed=8)
    for name, texts in (
        ("username", [f"arn:aws:sts::111122223333:assumed-role/{role}/x{n}" for n in range(number)]),
        ("iam_role_arn", [f"arn:aws:iam::111122223333:role/{role}"] * number),
        ("session_name", [f"x{n}" for n in range(number)]),
    ):
        rows = rows.set_column(rows.schema.get_field_index(name), name, pa.array(texts, pa.string()))
    assert both([rows]).table["principal"].to_pylist() == [f"crowd:iam-role:111122223333:{role}"]


def test_a_night_of_one_empty_event_is_counted_alike(both: Both) -> None:
    row = {"stage_ts": hostile(NIGHT, 1, seed=4)["stage_ts"][0].as_py()}
    assert both([pa.Table.from_pylist([row], schema=SCHEMA)]).table["principal"].to_pylist() == ["unauthenticated"]


def _older(seed: int) -> pa.Table:
    return hostile(NIGHT, 300, seed=seed).drop_columns([fact.name for fact in FACTS])


def test_events_of_older_versions_are_counted_alike_and_what_none_has_a_column_for_is_blind(both: Both) -> None:
    assert "privileged_writes" in both([_older(6)]).meta["blind"]


def test_a_night_of_two_versions_is_counted_alike(both: Both) -> None:
    assert "privileged_writes" not in both([_older(6), hostile(NIGHT, 300, seed=7)]).meta["blind"]


def test_executors_that_share_no_folder_but_the_staging_one_count_alike(both: Both, tmp_path: Path) -> None:
    staging = tmp_path / "a [staging] folder"
    both([hostile(NIGHT, 50, seed=5)], config=Config(features=FeaturesConfig(spark_staging=str(staging))))
    assert len(list(staging.glob("auditforest-*/items/*.parquet"))) >= 1
