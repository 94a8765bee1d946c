"""Bad lines to what the engine is handed in their place: the events within them, so many at once as fit into memory.

Pure. tests/pipelines/test_lists.py, test_salvage.py and test_long_events.py hold the truth."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pyarrow as pa

from pipelines.parsing.handed import Inner, inner_batches, light
from pipelines.parsing.heavy import LINE
from pipelines.parsing.lines import Lines
from pipelines.parsing.salvage import BadLine, saved

_LINES, _BYTES = 1000, 16_000_000
"""Of what is handed on at once."""

Fresh = Callable[[list[Inner]], list[Inner]]
"""Of events taken out of lines those that are not archived."""
Refuse = Callable[[BadLine], None]
"""Called with each line that holds no event, a blank one among them."""


def unread_of(index: int, lines: Lines, raw: bool) -> Iterator[BadLine]:
    """The lines that the engine could not hold, one at a time: each may be as long as a line can be."""
    for i in np.flatnonzero(lines.unread).tolist():
        line = lines.text[i].as_buffer().to_pybytes().rstrip(b"\r\n")
        at_ms = None if lines.logged_ms is None else lines.logged_ms[i].as_py()
        inside = int(lines.wrapped is not None and lines.wrapped[i])
        yield _unread(Inner(index, int(lines.pos[i]), line, line, raw, False, at_ms, inside, LINE))


def events_within(bad: Iterable[BadLine], fresh: Fresh, refuse: Refuse) -> Iterator[pa.RecordBatch]:
    """Events within bad lines, as the engine reads them; a line within a line that is itself too heavy for the engine
    is taken apart in turn."""
    held: list[Inner] = []
    size = 0
    for line in bad:
        found = saved(line) if line.line.strip() else None
        if found is None:
            refuse(line)
            continue
        for one in found:
            held.append(one)
            size += len(one.line) + len(one.parsed)
            if len(held) >= _LINES or size > _BYTES:
                yield from _handed(held, fresh, refuse)
                size = 0
    yield from _handed(held, fresh, refuse)


def _handed(held: list[Inner], fresh: Fresh, refuse: Refuse) -> Iterator[pa.RecordBatch]:
    if not held:
        return
    found = [light(one) for one in fresh(held)]
    held.clear()
    yield from inner_batches([one for one in found if one.left_out != LINE])
    yield from events_within((_unread(one) for one in found if one.left_out == LINE), fresh, refuse)


def _unread(one: Inner) -> BadLine:
    """The bad line that is made of one too heavy to be read."""
    length, _ = one.told
    return BadLine(
        one.source,
        one.pos,
        one.parsed,
        is_object=False,
        has_id=False,
        has_time=False,
        raw=one.raw,
        cut=one.cut,
        logged_ms=one.logged_ms,
        inside=one.inside,
        left_out=LINE,
        line_bytes=length,
        whole_sha256=one.whole_sha256,
    )
