"""Bytes to rows or quarantine: pure in its arguments, DuckDB is only the engine.

Every line ends as a row, in quarantine or blank; one bad line never costs another. The engine reads all lines of a
run in one query: to plan it takes longer than to read a small file.
tests/pipelines/test_parse.py keeps one claim per known damage."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from hashlib import sha256

import pyarrow as pa

from pipelines.parsing.body_facts import body_steps, facts, reads_body
from pipelines.parsing.events import CODE, COLUMNS, DAY, EVENT, NAMES
from pipelines.parsing.heavy import BODY
from pipelines.parsing.salvage import BadLine

QUARANTINE_SCHEMA = pa.schema(
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

BAD = tuple(BadLine.__dataclass_fields__)
"""Columns of a bad line, null of a good one but for `source` and `pos`."""
_LATE = frozenset(c.name for c in COLUMNS if c.late)
_OF_ALL = ("source", "pos", "line")
_TOLD = tuple(name for name in BAD if name not in _OF_ALL)
EARLY = tuple(name for name in NAMES if name not in _LATE)
"""Columns read from the event itself."""


def _typed(path: str, kinds: str) -> str:
    """Does the line hold something else than this there? Asked only of lines where nothing could be read."""
    found = f"json_type(line, '$.{path}')"
    return f"coalesce({found} NOT IN ({kinds}, 'NULL'), false)"


_MISTYPED = " OR ".join(
    f"CASE WHEN {unread} THEN {_typed(path, kinds)} ELSE false END"
    for unread, path, kinds in (
        ("e.user.username IS NULL", "user", "'OBJECT'"),
        ("coalesce(left(e.user.username, 1) IN ('[', '{'), true)", "user.username", "'VARCHAR'"),
        ("e.user.groups IS NULL", "user.groups", "'ARRAY'"),
        ("e.sourceIPs IS NULL", "sourceIPs", "'ARRAY'"),
        ("e.objectRef.resource IS NULL", "objectRef", "'OBJECT'"),
        (f"{CODE} IS NULL", "responseStatus.code", "'UBIGINT', 'BIGINT'"),
        ("NOT coalesce(e.verb BETWEEN 'a' AND '{', false)", "verb", "'VARCHAR'"),
    )
)


def reading(nights: Sequence[date] | None) -> str:
    """SQL over `lines` (handed.SCHEMA): one row for each line, with EARLY of those that are events.

    Of each: `night`, null for a bad line; `wanted`, whether it is one of the nights; `mistyped`, whether a field was of
    another type than it must be; and of a bad line what BadLine holds.

    Args:
        nights: whose events are read; None reads all.
    """
    listed = "true" if nights is None else f"{DAY} IN ({', '.join(f'DATE {n.isoformat()!r}' for n in nights)})"
    # a body that is too large is missed only where a fact would be read from it
    missed = f"left_out = '{BODY}' AND ({reads_body()})"
    truncated, stage_ts = (next(c.sql for c in COLUMNS if c.name == name) for name in ("truncated", "stage_ts"))
    sql = {
        "truncated": f"CASE WHEN {missed} THEN coalesce({truncated}, 'bodies') ELSE {truncated} END",
        "stage_ts": "stage_ts",
    }
    columns = ", ".join(f"{sql.get(c.name, c.whole)} AS {c.name}" for c in COLUMNS if not c.late)
    archived = ", ".join(f"{c.archived} AS {c.name}" for c in COLUMNS if not c.late)
    # what describes a bad line; null for the others
    bad = ", ".join(f"CASE WHEN NOT good THEN {name} END AS {name}" for name in _TOLD)
    relation = f"(SELECT *, CASE WHEN json_valid(line) THEN json_transform(line, '{EVENT}') END AS e FROM lines)"
    for step in (
        f"e.auditID IS NOT NULL AS has_id, {stage_ts} AS stage_ts, stage_ts IS NOT NULL AS has_time",
        # valid JSON that starts with a brace is an object; asking its type would read the line once more
        # (CASE, not AND: the engine dies of ltrim on bytes that are no text)
        "CASE WHEN e IS NOT NULL THEN ltrim(line, chr(32) || chr(9) || chr(13)) LIKE '{%' ELSE false END AS is_object",
        f"has_id AND has_time AS good, good AND {listed} AS wanted",
        f"CASE WHEN wanted THEN {_MISTYPED} ELSE false END AS mistyped",
        "e.verb AS verb, e.objectRef.resource AS resource, nullif(e.objectRef.subresource, '') AS subresource, "
        "nullif(e.objectRef.apiGroup, '') AS api_group, e.objectRef.namespace AS namespace, e.objectRef.name AS name",
        *(f"{sql} AS {name}" for name, sql in body_steps()),
        f"{facts()} AS facts",
    ):
        only_wanted = " REPLACE (CASE WHEN wanted THEN e END AS e)" if step.startswith("CASE WHEN wanted") else ""
        relation = f"(SELECT *{only_wanted}, {step} FROM {relation})"
    whole = (
        f"SELECT source, pos, CASE WHEN good THEN {DAY} END AS night, wanted, mistyped, {bad}, "
        f"CASE WHEN NOT good THEN encode(line) END AS line, {columns} FROM {relation}"
    )
    # apart, so that what a text takes to be read and masked is not done again for each look at it
    return f"SELECT source, pos, night, wanted, mistyped, {', '.join(_TOLD)}, line, {archived} FROM ({whole})"


def bad_lines(batches: Iterable[pa.RecordBatch]) -> Iterator[BadLine]:
    """The bad lines among rows that `reading` made."""
    for batch in batches:
        columns = [batch[name] for name in BAD]
        for i in range(batch.num_rows):
            found = BadLine(*(column[i].as_py() for column in columns))
            yield replace(found, line=found.line.rstrip(b"\r\n"))


def refused(bad: BadLine, source: str) -> dict[str, object] | None:
    """The row of QUARANTINE of a line that holds no event; None for a blank one, which is no line read."""
    if not bad.line.strip():
        return None
    row = quarantined(source, bad.pos, bad.line, bad.reason)
    if bad.whole_sha256 is not None:
        row |= {"length": bad.line_bytes, "sha256": bad.whole_sha256}
    return row


def quarantined(source: str, offset: int, line: bytes, reason: str) -> dict[str, object]:
    """One row of the quarantine; of the line only its hash and a masked head stay."""
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
