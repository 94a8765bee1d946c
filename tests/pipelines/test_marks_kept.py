"""Marks in the archive, a folder or S3: each is an object that is never changed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pyarrow as pa
import pytest
from mark_builders import NIGHT, mark

from pipelines.archive import Archive
from pipelines.errors import DataError
from pipelines.marking.record import CONFIRMED, EXPECTED, NONE, SCHEMA, Range, key, read, table, written
from pipelines.parquet import encode

NEXT = NIGHT + timedelta(days=1)


def test_a_mark_comes_back_as_it_was_written(store):
    archive = Archive(store, "prod-usw2")
    made = [archive.add_mark(one) for one in (mark(NONE, 3), mark(CONFIRMED, 1), mark(minute=2, os_user=None))]
    assert [one.state for one in archive.marks()] == [CONFIRMED, EXPECTED, NONE]
    assert sorted(one.id for one in made) == sorted(one.id for one in Archive(store, "prod-usw2").marks())
    assert Archive(store, "prod-usw2").marks()[0] == made[1]


def test_a_mark_is_one_object_that_is_never_replaced(store):
    archive = Archive(store, "prod-usw2")
    made = archive.add_mark(mark())
    assert archive.add_mark(mark()) == made
    assert store.list("") == [key(made)]
    assert not store.put_new(key(made), b"other bytes")


def test_a_name_that_other_bytes_hold_is_an_error(store):
    made, _ = written(mark())
    store.put(key(made), b"other bytes")
    with pytest.raises(DataError, match="other bytes stand under this name"):
        Archive(store, "prod-usw2").add_mark(mark())


def test_marks_of_another_cluster_are_not_seen(store):
    Archive(store, "prod").add_mark(mark(cluster="prod"))
    Archive(store, "prod-usw22").add_mark(mark(cluster="prod-usw22"))
    assert Archive(store, "prod-usw2").marks() == []
    assert len(Archive(store, "prod").marks()) == 1


def test_what_is_no_mark_among_the_marks_is_passed_over(store):
    store.put(f"marks/cluster=prod-usw2/date={NIGHT}/notes.txt", b"")
    assert Archive(store, "prod-usw2").marks() == []


@pytest.mark.parametrize("harm", [lambda b: b[:-9], lambda b: b[:99] + b"x" + b[100:], lambda _: b""])
def test_a_damaged_mark_is_named(store, harm):
    made, body = written(mark())
    store.put(key(made), harm(body))
    with pytest.raises(DataError, match=rf"mark-{made.id}\.parquet: no mark as it was written .*mark again"):
        Archive(store, "prod-usw2").marks()


def test_a_mark_under_another_name_or_night_is_refused():
    made, body = written(mark())
    assert read(body, key(made), "here") == made
    for other in (replace(made, id="0" * 16), replace(made, night=NEXT), replace(made, cluster="prod")):
        with pytest.raises(DataError, match="written under another name"):
            read(body, key(other), "here")


def test_a_state_that_this_version_does_not_know_is_refused():
    made, body = written(mark("abandoned"))
    with pytest.raises(DataError, match="it says 'abandoned'"):
        read(body, key(made), "here")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        *(({name: None}, f"its {name} is null") for name in ("principal", "state", "because", "until", "made_at")),
        ({"run_id": None}, "its run_id is null"),
        ({"features": None}, "its features is null"),
        ({"features": (Range("secret_reads", None, named=True),)}, "one of its features is null"),
    ],
)
def test_a_mark_that_lacks_what_every_mark_has_is_refused(changes, said):
    body = encode(table([mark(**changes)]), {"cluster": "prod-usw2", "night": NIGHT.isoformat()})
    with pytest.raises(DataError, match=rf"here: no mark as it was written \({said}\); .*mark again"):
        read(body, "", "here")


@pytest.mark.parametrize("name", SCHEMA.names)
def test_a_mark_with_a_column_of_another_type_is_refused(name):
    rows = table([mark()])
    at = rows.schema.get_field_index(name)
    body = encode(rows.set_column(at, name, pa.array([5.5])), {"cluster": "prod-usw2", "night": NIGHT.isoformat()})
    with pytest.raises(DataError, match=f"its {name} is double"):
        read(body, "", "here")
