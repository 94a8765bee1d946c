"""The quarantine of a cluster: bad lines in the home of their source object, which its name alone decides.

Whatever nights two runs are for, they meet at the same key, so a line is filed once, and a run looks into the homes of
its own source objects and no other. A home holds numbered files, each written once.
tests/pipelines/test_quarantine.py."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from hashlib import sha256

import pyarrow as pa

from pipelines.archive import QUARANTINE, Archive
from pipelines.errors import DataError
from pipelines.parquet import ROW_GROUP, decode, encode
from pipelines.parsing.parse import QUARANTINE_SCHEMA

ROWS = ROW_GROUP
"""Lines of one file at most: it is made, and read, in memory."""
SCHEMA = QUARANTINE_SCHEMA.append(
    pa.field("date", pa.date32(), metadata={"meaning": "Night that counts the line: the first of the run that met it."})
)

ORDER = ("byte_offset", "sha256")
FILE = re.compile(r"object=[0-9a-f]{32}/lines-[1-9][0-9]{0,8}\.parquet")
"""Names of files below the cluster's folder."""


@dataclass(frozen=True)
class Lines:
    """One file of a home: its name below the cluster's folder, the night that counts its lines, and these."""

    file: str
    night: date
    rows: pa.Table


def root(cluster: str) -> str:
    """Where a cluster's homes are."""
    return f"{QUARANTINE}/cluster={cluster}"


def home(source: str) -> str:
    """Name of a source object's home, by the object's name: a key in its bucket, a path below the folder asked for.

    A file has the name by which a run reached it: alone its own, in a folder its path from there."""
    return f"object={sha256(source.encode()).hexdigest()[:32]}"


def file(source: str, number: int) -> str:
    """Name of a home's file below the cluster's folder, counted from 1."""
    return f"{home(source)}/lines-{number}.parquet"


def lines(archive: Archive, source: str, number: int) -> Lines | None:
    """A file of a source object's home, or None where it was not written.

    Raises:
        DataError: the file is damaged.
    """
    name = file(source, number)
    where = f"{root(archive.cluster)}/{name}"
    body = archive.store.get(where)
    return None if body is None else read(body, name, f"{archive.store.url}/{where}")


def read(body: bytes, name: str, where: str) -> Lines:
    """The lines of a file.

    Args:
        where: its address, for errors.
    Raises:
        DataError: it is damaged, or belongs to another place.
    """
    rows, _ = decode(body, where)
    missing = sorted({"source", "sha256", "date"} - set(rows.column_names))
    nights = set() if missing else {*rows["date"].to_pylist()}
    homes = set() if missing else {*map(home, rows["source"].to_pylist())}
    if len(nights) != 1 or None in nights or homes != {name.partition("/")[0]}:
        raise DataError(
            f"{where}: not the lines of one source object and one night; delete the object and run the night again"
        )
    return Lines(name, nights.pop(), rows)


def put(archive: Archive, source: str, number: int, night: date, rows: pa.Table) -> Lines | None:
    """The file with these lines (parse.QUARANTINE_SCHEMA) if it stands there now, or None where other lines do."""
    counted = rows.append_column(SCHEMA.field("date"), pa.array([night] * rows.num_rows, pa.date32())).cast(SCHEMA)
    name = file(source, number)
    body = encode(counted, {"table": QUARANTINE, "cluster": archive.cluster})
    stands = archive.store.put_new(f"{root(archive.cluster)}/{name}", body)
    return Lines(name, night, counted) if stands else None
