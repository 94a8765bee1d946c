"""Ordinary lines on their way past the engine: read by the compiled lane, set down in a Parquet file beside its own.

tests/pipelines/test_compiled_lane.py holds the lane to the SQL."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.parsing.lines import Lines, without

_LEAST_BYTES = 2_000_000
"""A smaller batch is left to the engine: to load the lane, or to compile it once, takes longer."""


class Ordinary:
    """The rows of ordinary lines of a run; `outside` counts those of other nights by object and night."""

    def __init__(self, path: Path, nights: Sequence[date]) -> None:
        self.outside: Counter[tuple[int, date]] = Counter()
        self._path, self._nights = path, nights
        self._writer: pq.ParquetWriter | None = None

    def take(self, source: int, lines: Lines, raw: bool) -> Lines:
        """The lines that are left for the engine.

        Args:
            source: index of the object among those of the run.
            raw: are the lines as the API server wrote them?
        """
        if int(lines.sizes.sum(dtype=np.int64)) < _LEAST_BYTES:
            return lines
        # here and not above: a small night never loads the compiler
        from pipelines.compiled.lane import extract

        found = extract(lines, self._nights, raw=raw)
        self.outside.update({(source, night): count for night, count in found.outside.items()})
        if found.rows.num_rows:
            self._write(source, found.rows)
        return without(lines, found.taken)

    def _write(self, source: int, rows: pa.RecordBatch) -> None:
        count = rows.num_rows
        rows = rows.append_column("source", pa.array(np.full(count, source, np.int32)))
        rows = rows.append_column("wanted", pa.array(np.ones(count, np.bool_)))
        if self._writer is None:
            # read once or twice, then gone
            kinds = [f.name for f in rows.schema if pa.types.is_dictionary(f.type)]
            kinds += [f"{f.name}.list.element" for f in rows.schema if pa.types.is_list(f.type)]
            self._writer = pq.ParquetWriter(
                self._path,
                rows.schema,
                compression="lz4",
                use_dictionary=kinds,
                write_statistics=["night"],
            )
        # as a table: batches would wait in memory for a row group of a million rows
        self._writer.write_table(pa.Table.from_batches([rows]))

    def close(self) -> list[Path]:
        """The file of the rows, if there are any."""
        if self._writer is None:
            return []
        self._writer.close()
        return [self._path]
