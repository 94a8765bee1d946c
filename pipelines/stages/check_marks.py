"""The marks of a night, verified: each as it was written, and none gone that a run's record names.

tests/pipelines/test_check_damages.py holds the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipelines.errors import DataError
from pipelines.marking.record import MARKS, read
from pipelines.stages.check_commits import said
from pipelines.stages.check_tables import Night


def marks(night: Night, listed: Sequence[str], named: Mapping[str, str]) -> None:
    """Read the marks that a listing holds and those that records name, and note which are damaged or missing.

    Args:
        named: by the mark's id, the record of the run that wrote it.
    """
    look = night.look
    for name in sorted({*listed, *(f"mark-{id_}.parquet" for id_ in named)}):
        key = night.key(MARKS, name)
        if look.fetched(key) is None:
            # one that went after it was listed was not ours to miss, unless a record names it
            record = named.get(name.removeprefix("mark-").removesuffix(".parquet"))
            if record is not None:
                look.tally.find("mark", key, f"missing, although {record} names it")
            continue
        look.tally.saw(look.size, 1)
        try:
            read(look.scratch.read_bytes(), key, f"{look.store.url}/{key}")
        except DataError as error:
            look.tally.find("mark", key, said(look.store, key, error))
