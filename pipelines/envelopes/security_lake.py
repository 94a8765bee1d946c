"""Objects of Amazon Security Lake: Parquet, one OCSF record a row, made into audit events (ocsf.py has the mapping).

A record has no bytes of its own in Parquet: the place of its line is the number of its row.
tests/pipelines/test_security_lake.py holds the truth."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Number
from typing import IO, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from features.blind import LACKABLE
from pipelines.envelopes.gather import Gather
from pipelines.envelopes.inflate import refuse_bomb
from pipelines.envelopes.limits import Limits, Readable
from pipelines.envelopes.ocsf import API_ACTIVITY, event_line
from pipelines.errors import DataError
from pipelines.parsing.body_facts import FACTS
from pipelines.sources.base import Batch, LongLine

LACKS: Final[tuple[str, ...]] = (
    "pod_name",
    "credential_id",
    *(column for column, lackable in LACKABLE.items() if lackable.shown == "NOT retold"),
    *(fact.name for fact in FACTS),
)
"""Columns of the events table that this source never fills."""

_ROWS = 2000
"""Rows decoded at a time, their texts as dictionaries: in a small file thousands of rows may share one of 1 MB."""
_WRITTEN_OUT = 20
"""Rows of which each has its own texts at a time."""
_READ = (
    *("class_uid", "time", "time_dt", "start_time", "start_time_dt", "message", "metadata", "api", "actor"),
    *("src_endpoint", "http_request", "resources", "cloud", "unmapped"),
)
_BODIES = ("api.request.data", "api.response.data", "unmapped.requestObject", "unmapped.responseObject")


@contextmanager
def seekable(head: bytes, stream: Readable, raw: IO[bytes] | None) -> Iterator[IO[bytes]]:
    """The whole object as a file that can be read at any place; `stream` is read to its end, so that it is hashed.

    Args:
        head: what was already read of `stream`.
        raw: the file below, None where it is compressed.
    """
    if raw is not None and raw.seekable():
        while stream.read(1 << 20):
            pass
        raw.seek(0)
        yield raw
        return
    with tempfile.TemporaryFile(prefix="auditforest-") as spooled:
        spooled.write(head)
        while data := stream.read(1 << 20):
            spooled.write(data)
        spooled.seek(0)
        yield spooled


def batches(source: str, where: str, file: IO[bytes], limits: Limits) -> Iterator[Batch | LongLine]:
    """Each API Activity record as the line of an event; records of other classes are counted as passed over.

    A record whose class is no number is handed on: nobody knows that it is of another one.

    Raises:
        DataError: it is not readable as Parquet, or holds no OCSF records.
    """
    out = Gather(source, limits, raw=False)
    stored_bytes, made = file.seek(0, io.SEEK_END), 0
    for number, record in enumerate(_records(where, file)):
        if _may_be_activity(record.get("class_uid")):
            line = event_line(record)
            made += len(line)
            refuse_bomb(where, made, stored_bytes)
            if len(line) > limits.line_bytes:
                yield from out.long(number, line)
            else:
                out.add(number, line)
        else:
            out.skip(1)
        if out.full:
            yield from out.flush()
    yield from out.flush()


def _records(where: str, file: IO[bytes]) -> Iterator[dict[str, Any]]:
    try:
        file.seek(0)
        parquet = pq.ParquetFile(file)
        if "class_uid" not in parquet.schema_arrow.names:
            raise DataError(
                f"{where}: Parquet without the column class_uid; expected OCSF records of Amazon Security Lake; "
                "take it out of the source"
            )
        columns = _columns(parquet)
        parquet = pq.ParquetFile(file, read_dictionary=_texts(parquet, columns))
        for group in range(parquet.num_row_groups):
            for batch in parquet.iter_batches(_ROWS, row_groups=[group], columns=columns):
                for first in range(0, len(batch), _WRITTEN_OUT):
                    yield from _rows(batch.slice(first, _WRITTEN_OUT))
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        if getattr(error, "errno", None) is not None:
            # this machine's disk, not the object
            raise
        raise DataError(
            f"{where}: cannot be read as Parquet ({' '.join(str(error).split())[:200] or type(error).__name__}); "
            "fetch it again, or take it out of the source"
        ) from error


def _rows(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    try:
        rows: list[dict[str, Any]] = batch.to_pylist()
    except (pa.ArrowException, ValueError, OverflowError):
        # a time in the year 10000, text that is no UTF-8: it costs its own field of its own record
        columns = {name: [_value(scalar) for scalar in batch[name]] for name in batch.schema.names}
        rows = [{name: values[i] for name, values in columns.items()} for i in range(batch.num_rows)]
    return rows


def _value(scalar: pa.Scalar) -> Any:
    """The value, without what Python has no value for."""
    try:
        return scalar.as_py()
    except (pa.ArrowException, ValueError, OverflowError):
        if isinstance(scalar, pa.StructScalar):
            return {name: _value(scalar[name]) for name in scalar.keys()}  # noqa: SIM118 (it iterates over values)
        return None


def _may_be_activity(class_uid: object) -> bool:
    if isinstance(class_uid, str):
        return class_uid.strip() == str(API_ACTIVITY) or not class_uid.strip().isdecimal()
    return class_uid == API_ACTIVITY or not isinstance(class_uid, Number) or isinstance(class_uid, bool)


def _columns(parquet: pq.ParquetFile) -> list[str]:
    """Paths of what is read: bodies are not even decoded."""
    paths = [parquet.schema.column(i).path for i in range(len(parquet.schema.names))]
    bodies = tuple(f"{body}." for body in _BODIES)
    return [path for path in paths if path.partition(".")[0] in _READ and not f"{path}.".startswith(bodies)]


def _texts(parquet: pq.ParquetFile, columns: list[str]) -> list[str]:
    kinds = (parquet.schema.column(i) for i in range(len(parquet.schema.names)))
    return [kind.path for kind in kinds if kind.physical_type == "BYTE_ARRAY" and kind.path in columns]
