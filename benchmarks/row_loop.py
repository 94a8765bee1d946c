"""The ingest's rival: one orjson.loads a line, the same columns as the lane, the same order, the same Parquet.

What a competent engineer writes without an SQL engine. It promises its values for well-formed logs only: no
quarantine, no duplicates told, no lists on a line, no bound on memory. tests/test_benchmark_ingest.py compares columns.

Imports of pipelines/ names, types and limits, never the parser."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.row_facts import facts
from benchmarks.row_uris import masked, redacted
from pipelines.parsing.body_facts import FACTS
from pipelines.parsing.events import NAMES, ORDER, SCHEMA

CHUNK_ROWS = 16_384
_ROW_GROUP = 122_880
_FACTS = tuple(f.name for f in FACTS)
_READ = tuple(name for name in NAMES if name not in _FACTS)
_NOTHING: dict[str, Any] = {}

_ALLOWED = re.compile(
    r'([A-Za-z ]+): allowed by (?:ClusterRoleBinding|RoleBinding) "([^"]*)" of (?:ClusterRole|Role) "([^"]*)" '
    r'to ([A-Za-z]+) "([^"]*)"'
)


def tables(lines: Iterable[bytes]) -> Iterator[pa.Table]:
    """The lines' rows, some thousand at a time."""
    lines = iter(lines)
    while chunk := list(islice(lines, CHUNK_ROWS)):
        yield _table(chunk)


def write(source: Path, target: Path) -> int:
    """Rows of a plain log, written in the archive's order as one Parquet file."""
    with source.open("rb") as lines:
        whole = pa.concat_tables(tables(lines))
    keys = [(name, "ascending", "at_start") for name in ORDER]
    whole = whole.take(pc.sort_indices(whole, sort_keys=keys))
    with pq.ParquetWriter(target, SCHEMA, compression="zstd", compression_level=3, write_page_checksum=True) as out:
        out.write_table(whole, row_group_size=_ROW_GROUP)
    return int(whole.num_rows)


def _table(lines: list[bytes]) -> pa.Table:
    rows, bodies = [], []
    for line in (text.rstrip(b"\r\n") for text in lines):
        if not line:
            continue
        event = orjson.loads(line)
        rows.append(_row(event, line))
        if "requestObject" in event and "objectRef" in event and (found := facts(event)):
            bodies.append((len(rows) - 1, found))
    columns: dict[str, Any] = dict(zip(_READ, zip(*rows, strict=True), strict=True))
    for name in _FACTS:
        columns[name] = [None] * len(rows)
    for i, found in bodies:
        for name, value in found.items():
            columns[name][i] = value
    return pa.table([_array(columns[field.name], field.type) for field in SCHEMA], schema=SCHEMA)


def _array(values: Iterable[Any], kind: pa.DataType) -> pa.Array:
    # Arrow reads ISO times far faster than Python
    return pa.array(values, pa.string()).cast(kind) if pa.types.is_timestamp(kind) else pa.array(values, kind)


def _row(event: dict[str, Any], line: bytes) -> tuple[Any, ...]:
    """In the order of _READ."""
    get = event.get
    user = get("user") or _NOTHING
    extra = user.get("extra") or _NOTHING
    ref = get("objectRef") or _NOTHING
    notes = get("annotations") or _NOTHING
    reason = notes.get("authorization.k8s.io/reason")
    reason = None if reason is None else masked(reason[:4096])
    return (
        get("auditID"),
        get("stage"),
        get("stageTimestamp"),
        get("requestReceivedTimestamp"),
        get("level"),
        get("verb"),
        user.get("username") or None,
        user.get("uid"),
        user.get("groups"),
        _first(extra, "canonicalArn"),
        _first(extra, "sessionName"),
        _first(extra, "accessKeyId"),
        _first(extra, "authentication.kubernetes.io/pod-name"),
        _first(extra, "authentication.kubernetes.io/credential-id"),
        (get("impersonatedUser") or _NOTHING).get("username"),
        get("sourceIPs"),
        masked(get("userAgent")),
        ref.get("apiGroup") or None,
        masked(ref.get("resource")) or None,
        masked(ref.get("subresource")) or None,
        masked(ref.get("namespace")) or None,
        masked(ref.get("name")) or None,
        redacted(get("requestURI")),
        (get("responseStatus") or _NOTHING).get("code"),
        notes.get("authorization.k8s.io/decision"),
        reason,
        *_allowed(reason),
        "bodies" if notes.get("audit.k8s.io/truncated") == "true" else None,
        len(line),
        sha256(line).hexdigest()[:32],
    )


def _first(extra: dict[str, list[str]], name: str) -> str | None:
    found = extra.get(name)
    return found[0] if found else None


@lru_cache(maxsize=100_000)
def _allowed(reason: str | None) -> tuple[str | None, ...]:
    """Mode, binding, role, kind and name of the subject; reasons are few."""
    found = _ALLOWED.match(reason) if reason else None
    return tuple(text or None for text in found.groups()) if found else (None,) * 5
