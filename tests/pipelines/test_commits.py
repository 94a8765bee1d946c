"""The claims of commits.py: canonical bytes, the highest generation, and no commit but our own."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from pipelines.commits import Commit, Counts, Input, Part, key, newest, part_file, summed
from pipelines.errors import DataError
from pipelines.store import LocalStore, ObjectStore

NIGHT = date(2026, 9, 15)
DIGEST = "0123456789abcdef" * 4
PART = Part(part_file(DIGEST), DIGEST, 3, 100)
COUNTS = Counts(read=5, archived=3, duplicate=1, quarantined=1, hours_seen=(0, 23))
COMMIT = Commit("events", "prod", NIGHT, 1, (PART,), (Input("a.log", DIGEST, 9),), COUNTS, (part_file("f" * 64),))


def put(store: ObjectStore, *bodies: bytes) -> None:
    for generation, body in enumerate(bodies, 1):
        assert store.put_new(key("events", "prod", NIGHT, generation), body)


def canonical(plain: dict[str, Any]) -> bytes:
    return json.dumps(plain, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def sealed(plain: dict[str, Any]) -> bytes:
    return canonical(plain | {"checksum": sha256(canonical(plain)).hexdigest()})


def fields_of(commit: Commit) -> dict[str, Any]:
    return {name: value for name, value in json.loads(commit.body()).items() if name != "checksum"}


def changed(**fields: Any) -> bytes:
    return sealed(fields_of(COMMIT) | fields)


def part(**fields: Any) -> bytes:
    return changed(parts=[fields_of(COMMIT)["parts"][0] | fields])


def without(name: str) -> bytes:
    return sealed({k: v for k, v in fields_of(COMMIT).items() if k != name})


NOT_OURS: dict[str, bytes] = {
    "nothing": b"",
    "cut": COMMIT.body()[:-20],
    "cut before the last byte": COMMIT.body()[:-1],
    "no JSON": b"<html>",
    "no text": b"\xff\xfe",
    "a list": b"[]",
    "ever deeper": b"[" * 100_000,
    "null": b"null",
    "another format": changed(format=2),
    "an unknown field": changed(more=1),
    "no checksum": canonical(fields_of(COMMIT)),
    "another checksum": canonical(fields_of(COMMIT) | {"checksum": "0" * 64}),
    "no counts": without("counts"),
    "counts that are none": changed(counts=3),
    "another table": changed(table="quarantine"),
    "another cluster": changed(cluster="test"),
    "another night": changed(night="2026-09-14"),
    "no night": changed(night="yesterday"),
    "another generation": changed(generation=2),
    "laid out by hand": json.dumps(json.loads(COMMIT.body()), indent=1).encode(),
    "a part of another name": part(file="part-0.parquet"),
    "a part outside the folder": part(file="../../x", sha256="../../x"),
    "a part whose name only begins well": part(file=part_file("../../../x"), sha256="../../../x"),
    "a part without a hash": part(sha256=None),
}


def test_a_commit_comes_back_as_it_was_written(store: ObjectStore) -> None:
    put(store, COMMIT.body())
    assert newest(store, "events", "prod", NIGHT) == COMMIT


def test_a_night_never_committed_has_no_commit(store: ObjectStore) -> None:
    assert newest(store, "events", "prod", NIGHT) is None


def test_the_highest_generation_wins(store: ObjectStore) -> None:
    later = [replace(COMMIT, generation=generation) for generation in (1, 2, 3)]
    put(store, *(commit.body() for commit in later))
    assert newest(store, "events", "prod", NIGHT) == later[-1]


@pytest.mark.parametrize("body", NOT_OURS.values(), ids=NOT_OURS)
def test_what_is_no_commit_of_ours_is_refused_by_name(store: ObjectStore, body: bytes) -> None:
    put(store, body)
    with pytest.raises(DataError) as refused:
        newest(store, "events", "prod", NIGHT)
    assert str(refused.value).startswith(
        f"{store.url}/events/cluster=prod/date=2026-09-15/_commit-1.json: not a commit"
    )
    assert "restore it from a copy of the archive, or remove the night's folder and export it again" in str(
        refused.value
    )


def test_an_older_damaged_commit_is_refused_too(store: ObjectStore) -> None:
    put(store, b"{}", replace(COMMIT, generation=2).body())
    with pytest.raises(DataError, match="_commit-1"):
        newest(store, "events", "prod", NIGHT)


def test_bytes_do_not_depend_on_how_a_commit_came_about() -> None:
    again = Commit(**{name: getattr(COMMIT, name) for name in reversed(list(COMMIT.__dataclass_fields__))})
    assert again.body() == COMMIT.body()
    assert again.sha256 == COMMIT.sha256


def test_two_runs_that_added_to_a_night_are_summed() -> None:
    later = Counts(read=4, archived=2, outside=2, blank=1, collisions=1, truncated=3, hours_seen=(0, 12, 23))
    expected = {"read": 9, "archived": 5, "duplicate": 1, "quarantined": 1, "outside": 2, "blank": 1}
    assert summed(COUNTS, later) == Counts(**expected, collisions=1, truncated=3, hours_seen=(0, 12, 23))


def test_one_flipped_bit_anywhere_is_seen(tmp_path: Path) -> None:
    store, where = LocalStore(tmp_path), key("events", "prod", NIGHT, 1)
    body = COMMIT.body()
    for at in range(0, len(body), 5):
        store.put(where, body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :])
        with pytest.raises(DataError, match="not a commit"):
            newest(store, "events", "prod", NIGHT)
