"""The nightly job: the only package that sees AWS, the clock, the disk and the screen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipelines.opened import OpenArchive
    from pipelines.store import ObjectStore

__all__ = ["open_archive"]


def open_archive(root: str | Path | ObjectStore) -> OpenArchive:
    """The tables of an archive for reading, as DuckDB relations; `.df()` of one is a pandas frame.

    Args:
        root: a folder, s3://BUCKET/PREFIX with the credentials and the region that boto3 finds, or a store that
            pipelines.store.open_store opened with more than that.
    Raises:
        ConfigError: no archive can be there.
    """
    # here and not above: a module of this package needs no engine
    from pipelines.opened import OpenArchive
    from pipelines.store import open_store, refuse_place

    store = open_store(str(root)) if isinstance(root, str | Path) else root
    refuse_place(store, store.url, to_write=False)
    return OpenArchive(store)
