"""What is read back of the rows on disk stays as small as it was put there."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.parsing.parse import BAD
from pipelines.stages.staging import _bad_rows


def test_bad_lines_are_read_back_one_group_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    night = pa.array([None, 1] * 20, pa.int32()).cast(pa.date32())
    columns = {name: pa.nulls(40, pa.int32()) for name in BAD} | {"line": pa.array([b"x" * 1000] * 40)}
    pq.write_table(pa.table({"night": night, **columns}), path, row_group_size=4)
    found = list(_bad_rows(path))
    assert sum(batch.num_rows for batch in found) == 20
    assert max(batch.num_rows for batch in found) == 2
