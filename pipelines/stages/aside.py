"""Large lines on the disk until all others are read: one of them takes the memory of several threads.

tests/e2e/test_bounds.py."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa

from pipelines.parsing.handed import SCHEMA, large


class Aside:
    """Lines laid aside, to be taken once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: pa.ipc.RecordBatchStreamWriter | None = None

    def others(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The batches without those of a large line, which are laid aside."""
        for batch in batches:
            if not large(batch):
                yield batch
                continue
            if self._writer is None:
                self._writer = pa.ipc.new_stream(self._path, SCHEMA)
            self._writer.write_batch(batch)

    def __bool__(self) -> bool:
        return self._writer is not None

    def taken(self) -> Iterator[pa.RecordBatch]:
        """Those laid aside."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
            with pa.OSFile(str(self._path)) as raw, pa.ipc.open_stream(raw) as found:
                yield from found
            self._path.unlink()
