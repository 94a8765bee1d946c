"""Bytes to rows or quarantine: pure in its arguments, DuckDB is only the engine.

A batch is whole lines of one source object. Every line ends as a row, in quarantine or blank; one bad line
never costs another. tests/pipelines/test_parse.py keeps one claim per known damage."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.body_facts import BODY, FACTS, reads_body
from pipelines.events import COLUMNS, EVENT
from pipelines.lists import events_in
from pipelines.sources.base import Batch

QUARANTINE = pa.schema(
    [
        pa.field("source", pa.string(), metadata={"meaning": "Source object the line stood in."}),
        pa.field("byte_offset", pa.int64(), metadata={"meaning": "Where the line starts, in inflated bytes."}),
        pa.field("length", pa.int64(), metadata={"meaning": "Bytes of the line."}),
        pa.field("reason", pa.string(), metadata={"meaning": "Why it could not become a row."}),
        pa.field("sha256", pa.string(), metadata={"meaning": "Of the line's bytes, hex."}),
        pa.field("head", pa.string(), metadata={"meaning": "How the line starts, every value masked."}),
    ]
)

_HEAD_BYTES = 160
_WORDS = frozenset(
    b"kind Event EventList apiVersion audit.k8s.io/v1 metadata level stage stageTimestamp auditID requestURI verb "
    b"user username groups sourceIPs userAgent objectRef responseStatus requestObject responseObject annotations "
    b"requestReceivedTimestamp items null true false Truncated".split()
)
_WORD = re.compile(rb"[A-Za-z0-9_./+=@%-]+")


@dataclass(frozen=True)
class Parsed:
    """Rows of the events table, lines in quarantine, and how many lines were blank."""

    rows: pa.Table
    quarantine: pa.Table
    blank: int


def _sql() -> str:
    facts = ",\n ".join(f"{f.guarded} AS {f.name}" for f in FACTS)
    columns = ",\n ".join(f"{c.sql} AS {c.name}" for c in COLUMNS)
    return f"""
WITH read AS MATERIALIZED (
  SELECT * EXCLUDE (line),
    CASE WHEN json_valid(line) THEN json_transform(line, '{EVENT}') END AS e,
    -- valid JSON that starts with a brace is an object; asking its type would read the line once more
    -- (CASE, not AND: the engine dies of ltrim on bytes that are no text)
    CASE WHEN e IS NOT NULL THEN ltrim(line, chr(32) || chr(9) || chr(13)) LIKE '{{%' ELSE false END AS is_object
  FROM lines
),
bodies AS (
  SELECT pos, {BODY} AS body, e.verb AS verb, e.objectRef.resource AS resource,
    nullif(e.objectRef.subresource, '') AS subresource, nullif(e.objectRef.apiGroup, '') AS api_group,
    e.objectRef.namespace AS namespace, e.objectRef.name AS name
  FROM read WHERE e.requestObject IS NOT NULL
),
facts AS (SELECT pos, {facts} FROM bodies WHERE {reads_body()})
SELECT pos, is_object,
 {columns}
FROM read LEFT JOIN facts USING (pos) ORDER BY pos"""


PARSE = _sql()

_SLICE_BYTES = 2_000_000
"""Size of one record batch handed to the engine; each is one thread's work."""


def split(data: bytes) -> npt.NDArray[np.int64]:
    """Where each line starts, and the end of the last as one more entry."""
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n")) + 1
    if len(data) and (len(ends) == 0 or ends[-1] != len(data)):
        ends = np.append(ends, len(data))
    return np.concatenate([[0], ends]).astype(np.int64)


def _lines(data: bytes) -> pa.Table:
    """One row a line: its text, where it starts, its length and hash without the terminator."""
    starts = split(data)
    view = memoryview(data)
    raw = [view[a:b] for a, b in itertools.pairwise(starts.tolist())]
    sizes = [_size(line) for line in raw]
    hashes = [sha256(line[:n]).hexdigest()[:32] for line, n in zip(raw, sizes, strict=True)]
    text = pa.StringArray.from_buffers(len(raw), pa.py_buffer(starts.astype(np.int32)), pa.py_buffer(data))
    return pa.table(
        {
            "line": text,
            "pos": starts[:-1],
            "line_bytes": pa.array(sizes, pa.int32()),
            "line_hash": pa.array(hashes, pa.string()),
        }
    )


def _size(line: memoryview) -> int:
    end = len(line)
    while end and line[end - 1] in b"\r\n":
        end -= 1
    return end


def parse(engine: duckdb.DuckDBPyConnection, batch: Batch) -> Parsed:
    """Rows and quarantine of a batch, in the order of its lines; a line may be a list of events.

    Args:
        engine: a connection whose TimeZone is UTC; nothing stays in it.
    """
    if not batch.data or batch.data.isspace():
        # a small file can inflate to a flood of empty lines; the engine need not see them
        return Parsed(
            _read(engine, b"").drop_columns(["is_object"]), QUARANTINE.empty_table(), len(split(batch.data)) - 1
        )
    found = _read(engine, batch.data)
    good = _good(found)
    rows, rest = [found.filter(good)], _Rest(batch)
    for start, line, reason in _bad(batch.data, found, good):
        events = events_in(line)
        if events is None:
            rest.refuse(start, line, reason)
        else:
            listed = b"\n".join(event for _, event in events)
            inner = _read(engine, listed)
            at = pa.array([start + offset for offset, _ in events], pa.int64())
            inside_good = _good(inner)
            rows.append(inner.set_column(0, "pos", at).filter(inside_good))
            for inside, event, why in _bad(listed, inner, inside_good):
                nth = int(np.searchsorted(inner["pos"].to_numpy(), inside))
                rest.refuse(start + events[nth][0], event, f"in a list: {why}")
    whole = pa.concat_tables(rows) if len(rows) == 1 else pa.concat_tables(rows).sort_by("pos")
    return Parsed(whole.drop_columns(["is_object"]), pa.Table.from_pylist(rest.bad, QUARANTINE), rest.blank)


@dataclass
class _Rest:
    """What of a batch did not become a row."""

    batch: Batch
    blank: int = 0
    bad: list[dict[str, object]] = field(default_factory=list)

    def refuse(self, start: int, line: bytes, reason: str) -> None:
        if line.strip():
            self.bad.append(quarantined(self.batch.source, self.batch.offset + start, line, reason))
        else:
            self.blank += 1


def _read(engine: duckdb.DuckDBPyConnection, data: bytes) -> pa.Table:
    lines = _lines(data)
    rows = max(1, lines.num_rows * _SLICE_BYTES // max(1, len(data)))
    engine.register("lines", pa.Table.from_batches(lines.to_batches(max_chunksize=rows), lines.schema))
    try:
        return engine.sql(PARSE).to_arrow_table()
    finally:
        engine.unregister("lines")


def _good(read: pa.Table) -> pa.Array:
    good = np.logical_and(read["audit_id"].is_valid().to_numpy(), read["stage_ts"].is_valid().to_numpy())
    return pa.array(good)


def _bad(data: bytes, read: pa.Table, good: pa.Array) -> Iterator[tuple[int, bytes, str]]:
    """Start, bytes and reason of each line that is no row."""
    starts, sizes = read["pos"].to_numpy(), read["bytes"].to_numpy()
    for i in np.flatnonzero(~good.to_numpy(zero_copy_only=False)):
        line = data[starts[i] : starts[i] + sizes[i]]
        yield int(starts[i]), line, _reason(read, int(i), line)


def _reason(read: pa.Table, i: int, line: bytes) -> str:
    if not read["is_object"][i].as_py():
        if line.rstrip().endswith(b"[Truncated...]"):
            return "cut off by the sender"
        return "not a JSON object"
    missing = [n for n in ("audit_id", "stage_ts") if not read[n][i].is_valid]
    return (
        "no audit event: "
        + " and ".join({"audit_id": "auditID", "stage_ts": "time"}[m] for m in missing)
        + " missing or unreadable"
    )


def quarantined(source: str, offset: int, line: bytes, reason: str) -> dict[str, object]:
    """One row of QUARANTINE; of the line only its hash and a masked head stay."""
    return {
        "source": source,
        "byte_offset": offset,
        "length": len(line),
        "reason": reason,
        "sha256": sha256(line).hexdigest(),
        "head": masked(line),
    }


def masked(line: bytes) -> str:
    """The start of a line as ASCII: punctuation and the field names of an audit event stay, all else is x."""
    head = _WORD.sub(lambda m: m[0] if m[0] in _WORDS else b"x", line[:_HEAD_BYTES])
    return "".join(chr(b) if 32 <= b < 127 else "?" for b in head)
