"""docs/archive.md: its tables are those of the code and of a real archive, its snippets run."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from contextlib import chdir
from dataclasses import fields
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from e2e.job import auditforest, records

from features.catalogue import FOREST_NAMES, NAMES
from features.items import KINDS as ITEM_KINDS
from features.matrix import SUFFIXES
from pipelines.commits import Counts
from pipelines.marking.record import SCHEMA as MARKS
from pipelines.parsing.caps import ENTRIES
from pipelines.parsing.events import COLUMNS
from pipelines.parsing.events import SCHEMA as EVENTS
from pipelines.quarantine import SCHEMA as QUARANTINE
from pipelines.ranking import SCHEMA as RANKING
from pipelines.stages.findings import KINDS

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "archive.md"
SAMPLE = ROOT / "data" / "sample" / "audit-prod-usw2-2026-09-15.ndjson.zst"
WHERE = "cluster=prod-usw2/date=2026-09-15"


# What the code declares, as the page shows it


def rows(*head: str, of: Iterable[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in (head, *of)]
    return "\n".join([lines[0], "|" + "-|" * len(head), *lines[1:]])


def words(type_: pa.DataType) -> str:
    """A Parquet type in words."""
    if pa.types.is_list(type_):
        return f"list of {words(type_.value_type)}"
    if pa.types.is_struct(type_):
        return f"({', '.join(f'{part.name} {words(part.type)}' for part in type_)})"
    return {"timestamp[us, tz=UTC]": "timestamp", "date32[day]": "date"}.get(str(type_), str(type_))


def columns(schema: pa.Schema) -> str:
    meanings = ((f"`{c.name}`", words(c.type), c.metadata[b"meaning"].decode()) for c in schema)
    return rows("column", "type", "meaning", of=meanings)


ATHENA = {"timestamp[us, tz=UTC]": "timestamp", "bool": "boolean", "int32": "int", "int64": "bigint"}


def athena(schema: pa.Schema) -> str:
    """The DDL of a table, its partitions projected."""

    def type_of(type_: pa.DataType) -> str:
        return f"array<{type_of(type_.value_type)}>" if pa.types.is_list(type_) else ATHENA.get(str(type_), str(type_))

    lines = ",\n".join(f"  `{column.name}` {type_of(column.type)}" for column in schema)
    return f"""```sql
CREATE EXTERNAL TABLE events (
{lines}
)
PARTITIONED BY (`cluster` string, `date` string)
STORED AS PARQUET
LOCATION 's3://BUCKET/PREFIX/events/'
TBLPROPERTIES (
  'projection.enabled' = 'true',
  'projection.cluster.type' = 'enum',
  'projection.cluster.values' = 'prod-usw2',
  'projection.date.type' = 'date',
  'projection.date.format' = 'yyyy-MM-dd',
  'projection.date.range' = '2026-01-01,NOW',
  'storage.location.template' = 's3://BUCKET/PREFIX/events/cluster=${{cluster}}/date=${{date}}/'
)
```"""


def caps() -> str:
    """Columns by how long their texts may be."""
    by: dict[int, list[str]] = {}
    for column in COLUMNS:
        if column.cap is not None:
            by.setdefault(column.cap, []).append(f"`{column.name}`")
    return rows("columns", "characters", of=((", ".join(names), f"{most:,}") for most, names in sorted(by.items())))


DECLARED: dict[str, str] = {
    "findings": rows(
        "finding",
        "damage",
        "meaning",
        of=((f"`{kind.name}`", "yes" if kind.damage else "no", kind.meaning) for kind in KINDS),
    ),
    "events": columns(EVENTS),
    "caps": caps(),
    "quarantine": columns(QUARANTINE),
    "ranking": columns(RANKING),
    "marks": columns(MARKS),
    "kinds": rows("kind", "items", of=((f"`{kind.name}`", f"{kind.meaning}.") for kind in ITEM_KINDS)),
    "athena": athena(EVENTS),
}


def shown(page: str, name: str) -> re.Match[str]:
    """A marker and what stands below it, up to the next blank line."""
    found = re.search(rf"^<!-- {name} -->\n+((?:[|`](?s:.*?)(?=\n\n|\Z))?)", page, re.MULTILINE)
    assert found is not None, name
    return found


@pytest.mark.parametrize("name", DECLARED)
def test_the_page_shows_what_the_code_declares(name: str, rewrite_golden: bool) -> None:
    page = PAGE.read_text()
    at = shown(page, name)
    if rewrite_golden:
        PAGE.write_text(page[: at.start()] + f"<!-- {name} -->\n\n{DECLARED[name]}\n\n" + page[at.end() :].lstrip("\n"))
        return
    assert at[1] == DECLARED[name], "run `make golden`, then read what changed"


def test_the_page_says_how_many_entries_of_a_list_are_archived() -> None:
    assert f"at most {ENTRIES} entries: the first {ENTRIES - 1} and the last" in PAGE.read_text()


def table_under(heading: str, head: str) -> dict[str, list[str]]:
    """A table written by hand: the first column, and the cells beside it."""
    section = PAGE.read_text().partition(f"{heading}\n")[2]
    lines = section.partition(f"| {head} |")[2].partition("\n\n")[0].splitlines()[2:]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return {first.strip("`"): rest for first, *rest in cells}


# A real archive


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One night of the sample."""
    root = tmp_path_factory.mktemp("docs")
    with chdir(root):
        options = ("--cluster", "prod-usw2", "--source", SAMPLE, "--archive", root / "archive", "--trees", 10)
        ended = auditforest("nightly", *options, "--date", "2026-09-15")
    assert (ended.code, ended.complaints) == (0, [])
    return root / "archive"


def test_the_tables_of_an_archive_have_the_columns_of_the_page(archive: Path) -> None:
    items = pq.read_schema(archive / "items" / WHERE / "items.parquet")
    assert {c.name: words(c.type) for c in items} == {
        name: cells[0] for name, cells in table_under("### items", "column | type | meaning").items()
    }
    days = pq.read_schema(archive / "principal_days" / WHERE / "principal_days.parquet")
    told = {name: cells[0] for name, cells in table_under("### principal_days", "column | type | meaning").items()}
    told |= dict.fromkeys(NAMES, "int64")
    told |= {f"{name}_{suffix}": "double" for name in FOREST_NAMES for suffix in SUFFIXES.values()}
    assert {c.name: words(c.type) for c in days} == told
    assert all(f"_{suffix}`" in PAGE.read_text() for suffix in SUFFIXES.values())
    for table, schema in (("events", EVENTS), ("ranking", RANKING)):
        (part,) = (archive / table / WHERE).glob("*.parquet")
        assert [(c.name, words(c.type)) for c in pq.read_schema(part)] == [(c.name, words(c.type)) for c in schema]


def test_the_page_explains_every_key_of_a_record_and_every_count(archive: Path) -> None:
    (record,) = records(archive)
    assert list(table_under("### runs/RUN_ID.json", "key | meaning")) == list(record)
    page = PAGE.read_text()
    assert [f.name for f in fields(Counts) if f"`{f.name}`" not in page] == []


def test_the_layout_of_the_page_is_that_of_an_archive(archive: Path) -> None:
    page = PAGE.read_text()
    tables = {line.split("/")[0].strip() for line in page.partition("## Layout")[2].splitlines()[2:11]}
    # the night of the sample has no bad line, and nobody marked it
    assert {path.name for path in archive.iterdir()} == tables - {"quarantine", "marks"}
    commit = json.loads((archive / "events" / WHERE / "_commit-1.json").read_text())
    assert {"parts", "inputs", "counts", "checksum", "generation"} <= commit.keys()
    assert commit["counts"]["read"] == sum(
        commit["counts"][n] for n in table_under("## What you can rely on", "count | what ended there") if n != "read"
    )


# Its snippets


def blocks(language: str) -> list[str]:
    """The page's code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture
def run(archive: Path, capfd: pytest.CaptureFixture[str]) -> Callable[[str], str]:
    """Runs a snippet over the archive; what it printed comes back."""

    def printed(snippet: str) -> str:
        assert "build/demo" in snippet
        exec(snippet.replace("build/demo", str(archive)), {})  # noqa: S102
        return capfd.readouterr().out

    return printed


def snippet(word: str) -> str:
    (found,) = [block for block in blocks("python") if word in block]
    return found


def test_the_duckdb_snippet_shows_the_evidence_of_the_first_rank(archive: Path, run: Callable[[str], str]) -> None:
    out = run(snippet("recursive"))
    first = json.loads((archive / "reports" / WHERE / "ranking.json").read_text())["ranking"][0]
    assert first["usernames"][0][:20] in out
    assert "0 rows" not in out


def test_the_pandas_snippet_counts_refused_requests(archive: Path, run: Callable[[str], str]) -> None:
    out = run(snippet("import pandas"))
    most = duckdb.sql(
        f"SELECT count(*) FROM '{archive}/events/{WHERE}/part-*.parquet' WHERE code = 403 "
        "AND username IS NOT NULL AND resource IS NOT NULL GROUP BY username, resource ORDER BY 1 DESC"
    ).fetchall()[0][0]
    assert re.search(rf" {most}$", out, re.MULTILINE)


def test_the_snippet_of_what_is_committed_leaves_an_orphan_out(archive: Path, run: Callable[[str], str]) -> None:
    night = archive / "events" / WHERE
    (part,) = night.glob("part-*.parquet")
    rows_of_part = pq.read_metadata(part).num_rows
    orphan = night / f"part-{'0' * 16}.parquet"
    orphan.write_bytes(part.read_bytes())
    try:
        assert run(snippet("_commit-")) == f"generation 1: {rows_of_part} rows, {rows_of_part} archived\n"
    finally:
        orphan.unlink()


def test_every_python_snippet_is_run_here() -> None:
    assert len(blocks("python")) == 3


def test_the_spark_snippet_compiles_and_its_query_runs(archive: Path) -> None:
    (code,) = blocks("spark")
    compile(code, "docs/archive.md", "exec")
    (query,) = re.findall(r'spark\.sql\("""(.*?)"""\)', code, re.DOTALL)
    with duckdb.connect() as engine:
        engine.execute(f"CREATE VIEW events AS SELECT * FROM '{archive}/events/{WHERE}/part-*.parquet'")
        found = engine.execute(query).fetchall()
    assert found


def test_the_athena_query_names_columns_of_its_table(archive: Path) -> None:
    query = blocks("sql")[1]
    with duckdb.connect() as engine:
        source = f"read_parquet('{archive}/events/*/*/part-*.parquet', hive_partitioning = true)"
        engine.execute(f"CREATE VIEW events AS SELECT * FROM {source}")
        assert engine.execute(query).fetchall()


def test_the_page_knows_no_command_that_is_not_there(archive: Path) -> None:
    for line in re.findall(r"^    (auditforest .*)$", PAGE.read_text(), re.MULTILINE):
        given = line.replace("s3://BUCKET/PREFIX", str(archive)).replace("2026-09-01", "2026-09-15")
        ended = auditforest(*given.split()[1:])
        assert (ended.code, ended.complaints) == (0, []), line
