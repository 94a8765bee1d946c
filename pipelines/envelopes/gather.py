"""Events found one by one, gathered into batches of lines that know where each stood."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

import numpy as np

from pipelines.envelopes.limits import Limits
from pipelines.parsing.wrapped import one_line_of
from pipelines.sources.base import Batch, LongLine

START_BYTES = 4096
"""What is kept of a line too long to be read."""


class Gather:
    """Collects lines in the order of their positions; `full` says when a batch is due."""

    def __init__(self, source: str, limits: Limits, *, raw: bool = True) -> None:
        self._source, self._limits, self._raw = source, limits, raw
        self._clear()

    def _clear(self) -> None:
        self._lines: list[bytes] = []
        self._starts: list[int] = []
        self._times_ms: list[int] = []
        self._bytes = self._skipped = 0

    @property
    def full(self) -> bool:
        """Whether a batch is due."""
        return self._bytes >= self._limits.batch_bytes or len(self._lines) >= self._limits.batch_lines

    def add(self, start: int, line: bytes, at_ms: int = 0) -> None:
        """Takes an event; line ends at its end go, others become spaces, so that it is one line.

        Args:
            at_ms: when the envelope says it was logged, UTC; 0 where it does not.
        """
        if b"\n" in line:
            line = one_line_of(line)
        self._lines.append(line)
        self._starts.append(start)
        self._times_ms.append(at_ms)
        self._bytes += len(line) + 1

    def skip(self, count: int) -> None:
        """Counts messages passed over."""
        self._skipped += count

    def flush(self) -> Iterator[Batch]:
        """What was gathered since the last time, if anything."""
        if self._lines or self._skipped:
            first = self._starts[0] if self._starts else 0
            yield Batch(
                self._source,
                first,
                b"\n".join([*self._lines, b""]),
                starts=np.array(self._starts, np.int64) - first,
                raw=self._raw,
                times_ms=np.array(self._times_ms, np.int64) if any(self._times_ms) else None,
                skipped=self._skipped,
            )
        self._clear()

    def long(self, start: int, line: bytes) -> Iterator[Batch | LongLine]:
        """A line of its own that is too long to be read, behind what was gathered."""
        yield from self.flush()
        yield LongLine(self._source, start, len(line), sha256(line).hexdigest(), line[:START_BYTES])
