"""The reports of a night: every column everywhere from the first day, and names that mean harm do none."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
import shutil
from datetime import date, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from builders import event
from e2e.job import Ended, auditforest, nightly, object_of, ranking_of, records
from e2e.world import CLUSTER, LAST, NIGHTS, ordinary, written

from pipelines.parsing.caps import NAME, capped_text
from pipelines.report.sentences import FIRST
from pipelines.stages.listing import INDEX
from pipelines.store import LocalStore

FILLED = (
    "rank", "rank_lo", "rank_hi", "principal", "usernames", "type", "peer_group", "requests", "score", "codisp", "norm",
    "aws_score", "one_in", "reasons", "strange_nights", "places", "evidence", "detail", "first_seen", "history_nights",
)  # fmt: skip
SOMETIMES = ("counterfactual", "together", "newcomer")
"""Columns that say nothing of a principal without a reason, of one that moved alone, or was at the top before."""

COLUMNS = {*FILLED, *SOMETIMES, "marks"}
NIGHT = NIGHTS[0]
Built = tuple[Path, Ended]


def csv_rows(path: Path) -> list[dict[str, str]]:
    """Rows of a ranking.csv."""
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))


def test_parquet_holds_every_column_and_null_where_nothing_is_known(built: Built) -> None:
    table = pq.read_table(object_of(built[0], "ranking", LAST, "ranking.parquet"))
    assert set(table.column_names) == COLUMNS
    for name in FILLED:
        assert table[name].null_count == 0, name
    for row in table.to_pylist():
        assert (row["counterfactual"] is None) == (not row["reasons"])
        assert row["rank_lo"] <= row["rank"] <= row["rank_hi"]
        shares = [reason["share"] for reason in row["reasons"]]
        assert all(0 < share <= 1 for share in shares)
        assert sum(shares) <= 1 + 1e-9
        assert shares == sorted(shares, reverse=True)


def test_csv_holds_every_column_and_nothing_where_nothing_is_known(built: Built) -> None:
    rows = csv_rows(object_of(built[0], "reports", LAST, "ranking.csv"))
    assert {frozenset(row) for row in rows} == {frozenset(COLUMNS - {"detail"})}
    assert all(row[name] for row in rows for name in FILLED if name != "detail")
    assert {row["together"] for row in rows} == {""}


def test_json_holds_every_column_and_null_where_nothing_is_known(built: Built) -> None:
    document = ranking_of(built[0], LAST)
    assert {column["name"] for column in document["columns"]} == COLUMNS
    for row in document["ranking"]:
        assert set(row) == COLUMNS
        assert all(row[name] is not None for name in FILLED)
        assert row["together"] is None


def test_the_page_knows_who_was_among_the_first_the_night_before_and_where_everybody_stood(built: Built) -> None:
    page = object_of(built[0], "reports", LAST, "report.html").read_text()
    rows = ranking_of(built[0], LAST)["ranking"]
    yesterday = {row["principal"]: row["rank"] for row in ranking_of(built[0], NIGHTS[-2])["ranking"]}
    ever = {row["principal"] for night in NIGHTS[:-1] for row in ranking_of(built[0], night)["ranking"]}
    joined = [r["rank"] for r in rows if r["rank"] <= FIRST and yesterday.get(r["principal"], FIRST + 1) > FIRST]
    told = page.partition('<ol class="news">')[2].partition("</ol>")[0]
    assert [int(rank) for rank in re.findall('<li value="([0-9]+)"', told)] == joined
    assert len(joined) < FIRST <= len(rows)
    drawn = ["<path" in strip for strip in re.findall('(?s)<td class="strip">(.*?)</td>', page)]
    assert drawn == [row["principal"] in ever for row in rows]
    assert any(drawn)


def test_the_three_say_the_same(built: Built) -> None:
    table = pq.read_table(object_of(built[0], "ranking", LAST, "ranking.parquet")).to_pylist()
    plain = ranking_of(built[0], LAST)["ranking"]
    cells = csv_rows(object_of(built[0], "reports", LAST, "ranking.csv"))
    for name in ("rank", "principal", "type", "requests", "score", "codisp", "norm", "history_nights"):
        assert [row[name] for row in table] == [row[name] for row in plain], name
        assert [str(row[name]) for row in plain] == [row[name] for row in cells], name
    for stored, shown, cell in zip(table, plain, cells, strict=True):
        assert [r["feature"] for r in stored["reasons"]] == [r["feature"] for r in shown["reasons"]]
        assert json.loads(cell["reasons"]) == shown["reasons"]
        assert json.loads(cell["evidence"]) == shown["evidence"]
        assert json.loads(cell["usernames"]) == shown["usernames"]


def test_ranks_follow_the_score_and_the_score_is_codisp_times_norm(built: Built) -> None:
    rows = ranking_of(built[0], LAST)["ranking"]
    assert [row["rank"] for row in rows] == list(range(1, len(rows) + 1))
    assert [row["score"] for row in rows] == sorted((row["score"] for row in rows), reverse=True)
    for row in rows:
        assert row["score"] == pytest.approx(row["codisp"] * row["norm"], rel=1e-12)


def test_first_seen_and_own_past_come_from_the_archive(built: Built) -> None:
    for row in ranking_of(built[0], LAST)["ranking"]:
        assert (row["first_seen"], row["history_nights"]) == (NIGHTS[0].isoformat(), len(NIGHTS) - 1)


def reported_anew(archive: Path, last: date = LAST) -> Ended:
    """All nights up to one, by one run."""
    asked = ("--cluster", CLUSTER, "--archive", archive, "--from", NIGHTS[0], "--to", last)
    return auditforest("report", *asked)


def test_a_run_of_many_nights_lists_them_once(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked, listing = [], LocalStore.list

    def counted(store: LocalStore, prefix: str) -> list[str]:
        looked.append(prefix)
        return listing(store, prefix)

    index = (archive / INDEX).read_bytes()
    (archive / INDEX).unlink()
    monkeypatch.setattr(LocalStore, "list", counted)
    assert reported_anew(archive).code == 0
    assert (archive / INDEX).read_bytes() == index
    assert looked.count("reports/") == 2  # before it is written, and whether another job reported meanwhile


def test_a_night_that_fails_leaves_those_before_it_listed(archive: Path) -> None:
    index = (archive / INDEX).read_bytes()
    (archive / INDEX).unlink()
    assert reported_anew(archive, LAST + timedelta(days=1)).code == 2
    assert (archive / INDEX).read_bytes() == index


def test_a_list_that_cannot_be_written_keeps_no_night_from_its_report(archive: Path) -> None:
    (archive / INDEX).unlink()
    (archive / INDEX / "in-the-way").mkdir(parents=True)
    pages = [object_of(archive, "reports", night, "report.html") for night in NIGHTS]
    for page in pages:
        page.unlink()
    ended = reported_anew(archive)
    assert (ended.code, len(ended.out.splitlines())) == (4, len(NIGHTS))
    assert all(page.is_file() for page in pages)
    (said,) = ended.complaints
    assert INDEX in said


HOSTILE = {
    "tag": "<script>alert(1)</script><img src=x onerror=alert(2)>",
    "attribute": "\"'><svg onload=alert(3)>",
    "formula": '=cmd|"/c calc"!A1',
    "other formula": "+1+1",
    "tab formula": "\t=1+1",
    "full-width formula": "\uff1d1+1",
    "markup": "[bold red]red[/bold red][link=https://evil.example]x[/link]",
    "template": "{{ 7 * 7 }}{% raw %}",
    "bidi": "abc\u202efdp.exe",
    "invisible": "zero\u200bwidth\u2060",
    "escape": "\x1b]0;title\x07\x1b[2J",
    "c1": "\x9b31m\x85",
    "lines": "one\ntwo\r\nthree\u2028four",
    "nul": "nul\x00byte",
    "surrogate": "half\ud800pair",
    "percent": "%s%n{0}%(x)s",
    "quote": "'; DROP TABLE events; --",
    "path": "../../../../etc/passwd",
    "blank": " ",
    "long": "L" * 65_536,
    "own form": "unauthenticated",
}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ended]:
    """A night in which every hostile text stands wherever a caller may write one."""
    made = ordinary(NIGHT)
    for nth, text in enumerate(HOSTILE.values()):
        made += [
            event(user=text, agent=text, name=text, namespace=text, at=f"{NIGHT}T05:{nth:02d}:00Z", audit_id=text),
            event(user=text, resource=text, verb=text, ip=text, at=f"{NIGHT}T06:{nth:02d}:00Z", audit_id=f"{nth}"),
            event(user=text, resource="secrets", name=text, at=f"{NIGHT}T07:{nth:02d}:00Z", impersonates=text),
            event(user=f"system:serviceaccount:shop:{text}", session=text, arn=text, at=f"{NIGHT}T08:{nth:02d}:00Z"),
        ]
    folder = tmp_path_factory.mktemp("hostile")
    source = written(folder / "source", {NIGHT: made})
    return folder / "archive", nightly(source, folder / "archive", NIGHT, AUDITFOREST_EXPORT__QUARANTINED_PERCENT="5")


def test_a_night_of_hostile_names_is_ranked(hostile: tuple[Path, Ended]) -> None:
    archive, ended = hostile
    assert (ended.code, ended.complaints) == (0, [])
    (record,) = records(archive)
    counts = record["export"]["counts"]
    assert counts["read"] == counts["archived"] + counts["quarantined"] + counts["duplicate"]
    assert counts["quarantined"] == 4, "half a surrogate pair is no text"
    ranked = {row["principal"] for row in ranking_of(archive, NIGHT)["ranking"]}
    assert {what for what, text in HOSTILE.items() if capped_text(text, NAME) not in ranked} == {"surrogate"}
    assert "user:unauthenticated" in ranked


def test_no_hostile_text_reaches_the_terminal_raw(hostile: tuple[Path, Ended]) -> None:
    _, ended = hostile
    raw = {c for c in ended.out if (ord(c) < 0x20 and c != "\n") or 0x7F <= ord(c) <= 0x9F}
    raw |= {c for c in ended.out if c in "\u202e\u200b\u2060\u2028"}
    assert raw == set()
    assert len(ended.out) < 60_000
    assert all(json.loads(line)["cluster"] == CLUSTER for line in ended.err.splitlines())
    assert ended.err.isascii()


def test_a_list_of_reports_that_cannot_be_written_ends_with_4_and_names_what_makes_it(archive: Path) -> None:
    page = object_of(archive, "reports", LAST, "report.html")
    (archive / INDEX).unlink()
    (archive / INDEX).mkdir()
    page.unlink()
    failed = auditforest("report", "--cluster", CLUSTER, "--archive", archive, "--date", LAST)
    (said,) = failed.complaints
    assert failed.code == 4
    assert f"only {INDEX}, which lists all reports, is as it was before" in said
    assert page.exists()
    assert records(archive)[-1]["exit_code"] == 4
    (archive / INDEX).rmdir()
    _, *words = shlex.split(said.rpartition("then run ")[2].strip("'"))
    assert auditforest(*words).code == 0
    assert f"date={LAST}/report.html" in (archive / INDEX).read_text(encoding="utf-8")


def test_a_path_that_steers_a_terminal_is_drawn(built: Built, tmp_path: Path) -> None:
    archive = shutil.copytree(built[0], tmp_path / "arch\x1b[31mive\u202e")
    ended = auditforest("report", "--cluster", CLUSTER, "--archive", archive, "--date", LAST)
    assert (ended.code, ended.complaints) == (0, [])
    assert r"arch\u001b[31mive\u202e/reports" in ended.out
    assert "\x1b" not in ended.out


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.links: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links |= {value or "" for name, value in attrs if name == "href"}


def _tags(page: str) -> _Tags:
    found = _Tags()
    found.feed(page)
    return found


def test_the_page_has_no_tag_and_no_attribute_of_the_logs(hostile: tuple[Path, Ended], built: Built) -> None:
    page = object_of(hostile[0], "reports", NIGHT, "report.html").read_text(encoding="utf-8")
    found = _tags(page)
    assert {"img", "link", "iframe", "object", "form"} & found.names == set()
    assert page.count("<script") == 1
    assert not {name for name in found.attributes if name.startswith("on") or name in ("src", "style")}
    assert all(link.startswith("#") for link in found.links)
    assert "&lt;script&gt;alert(1)" in page
    assert not {c for c in page if (ord(c) < 0x20 and c != "\n") or 0x7F <= ord(c) <= 0x9F or c == "\u202e"}
    calm = _tags(object_of(built[0], "reports", LAST, "report.html").read_text(encoding="utf-8"))
    # the table of the later ranks and the list of user names stand on a fuller page alone
    assert found.names - calm.names <= {"ol", "ul", "li", "table", "tbody", "tr", "th", "td", "details", "summary"}


def test_no_cell_of_the_csv_begins_a_formula(hostile: tuple[Path, Ended]) -> None:
    path = object_of(hostile[0], "reports", NIGHT, "ranking.csv")
    rows = csv_rows(path)
    assert len(rows) == len(ranking_of(hostile[0], NIGHT)["ranking"])
    cells = [cell for row in rows for cell in row.values()]
    assert not [cell for cell in cells if cell.startswith(tuple("=+-@\t\r\uff1d\uff0b\uff0d\uff20"))]
    assert {row["principal"][:5] for row in rows} >= {"'=cmd", "'+1+1"}
    assert not {c for c in path.read_text(encoding="utf-8") if (ord(c) < 0x20 and c != "\n") or 0x7F <= ord(c) <= 0x9F}


def test_the_json_holds_names_exactly(hostile: tuple[Path, Ended]) -> None:
    body = object_of(hostile[0], "reports", NIGHT, "ranking.json").read_bytes()
    assert body.isascii()
    document: dict[str, Any] = json.loads(body)
    kept = capped_text(HOSTILE["long"], NAME)
    assert [row["usernames"] for row in document["ranking"] if row["principal"] == kept] == [[kept]]
    names = {row["principal"] for row in document["ranking"]}
    assert {what for what, text in HOSTILE.items() if text not in names} == {"surrogate", "long"}
