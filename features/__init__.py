"""What behaviour is: principals, requests, counts and surprises, as SQL and matrices."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from features.frames import FeatureMatrix
    from features.reading import Tables


def load(
    archive: str | Path | Tables, cluster: str, nights: date | str | Iterable[date | str] | None = None
) -> FeatureMatrix:
    """The counted nights of a cluster, in order, the rows of each in the order of principals.

    Args:
        archive: the root folder, or what holds it: for s3://, pipelines.store.open_store("s3://BUCKET/PREFIX").
        nights: one night, or several; as dates or YYYY-MM-DD. None for every counted one.
    Raises:
        ValueError: a night is not counted, or by another catalogue, or its table is damaged; says what mends it.
    """
    # here and not above: who imports a module of this package needs no matrix
    from features.reading import read

    return read(archive, cluster, nights)
