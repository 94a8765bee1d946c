"""Rows dealt into spans of their order, on the disk: what stands in many rows is written as a number.

tests/pipelines/test_dealt.py, test_sorting.py."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.stages.numbers import Numbers
from pipelines.stages.packed import packed, plain_pieces


class Dealt:
    """First rows are added, then each span is read once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = Numbers()
        self._files: list[Path] = []
        self._writer: pa.ipc.RecordBatchFileWriter | None = None
        self._schema: pa.Schema | None = None
        self._written = 0
        self._found: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
        """Of each span, which batches of which file."""

    def add(self, batch: pa.RecordBatch, spans: NDArray[np.int64]) -> None:
        """Write these rows.

        Args:
            spans: number of each row's span.
        """
        order = np.argsort(spans, kind="stable")
        batch = self._numbers.numbered(batch).take(pa.array(order))
        present, firsts = np.unique(spans[order], return_index=True)
        for span, a, b in zip(present.tolist(), firsts, [*firsts[1:], len(batch)], strict=True):
            # plain: with dictionaries, each piece would bear all of its batch's
            for piece in plain_pieces(batch.slice(a, b - a)):
                self._write(piece)
                self._found[span].append((len(self._files) - 1, self._written))
                self._written += 1

    def _write(self, piece: pa.RecordBatch) -> None:
        # another where a column has come to have too many texts to be numbered
        if self._writer is None or self._schema != piece.schema:
            self._close()
            self._files.append(self._folder / f"spans-{len(self._files)}.arrow")
            self._schema, self._written = piece.schema, 0
            options = pa.ipc.IpcWriteOptions(compression="lz4")
            self._writer = pa.ipc.new_file(self._files[-1], piece.schema, options=options)
        self._writer.write_batch(piece)

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def spans(self) -> Generator[list[pa.RecordBatch]]:
        """The rows of each span, in the order of the spans, as they were added; the files are gone then."""
        self._close()
        with ExitStack() as open_files:
            raw = [open_files.enter_context(pa.OSFile(str(path))) for path in self._files]
            files = [open_files.enter_context(pa.ipc.open_file(one)) for one in raw]
            for span in sorted(self._found):
                batches = (files[file].get_batch(at) for file, at in self._found[span])
                yield [packed(self._numbers.named(batch)) for batch in batches]
        for path in self._files:
            path.unlink()
