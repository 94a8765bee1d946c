"""What stands in the quarantine of an archive, as a reader of its Parquet files sees it."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pyarrow.parquet as pq

from pipelines.store import ObjectStore


def filed_lines(store: ObjectStore) -> list[dict[str, Any]]:
    """Rows of all homes, by source object and place."""
    bodies = [store.get(key) or b"" for key in store.list("quarantine/") if "/object=" in key]
    rows = [row for body in bodies for row in pq.read_table(BytesIO(body)).to_pylist()]
    return sorted(rows, key=lambda row: (row["source"], row["byte_offset"], row["sha256"]))
