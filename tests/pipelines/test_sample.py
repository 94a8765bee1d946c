"""The sample in data/: eight nights, whole, thin and labelled; the tool that made it cuts bodies and nothing else."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from builders import event, line
from hypothesis import given, settings
from hypothesis import strategies as st
from parsing import parse

from pipelines.config import ParseConfig
from pipelines.engine import engine
from pipelines.parsing.body_facts import FACTS
from pipelines.sources.base import Batch
from pipelines.sources.files import SourceFile, select

DATA = Path(__file__).parents[2] / "data"
SAMPLE = DATA / "sample"
NIGHTS = [date(2026, 9, 8) + timedelta(days=i) for i in range(8)]
FILES = [f"audit-prod-usw2-{night}.ndjson.zst" for night in NIGHTS]


def night_lines(name: str) -> Iterator[bytes]:
    with SourceFile(SAMPLE / name, name).open() as stream:
        for batch in stream.batches():
            assert isinstance(batch, Batch)
            yield from batch.data.splitlines(keepends=True)


@pytest.fixture(scope="module")
def sample() -> dict[str, Any]:
    """One walk over all nights: audit ids, members met, lines with a request body, nights of each file."""
    found: dict[str, Any] = {"ids": set(), "members": set(), "bodies": [], "nights": {}}
    for name in FILES:
        for raw in night_lines(name):
            one = json.loads(raw)
            found["ids"].add(one["auditID"])
            found["members"].update(one)
            found["nights"].setdefault(name, set()).add(one["stageTimestamp"][:10])
            if "requestObject" in one:
                found["bodies"].append(raw)
    return found


def table(name: str) -> list[dict[str, str]]:
    head, *rows = [row.split("\t") for row in (SAMPLE / name).read_text().splitlines()]
    return [dict(zip(head, row, strict=True)) for row in rows]


def test_the_sample_is_eight_nights_and_its_labels() -> None:
    selection = select(str(SAMPLE))
    assert [f.name for f in selection.objects] == FILES
    assert {"label-events.tsv", "labels.tsv"} <= set(selection.ignored)


def test_the_sample_is_at_most_nine_megabytes() -> None:
    assert sum(p.stat().st_size for p in SAMPLE.rglob("*") if p.is_file()) <= 9_000_000


def test_each_file_holds_its_night_and_no_other(sample: dict[str, Any]) -> None:
    assert sample["nights"] == {name: {str(night)} for name, night in zip(FILES, NIGHTS, strict=True)}


def test_no_line_holds_an_answer_or_an_unknown_member(sample: dict[str, Any]) -> None:
    assert sample["members"] <= set(event(impersonates="x", body={}))


def test_a_request_body_stays_only_where_a_fact_is_read_from_it(sample: dict[str, Any]) -> None:
    with engine(ParseConfig()) as made:
        rows = parse(made, Batch("sample", 0, b"".join(sample["bodies"]))).rows
    assert rows.num_rows == len(sample["bodies"]) > 1000
    assert [r for r in rows.select([f.name for f in FACTS]).to_pylist() if all(v is None for v in r.values())] == []


def test_every_line_of_the_labelled_night_is_a_row() -> None:
    with engine(ParseConfig()) as made, SourceFile(SAMPLE / FILES[-1], "a").open() as stream:
        for batch in stream.batches():
            assert isinstance(batch, Batch)
            parsed = parse(made, batch)
            assert (parsed.quarantine.num_rows, parsed.blank) == (0, 0)
            assert parsed.rows.num_rows == batch.data.count(b"\n")


def test_labelled_events_are_in_the_sample(sample: dict[str, Any]) -> None:
    labelled = table("label-events.tsv")
    assert len(labelled) > 1000
    assert {row["audit_id"] for row in labelled} <= sample["ids"]


def test_every_labelled_event_belongs_to_a_scenario_of_the_same_kind() -> None:
    kinds = {row["scenario"]: row["malicious"] for row in table("labels.tsv")}
    assert {(row["scenario"], row["malicious"]) for row in table("label-events.tsv")} <= set(kinds.items())


@pytest.mark.parametrize("row", table("labels.tsv"), ids=lambda row: row["scenario"])
def test_a_scenario_falls_into_the_nights_of_the_sample(row: dict[str, str]) -> None:
    start, end = datetime.fromisoformat(row["start"]), datetime.fromisoformat(row["end"])
    assert start <= end
    assert start.date() <= NIGHTS[-1]
    assert end.date() >= NIGHTS[0]
    assert row["malicious"] in ("true", "false")
    assert row["principals"]
    assert row["description"]


def test_attacks_happen_in_the_last_night() -> None:
    attacks = [row for row in table("labels.tsv") if row["malicious"] == "true"]
    assert len(attacks) == 6
    assert all(row["start"][:10] <= str(NIGHTS[-1]) <= row["end"][:10] for row in attacks)


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_sample", DATA / "make_sample.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def arranged(order: list[str], one: dict[str, Any]) -> str:
    """The event as a line, its members in this order."""
    return line({k: one[k] for k in order}).decode().rstrip()


UNREAD = event(verb="update", resource="configmaps", body={"data": {"a,}": '"]}'}}, responseObject=[{"x": "},"}, None])
READ = event(verb="create", body={"spec": {"hostPID": True}}, responseObject={"status": {}})


@pytest.mark.parametrize("place", ["first", "last", "both-ends", "amid"])
@pytest.mark.parametrize(("one", "dropped"), [(UNREAD, 2), (READ, 1)], ids=["unread", "read"])
def test_bodies_are_cut_out_wherever_they_stand(
    maker: ModuleType, one: dict[str, Any], dropped: int, place: str
) -> None:
    rest = [k for k in one if k not in ("requestObject", "responseObject")]
    order = {
        "first": ["responseObject", "requestObject", *rest],
        "last": [*rest, "requestObject", "responseObject"],
        "both-ends": ["requestObject", *rest, "responseObject"],
        "amid": [*rest[:3], "requestObject", *rest[3:5], "responseObject", *rest[5:]],
    }[place]
    gone = ("responseObject", "requestObject")[:dropped]
    expected = arranged([k for k in order if k not in gone], one) + "\n"
    assert maker.thinned(arranged(order, one) + "\n") == (expected, {one["auditID"]})


MEMBERS = st.dictionaries(
    st.text(max_size=6),
    st.none()
    | st.integers()
    | st.text(max_size=6)
    | st.lists(st.text(max_size=4), max_size=3)
    | st.just({"a,}": [{}]}),
    min_size=1,
    max_size=6,
)


@settings(max_examples=50, deadline=None)
@given(MEMBERS, st.data(), st.booleans())
def test_cutting_members_out_leaves_every_other_character(
    maker: ModuleType, members: dict[str, Any], data: st.DataObject, ascii_only: bool
) -> None:
    def text(kept: dict[str, Any]) -> str:
        return json.dumps(kept, separators=(",", ":"), ensure_ascii=ascii_only)

    gone = data.draw(st.sets(st.sampled_from(sorted(members))))
    assert maker.without(text(members), gone) == text({k: v for k, v in members.items() if k not in gone})


@pytest.mark.parametrize("space", ["\u0085", "\u2028", "\u2029", "\x7f"], ids=ascii)
def test_a_line_ends_at_a_newline_and_at_nothing_else(maker: ModuleType, space: str) -> None:
    text = json.dumps(event(agent=f"a{space}b"), separators=(",", ":"), ensure_ascii=False) + "\n"
    assert maker.thinned(text + text)[0] == text + text


def test_a_second_thinning_changes_nothing(maker: ModuleType) -> None:
    once, ids = maker.thinned("\n".join(arranged(list(one), one) for one in (UNREAD, READ)))
    assert maker.thinned(once) == (once, ids)
