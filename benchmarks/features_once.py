"""One measured count of a night by the product or by pandas, in a process of its own.

`python -m benchmarks.features_once KIND ARCHIVE CLUSTER LENGTH TARGET` prints what it cost as JSON. Imports are no part
of the CPU, which is that of all threads, user and system; they are part of the peak of memory."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import date, timedelta
from importlib import import_module
from pathlib import Path

from benchmarks.corpus import NIGHT
from benchmarks.cost import Cost, measured, tell
from pipelines.archive import EVENTS, ITEMS, PRINCIPAL_DAYS, Archive
from pipelines.commits import folder
from pipelines.config import ParseConfig
from pipelines.store import open_store

MEMORY_LIMIT = "1GB"
KEY = ["principal", "type", "kind", "item"]
_NIGHT = date.fromisoformat(NIGHT.decode())


def stage(archive: Path, cluster: str, length: int, _target: Path) -> int:
    """The features stage, as shipped; rows of principal_days."""
    from pipelines.engine import engine
    from pipelines.stages.features import features

    with engine(ParseConfig(memory_limit=MEMORY_LIMIT)) as connection:
        made = features(Archive(open_store(str(archive)), cluster), connection, _NIGHT, length)
    return int(made.table.num_rows)


def count(archive: Path, cluster: str, length: int, target: Path) -> int:
    """The part of the stage that pandas does too: verified events to both tables; rows of principal_days."""
    import pyarrow.parquet as pq

    from features.days import count as counted
    from pipelines.engine import COUNTING_BYTES, engine, modest
    from pipelines.stages.features import requests_of
    from pipelines.stages.history import History, PastNight

    held = Archive(open_store(str(archive)), cluster)
    nights = [(night, held.derived(ITEMS, night)) for night in _before(length)]
    past = History(tuple(PastNight(night, items, items) for night, items in nights if items is not None), ())
    commit = held.newest(EVENTS, _NIGHT)
    if commit is None:
        raise RuntimeError(f"{archive}: no events of {_NIGHT}")
    with (
        engine(ParseConfig(memory_limit=MEMORY_LIMIT)) as connection,
        modest(connection, COUNTING_BYTES),
        requests_of(held, connection, commit, past, keep=False),
    ):
        made = counted(connection)
    target.mkdir(parents=True, exist_ok=True)
    for name, table in ((PRINCIPAL_DAYS, made.days), (ITEMS, made.items)):
        pq.write_table(table, target / f"{name}-ours.parquet")
    return int(made.days.num_rows)


def _before(length: int) -> list[date]:
    return [_NIGHT - timedelta(days=back) for back in range(1, length + 1)]


def pandas(archive: Path, cluster: str, length: int, target: Path) -> int:
    """The rival's rows of principal_days; it leaves both tables in the target."""
    import pandas as pd

    from benchmarks.features_pandas import counted

    paths = [archive / folder(ITEMS, cluster, night) / f"{ITEMS}.parquet" for night in _before(length)]
    none = pd.DataFrame({name: pd.Series([], dtype="str") for name in KEY})
    past = pd.concat(
        [none, *(pd.read_parquet(path, columns=KEY, partitioning=None) for path in paths if path.exists())]
    )
    days, items = counted(sorted((archive / folder(EVENTS, cluster, _NIGHT)).glob("part-*")), past)
    target.mkdir(parents=True, exist_ok=True)
    days.to_parquet(target / f"{PRINCIPAL_DAYS}.parquet")
    items.to_parquet(target / f"{ITEMS}.parquet")
    return len(days)


KINDS: dict[str, Callable[[Path, str, int, Path], int]] = {"stage": stage, "count": count, "pandas": pandas}
# neither is charged with what the other imports
_STAGE = ("pipelines.engine", "pipelines.stages.features")
_IMPORTS = {"stage": _STAGE, "count": _STAGE, "pandas": ("benchmarks.features_pandas",)}


def cost(kind: str, archive: Path, cluster: str, length: int) -> Cost:
    """What the count cost, in a fresh process; the night is not counted when it begins."""
    if kind == "stage":
        for table in (PRINCIPAL_DAYS, ITEMS):
            with suppress(FileNotFoundError):
                (archive / folder(table, cluster, _NIGHT) / f"{table}.parquet").unlink()
    target = archive.with_suffix(".pandas")
    return measured("benchmarks.features_once", kind, archive, cluster, length, target)


def main() -> None:
    """Command line."""
    kind, archive, cluster, length, target = sys.argv[1:]
    run = KINDS[kind]
    for module in _IMPORTS[kind]:
        import_module(module)
    tell(lambda: run(Path(archive), cluster, int(length), Path(target)))


if __name__ == "__main__":
    main()
