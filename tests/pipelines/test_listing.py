"""The list of reports is of what is there, whoever writes it last, and nothing depends on it."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path

import pytest
from report_builders import night

from pipelines.report.summary import Summary
from pipelines.stages.listing import INDEX, list_reports
from pipelines.store import LocalStore


def _report(store, cluster, day):
    folder = f"reports/cluster={cluster}/date={day}"
    store.put(f"{folder}/summary.json", Summary.of(night(cluster=cluster, date=day)).to_json().encode())
    store.put(f"{folder}/report.html", b"<p>")


def _links(store):
    return re.findall(r'href="cluster=([^/]+)/date=([^/]+)/', store.get(INDEX).decode())


@pytest.fixture
def store(tmp_path):
    return LocalStore(tmp_path)


def test_every_reported_night_of_every_cluster_is_listed_the_last_first(store):
    for cluster, day in (("b", 1), ("a", 2), ("a", 3)):
        _report(store, cluster, date(2026, 11, day))
    store.put("reports/cluster=a/date=2026-11-09/ranking.csv", b"")
    list_reports(store)
    assert _links(store) == [("a", "2026-11-03"), ("a", "2026-11-02"), ("b", "2026-11-01")]
    before = store.get(INDEX)
    list_reports(store)
    assert store.get(INDEX) == before


@pytest.mark.parametrize("odd", ["2026-02-30", "old", "0000-01-01"])
def test_a_folder_that_is_no_date_is_not_listed(store, odd):
    _report(store, "a", date(2026, 11, 1))
    store.put(f"reports/cluster=a/date={odd}/report.html", b"<p>")
    list_reports(store)
    assert _links(store) == [("a", "2026-11-01")]


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"first": 1}', b"\xff", b"[" * 100_000])
def test_a_summary_that_cannot_be_read_leaves_its_night_listed(store, body):
    _report(store, "a", date(2026, 11, 1))
    store.put("reports/cluster=a/date=2026-11-01/summary.json", body)
    list_reports(store)
    assert _links(store) == [("a", "2026-11-01")]


FIRST = {"rank": 1, "principal": "mallory", "score": 1.5, "reason": None}
WHOLE = {"cluster": "a", "date": "2026-11-01", "generation": 1, "principals": 9, "notices": 0, "first": [FIRST]}


@pytest.mark.parametrize(
    "told",
    [
        *({name: "x"} for name in ("generation", "principals", "notices", "first")),
        *({name: 5} for name in ("cluster", "date", "first")),
        *({"first": [FIRST | {name: "<b>"}]} for name in ("rank", "score")),
        *({"first": [FIRST | {name: 5}]} for name in ("principal", "reason")),
        {"first": [None]},
        {"first": [FIRST | {"principal": None}]},
        {"first": [FIRST | {"score": 10**400}]},
        {"principals": float("inf")},
        {"more": 1},
    ],
    ids=str,
)
def test_a_summary_with_a_value_of_a_wrong_type_leaves_its_night_listed_without_it(store, told):
    _report(store, "a", date(2026, 11, 1))
    where = "reports/cluster=a/date=2026-11-01/summary.json"
    store.put(where, json.dumps(WHOLE).encode())
    list_reports(store)
    assert "mallory" in store.get(INDEX).decode()
    store.put(where, json.dumps(WHOLE | told).encode())
    list_reports(store)
    assert _links(store) == [("a", "2026-11-01")]
    assert "mallory" not in store.get(INDEX).decode()


def test_a_list_that_another_job_overwrites_in_between_loses_no_night(store):
    """This job has looked at what is there, another reports and lists, then this job writes what it saw."""

    class Raced(LocalStore):
        raced = False

        def put(self, key, body):
            if key == INDEX and not self.raced:
                self.raced = True
                _report(store, "b", date(2026, 11, 2))
                list_reports(store)
            super().put(key, body)

    _report(store, "a", date(2026, 11, 1))
    list_reports(Raced(Path(store.url)))
    assert _links(store) == [("a", "2026-11-01"), ("b", "2026-11-02")]


def test_jobs_that_never_let_it_rest_do_not_keep_it_for_ever(store):
    class Restless(LocalStore):
        written = 0

        def put(self, key, body):
            super().put(key, body)
            if key == INDEX:
                self.written += 1
                _report(store, "b", date(2026, 11, self.written))

    restless = Restless(Path(store.url))
    _report(store, "a", date(2026, 11, 1))
    list_reports(restless)
    assert restless.written == 5
