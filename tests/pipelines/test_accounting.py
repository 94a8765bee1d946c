"""Every line read ends in one place and is counted there: by object, by commit, over any mixture and number of runs."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pytest
from builders import event, line, lines
from e2e.job import nightly, ranking_of, records
from envelope_builders import CONTROL, compact, record
from filed import filed_lines

from pipelines.archive import EVENTS, Archive
from pipelines.commits import Commit, Counts, gaps
from pipelines.config import ParseConfig
from pipelines.engine import engine
from pipelines.sources import stored
from pipelines.sources.files import select
from pipelines.stages.export import Exported, export
from pipelines.stages.reading import Ended
from pipelines.store import LocalStore

OUTSIDE, FIRST, SECOND = "2026-09-13", "2026-09-14", "2026-09-15"
NIGHTS = (date.fromisoformat(FIRST), date.fromisoformat(SECOND))
LONGEST = 20_000
ENDS = ("read", "archived", "duplicate", "quarantined", "outside", "blank", "skipped")


@dataclass(frozen=True)
class Piece:
    """Bytes of an object, and what stands in them: events by night, bad lines, blank ones, messages passed over."""

    body: bytes
    events: tuple[tuple[bytes, str], ...] = ()
    bad: tuple[bytes, ...] = ()
    blank: int = 0
    skipped: int = 0


def one(night: str, **more: Any) -> bytes:
    return line(event(at=f"{night}T12:00:00Z", **more)).rstrip()


def cut(whole: bytes) -> bytes:
    """What is left of an event whose end was cut off behind its times."""
    return whole[: whole.index(b'"annotations"') + 5]


def dated(text: bytes) -> tuple[bytes, str]:
    """An event and the night it belongs to."""
    return text, next(night for night in (OUTSIDE, FIRST, SECOND) if f'"stageTimestamp":"{night}'.encode() in text)


def in_lines(dice: Random, events: Sequence[bytes]) -> Iterator[Piece]:
    """Pieces of an object of lines; the first is a plain event, or the object would be taken for another form."""
    yield Piece(events[0] + b"\n", (dated(events[0]),))
    for _ in range(25):
        some = tuple(dice.choice(events) for _ in range(3))
        last = cut(some[0])
        bad = dice.choice(
            [b"no event", b'{"kind":"Event"}', b"\xff\xfe", b"x" * (LONGEST + 7), some[0][:99], b"[1, 2]"]
        )
        yield dice.choice(
            [
                Piece(some[0] + b"\n", (dated(some[0]),)),
                Piece(some[0] + b"\r\n" + some[1] + b"\n", tuple(map(dated, some[:2]))),
                Piece(last + b"\n", (dated(last),)),
                Piece(bad + b"\n", bad=(bad,)),
                Piece(b"\n\r\n   \n", blank=3),
                Piece(b"[" + b", ".join(some) + b"]\n", tuple(map(dated, some))),
                Piece(b"".join(some) + b"\n", tuple(map(dated, some))),
                Piece(b'{"kind":"EventList","items":[' + b",".join(some) + b"]}\n", tuple(map(dated, some))),
                Piece(b'[{"a": 1},' + some[2] + b"]\n", (dated(some[2]),), (b'{"a": 1}',)),
                Piece(b"2026-09-15T12:00:00.123Z " + some[1] + b"\n", (dated(some[1]),)),
                Piece(compact({"log": some[0].decode() + "\n"}) + b"\n", (dated(some[0]),)),
            ]
        )


def in_records(dice: Random, events: Sequence[bytes]) -> Iterator[Piece]:
    """Records of Firehose: of the audit log, of other streams, health probes; one behind the other."""
    for _ in range(12):
        some = tuple(dice.choice(events) for _ in range(4))
        last = cut(some[0])
        other = record(some, stream="kube-scheduler-0a")
        yield dice.choice(
            [
                Piece(compact(record(some)), tuple(map(dated, some))),
                Piece(compact(record([*some[:2], b"no event"])), tuple(map(dated, some[:2])), (b"no event",)),
                Piece(compact(record([last])), (dated(last),)),
                Piece(compact(other), skipped=len(some)),
                Piece(CONTROL, skipped=1),
            ]
        )


Object = tuple[bytes, list[Piece]]


def drawn(seed: int) -> dict[str, Object]:
    """Five objects that share events: lines plain and packed, records plain and packed, and one of blanks."""
    dice = Random(seed)
    events = [one(dice.choice([FIRST, SECOND, SECOND, OUTSIDE]), audit_id=f"{seed} {n}") for n in range(40)]
    made = {
        "a": list(in_lines(dice, events)),
        "b": list(in_lines(dice, events)),
        "c": list(in_records(dice, events)),
        "d": list(in_records(dice, events)),
        "e": [Piece(b"\n\n", blank=2)],
    }
    bodies = {name: b"".join(piece.body for piece in pieces) for name, pieces in made.items()}
    packed = {"b", "d"}
    return {name: (gzip.compress(body) if name in packed else body, made[name]) for name, body in bodies.items()}


@dataclass
class Ledger:
    """What the definitions say of each object, line by line, with what earlier runs have kept."""

    kept: set[bytes] = field(default_factory=set)
    filed: Counter[tuple[str, bytes]] = field(default_factory=Counter)

    def run(self, objects: Mapping[str, Object]) -> dict[str, Ended]:
        """Where the lines of each object must end in a run that reads these."""
        met: Counter[tuple[str, bytes]] = Counter()
        found = {}
        for name, (_, pieces) in sorted(objects.items()):
            ended = found[f"{name}.log"] = Ended()
            for piece in pieces:
                ended.blank += piece.blank
                ended.skipped += piece.skipped
                ended.read += len(piece.events) + len(piece.bad)
                for text, night in piece.events:
                    self._event(ended, text, night)
                for text in piece.bad:
                    met[name, text] += 1
                    again = met[name, text] <= self.filed[name, text]
                    ended.duplicate += again
                    ended.quarantined += not again
        self.filed |= met
        return found

    def by_object(self) -> Counter[str]:
        """How many bad lines of each are filed."""
        found: Counter[str] = Counter()
        for (name, _), count in self.filed.items():
            found[name] += count
        return found

    def _event(self, ended: Ended, text: bytes, night: str) -> None:
        if night == OUTSIDE:
            ended.outside += 1
        elif text in self.kept:
            ended.duplicate += 1
        else:
            ended.archived += 1
            self.kept.add(text)


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with engine(ParseConfig(threads=1)) as made:
        yield made


Run = Callable[[Mapping[str, bytes]], Exported]


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(LocalStore(tmp_path / "archive"), "prod")


@pytest.fixture
def run(archive: Archive, tmp_path: Path, connection: duckdb.DuckDBPyConnection) -> Run:
    """Exports both nights from a folder of these files and no others."""

    def exported(files: Mapping[str, bytes]) -> Exported:
        root = tmp_path / "source"
        root.mkdir(exist_ok=True)
        for old in root.iterdir():
            old.unlink()
        for name, body in files.items():
            (root / f"{name}.log").write_bytes(body)
        return export(archive, connection, select(str(root)), NIGHTS, (), lambda *_: None)

    return exported


def newest(archive: Archive, night: date = NIGHTS[1], table: str = EVENTS) -> Commit:
    found = archive.newest(table, night)
    assert found is not None
    return found


def adds_up(counts: Counts | Ended) -> bool:
    return counts.read == counts.archived + counts.duplicate + counts.quarantined + counts.outside


def total(of: Iterable[Counts | Ended]) -> dict[str, int]:
    made = list(of)
    return {name: sum(getattr(one, name) for one in made) for name in ENDS}


@pytest.mark.parametrize("seed", range(3))
def test_every_line_of_every_envelope_ends_in_one_place_and_is_counted_there(
    run: Run, archive: Archive, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(stored, "MAX_LINE_BYTES", LONGEST)
    objects, ledger = drawn(seed), Ledger()
    more = drawn(seed + 100)
    grown = objects | {"a": (objects["a"][0] + more["a"][0], objects["a"][1] + more["a"][1]), "f": more["c"]}
    for name, given in (("first", objects), ("again", objects), ("more", grown)):
        expected = ledger.run(given)
        done = run({n: body for n, (body, _) in given.items()})
        assert {n: asdict(e) for n, e in done.ended.items()} == {n: asdict(e) for n, e in expected.items()}, name
        assert done.bad == sum(len(p.bad) for _, pieces in given.values() for p in pieces)
        commits = [newest(archive, night).counts for night in NIGHTS]
        assert all(adds_up(c) for c in commits)
        if name == "first":
            assert total(commits) == total(expected.values())
        assert done.written == (() if name == "again" else NIGHTS)
        assert total(commits)["archived"] == len(ledger.kept)
        assert total(commits)["quarantined"] == sum(ledger.filed.values())
    rows = [sum(part.rows for part in newest(archive, night).parts) for night in NIGHTS]
    assert sum(rows) == len(ledger.kept)
    assert Counter((row["source"], row["date"]) for row in filed_lines(archive.store)) == Counter(
        {(f"{name}.log", NIGHTS[0]): count for name, count in ledger.by_object().items()}
    )


def test_one_object_and_many_of_the_same_lines_are_counted_alike(run: Run, archive: Archive) -> None:
    dice = Random(7)
    bodies = [p.body for p in in_lines(dice, [one(SECOND) for _ in range(20)]) if len(p.body) < LONGEST]
    whole = run({"one": b"".join(bodies)}).ended["one.log"]
    archive.store = LocalStore(Path(archive.store.url + "-2"))
    # not the first: without a plain event before it a list would be another form
    parts = run({f"n{i:02}": bodies[0] + body for i, body in enumerate(bodies)})
    assert total(parts.ended.values()) == total([whole]) | {
        "read": whole.read + len(bodies),
        "duplicate": whole.duplicate + len(bodies),
    }


# What describes the archived rows


def changed(made: dict[str, Any], **more: Any) -> bytes:
    return line(made | more)


COLLISIONS = {
    "in one run": ["abc"],
    "in three runs": ["a", "b", "c"],
    "in two runs, the first again": ["ab", "abc"],
}


@pytest.mark.parametrize("runs", COLLISIONS.values(), ids=COLLISIONS)
def test_events_that_share_an_audit_id_and_a_stage_are_all_kept_and_counted(
    run: Run, archive: Archive, runs: list[str]
) -> None:
    made = event(audit_id="x")
    same = {"a": line(made), "b": changed(made, userAgent="curl"), "c": changed(made, verb="delete")}
    for nth, names in enumerate(runs):
        beside = [line(event()), changed(made, stage="RequestReceived", userAgent="other stage")]
        run({"log": b"".join([*(same[name] for name in names), *(beside if nth == 0 else [])])})
    counts = newest(archive).counts
    assert (counts.archived, counts.collisions) == (5, 2)
    assert adds_up(counts)


def test_the_same_audit_id_on_another_night_is_no_collision(run: Run, archive: Archive) -> None:
    run({"log": one(FIRST, audit_id="x") + b"\n" + one(SECOND, audit_id="x")})
    assert [newest(archive, night).counts.collisions for night in NIGHTS] == [0, 0]


MISTYPED: dict[str, dict[str, Any]] = {
    "a user that is text": {"user": "eve"},
    "groups that are text": {"user": {"username": "eve", "groups": "system:masters"}},
    "addresses that are text": {"sourceIPs": "10.0.0.1"},
    "an object that is a list": {"objectRef": ["pods"]},
    "a code that is a word": {"responseStatus": {"code": "OK"}},
    "a code between two": {"responseStatus": {"code": 403.6}},
    "a code that is true": {"responseStatus": {"code": True}},
    "a code in another notation": {"responseStatus": {"code": "0x193"}},
    "a verb that is a number": {"verb": 7},
}


def test_events_with_a_field_of_a_wrong_type_are_archived_and_counted(run: Run, archive: Archive) -> None:
    done = run({"log": b"".join([*(changed(event(), **more) for more in MISTYPED.values()), *[line(event())] * 2])})
    assert (newest(archive).counts.mistyped, newest(archive).counts.archived) == (len(MISTYPED), len(MISTYPED) + 1)
    assert adds_up(done.ended["log.log"])
    run({"log": changed(event(), user="mallory")})
    assert newest(archive).counts.mistyped == len(MISTYPED) + 1


def test_events_cut_short_are_counted_in_both_forms(run: Run, archive: Archive) -> None:
    by_server = line(event(annotations={"audit.k8s.io/truncated": "true"}))
    in_text = cut(one(SECOND)) + b"[Truncated...]\n"
    at_the_end = cut(one(SECOND))
    done = run({"log": by_server + in_text + line(event()) + at_the_end})
    assert newest(archive).counts.truncated == 3
    assert asdict(done.ended["log.log"]) == asdict(Ended(read=4, archived=4))
    again = run({"log": by_server + in_text + line(event(annotations={"audit.k8s.io/truncated": "true"}))})
    assert asdict(again.ended["log.log"]) == asdict(Ended(read=3, archived=1, duplicate=2))
    assert newest(archive).counts.truncated == 4


# Hours and gaps


GAPS: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "no hour": ((), ()),
    "one hour": ((7,), ()),
    "every hour": (tuple(range(24)), ()),
    "the ends are missing": ((5, 6, 7), ()),
    "one between two": ((5, 7), (6,)),
    "several": ((0, 3, 4, 23), (1, 2, *range(5, 23))),
    "the first and the last": ((0, 23), tuple(range(1, 23))),
}


@pytest.mark.parametrize(("seen", "missing"), GAPS.values(), ids=GAPS)
def test_a_missing_hour_is_a_gap_between_two_with_events_only(seen: tuple[int, ...], missing: tuple[int, ...]) -> None:
    assert gaps(seen) == missing


def test_hours_are_those_of_the_archived_events_of_the_night_alone(run: Run, archive: Archive) -> None:
    made = [event(at=f"{SECOND}T{hour:02}:59:59.998Z") for hour in (3, 3, 5)]
    run({"log": lines(made) + one(FIRST) + b"\n" + b"no event\n" + one(OUTSIDE)})
    assert newest(archive).counts.hours_seen == (3, 5)
    assert newest(archive, NIGHTS[0]).counts.hours_seen == (12,)
    run({"log": lines([*made, event(at=f"{SECOND}T04:00:00Z")])})
    assert newest(archive).counts.hours_seen == (3, 4, 5)
    assert gaps(newest(archive).counts.hours_seen) == ()


# What the record and the report say of it


def test_the_record_and_the_report_tell_gaps_collisions_and_wrong_types(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made = [event(at=f"{SECOND}T{hour:02}:00:00Z") for hour in (2, 3, 6)]
    hidden = [made[0] | {"userAgent": "curl"}, made[1] | {"userAgent": "curl"}]
    odd = event(at=f"{SECOND}T03:00:00Z", user=None) | {"user": "eve"}
    log = tmp_path / "audit.log"
    log.write_bytes(lines([*made, *hidden, odd]) + cut(one(SECOND)).replace(b"T12", b"T06") + b"\n")
    ended = nightly(log, tmp_path / "archive", NIGHTS[1], trees=2)
    assert (ended.code, ended.complaints) == (0, [])
    (said,) = records(tmp_path / "archive")
    assert said["by_night"][SECOND]["gaps"] == [4, 5]
    counts = said["by_night"][SECOND]["counts"]
    assert (counts["hours_seen"], counts["collisions"], counts["mistyped"]) == ([2, 3, 6], 2, 1)
    assert counts["truncated"] == 1
    notices = " ".join(ranking_of(tmp_path / "archive", NIGHTS[1])["notices"])
    for text in (
        "A gap of 2 hours (04, 05 UTC)",
        "2 collisions: events that share an audit ID",
        "1 event with a field",
    ):
        assert text in notices
        assert text in ended.out
    assert "1 truncated; 1 mistyped; 2 collisions" in ended.out
    page = (tmp_path / "archive" / f"reports/cluster=prod/date={SECOND}/report.html").read_text()
    assert "2 collisions: events that share an audit ID" in page
