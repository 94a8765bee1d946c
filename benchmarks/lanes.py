"""`python -m benchmarks.lanes`: CPU seconds of the two ways from lines to rows on disk, over the recorded sample.

Both get the same lines, hashed already, and end in a temporary Parquet file as the export stage writes it. The engine
has one thread, as the compiled lane has; the best of several rounds counts, since others use the machine, too."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.corpus import SAMPLE
from benchmarks.markdown import number, table
from benchmarks.timing import machine, timed
from pipelines.compiled.lane import extract
from pipelines.config import ParseConfig
from pipelines.engine import engine
from pipelines.parsing.handed import SCHEMA, record_batches
from pipelines.parsing.lines import Lines, lines_of
from pipelines.parsing.parse import reading
from pipelines.sources.base import Batch
from pipelines.sources.files import SourceFile

ROUNDS = 5


def batches() -> Iterator[Batch]:
    """The sample, inflated, as the source hands it over."""
    for path in sorted(SAMPLE.glob("*.zst")):
        with SourceFile(path, path.name).open() as stream:
            yield from (batch for batch in stream.batches() if isinstance(batch, Batch))


def compiled(lines: Sequence[Lines]) -> list[pa.RecordBatch]:
    """The rows of all lines that are taken."""
    return [extract(some, None).rows for some in lines]


def compiled_to_disk(lines: Sequence[Lines], target: Path) -> int:
    """Rows written."""
    found = (extract(some, None).rows for some in lines)
    first = next(found)
    with pq.ParquetWriter(target, first.schema, compression="lz4", write_statistics=False) as out:
        out.write_batch(first)
        for rows in found:
            out.write_table(pa.Table.from_batches([rows]))
    return int(pq.read_metadata(target).num_rows)


def by_sql(connection: duckdb.DuckDBPyConnection, lines: Sequence[Lines], target: Path) -> int:
    """Rows written."""
    handed = (batch for some in lines for batch in record_batches(some, 0, raw=True))
    connection.register("lines", pa.RecordBatchReader.from_batches(SCHEMA, handed))
    written = f"COPY ({reading(None)}) TO '{target}' (FORMAT parquet, COMPRESSION snappy, ROW_GROUP_SIZE 30000)"
    connection.execute(written)
    connection.unregister("lines")
    return int(pq.read_metadata(target).num_rows)


def main() -> int:
    """0; the table is on stdout."""
    inflated = list(batches())
    lines = [lines_of(batch) for batch in inflated]
    size, count = sum(len(batch.data) for batch in inflated), sum(map(len, lines))
    # the first call compiles
    taken = sum(int(extract(some, None).taken.sum()) for some in lines)
    with tempfile.TemporaryDirectory() as folder, engine(ParseConfig(threads=1)) as connection:
        target = Path(folder) / "rows.parquet"
        tasks: dict[str, Callable[[], object]] = {
            "lines cut and hashed": lambda: [lines_of(batch) for batch in inflated],
            "compiled lane": lambda: compiled(lines),
            "compiled lane, to disk": lambda: compiled_to_disk(lines, target),
            "SQL, to disk": lambda: by_sql(connection, lines, target),
        }
        best = {name: min(timed(task).cpu_s for _ in range(ROUNDS)) for name, task in tasks.items()}
    rows = [(name, number(s), number(size / 1e6 / s)) for name, s in best.items()]
    note = f"{count:,} lines, {size / 1e6:.0f} MB; the compiled lane takes {taken / count:.1%} of them."
    print(table("From lines to rows", ["step", "CPU s", "MB per CPU s"], rows, [note, machine(["duckdb", "numba"])]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
