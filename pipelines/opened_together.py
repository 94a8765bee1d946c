"""Many small Parquet files of ours read in one go.

pyarrow takes 10 to 20 ms to open a table of some hundred columns, however few its rows; the engine takes 3, and reads
one file after the other into the same columns. tests/pipelines/test_decoded.py."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from pipelines.config import ParseConfig
from pipelines.disk import disk
from pipelines.engine import engine
from pipelines.scratch import scratch

_PLACE = "file_index"


@dataclass(frozen=True)
class Together:
    """Tables one after the other, without metadata; `ends` says where each ends."""

    whole: pa.Table
    ends: Sequence[int]

    def __iter__(self) -> Iterator[pa.Table]:
        start = 0
        for end in self.ends:
            yield self.whole.slice(start, end - start)
            start = end


def tables(kinds: Sequence[Sequence[bytes]], without: Collection[str]) -> list[Together]:
    """The tables of several kinds, in order; those of a kind have the same columns.

    Args:
        without: columns that are not read.
    Raises:
        ValueError: they have not, or one is no table.
    """
    # on one thread rows stay in the order of the files
    with scratch() as folder, engine(ParseConfig(threads=1)) as connection:
        connection.execute("SET preserve_insertion_order = true")
        return [_read(connection, bodies, folder / str(kind), without) for kind, bodies in enumerate(kinds)]


def _read(
    connection: duckdb.DuckDBPyConnection, bodies: Sequence[bytes], folder: Path, without: Collection[str]
) -> Together:
    if not bodies:
        return Together(pa.table({}), ())
    paths = [folder / f"{number}.parquet" for number in range(len(bodies))]
    with disk(folder):
        folder.mkdir()
        for path, body in zip(paths, bodies, strict=True):
            path.write_bytes(body)
    try:
        rows = connection.read_parquet([str(path) for path in paths], hive_partitioning=False)
        columns = [f'"{name}"' for name in rows.columns if name not in without]
        whole = rows.select(", ".join([*columns, _PLACE])).to_arrow_table()
    except duckdb.Error as error:
        raise ValueError(str(error)) from error
    ends = np.searchsorted(whole[_PLACE].to_numpy(), np.arange(len(bodies)), side="right")
    return Together(whole.drop_columns([_PLACE]), ends.tolist())
