"""Envelopes for tests: a corpus of varied events, what each source wraps around it, and how it reads back."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from builders import event, line

from pipelines.sources import stored
from pipelines.sources.base import LongLine

TEXTS = (
    "cart/v1.0",
    "café ☃ 🎄 \u202e",
    '"],{[}:, \\ \\" \\\\',
    "a\nb\tc\rd\be\ff\u0000g",
    "<img src=x onerror=alert(1)>&amp;",
    '{"messageType":"DATA_MESSAGE","logEvents":[{"message":"x"}]}',
    "}{}{",
    "]}\n{",
    "\\u0041 \\n",
    "é" * 300,
)
BODY = {
    "kind": "Pod",
    "items": [{"kind": "Event", "auditID": "inner", "apiVersion": "audit.k8s.io/v1"}],
    "spec": {"containers": [{"image": "shop/cart:1", "command": ["sh", "-c", 'echo "}{" | sed s/\\n/x/']}] * 3},
    "logEvents": [],
    "empty": {},
    "numbers": [1e999, -0.5, 2**70, 12345678901234567890],
}
EVENTS = [
    event(
        agent=TEXTS[i % len(TEXTS)],
        name=f"n{i}",
        body=BODY if i % 3 == 0 else None,
        code=403 if i % 4 == 0 else 200,
        padding="x" * (i * 7),
        audit_id=f"00000000-0000-0000-0000-{i:012}",
    )
    for i in range(40)
]
LINES = [json.dumps(e, separators=(",", ":"), ensure_ascii=i % 2 == 0).encode() for i, e in enumerate(EVENTS)]
"""Every second one with escapes, the others in UTF-8."""


def record(lines: Sequence[bytes], stream: str = "kube-apiserver-audit-0a1b", **more: Any) -> dict[str, Any]:
    """One record of a subscription that carries the lines."""
    messages = [
        {"id": f"{38000 + i}", "timestamp": 1767571200123 + i, "message": text.decode()} for i, text in enumerate(lines)
    ]
    return {
        "messageType": "DATA_MESSAGE",
        "owner": "111122223333",
        "logGroup": "/aws/eks/prod/cluster",
        "logStream": stream,
        "subscriptionFilters": ["audit"],
        "logEvents": messages,
    } | more


def compact(value: object, *, ascii: bool = False) -> bytes:  # noqa: A002 (as json names it)
    """JSON without white space."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=ascii).encode()


def firehose(lines: Sequence[bytes], size: int = 9, between: bytes = b"") -> bytes:
    """Records of so many lines each, one behind the other."""
    return between.join(compact(record(lines[i : i + size])) for i in range(0, len(lines), size))


CONTROL = compact(record([b"CWL CONTROL MESSAGE: Checking health of destination"], messageType="CONTROL_MESSAGE"))


@dataclass
class Walked:
    """What an object gave, and where: `at` for each line, in its inflated bytes."""

    lines: list[bytes] = field(default_factory=list)
    at: list[int] = field(default_factory=list)
    times_ms: list[int] = field(default_factory=list)
    long: list[LongLine] = field(default_factory=list)
    skipped: int = 0
    plain: bool = False

    @property
    def good(self) -> list[bytes]:
        """The lines of the corpus among those found."""
        return [x for x in self.lines if x in _KNOWN]


_KNOWN = frozenset(LINES)


def walked(data: bytes) -> Walked:
    """A stored object, read to its end; what every batch must hold is checked."""
    found = Walked()
    with stored.reading("o", "/o", io.BytesIO(data)) as reading:
        for batch in reading.batches():
            if isinstance(batch, LongLine):
                found.long.append(batch)
                continue
            texts = batch.data.split(b"\n")
            if batch.data.endswith(b"\n") or not batch.data:
                texts.pop()
            found.lines += texts
            found.skipped += batch.skipped
            found.plain = found.plain or batch.starts is None
            if batch.starts is not None:
                assert len(batch.starts) == len(texts)
                assert list(batch.starts) == sorted(batch.starts)
                found.at += [batch.offset + start for start in batch.starts.tolist()]
                times = [0] * len(texts) if batch.times_ms is None else batch.times_ms.tolist()
                assert len(times) == len(texts)
                found.times_ms += times
    assert found.at == sorted(found.at)
    return found


def line_of(one: dict[str, Any]) -> bytes:
    """An event as its line without the end."""
    return line(one).rstrip()
