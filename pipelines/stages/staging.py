"""What a run has read, before it is archived: one engine table of rows, one of lines for quarantine.

Kept in the engine so that memory stays bounded: it spills to disk. Duplicates are told by content_hash:
the raw line holds every column of an event's identity, so equal lines are equal events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from pipelines.commits import Counts
from pipelines.events import COLUMNS, IDENTITY, NAMES, ORDER
from pipelines.parse import QUARANTINE, Parsed, quarantined
from pipelines.sources.base import LongLine

_SETUP = f"""
CREATE TABLE incoming (source VARCHAR, pos BIGINT, night DATE, {", ".join(f'"{c.name}" {c.type}' for c in COLUMNS)});
CREATE TABLE bad (source VARCHAR, byte_offset BIGINT, length BIGINT, reason VARCHAR, sha256 VARCHAR, head VARCHAR);
"""
_COLUMNS = ", ".join(f'"{n}"' for n in NAMES)
_ORDER = ", ".join(f'"{n}" NULLS FIRST' for n in ORDER)
_IDENTITY = ", ".join(f'"{n}"' for n in IDENTITY)
# the engine refuses to hand over 2 GiB of one text column in one batch; a line may be long
_BATCH_ROWS = 8192


@dataclass
class Ended:
    """Where the lines of one source object ended."""

    read: int = 0
    archived: int = 0
    duplicate: int = 0
    quarantined: int = 0
    outside: int = 0
    blank: int = 0


@dataclass(frozen=True)
class Chosen:
    """Of one source object and night: rows read, and those of them that are archived."""

    read: int
    archived: int


@dataclass
class Staging:
    """Rows and bad lines of one run, and where each source object's lines ended so far."""

    engine: duckdb.DuckDBPyConnection
    nights: Sequence[date]
    ended: dict[str, Ended] = field(default_factory=dict)
    first: date | None = None
    last: date | None = None

    def __post_init__(self) -> None:
        self.engine.execute(_SETUP)

    def drop(self) -> None:
        """Give the rows' memory back to the engine."""
        self.engine.execute("DROP TABLE incoming; DROP TABLE bad; DROP TABLE IF EXISTS fresh")

    def take(self, source: str, offset: int, parsed: Parsed) -> None:
        """Keep the rows of the asked nights and the bad lines; count the rest."""
        ended = self.ended.setdefault(source, Ended())
        ended.read += parsed.rows.num_rows + parsed.quarantine.num_rows
        ended.blank += parsed.blank
        self._keep_bad(parsed.quarantine)
        if not parsed.rows.num_rows:
            return
        self.engine.register("parsed", parsed.rows)
        low, high, kept = self.engine.execute(
            "SELECT CAST(min(stage_ts) AS DATE), CAST(max(stage_ts) AS DATE), "
            "count(*) FILTER (CAST(stage_ts AS DATE) IN (SELECT unnest($nights))) FROM parsed",
            {"nights": list(self.nights)},
        ).fetchall()[0]
        self.engine.execute(
            f"INSERT INTO incoming SELECT $source, pos + $offset, CAST(stage_ts AS DATE), {_COLUMNS} FROM parsed "
            "WHERE CAST(stage_ts AS DATE) IN (SELECT unnest($nights))",
            {"source": source, "offset": offset, "nights": list(self.nights)},
        )
        self.engine.unregister("parsed")
        ended.outside += parsed.rows.num_rows - int(kept)
        self.first = min(filter(None, (self.first, low)))
        self.last = max(filter(None, (self.last, high)))

    def take_long(self, line: LongLine) -> None:
        """A line too long to be parsed goes to quarantine."""
        self.ended.setdefault(line.source, Ended()).read += 1
        row = quarantined(line.source, line.offset, line.start, "longer than a line may be")
        row |= {"length": line.length, "sha256": line.sha256}
        self._keep_bad(pa.Table.from_pylist([row], QUARANTINE))

    def _keep_bad(self, rows: pa.Table) -> None:
        if rows.num_rows:
            self.engine.register("found", rows)
            self.engine.execute("INSERT INTO bad SELECT * FROM found")
            self.engine.unregister("found")

    @property
    def home(self) -> date:
        """The night that bears what belongs to none: the first asked one that has rows, else the first asked."""
        found = self.engine.execute("SELECT min(night) FROM incoming").fetchall()[0][0]
        return found or self.nights[0]

    def has_rows(self, night: date) -> bool:
        """Did any source object hold an event of the night?"""
        return bool(self.engine.execute("SELECT count(*) FROM incoming WHERE night = ?", [night]).fetchall()[0][0])

    def choose(self, night: date, parts: Sequence[Path]) -> tuple[Counts, dict[str, Chosen]]:
        """Choose the night's rows that the parts do not hold, one of each; `chosen` then yields them.

        Returns:
            The counts of this addition, and what was read and chosen of each source object.
        """
        self._view("known_rows", parts)
        self.engine.execute(
            "CREATE OR REPLACE TEMP TABLE fresh AS SELECT source, pos FROM incoming WHERE night = $night AND "
            "content_hash NOT IN (SELECT content_hash FROM known_rows) "
            "QUALIFY row_number() OVER (PARTITION BY content_hash ORDER BY source, pos) = 1",
            {"night": night},
        )
        found = self.engine.execute(
            "SELECT source, count(*), count(f.pos) FROM incoming LEFT JOIN fresh AS f USING (source, pos) "
            "WHERE night = $night GROUP BY source",
            {"night": night},
        ).fetchall()
        chosen = {source: Chosen(read, archived) for source, read, archived in found}
        read, archived = sum(c.read for c in chosen.values()), sum(c.archived for c in chosen.values())
        return Counts(read=read, archived=archived, duplicate=read - archived, **self._described(night)), chosen

    def chosen(self, night: date) -> pa.RecordBatchReader:
        """The rows last chosen, in the archive's order."""
        return self.engine.sql(
            f"SELECT {_COLUMNS} FROM incoming SEMI JOIN fresh USING (source, pos) "
            f"WHERE night = DATE '{night.isoformat()}' ORDER BY {_ORDER}"
        ).to_arrow_reader(_BATCH_ROWS)

    def _described(self, night: date) -> dict[str, Any]:
        rows = (
            "(SELECT * FROM known_rows UNION ALL BY NAME SELECT * EXCLUDE (source, pos, night) FROM incoming "
            "SEMI JOIN fresh USING (source, pos) WHERE night = $night)"
        )
        truncated, hours = self.engine.execute(
            "SELECT count(truncated), list_sort(list(DISTINCT hour(stage_ts))) FROM " + rows, {"night": night}
        ).fetchall()[0]
        collisions = self.engine.execute(
            f"SELECT coalesce(sum(n - 1), 0)::BIGINT FROM (SELECT count(*) AS n FROM {rows} GROUP BY {_IDENTITY})",
            {"night": night},
        ).fetchall()[0][0]
        return {"truncated": truncated, "collisions": collisions, "hours_seen": tuple(hours or ())}

    def choose_bad(self, parts: Sequence[Path]) -> tuple[pa.Table, dict[str, int], dict[str, int]]:
        """Bad lines that the parts do not hold; their number, and that of the known ones, by source object."""
        self._view("known_bad", parts, "bad")
        key = "source, byte_offset, sha256"
        fresh = self.engine.sql(
            f"SELECT DISTINCT ON ({key}) * FROM bad ANTI JOIN known_bad USING ({key}) ORDER BY {key}"
        ).to_arrow_table()
        count = "SELECT source, count(*) FROM {} GROUP BY source"
        self.engine.register("fresh_bad", fresh)
        filed = dict(self.engine.execute(count.format("fresh_bad")).fetchall())
        every = dict(self.engine.execute(count.format("bad")).fetchall())
        self.engine.unregister("fresh_bad")
        return fresh, filed, {s: n - filed.get(s, 0) for s, n in every.items()}

    def holding_bad(self, parts: Sequence[Path]) -> list[str]:
        """Names of the parts that hold a bad line of this run."""
        if not parts:
            return []
        found = self.engine.execute(
            "SELECT DISTINCT parse_filename(filename) FROM read_parquet($parts, filename = true, "
            "hive_partitioning = false) SEMI JOIN bad USING (source, byte_offset, sha256)",
            {"parts": [str(p) for p in parts]},
        ).fetchall()
        return [name for (name,) in found]

    def _view(self, name: str, parts: Sequence[Path], like: str = "incoming") -> None:
        if parts:
            files = ", ".join("'" + str(p).replace("'", "''") + "'" for p in parts)
            body = f"SELECT * FROM read_parquet([{files}], hive_partitioning = false)"
        elif like == "bad":
            body = "SELECT * FROM bad WHERE false"
        else:
            body = f"SELECT {_COLUMNS} FROM incoming WHERE false"
        self.engine.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS {body}")
