"""One bad line never costs another: each known damage among good lines, plain and packed, and very long lines."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from builders import NIGHT, event, line
from filed import filed_lines
from hypothesis import given
from hypothesis import strategies as st
from parsing import parse

from pipelines.archive import EVENTS, Archive
from pipelines.config import ParseConfig
from pipelines.engine import engine
from pipelines.parsing.parse import masked
from pipelines.sources import stored
from pipelines.sources.base import Batch, LongLine
from pipelines.sources.files import SourceFile, select
from pipelines.stages.export import export
from pipelines.store import LocalStore

GOOD = [event(audit_id=f"good-{i}") for i in range(50)]
BEFORE = b"".join(line(e) for e in GOOD[:25])
AFTER = b"".join(line(e) for e in GOOD[25:])
SECRET = "hunter2"
BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Damage:
    """A bad line, and where it must end: the columns of its row, or 'quarantine' or 'blank'."""

    raw: bytes
    ends: dict[str, Any] | str = "quarantine"
    reason: str = "not a JSON object"
    rows: int = 1


def bad(**members: Any) -> bytes:
    """An event with members of its own, as a line that says who it is."""
    return line(event(audit_id="bad", agent=SECRET) | members)


def raw(old: bytes, new: bytes) -> bytes:
    found = bad()
    assert old in found
    return found.replace(old, new, 1)


def stamp(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


AGENT = b'"userAgent":"hunter2"'
NO_EVENT = "no audit event: auditID and time missing or unreadable"
DAMAGES = {
    "blank_line": Damage(b"\n", "blank"),
    "spaces_line": Damage(b"   \t \n", "blank"),
    "truncated_line": Damage(bad()[:150] + b"\n"),
    "truncated_last_line_no_newline": Damage(bad()[:150]),
    "garbage_text": Damage(b"kube-apiserver: hunter2, audit backend shut down\n"),
    "two_objects_one_line": Damage(bad().rstrip() + bad(), {"audit_id": "bad"}, rows=2),
    "invalid_utf8": Damage(raw(AGENT, b'"userAgent":"\xff\xfe"')),
    "nul_bytes": Damage(b"\0" * 4096 + b"\n"),
    "nul_inside_string": Damage(raw(AGENT, b'"userAgent":"a\0b"')),
    "lone_surrogate": Damage(raw(AGENT, rb'"userAgent":"\ud800"')),
    "not_an_object": Damage(b'["hunter2", 1]\n'),
    "other_json": Damage(b'{"secret": "hunter2"}\n', reason=NO_EVENT),
    "bom_first": Damage(BOM + bad(), {"audit_id": "bad", "user_agent": SECRET}),
    "missing_auditID": Damage(bad(auditID=None), reason="no audit event: auditID missing or unreadable"),
    "bad_timestamp": Damage(bad(stageTimestamp=SECRET), reason="no audit event: time missing or unreadable"),
    "code_too_big": Damage(bad(responseStatus={"code": 2**40}), {"code": None, "verb": "get"}),
    "user_is_string": Damage(bad(user="eve"), {"username": None, "groups": None, "verb": "get"}),
    "groups_is_string": Damage(bad(user={"username": "eve", "groups": "g"}), {"username": "eve", "groups": None}),
    "user_null": Damage(bad(user=None), {"username": None, "verb": "get"}),
    "user_empty": Damage(bad(user={}), {"username": None, "verb": "get"}),
    "code_is_string": Damage(bad(responseStatus={"code": "200"}), {"code": 200}),
    "code_is_float": Damage(bad(responseStatus={"code": 403.6}), {"code": None}),
    "verb_is_number": Damage(bad(verb=5), {"verb": "5"}),
    "ts_nanos": Damage(
        bad(stageTimestamp="2026-09-15T12:00:00.123456789Z"), {"stage_ts": stamp("2026-09-15T12:00:00.123456")}
    ),
    "ts_offset": Damage(bad(stageTimestamp="2026-09-15T12:00:00+02:00"), {"stage_ts": stamp("2026-09-15T10:00:00")}),
    "duplicate_key": Damage(raw(AGENT, b'"userAgent":"first","userAgent":"second"'), {"user_agent": "first"}),
    "escaped_nul_u0000": Damage(raw(AGENT, rb'"userAgent":"a\u0000b"'), {"user_agent": "a\0b"}),
    "crlf": Damage(bad().rstrip() + b"\r\n", {"audit_id": "bad", "bytes": len(bad().rstrip())}),
    "ts_no_fraction": Damage(bad(stageTimestamp="2026-09-15T12:00:00Z"), {"stage_ts": stamp("2026-09-15T12:00:00")}),
    "unknown_fields": Damage(bad(future={"a": [1]}, other="x"), {"user_agent": SECRET}),
    "line_2MB": Damage(bad(padding="x" * 2_000_000), {"user_agent": SECRET}),
    "line_20MB": Damage(bad(padding="x" * 20_000_000), {"user_agent": SECRET}),
    "deep_nesting_5000": Damage(raw(AGENT, AGENT + b',"x":' + b"[" * 5000 + b"]" * 5000), {"user_agent": SECRET}),
    "int_1e30": Damage(raw(AGENT, AGENT + b',"x":' + b"1" + b"0" * 30), {"user_agent": SECRET}),
}
MORE = {
    "null": Damage(b"null\n"),
    "number": Damage(b"1e999\n"),
    "text": Damage(b'"hunter2"\n'),
    "kind_0": Damage(b'{"kind":0}\n', reason=NO_EVENT),
    "empty_object": Damage(b"{}\n", reason=NO_EVENT),
    "deep_nesting_100000": Damage(b"[" * 100_000 + b"\n"),
    "depth_900": Damage(raw(AGENT, AGENT + b',"x":' + b'{"a":' * 900 + b"1" + b"}" * 900), {"user_agent": SECRET}),
    "long_integer": Damage(raw(AGENT, AGENT + b',"x":' + b"9" * 100_000), {"user_agent": SECRET}),
    "two_to_the_70": Damage(bad(responseStatus={"code": 2**70}), {"code": None}),
    "1e999": Damage(raw(b'"code":200', b'"code":1e999'), {"code": None, "verb": "get"}),
    "NaN": Damage(raw(b'"code":200', b'"code":NaN'), {"code": None, "verb": "get"}),
    "cr_only": Damage(b"\r\n", "blank"),
    "array_of_numbers": Damage(b"[1, 2]\n"),
    "array_cut_off": Damage(b"[" + bad()[:-2] + b"\n", {"audit_id": "bad", "truncated": "text"}),
    "cut_by_the_sender": Damage(bad()[:200] + b"[Truncated...]\n", reason="cut off by the sender"),
    "cut_after_its_time": Damage(bad()[:-30] + b"[Truncated...]\n", {"audit_id": "bad", "truncated": "text"}),
    "cut_while_it_was_dated_by_its_shipper": Damage(
        b"2026-09-15T12:00:00.123Z " + bad()[:200] + b"[Truncated...]\n",
        {"stage_ts": stamp("2026-09-15T12:00:00.123"), "truncated": "text", "bytes": 214},
    ),
    "log_of_fluent_bit": Damage(line({"date": 1.5, "log": bad().decode()}), {"audit_id": "bad", "user_agent": SECRET}),
    "azure": Damage(
        line({"category": "kube-audit", "properties": {"log": bad().decode()}}),
        reason="an Azure diagnostics record; expected the audit events of Amazon EKS",
    ),
    "time_before_the_event": Damage(b"2026-09-15T12:00:00.000Z " + bad(), {"audit_id": "bad", "truncated": None}),
}
EVERY = DAMAGES | MORE


@pytest.fixture(scope="module")
def connection() -> Iterator[Any]:
    with engine(ParseConfig()) as made:
        yield made


@dataclass
class Ended:
    """Where the lines of a file ended."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    bad: list[dict[str, Any]] = field(default_factory=list)
    blank: int = 0
    long: list[LongLine] = field(default_factory=list)

    @property
    def good(self) -> list[str]:
        return [r["audit_id"] for r in self.rows if r["audit_id"].startswith("good-")]


Read = Callable[[bytes], Ended]


@pytest.fixture
def read(connection: Any, tmp_path: Path) -> Read:
    def whole(stored: bytes) -> Ended:
        ended, path = Ended(), tmp_path / "audit.log"
        path.write_bytes(stored)
        with SourceFile(path, "audit.log").open() as stream:
            for batch in stream.batches():
                if isinstance(batch, Batch):
                    parsed = parse(connection, batch)
                    ended.rows += parsed.rows.to_pylist()
                    ended.bad += parsed.quarantine.to_pylist()
                    ended.blank += parsed.blank
                else:
                    ended.long.append(batch)
        return ended

    return whole


def entry(offset: int, damage: Damage) -> dict[str, Any]:
    """What quarantine must say of a line."""
    text = damage.raw.rstrip(b"\r\n")
    return {
        "source": "audit.log",
        "byte_offset": offset,
        "length": len(text),
        "reason": damage.reason,
        "sha256": sha256(text).hexdigest(),
    }


def without_head(found: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in found.items() if k != "head"}


def placed(name: str) -> tuple[bytes, int]:
    """The file with the bad line where it hurts, and the offset of that line."""
    one = EVERY[name].raw
    if name == "bom_first":
        return one + BEFORE + AFTER, len(BOM)
    if not one.endswith(b"\n"):
        return BEFORE + AFTER + one, len(BEFORE + AFTER)
    return BEFORE + one + AFTER, len(BEFORE)


@pytest.mark.parametrize("name", EVERY)
def test_a_damaged_line_ends_where_it_must_and_costs_no_other(read: Read, name: str) -> None:
    data, offset = placed(name)
    damage, ended = EVERY[name], read(data)
    assert ended.good == [e["auditID"] for e in GOOD]
    assert ended.blank == (damage.ends == "blank")
    assert [without_head(b) for b in ended.bad] == ([entry(offset, damage)] if damage.ends == "quarantine" else [])
    kept = [r for r in ended.rows if not r["audit_id"].startswith("good-")]
    expected = [damage.ends] * damage.rows if isinstance(damage.ends, dict) else []
    assert [{c: r[c] for c in e} for r, e in zip(kept, expected, strict=True)] == expected


def own(name: str) -> bytes:
    """The damage with an audit id of its own, as long as the other: of equal events one would be archived."""
    found, number = EVERY[name].raw, b"%03d" % list(EVERY).index(name)
    for quote in (b'"', rb"\""):
        before = b"auditID%b:%b" % (quote, quote)
        found = found.replace(before + b"bad", before + number)
    return found


def own_ends(name: str) -> dict[str, Any]:
    """What its row must hold, by column."""
    found = EVERY[name].ends
    assert isinstance(found, dict)
    return found | {"audit_id": f"{list(EVERY).index(name):03d}"}


def test_a_night_of_all_damages_is_archived_as_it_ships(tmp_path: Path) -> None:
    # a byte order mark is one only at the start, and only the last line may lack its end
    order = sorted(EVERY, key=lambda name: (name != "bom_first", not EVERY[name].raw.endswith(b"\n")))
    data, refused = b"", []
    for name, good in zip(order, GOOD * 2, strict=False):
        if EVERY[name].ends == "quarantine":
            refused.append(entry(len(data), replace(EVERY[name], raw=own(name))))
        data += own(name) + (line(good) if own(name).endswith(b"\n") else b"\n" + line(good))
    (tmp_path / "audit.log").write_bytes(data)
    archive, night = Archive(LocalStore(tmp_path / "archive"), "prod"), date.fromisoformat(NIGHT)
    with engine(ParseConfig()) as made:
        done = export(archive, made, select(str(tmp_path / "audit.log")), [night], (), lambda *_: None)

    filed = filed_lines(archive.store)
    assert {row.pop("date") for row in filed} == {night}
    assert [without_head(row) for row in filed] == refused
    with archive.files(archive.newest(EVENTS, night)) as parts:
        kept_rows = [row for part in parts for row in pq.read_table(part, partitioning=None).to_pylist()]
    rows = {row["audit_id"]: row for row in kept_rows}
    assert len(rows) == len(kept_rows)
    assert {name for name in rows if name.startswith("good-")} == {e["auditID"] for e in GOOD}
    kept = [own_ends(name) for name in order if isinstance(EVERY[name].ends, dict)]
    assert [{column: rows[e["audit_id"]][column] for column in e} for e in kept] == kept
    ended = done.ended["audit.log"]
    assert (ended.archived, ended.quarantined) == (len(kept) + len(GOOD), len(refused))
    again = len(order) - len(GOOD) + sum(EVERY[name].rows - 1 for name in order)
    assert (ended.duplicate, ended.blank) == (again, sum(d.ends == "blank" for d in EVERY.values()))


def test_the_table_holds_the_34_known_damages() -> None:
    assert len(DAMAGES) == 34


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "gz": lambda data: gzip.compress(data, 1),
    "zst": lambda data: bytes(pa.Codec("zstd").compress(data, asbytes=True)),
}


@pytest.mark.parametrize("packed", PACKED.values(), ids=PACKED)
def test_offsets_in_a_packed_file_are_those_of_its_inflated_bytes(read: Read, packed: Callable[[bytes], bytes]) -> None:
    order = sorted(EVERY, key=lambda name: (not EVERY[name].raw.endswith(b"\n"), name == "line_20MB"))
    data, expected = b"", []
    for name in order:
        data += line(GOOD[0])
        if EVERY[name].ends == "quarantine":
            expected.append(entry(len(data), EVERY[name]))
        data += EVERY[name].raw
    ended = read(packed(data))
    assert [without_head(b) for b in ended.bad] == expected
    assert ended.good == ["good-0"] * len(order)
    assert len(ended.rows) == len(order) + sum(d.rows * isinstance(d.ends, dict) for d in EVERY.values())


def test_pretty_printed_json_is_quarantined_line_by_line(read: Read) -> None:
    pretty = json.dumps(event(), indent=2).encode() + b"\n"
    ended = read(BEFORE + pretty + AFTER)
    assert ended.good == [e["auditID"] for e in GOOD]
    assert len(ended.bad) == pretty.count(b"\n")


@pytest.mark.parametrize("chunk", [64, 500, 1000])
@pytest.mark.parametrize("end", [b"\n", b""], ids=["in-the-middle", "last-and-unterminated"])
def test_a_line_too_long_is_told_by_offset_length_and_hash(
    read: Read, monkeypatch: pytest.MonkeyPatch, chunk: int, end: bytes
) -> None:
    monkeypatch.setattr(stored, "MAX_LINE_BYTES", 1000)
    monkeypatch.setattr(stored, "_BATCH_BYTES", chunk)
    few = b"".join(line(e) for e in GOOD[:2])
    long = line(event(agent="x" * 5000)).rstrip()
    data = few + long + end + (few if end else b"")
    ended = read(data)
    assert [(x.source, x.offset, x.length, x.sha256) for x in ended.long] == [
        ("audit.log", len(few), len(long), sha256(long).hexdigest())
    ]
    assert long.startswith(ended.long[0].start)
    assert ended.good == ["good-0", "good-1"] * (2 if end else 1)
    assert ended.bad == []


def test_two_lines_too_long_cost_nothing_between_and_after_them(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "MAX_LINE_BYTES", 1000)
    monkeypatch.setattr(stored, "_BATCH_BYTES", 700)
    long = b"x" * 3000 + b"\n"
    ended = read(long + long + line(GOOD[0]) + long + b"\n" + line(GOOD[1]))
    assert [x.offset for x in ended.long] == [0, 3001, 6002 + len(line(GOOD[0]))]
    assert (ended.good, ended.blank) == (["good-0", "good-1"], 1)


def test_a_line_as_long_as_allowed_is_read(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "_BATCH_BYTES", 256)
    longest = line(GOOD[0])
    monkeypatch.setattr(stored, "MAX_LINE_BYTES", len(longest) - 1)
    assert read(longest + longest).good == ["good-0", "good-0"]
    monkeypatch.setattr(stored, "MAX_LINE_BYTES", len(longest) - 2)
    assert len(read(longest + longest).long) == 2


def test_lines_by_the_million_are_read_in_batches(monkeypatch: pytest.MonkeyPatch, read: Read) -> None:
    monkeypatch.setattr(stored, "_BATCH_LINES", 7)
    data = b"\n" * 20 + BEFORE + b"x\n" * 5 + AFTER
    ended = read(data)
    assert ended.good == [e["auditID"] for e in GOOD]
    assert [b["byte_offset"] for b in ended.bad] == [20 + len(BEFORE) + 2 * i for i in range(5)]
    assert ended.blank == 20


@pytest.mark.parametrize("cut", [20, 60, 150, 300])
def test_no_value_of_a_cut_line_stays_in_its_head(read: Read, cut: int) -> None:
    secret = event(user=SECRET, audit_id=SECRET, agent=SECRET, uri=f"/{SECRET}?{SECRET}", ip=SECRET, level=SECRET)
    front = {k: secret[k] for k in ("auditID", "user", "userAgent", "requestURI", "level", "sourceIPs")}
    found = read(line({SECRET: 1} | front | secret)[:cut]).bad[0]
    assert SECRET not in found["head"]
    assert found["head"].startswith('{"x":x')


@pytest.mark.parametrize("name", [n for n, d in EVERY.items() if d.ends == "quarantine"])
def test_no_value_of_a_quarantined_line_stays_in_its_head(name: str) -> None:
    assert SECRET not in masked(EVERY[name].raw)


@given(st.binary(max_size=300))
def test_a_head_is_printable_ascii_and_no_unknown_word(data: bytes) -> None:
    head = masked(data)
    assert re.fullmatch(r"[ -~]{0,160}", head)


@given(
    st.lists(st.from_regex(rb"[A-Za-z0-9_.+/=@%-]{2,30}", fullmatch=True)), st.sampled_from([b" ", b'"', b",", b":"])
)
def test_of_words_a_head_keeps_only_names_of_audit_fields(words: list[bytes], between: bytes) -> None:
    heads = masked(between.join(words)).split(between.decode())
    unknown = {w.decode() for w in words if masked(w) != w.decode()}
    assert unknown.isdisjoint(heads)
    assert all(masked(w) in ("x", w.decode()) for w in words)


def test_a_head_shows_the_field_names_of_an_event() -> None:
    assert masked(b'{"kind":"Event","auditID":"1234","verb":"get"}') == '{"kind":"Event","auditID":"x","verb":"x"}'
