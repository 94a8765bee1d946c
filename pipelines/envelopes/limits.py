"""How much of an object is held at a time; pipelines/sources/stored.py decides the numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class Readable(Protocol):
    """An inflated object."""

    def read(self, size: int, /) -> bytes:
        """The next bytes, fewer only at the end."""


@dataclass(frozen=True)
class Limits:
    """Bytes of a read and of a batch, lines of a batch, and the longest line, event or record that is read."""

    batch_bytes: int
    batch_lines: int
    line_bytes: int
