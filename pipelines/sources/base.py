"""What every source offers: objects to read once, each as batches of whole lines with their provenance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import ConfigError
from pipelines.words import shown

AUDIT_STREAMS = "kube-apiserver-audit"
"""What the log streams of the audit log begin with; the group holds other logs of the control plane, too."""


def log_group(cluster: str) -> str:
    """The log group that EKS writes the logs of a cluster's control plane to."""
    return f"/aws/eks/{cluster}/cluster"


@dataclass(frozen=True)
class Batch:
    """Whole lines of one source object; `offset` is where they start in its inflated bytes.

    Where an envelope was taken off, `data` holds the events alone, one a line, and `starts` says where each
    line's event stood: (lines,), in inflated bytes counted from `offset`, ascending."""

    source: str
    offset: int
    data: bytes
    starts: NDArray[np.int64] | None = None
    raw: bool = True
    """Are the lines as the API server wrote them? Of others no length is archived."""
    times_ms: NDArray[np.int64] | None = None
    """When the envelope says each line was logged, UTC, else 0: dates an event whose own time is cut off."""
    skipped: int = 0
    """Messages passed over: health probes of the delivery, lines of other logs in the same group."""


@dataclass(frozen=True)
class LongLine:
    """A line that was not kept in memory: where it stood, its length, its hash and its start."""

    source: str
    offset: int
    length: int
    sha256: str
    start: bytes


class Reading(Protocol):
    """A source object while it is read; hash and size are whole once `batches` has ended."""

    @property
    def sha256(self) -> str:
        """Of the stored bytes, hex."""

    @property
    def stored_bytes(self) -> int:
        """Bytes as stored, compressed or not."""

    def batches(self) -> Iterator[Batch | LongLine]:
        """Whole lines in order.

        Raises:
            DataError: the object is cut or damaged.
        """


class SourceObject(Protocol):
    """One object of a source."""

    @property
    def name(self) -> str:
        """What records and quarantine call it; the same wherever the source is mounted."""

    @property
    def size(self) -> int:
        """Bytes as stored, for the progress bar."""

    def open(self) -> AbstractContextManager[Reading]:
        """The object, open and inflated.

        Raises:
            ConfigError: it cannot be opened.
        """


@dataclass(frozen=True)
class Source:
    """Objects to read, in order, and the names passed over because they do not look like logs.

    `notices` says what the source cannot show of the asked nights, one sentence each.

    Raises:
        ConfigError: two objects have one name.
    """

    objects: tuple[SourceObject, ...]
    ignored: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        # lines are counted under their object's name: two of one name would be counted as one
        name, count = Counter(one.name for one in self.objects).most_common(1)[0] if self.objects else ("", 0)
        if count > 1:
            raise ConfigError(f"source: {count} objects of the name {shown(name)} found; rename one, or read it alone")
