"""The claims of check.py: each kind of damage done once to a real archive is named, and nothing else is."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import chdir
from dataclasses import dataclass, field, replace
from datetime import timedelta
from hashlib import sha256
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from builders import lines as audit_lines
from e2e.job import auditforest, everything, nightly
from e2e.world import ATTACKER, CLUSTER, NIGHTS, ordinary, theft

from pipelines import commits
from pipelines.commits import Commit, Counts, Part, folder, part_file
from pipelines.errors import DataError, EmptyNightError
from pipelines.parquet import decode, encode
from pipelines.quarantine import file, home
from pipelines.stages.check import check
from pipelines.stages.findings import KINDS, Checked, lines, refuse
from pipelines.store import LocalStore, ObjectStore

FIRST, SECOND = NIGHTS[:2]
LATE = 240
BAD = b'{"no": "event"}\n'
Objects = dict[str, bytes]
Damage = Callable[[Objects], str]


@pytest.fixture(scope="session")
def history(tmp_path_factory: pytest.TempPathFactory) -> tuple[Objects, Objects]:
    """An archive of two nights, before and after late events of the second, each with a bad line; one is marked."""
    root = tmp_path_factory.mktemp("check")
    early, late = root / "early", root / "late"
    for source, night, events in ((early, FIRST, ordinary(FIRST)), (early, SECOND, ordinary(SECOND))):
        source.mkdir(exist_ok=True)
        (source / f"{night}.ndjson").write_bytes(audit_lines(events) + (BAD if night == FIRST else b""))
    late.mkdir()
    (late / "late.ndjson").write_bytes(audit_lines(theft(SECOND, LATE)) + BAD)
    with chdir(root):
        assert nightly(early, root / "archive", FIRST, SECOND).code == 0
        before = everything(root / "archive", apart_from="none")
        assert nightly(late, root / "archive", SECOND).code == 0
        where = ("--cluster", CLUSTER, "--archive", root / "archive", "--date", FIRST)
        assert auditforest("mark", ATTACKER, "--as", "confirmed", "--because", "a test", *where).code == 0
    return before, everything(root / "archive", apart_from="none")


@pytest.fixture
def objects(history: tuple[Objects, Objects]) -> Objects:
    """A copy of the archive's objects."""
    return dict(history[1])


def filled(store: ObjectStore, objects: Mapping[str, bytes]) -> ObjectStore:
    for key, body in objects.items():
        assert store.put_new(key, body)
    return store


def checked(store: Any, **asked: Any) -> Checked:
    return check(store, asked.get("cluster"), asked.get("nights"), lambda _text, _share: None)


def named(found: Checked) -> list[tuple[str, str]]:
    return [(f.kind.name, f.key) for f in found.findings]


# Ways to do damage


@dataclass
class Held:
    """Objects, as far as reading commits needs a store."""

    objects: Objects
    url: str = "memory"

    def get(self, key: str) -> bytes | None:
        return self.objects.get(key)


def commit_of(objects: Objects, table: str, night: Any) -> Commit:
    found = commits.newest(Held(objects), table, CLUSTER, night)
    assert found is not None
    return found


def key_of(commit: Commit) -> str:
    return commits.key(commit.table, commit.cluster, commit.night, commit.generation)


def put(objects: Objects, commit: Commit) -> str:
    objects[key_of(commit)] = commit.body()
    return key_of(commit)


def flipped(key: str) -> Damage:
    def do(objects: Objects) -> str:
        body = bytearray(objects[key])
        body[len(body) // 2] ^= 1
        objects[key] = bytes(body)
        return key

    return do


def cut(key: str) -> Damage:
    def do(objects: Objects) -> str:
        objects[key] = objects[key][:-9]
        return key

    return do


def removed(key: str) -> Damage:
    def do(objects: Objects) -> str:
        del objects[key]
        return key

    return do


def without(*prefixes: str, then: Damage) -> Damage:
    """The damage, done to an archive that lacks these objects: nothing else tells of it."""

    def do(objects: Objects) -> str:
        for key in [key for key in objects if key.startswith(prefixes)]:
            del objects[key]
        return then(objects)

    return do


EVENTS_ALONE = ("items/", "principal_days/", "ranking/", "reports/", "runs/")


def part(table: str, night: Any, nth: int, then: Callable[[str], Damage]) -> Damage:
    """Damage to one of the parts of a night."""

    def do(objects: Objects) -> str:
        return then(f"{folder(table, CLUSTER, night)}/{commit_of(objects, table, night).parts[nth].file}")(objects)

    return do


def forged(change: Callable[[pa.Table], pa.Table], table: str = "events", size: int | None = None) -> Damage:
    """A part with other rows, well committed; `size` is what the commit says of it."""

    def do(objects: Objects) -> str:
        commit = commit_of(objects, table, FIRST)
        where = folder(table, CLUSTER, FIRST)
        rows = change(pq.read_table(BytesIO(objects.pop(f"{where}/{commit.parts[0].file}"))))
        sink = BytesIO()
        pq.write_table(rows, sink)
        body = sink.getvalue()
        digest = sha256(body).hexdigest()
        made = Part(part_file(digest), digest, commit.parts[0].rows, len(body) if size is None else size)
        objects[f"{where}/{made.file}"] = body
        put(objects, replace(commit, parts=(made,)))
        return f"{where}/{made.file}"

    return without(*EVENTS_ALONE, then=do)


def recommitted(change: Callable[[Commit], Commit], generation: int, names: int) -> Damage:
    """Another commit of the second night, its checksum right; the key of the generation named comes back."""

    def do(objects: Objects) -> str:
        newest = commit_of(objects, "events", SECOND)
        key = commits.key("events", CLUSTER, SECOND, generation)
        alone = {k: body for k, body in objects.items() if k != commits.key("events", CLUSTER, SECOND, 2)}
        put(objects, change(newest if generation == 2 else commit_of(alone, "events", SECOND)))
        return key if names == generation else commits.key("events", CLUSTER, SECOND, names)

    return do


def counted(**more: int) -> Callable[[Commit], Commit]:
    def change(commit: Commit) -> Commit:
        added = {name: getattr(commit.counts, name) + number for name, number in more.items()}
        return replace(commit, counts=replace(commit.counts, **added))

    return change


def resealed(
    table: str,
    meta: Callable[[dict[str, Any]], object] = lambda _: None,
    rows: Callable[[pa.Table], pa.Table] = lambda rows: rows,
) -> Damage:
    """A derived table of the second night with another content or origin, its checksum right."""

    def do(objects: Objects) -> str:
        key = f"{folder(table, CLUSTER, SECOND)}/{table}.parquet"
        found, said = decode(objects[key], key)
        meta(said)
        objects[key] = encode(rows(found), said)
        return key

    return do


def moved(key: str, to: str) -> Damage:
    def do(objects: Objects) -> str:
        objects[to] = objects[key]
        return to

    return do


def added(key: str, body: bytes = b"x") -> Damage:
    def do(objects: Objects) -> str:
        objects[key] = body
        return key

    return do


def record(then: Callable[[str], Damage]) -> Damage:
    def do(objects: Objects) -> str:
        return then(min(key for key in objects if key.startswith("runs/")))(objects)

    return do


def marked(then: Callable[[str], Damage]) -> Damage:
    """Damage to the mark of the first night."""

    def do(objects: Objects) -> str:
        return then(next(key for key in objects if key.startswith("marks/")))(objects)

    return do


def doubled(objects: Objects) -> str:
    """Three events of the first night in a second part, well committed."""
    commit = commit_of(objects, "events", FIRST)
    where = folder("events", CLUSTER, FIRST)
    rows = pq.read_table(BytesIO(objects[f"{where}/{commit.parts[0].file}"])).take([0, 5, 9])
    sink = BytesIO()
    pq.write_table(rows, sink)
    body = sink.getvalue()
    digest = sha256(body).hexdigest()
    made = Part(part_file(digest), digest, 3, len(body))
    objects[f"{where}/{made.file}"] = body
    put(objects, replace(counted(read=3, archived=3)(commit), parts=(*commit.parts, made)))
    return f"{where}/{made.file}"


def next_day(rows: pa.Table) -> pa.Table:
    at = rows.schema.get_field_index("stage_ts")
    later = [time + timedelta(days=1) for time in rows["stage_ts"].to_pylist()]
    return rows.set_column(at, rows.schema.field(at), pa.array(later, rows.schema.field(at).type))


def timeless(rows: pa.Table) -> pa.Table:
    at = rows.schema.get_field_index("stage_ts")
    field = rows.schema.field(at)
    return rows.set_column(at, field, pa.nulls(rows.num_rows, field.type))


def lines_of(source: str, then: Callable[[str], Damage]) -> Damage:
    """Damage to the file of a source object's home."""
    return then(f"quarantine/cluster={CLUSTER}/{file(source, 1)}")


def refiled(change: Callable[[pa.Table], pa.Table], *, twice: bool = False) -> Damage:
    """The late bad line changed, its checksum right; `twice` files it at two places before."""

    def do(objects: Objects) -> str:
        key = f"quarantine/cluster={CLUSTER}/{file('late.ndjson', 1)}"
        rows, meta = decode(objects[key], key)
        if twice:
            at = rows.schema.get_field_index("byte_offset")
            again = rows.set_column(at, rows.schema.field(at), pa.array([1 << 40]))
            rows = pa.concat_tables([rows, again])
        objects[key] = encode(change(rows), meta)
        return key

    return do


def on_the_first(rows: pa.Table) -> pa.Table:
    """The same lines, of the first night."""
    at = rows.schema.get_field_index("date")
    return rows.set_column(at, rows.schema.field(at), pa.array([FIRST] * rows.num_rows, pa.date32()))


def earlier(then: Damage) -> Damage:
    """Damage to the archive as the first layout had it: the quarantine below its nights, with commits of its own."""

    def do(objects: Objects) -> str:
        names = {}
        for key in [key for key in objects if key.startswith("quarantine/")]:
            rows, _ = decode(objects.pop(key), key)
            (night,) = {*rows["date"].to_pylist()}
            sink = BytesIO()
            pq.write_table(rows.drop_columns(["date"]).replace_schema_metadata(None), sink)
            digest = sha256(sink.getvalue()).hexdigest()
            made = Part(part_file(digest), digest, rows.num_rows, len(sink.getvalue()))
            objects[f"{folder('quarantine', CLUSTER, night)}/{made.file}"] = sink.getvalue()
            counts = Counts(read=made.rows, archived=made.rows)
            put(objects, Commit("quarantine", CLUSTER, night, 1, (made,), counts=counts))
            names[key.removeprefix(f"quarantine/cluster={CLUSTER}/")] = made.file
        for night in (FIRST, SECOND):
            for generation in range(1, commit_of(objects, "events", night).generation + 1):
                commit = commits.at(Held(objects), "events", CLUSTER, night, generation)
                assert commit is not None
                put(objects, replace(commit, quarantine=tuple(names[name] for name in commit.quarantine)))
        return then(objects)

    return without(*EVENTS_ALONE, then=do)


def table_of(table: str, night: Any) -> str:
    return f"{folder(table, CLUSTER, night)}/{table}.parquet"


REPORT = ("ranking.csv", "ranking.json", "report.html", "summary.json")


def report_of(name: str) -> str:
    return f"{folder('reports', CLUSTER, SECOND)}/{name}"


COMMIT_1, COMMIT_2 = (commits.key("events", CLUSTER, SECOND, generation) for generation in (1, 2))
ALONE = commits.key("events", CLUSTER, FIRST, 1)
STRAY = f"part-{'0' * 16}.parquet"

DAMAGES: dict[str, tuple[str, Damage]] = {
    "newest commit edited": ("commit", flipped(COMMIT_2)),
    "earlier commit edited": ("commit", flipped(COMMIT_1)),
    "commit cut": ("commit", cut(ALONE)),
    "commit of another night": ("commit", moved(ALONE, COMMIT_1)),
    "commit of an earlier version's quarantine edited": (
        "commit",
        earlier(flipped(commits.key("quarantine", CLUSTER, FIRST, 1))),
    ),
    "first commit removed": ("gap", removed(COMMIT_1)),
    "newest commit removed": ("lost", removed(COMMIT_2)),
    "newest commit removed, and the records": ("lost", without("runs/", then=removed(COMMIT_2))),
    "newest commit removed, and the tables": ("lost", without(*EVENTS_ALONE[:4], then=removed(COMMIT_2))),
    "only commit removed": ("lost", removed(ALONE)),
    "newest commit replaced": (
        "lost",
        without(*EVENTS_ALONE[:4], then=recommitted(lambda c: replace(c, inputs=c.inputs[:-1]), 2, 2)),
    ),
    "inputs dropped": ("rewritten", recommitted(lambda c: replace(c, inputs=c.inputs * 2), 1, 2)),
    "parts dropped": (
        "rewritten",
        without(
            *EVENTS_ALONE,
            then=recommitted(
                lambda c: replace(c, parts=c.parts[1:], counts=replace(c.counts, read=LATE + 1, archived=LATE)), 2, 2
            ),
        ),
    ),
    "lines not told": ("counts", recommitted(counted(read=-1), 1, 1)),
    "rows not counted": ("counts", recommitted(counted(read=-1, archived=-1), 1, 1)),
    "quarantined lines nowhere": (
        "counts",
        without(*EVENTS_ALONE, then=recommitted(counted(read=5, quarantined=5), 2, 2)),
    ),
    "part removed": ("missing", part("events", SECOND, 1, removed)),
    "file of the quarantine removed": ("missing", lines_of("late.ndjson", removed)),
    "part of an earlier version's quarantine removed": ("missing", earlier(part("quarantine", SECOND, 0, removed))),
    "byte of a part flipped": ("bytes", part("events", SECOND, 0, flipped)),
    "part cut": ("bytes", part("events", FIRST, 0, cut)),
    "byte of an earlier version's quarantine flipped": ("bytes", earlier(part("quarantine", FIRST, 0, flipped))),
    "byte of the quarantine flipped": ("quarantine", lines_of("late.ndjson", flipped)),
    "file of the quarantine in another home": (
        "quarantine",
        lines_of("late.ndjson", lambda key: moved(key, f"quarantine/cluster={CLUSTER}/{file('other.ndjson', 1)}")),
    ),
    "lines of the quarantine turned round": ("order", refiled(lambda rows: rows.take([1, 0]), twice=True)),
    "column of the quarantine missing": ("columns", refiled(lambda rows: rows.drop_columns(["head"]))),
    "lines of two nights in one file": (
        "quarantine",
        refiled(lambda rows: pa.concat_tables([rows, on_the_first(rows)])),
    ),
    "row too few": ("rows", forged(lambda rows: rows.slice(1))),
    "rows turned round": ("order", forged(lambda rows: rows.take(list(reversed(range(rows.num_rows)))))),
    "last rows changed over": (
        "order",
        forged(lambda rows: rows.take([*range(rows.num_rows - 2), -1 % rows.num_rows, rows.num_rows - 2])),
    ),
    "row twice": ("order", forged(lambda rows: rows.take([0, *range(rows.num_rows - 1)]))),
    "rows in two parts": ("twice", without(*EVENTS_ALONE, then=doubled)),
    "rows of another night": ("order", forged(next_day)),
    "rows of no time": ("order", forged(timeless)),
    "size untold": ("bytes", forged(lambda rows: rows, size=1)),
    "an earlier version's commits of the quarantine removed": (
        "reference",
        earlier(lambda o: (removed(commits.key("quarantine", CLUSTER, SECOND, 1))(o), part_key(o))[1]),
    ),
    "ranking flipped": ("table", flipped(table_of("ranking", SECOND))),
    "counts flipped": ("table", flipped(table_of("principal_days", FIRST))),
    "items cut": ("table", cut(table_of("items", FIRST))),
    "table of another night": ("table", moved(table_of("items", FIRST), table_of("items", SECOND))),
    "table without origin": ("table", resealed("ranking", lambda meta: meta.pop("origin"))),
    "record cut": ("record", record(cut)),
    "record renamed": ("record", record(lambda key: moved(key, "runs/other.json"))),
    "record of numbers": ("record", added("runs/1.json", b"[1]")),
    "mark flipped": ("mark", marked(flipped)),
    "mark that a record names removed": ("mark", marked(removed)),
    "mark of another night": ("mark", marked(lambda key: moved(key, key.replace(f"{FIRST}", f"{SECOND}")))),
    "mark under another name": ("mark", marked(lambda key: moved(key, f"{key[:-24]}{'0' * 16}.parquet"))),
    "note among the marks": ("foreign", added(f"{folder('marks', CLUSTER, FIRST)}/because.txt")),
    "column of events missing": ("columns", forged(lambda rows: rows.drop_columns(["webhook_targets"]))),
    "column of the ranking missing": ("columns", resealed("ranking", rows=lambda rows: rows.drop_columns(["marks"]))),
    "all events removed": (
        "gone",
        without(f"{folder('events', CLUSTER, FIRST)}/", then=lambda _: folder("events", CLUSTER, FIRST)),
    ),
    "table of another commit": (
        "stale",
        resealed("items", lambda meta: meta["origin"].update(events="0" * 64)),
    ),
    "items missing": ("mixed", removed(table_of("items", FIRST))),
    "counts missing": ("mixed", removed(table_of("principal_days", FIRST))),
    "tables not made together": ("mixed", resealed("items", lambda meta: meta["origin"].update(length=1))),
    "ranking of other counts": ("mixed", resealed("ranking", lambda meta: meta["origin"].update(days="0" * 64))),
    "page flipped": ("report", flipped(report_of("report.html"))),
    "sheet cut": ("report", cut(report_of("ranking.csv"))),
    "json cut": ("report", cut(report_of("ranking.json"))),
    "json of another night": (
        "report",
        moved(f"{folder('reports', CLUSTER, FIRST)}/ranking.json", report_of("ranking.json")),
    ),
    "part nobody names": ("orphan", added(f"{folder('events', CLUSTER, FIRST)}/{STRAY}")),
    "part of the quarantine nobody names": ("orphan", added(f"{folder('quarantine', CLUSTER, SECOND)}/{STRAY}")),
    "part of a night never committed": ("orphan", added(f"{folder('events', CLUSTER, NIGHTS[5])}/{STRAY}")),
    "note at the root": ("foreign", added("notes.txt")),
    "file beside the parts": ("foreign", added(f"{folder('events', CLUSTER, FIRST)}/copy.parquet")),
    "date that is none": ("foreign", added(f"events/cluster={CLUSTER}/date=2026-09-31/{STRAY}")),
    "file of a home that has none of its names": (
        "foreign",
        added(f"quarantine/cluster={CLUSTER}/{home('late.ndjson')}/lines-0.parquet"),
    ),
    "home that is none": ("foreign", added(f"quarantine/cluster={CLUSTER}/object=x/lines-1.parquet")),
    "commit zero": ("foreign", added(f"{folder('events', CLUSTER, FIRST)}/_commit-0.json")),
    "table nobody declared": ("foreign", added(table_of("secrets", FIRST))),
}


def part_key(objects: Objects) -> str:
    """The part of the quarantine that the second night's events count."""
    (name,) = commit_of(objects, "events", SECOND).quarantine
    return f"{folder('quarantine', CLUSTER, SECOND)}/{name}"


def test_every_kind_of_finding_is_met_here() -> None:
    assert {kind for kind, _ in DAMAGES.values()} | {"temporary"} == {kind.name for kind in KINDS}
    assert len({kind.name for kind in KINDS}) == len(KINDS)


@pytest.mark.parametrize("damage", DAMAGES)
def test_one_damage_is_one_finding(store: ObjectStore, objects: Objects, damage: str) -> None:
    kind, do = DAMAGES[damage]
    key = do(objects)
    assert named(checked(filled(store, objects))) == [(kind, key)]


def test_an_untouched_archive_has_no_finding_and_every_object_is_read(store: ObjectStore, objects: Objects) -> None:
    found = checked(filled(store, objects))
    assert named(found) == []
    assert (found.nights, found.objects) == (2, len(objects))
    assert found.bytes == sum(map(len, objects.values()))
    tables = [body for key, body in objects.items() if key.endswith(".parquet")]
    assert found.rows == sum(pq.read_metadata(BytesIO(body)).num_rows for body in tables)


def test_an_untouched_archive_of_the_first_layout_has_no_finding(objects: Objects) -> None:
    earlier(lambda _: "")(objects)
    found = checked(Memory(objects))
    assert named(found) == []
    assert found.objects == len(objects)


@pytest.mark.parametrize("table", ["items", "principal_days", "ranking"])
def test_a_table_from_before_the_late_events_is_stale(history: tuple[Objects, Objects], table: str) -> None:
    before, after = history
    key = table_of(table, SECOND)
    found = named(checked(Memory(after | {key: before[key]})))
    assert ("stale", key) in found
    # what was made from the newer ranking is of another generation than this one
    assert set(found) - {("stale", key)} == ({("stale", report_of(n)) for n in REPORT} if table == "ranking" else set())


def test_late_events_alone_leave_the_nights_tables_stale(history: tuple[Objects, Objects]) -> None:
    before, after = history
    made = ("items/", "principal_days/", "ranking/", "reports/")
    old = {key: before[key] for key in before if key.startswith(made)}
    found = checked(Memory({key: body for key, body in after.items() if not key.startswith("runs/")} | old))
    tables = [table_of(table, SECOND) for table in ("items", "principal_days", "ranking")]
    assert named(found) == [("stale", key) for key in (*tables, *map(report_of, REPORT))]
    assert found.damaged == 0
    assert "auditforest features --cluster prod --archive memory --date 2026-09-07" in found.findings[0].mend
    assert "auditforest score --cluster prod --archive memory --date 2026-09-07" in found.findings[2].mend
    assert all("auditforest report --cluster prod --archive memory" in f.mend for f in found.findings[3:])


def test_an_old_back_test_is_stale_alone_and_made_anew_by_its_own_command(objects: Objects) -> None:
    made = {"cluster": CLUSTER, "date": SECOND.isoformat(), "generation": 1}
    found = checked(Memory(objects | {report_of("backtest.json"): json.dumps(made).encode()}))
    assert named(found) == [("stale", report_of("backtest.json"))]
    assert f"auditforest evaluate --cluster {CLUSTER} --archive memory --date {SECOND}" in found.findings[0].mend


@pytest.mark.parametrize("lost", ["ranking.json", "report.html"])
def test_an_old_sheet_is_stale_by_what_was_written_with_it(history: tuple[Objects, Objects], lost: str) -> None:
    before, after = history
    objects = after | {report_of(name): before[report_of(name)] for name in REPORT}
    del objects[report_of(lost)]
    rest = [report_of(name) for name in REPORT if name != lost]
    assert named(checked(Memory(objects))) == [("stale", key) for key in rest]


def test_a_night_removed_and_run_again_has_no_finding(objects: Objects, tmp_path: Path) -> None:
    root = tmp_path / "archive"
    filled(LocalStore(root), {k: body for k, body in objects.items() if f"date={SECOND}" not in k})
    source = tmp_path / "again.ndjson"
    source.write_bytes(audit_lines([*theft(SECOND, LATE), *ordinary(SECOND)]))
    with chdir(tmp_path):
        assert nightly(source, root, SECOND).code == 0
    assert named(checked(LocalStore(root))) == []


# What a check leaves alone


def test_a_check_changes_nothing(
    store: ObjectStore, objects: Objects, listing: Callable[[ObjectStore], dict[str, str]]
) -> None:
    flipped(COMMIT_2)(objects)
    before = listing(filled(store, objects))
    checked(store)
    assert listing(store) == before


def test_only_asked_clusters_and_nights_are_looked_at(store: ObjectStore, objects: Objects) -> None:
    other = {f"events/cluster=test/date={FIRST}/{name}": b"x" for name in (STRAY, "notes.txt")}
    key = flipped(ALONE)(objects)
    filled(store, objects | other)
    assert named(checked(store, cluster=CLUSTER, nights=(SECOND, SECOND))) == []
    assert named(checked(store, cluster=CLUSTER)) == [("commit", key)]
    assert {key for _, key in named(checked(store, cluster="test", nights=(FIRST, FIRST)))} == set(other)
    assert checked(store, cluster="nobody").nights == 0


@dataclass
class Memory(Held):
    """A store in memory; a job takes its next step, in which it writes these objects, before each object read."""

    job: list[Objects] = field(default_factory=list)

    def get(self, key: str) -> bytes | None:
        if self.job:
            self.objects.update(self.job.pop(0))
        return self.objects.get(key)

    def download(self, key: str, path: Path) -> str | None:
        body = self.get(key)
        if body is None:
            return None
        path.write_bytes(body)
        return sha256(body).hexdigest()

    def list(self, prefix: str) -> list[str]:
        return sorted(key for key in self.objects if key.startswith(prefix))


def test_a_job_that_writes_meanwhile_is_no_damage(history: tuple[Objects, Objects]) -> None:
    before, after = history
    tables = ("quarantine", "events", "items", "principal_days", "ranking", "reports", "marks", "runs")
    changed = [key for key in after if before.get(key) != after[key]]
    # parts before the commit that names them, as a job writes
    order = sorted(changed, key=lambda key: (tables.index(key.split("/")[0]), "/_commit-" in key))
    steps = [{key: after[key]} for key in order]
    for begin in count():
        one_by_one = Memory(dict(before), job=[{}] * begin + steps)
        at_once = Memory(dict(before), job=[{}] * begin + [{key: after[key] for key in order}])
        for store in (one_by_one, at_once):
            found = checked(store, nights=(SECOND, SECOND))
            assert [f for f in found.findings if f.kind.damage] == [], begin
        if at_once.job:
            assert begin > 8
            break


# Local files that no listing shows


def test_files_that_no_listing_shows_are_named(objects: Objects, tmp_path: Path) -> None:
    store = filled(LocalStore(tmp_path), objects)
    temporary = tmp_path / folder("events", CLUSTER, FIRST) / ".tmp-0123456789abcdef"
    temporary.write_bytes(b"half")
    strange = tmp_path / "events" / "\x1b[2J\u202egnp.exe "
    strange.write_bytes(b"")
    found = checked(store)
    assert named(found) == [
        ("foreign", strange.relative_to(tmp_path).as_posix()),
        ("temporary", temporary.relative_to(tmp_path).as_posix()),
    ]
    assert "4 bytes" in found.findings[1].found
    shown = list(lines(found))
    assert all(line.isprintable() for line in shown)
    assert r'"events/\u001b[2J\u202egnp.exe "' in shown[0]
    assert named(checked(store, cluster=CLUSTER, nights=(SECOND, SECOND))) == named(found)[:1]


# What is said


def test_a_finding_says_where_what_was_found_and_what_mends_it(objects: Objects) -> None:
    key = part("events", SECOND, 0, cut)(objects)
    added("notes.txt")(objects)
    size = len(objects[key]) + 9
    found = checked(Memory(objects))
    damage, foreign, total = lines(found)
    assert damage == (
        f"bytes: memory/{key}: {size - 9} bytes, {size} expected; restore it from a copy of the archive, "
        "or remove the night's folders and run the night again"
    )
    assert foreign.startswith("foreign: memory/notes.txt: ")
    assert total.startswith("2 nights, ")
    assert total.endswith(" rows verified: 1 damaged, 1 to look at")


def test_damage_is_an_error_and_the_rest_when_asked(objects: Objects) -> None:
    refuse(checked(Memory(dict(objects))), strict=True)
    added("notes.txt")(objects)
    found = checked(Memory(objects))
    refuse(found, strict=False)
    with pytest.raises(DataError, match=r"1 finding \(foreign\), none expected"):
        refuse(found, strict=True)
    flipped(ALONE)(objects)
    with pytest.raises(DataError, match=r"1 finding \(commit\), none expected"):
        refuse(checked(Memory(objects)), strict=False)


def test_an_archive_without_a_night_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EmptyNightError, match="no night of an archive found"):
        refuse(checked(LocalStore(tmp_path / "nothing")), strict=False)


def test_without_a_night_what_is_there_instead_is_the_only_line(objects: Objects) -> None:
    below = {f"build/{name}/{key}": body for name in ("demo", "mine") for key, body in objects.items()}
    asked: dict[str, tuple[Objects, dict[str, Any]]] = {
        "there is no archive yet": ({"notes.txt": b""}, {}),
        f"only events of {CLUSTER}": (objects, {"cluster": "another"}),
        f"only nights from {FIRST} to {SECOND}": (objects, {"nights": (NIGHTS[5], NIGHTS[6])}),
        "archives lie below: memory/build/demo, memory/build/mine": (below, {}),
    }
    for said, (held, more) in asked.items():
        found = checked(Memory(dict(held)), **more)
        assert list(lines(found)) == []
        for strict in (False, True):
            with pytest.raises(EmptyNightError, match=f"^memory: no night .* expected: {said}; look at --archive"):
                refuse(found, strict=strict)


def test_progress_names_each_night(objects: Objects) -> None:
    told: list[tuple[str, float]] = []
    check(Memory(objects), None, None, lambda text, share: told.append((text, share)))
    assert told == [(f"{CLUSTER} {FIRST}", 0), (f"{CLUSTER} {SECOND}", 0.5)]
