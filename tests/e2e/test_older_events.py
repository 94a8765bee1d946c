"""Events that an older version archived, with fewer columns, are counted and ranked by this one."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
from builders import event
from e2e.job import auditforest, object_of, ranking_of
from e2e.world import CLUSTER, LAST, ordinary, written

from features import load
from pipelines.archive import EVENTS, Addition, Archive
from pipelines.commits import Counts
from pipelines.parsing.body_facts import FACTS
from pipelines.store import LocalStore


def test_a_column_that_an_older_version_did_not_write_says_nothing(tmp_path: Path) -> None:
    pod = event(verb="create", level="Request", body={"spec": {"containers": []}}, at=f"{LAST}T12:00:00Z")
    source = written(tmp_path / "source", {LAST: [*ordinary(LAST), pod]})
    where = ("--cluster", CLUSTER, "--date", LAST, "--archive")
    assert auditforest("nightly", *where, tmp_path / "new", "--source", source).code == 0
    whole = pq.read_table(next((tmp_path / "new").glob("events/*/*/part-*.parquet")))
    older = whole.drop_columns([fact.name for fact in FACTS])
    counts = Counts(read=len(older), archived=len(older), hours_seen=tuple(range(24)))
    archive = Archive(LocalStore(tmp_path / "old"), CLUSTER)
    archive.append(EVENTS, LAST, lambda _: Addition(older.to_batches(), older.schema, (), counts))
    for stage in ("features", "score", "report"):
        ended = auditforest(stage, *where, tmp_path / "old")
        assert (ended.code, ended.complaints) == (0, [])
    assert len(ranking_of(tmp_path / "old", LAST)["ranking"]) == len(ranking_of(tmp_path / "new", LAST)["ranking"])
    counted = {made: load(str(tmp_path / made), CLUSTER).frame()["privileged_writes"] for made in ("new", "old")}
    assert not counted["new"].isna().any()
    assert counted["old"].isna().all()
    assert object_of(tmp_path / "old", "reports", LAST, "report.html").exists()
