"""Who reads the source, and that what is read back of the rows on disk stays as small as it was put there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from builders import event, line
from exporting import run

from pipelines.parsing.parse import BAD
from pipelines.sources.base import Batch, LongLine
from pipelines.sources.stored import StoredReading
from pipelines.stages.staging import _bad_rows
from pipelines.store import LocalStore


def test_the_thread_that_asks_for_an_export_reads_the_source_however_many_the_engine_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readers = set()
    batches = StoredReading.batches

    def watched(reading: StoredReading) -> Iterator[Batch | LongLine]:
        for batch in batches(reading):
            readers.add(threading.get_ident())
            yield batch

    monkeypatch.setattr(StoredReading, "batches", watched)
    for nth in range(20):
        (tmp_path / f"{nth}.log").write_bytes(line(event(audit_id=f"a-{nth}")))
    assert run(LocalStore(tmp_path / "archive"), tmp_path, "2026-09-15", threads=4).read == 20
    assert readers == {threading.get_ident()}


def test_bad_lines_are_read_back_one_group_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    night = pa.array([None, 1] * 20, pa.int32()).cast(pa.date32())
    columns = {name: pa.nulls(40, pa.int32()) for name in BAD} | {"line": pa.array([b"x" * 1000] * 40)}
    pq.write_table(pa.table({"night": night, **columns}), path, row_group_size=4)
    found = list(_bad_rows(path))
    assert sum(batch.num_rows for batch in found) == 20
    assert max(batch.num_rows for batch in found) == 2
