"""Source objects to parsed batches, in order: while workers parse, the next batch is already being inflated."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue

import duckdb

from pipelines.commits import Input
from pipelines.engine import worker
from pipelines.parse import Parsed, parse
from pipelines.sources.base import Batch, LongLine, SourceObject

_WORKERS = 2


@dataclass(frozen=True)
class Piece:
    """A parsed batch or a line too long to parse, with the share of all bytes read so far (0 to 1)."""

    source: str
    offset: int
    found: Parsed | LongLine
    share: float


def pieces(engine: duckdb.DuckDBPyConnection, objects: Sequence[SourceObject], inputs: list[Input]) -> Iterator[Piece]:
    """All lines of the objects, parsed, in order; what was read of each is added to `inputs`.

    Raises:
        DataError: a compressed file is cut or damaged.
    """
    engines: SimpleQueue[duckdb.DuckDBPyConnection] = SimpleQueue()
    for _ in range(_WORKERS):
        engines.put(worker(engine))

    def parsed(read: Batch | LongLine, share: float) -> Piece:
        if isinstance(read, LongLine):
            return Piece(read.source, read.offset, read, share)
        own = engines.get()
        try:
            return Piece(read.source, read.offset, parse(own, read), share)
        finally:
            engines.put(own)

    with ThreadPoolExecutor(_WORKERS) as pool:
        waiting: deque[Future[Piece]] = deque()
        for read, share in _batches(objects, inputs):
            waiting.append(pool.submit(parsed, read, share))
            if len(waiting) > _WORKERS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _batches(objects: Sequence[SourceObject], inputs: list[Input]) -> Iterator[tuple[Batch | LongLine, float]]:
    total, done = sum(f.size for f in objects) or 1, 0
    for one in objects:
        with one.open() as stream:
            for batch in stream.batches():
                yield batch, min(1.0, (done + stream.stored_bytes) / total)
            inputs.append(Input(one.name, stream.sha256, stream.stored_bytes))
        done += one.size
