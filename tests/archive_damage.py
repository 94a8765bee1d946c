"""An archive in memory and the ways to damage it: each does one, and says at which key it is to be found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from io import BytesIO
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from archive_checks import FIRST, SECOND, Held, Objects
from e2e.world import CLUSTER

from pipelines import commits
from pipelines.commits import Commit, Counts, Part, folder, part_file
from pipelines.parquet import decode, encode
from pipelines.quarantine import file

Damage = Callable[[Objects], str]


# Ways to do damage


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


def part_key(objects: Objects) -> str:
    """The part of the quarantine that the second night's events count."""
    (name,) = commit_of(objects, "events", SECOND).quarantine
    return f"{folder('quarantine', CLUSTER, SECOND)}/{name}"
