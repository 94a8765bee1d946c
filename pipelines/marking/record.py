"""A mark: what an analyst says of one principal on one night, written once, under a name made from its bytes.

Knows no archive and no clock. tests/pipelines/test_marks_kept.py."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from hashlib import sha256
from typing import Any

import pyarrow as pa

from pipelines.commits import folder
from pipelines.errors import DataError
from pipelines.parquet import decode, encode

MARKS = "marks"
"""Name of the table."""

NONE, EXPECTED, INVESTIGATING, CONFIRMED = "none", "expected", "investigating", "confirmed"
STATES = (NONE, EXPECTED, INVESTIGATING, CONFIRMED)
"""What a mark can say. Of two that were made at the same moment the later one here counts: when in doubt, look."""

MARK_FILE = r"mark-[0-9a-f]{16}\.parquet"

_RANGE = pa.struct([("feature", pa.string()), ("most", pa.int64()), ("named", pa.bool_())])
_COLUMNS: dict[str, tuple[pa.DataType, str]] = {
    "principal": (pa.string(), "Who is marked."),
    "state": (pa.string(), "`expected`, `investigating`, `confirmed`, or `none`, which takes earlier marks back."),
    "because": (pa.string(), "Why, in the analyst's words."),
    "features": (
        pa.list_(_RANGE),
        "The principal's reasons on the marked night and the features that the mark names: the range of each that is "
        "marked, from 0 to `most`, and whether it was named.",
    ),
    "until": (pa.date32(), "The last night on which it holds."),
    "made_at": (pa.timestamp("us", "UTC"), "When it was written; of two that say different things the later counts."),
    "run_id": (pa.string(), "The run that wrote it."),
    "os_user": (pa.string(), "Who wrote it, as the machine knows them; null where it does not."),
    "aws_identity": (
        pa.string(),
        "Role, profile or access key id of the writer's environment; null where it has none.",
    ),
}
_UNKNOWN = ("os_user", "aws_identity")
"""The columns that can be null."""
SCHEMA = pa.schema([pa.field(name, type_, metadata={"meaning": said}) for name, (type_, said) in _COLUMNS.items()])


@dataclass(frozen=True)
class Range:
    """What a mark says of one feature: up to `most` of it is marked. `named` tells whether the analyst named it."""

    feature: str
    most: int
    named: bool


@dataclass(frozen=True)
class Mark:
    """One mark; the fields are the columns of its table, after the cluster and the marked night."""

    cluster: str
    night: date
    principal: str
    state: str
    because: str
    features: tuple[Range, ...]
    until: date
    made_at: datetime
    run_id: str
    os_user: str | None
    aws_identity: str | None
    id: str = ""
    """The first half of the SHA-256 of its bytes, once they are written."""

    @property
    def scope(self) -> frozenset[str]:
        """The features it was restricted to; none for all."""
        return frozenset(one.feature for one in self.features if one.named)

    @property
    def watched(self) -> tuple[Range, ...]:
        """The ranges it holds within: of the named features, else of all reasons of its night."""
        return tuple(one for one in self.features if one.named) or self.features


def table(marks: Iterable[Mark]) -> pa.Table:
    """Marks as rows, one each, with the columns of their table."""
    return pa.Table.from_pylist([asdict(mark) for mark in marks], SCHEMA)


def written(mark: Mark) -> tuple[Mark, bytes]:
    """The mark with its id, and its bytes: a table of one row."""
    body = encode(table([mark]), {"table": MARKS, "cluster": mark.cluster, "night": mark.night.isoformat()})
    return replace(mark, id=_id(body)), body


def key(mark: Mark) -> str:
    """Where a written mark is kept."""
    return f"{folder(MARKS, mark.cluster, mark.night)}/mark-{mark.id}.parquet"


def flags(mark: Mark) -> str:
    """The flags by which a command means the night and the features of this mark, and no others."""
    return " ".join([f"--date {mark.night}", *(f"--feature {name}" for name in sorted(mark.scope))])


def _id(body: bytes) -> str:
    return sha256(body).hexdigest()[:16]


def in_order(marks: Sequence[Mark]) -> list[Mark]:
    """As they count: the later the more."""
    return sorted(marks, key=lambda mark: (mark.made_at, STATES.index(mark.state), mark.id))


def read(body: bytes, stands: str, where: str) -> Mark:
    """The mark of an object's bytes.

    Args:
        stands: the object's key.
        where: its address, for errors.
    Raises:
        DataError: the bytes are no mark, or not the one that was written here.
    """
    try:
        rows, meta = decode(body, where)
        mark = _of(rows, meta, _id(body))
        if mark.state not in STATES:
            raise ValueError(f"it says {mark.state!r}")
        if key(mark) != stands:
            raise ValueError("it was written under another name")
    except (DataError, ValueError, KeyError, TypeError, OverflowError) as error:
        said = str(error).removeprefix(f"{where}: ").partition("; ")[0]
        raise DataError(
            f"{where}: no mark as it was written ({' '.join(said.split())[:200]}); "
            "restore it from a copy of the archive, or remove it and mark again"
        ) from error
    return mark


def _of(rows: pa.Table, meta: dict[str, Any], id_: str) -> Mark:
    for field in SCHEMA:
        if (found := rows.schema.field(field.name).type) != field.type:
            raise ValueError(f"its {field.name} is {found}")
    (row,) = rows.to_pylist()
    told = {name: row[name] for name in SCHEMA.names}
    for name in SCHEMA.names:
        if told[name] is None and name not in _UNKNOWN:
            raise ValueError(f"its {name} is null")
    if any(one is None or None in one.values() for one in told["features"]):
        raise ValueError("one of its features is null")
    told["features"] = tuple(Range(**one) for one in told["features"])
    told["made_at"] = told["made_at"].astimezone(UTC)
    return Mark(cluster=meta["cluster"], night=date.fromisoformat(meta["night"]), id=id_, **told)
