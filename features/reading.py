"""Principal_days and items out of an archive: a folder, or whatever hands over an object by its key.

Knows where the tables lie and no more: a table's checksum is verified by `auditforest archive check`."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from features.days import HASH
from features.derived import Stored
from features.frames import FeatureMatrix

TABLE = "principal_days"
_ITEMS = "items"
_META = b"auditforest"
_TOLD = 5
"""Nights or clusters named in a message."""


class Tables(Protocol):
    """Objects by key, as every store of an archive offers them."""

    @property
    def url(self) -> str:
        """The archive as a person would name it."""

    def get(self, key: str) -> bytes | None:
        """The whole object, or None where there is none."""

    def list(self, prefix: str) -> list[str]:
        """The keys that begin with the prefix, sorted."""


class _Folder:
    """An archive in a folder."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.url = str(root)

    def get(self, key: str) -> bytes | None:
        path = self._root / key
        return path.read_bytes() if path.is_file() else None

    def list(self, prefix: str) -> list[str]:
        found = (path.relative_to(self._root).as_posix() for path in (self._root / TABLE).glob("*/*/*.parquet"))
        return sorted(key for key in found if key.startswith(prefix))


def read(archive: str | Path | Tables, cluster: str, nights: date | str | Iterable[date | str] | None) -> FeatureMatrix:
    """What features.load says."""
    tables = _opened(archive)
    counted = _counted(tables, cluster)
    asked = sorted(counted) if nights is None else _asked(nights)
    missing = [night for night in asked if night not in counted]
    if missing or not asked:
        what = f"{_listed(missing)} of {cluster}" if missing else f"every night of {cluster}"
        mend = f"run {_mend(tables, cluster, missing)}" if missing else "name at least one counted night"
        raise ValueError(f"{tables.url}: {what} asked for, {_held(tables, cluster, counted)} found; {mend}")
    found = {night: _table(tables, _key(cluster, night)) for night in asked}
    other = [night for night, (_, meta) in found.items() if meta.get("catalogue") != HASH]
    if other:
        raise ValueError(
            f"{tables.url}: {_listed(other)} of {cluster} counted by another catalogue than this version's; "
            f"run {_mend(tables, cluster, other)}"
        )
    judged_by = {night: _judged_by(meta) for night, (_, meta) in found.items()}
    return FeatureMatrix.of_nights(
        {night: rows for night, (rows, _) in found.items()},
        lambda night: _stored(tables, cluster, night, found[night][0], judged_by[night]),
    )


def _judged_by(meta: Mapping[str, Any]) -> list[date]:
    return sorted(map(date.fromisoformat, meta["origin"]["history"]))


def _stored(tables: Tables, cluster: str, night: date, days: pa.Table, judged_by: Sequence[date]) -> Stored:
    """A night with the nights it was judged by, as far as they are still there."""
    items, _ = _table(tables, _key(cluster, night, _ITEMS))
    past: dict[str, list[pa.Table]] = {TABLE: [days.slice(0, 0)], _ITEMS: [items.slice(0, 0)]}
    for earlier in judged_by:
        keys = {table: _key(cluster, earlier, table) for table in past}
        if all(tables.get(key) is not None for key in keys.values()):
            for table, key in keys.items():
                past[table].append(_table(tables, key)[0])
    # tables of two versions may differ by a column
    whole = {t: pa.concat_tables(map(_plain, found), promote_options="permissive") for t, found in past.items()}
    return Stored(night, days, items, whole[TABLE], whole[_ITEMS])


def _plain(table: pa.Table) -> pa.Table:
    return table.replace_schema_metadata(None)


def _held(tables: Tables, cluster: str, counted: set[date]) -> str:
    """What the archive does hold: a date or a name may be mistyped."""
    if counted:
        return f"counted nights from {min(counted)} to {max(counted)}"
    names = {key.split("/")[1].removeprefix("cluster=") for key in tables.list(f"{TABLE}/cluster=")}
    return f"only nights of {_listed(sorted(names))}" if names - {cluster} else "no counted night"


def _opened(archive: str | Path | Tables) -> Tables:
    if not isinstance(archive, str | Path):
        return archive
    if str(archive).startswith("s3:/"):
        raise ValueError(
            f"{archive}: a folder expected; hand over pipelines.store.open_store({str(archive)!r}), which reads S3"
        )
    root = Path(archive)
    if not root.is_dir():
        raise ValueError(f"{root}: no such folder; the root of an archive expected, as --archive names it")
    return _Folder(root)


def _asked(nights: date | str | Iterable[date | str]) -> Sequence[date]:
    each = [nights] if isinstance(nights, date | str) else list(nights)
    return sorted({_night(night) for night in each})


def _night(night: date | str) -> date:
    if isinstance(night, date):
        return date(night.year, night.month, night.day)
    try:
        return date.fromisoformat(night)
    except ValueError:
        raise ValueError(f"night {night[:40]!r}: expected a date as YYYY-MM-DD") from None


def _key(cluster: str, night: date, table: str = TABLE) -> str:
    return f"{table}/cluster={cluster}/date={night.isoformat()}/{table}.parquet"


def _counted(tables: Tables, cluster: str) -> set[date]:
    """The nights of the cluster that have a table."""
    found = set()
    for key in tables.list(f"{TABLE}/cluster={cluster}/date="):
        night = key.split("/")[-2].removeprefix("date=")
        if len(night) == len("YYYY-MM-DD") and key == _key(cluster, date.fromisoformat(night)):
            found.add(date.fromisoformat(night))
    return found


def _table(tables: Tables, key: str) -> tuple[pa.Table, dict[str, Any]]:
    body = tables.get(key)
    try:
        # a name in the path is no column
        rows = pq.read_table(BytesIO(body or b""), partitioning=None)
        return rows, json.loads((rows.schema.metadata or {})[_META])
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        raise ValueError(
            f"{tables.url}/{key}: not a whole table of this archive ({' '.join(str(error).split())[:200]}); "
            "delete the object and run the night again"
        ) from error


def _mend(tables: Tables, cluster: str, nights: Sequence[date]) -> str:
    span = ["--date", f"{nights[0]}"] if len(nights) == 1 else ["--from", f"{nights[0]}", "--to", f"{nights[-1]}"]
    return f"'auditforest {shlex.join(['features', '--cluster', cluster, '--archive', tables.url, *span])}'"


def _listed(things: Sequence[object]) -> str:
    told = ", ".join(str(thing) for thing in things[:_TOLD])
    return told if len(things) <= _TOLD else f"{told} and {len(things) - _TOLD} more"
