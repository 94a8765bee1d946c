"""reports/index.html: the list of all reports of an archive, made of what is there when a run that reported ends.

Derived and rebuildable: it is overwritten, and nothing is read from it. tests/pipelines/test_listing.py."""

from __future__ import annotations

import re
from collections import defaultdict
from datetime import date

from pipelines.config import CLUSTER_PATTERN
from pipelines.keys import night_named
from pipelines.report.index import NAMED, ListedCluster, ListedNight, index_html
from pipelines.report.summary import Summary
from pipelines.store import ObjectStore

INDEX = "reports/index.html"
_REPORT = re.compile(r"reports/cluster=([^/]+)/date=([^/]+)/report\.html")
_ROUNDS = 5


def list_reports(store: ObjectStore) -> None:
    """Write the list anew, until what was written is what is there.

    Two jobs that report at once leave no night out: each report stands before its job lists it, and whoever writes the
    list last looks once more. After five rounds other jobs are at work, and theirs is the last look.
    """
    written = store.get(INDEX)
    for _ in range(_ROUNDS):
        made = index_html(_clusters(store)).encode()
        if made == written:
            return
        store.put(INDEX, made)
        written = made


def _clusters(store: ObjectStore) -> list[ListedCluster]:
    nights: dict[str, list[date]] = defaultdict(list)
    for key in store.list("reports/"):
        found = _REPORT.fullmatch(key)
        night = night_named(found[2]) if found else None
        if found and night is not None and re.fullmatch(CLUSTER_PATTERN, found[1]):
            nights[found[1]].append(night)
    return [ListedCluster(name, _nights(store, name, nights[name])) for name in sorted(nights)]


def _nights(store: ObjectStore, cluster: str, nights: list[date]) -> list[ListedNight]:
    last_first = sorted(nights, reverse=True)
    told = [ListedNight(night, _summary(store, cluster, night)) for night in last_first[:NAMED]]
    return told + [ListedNight(night, None) for night in last_first[NAMED:]]


def _summary(store: ObjectStore, cluster: str, night: date) -> Summary | None:
    body = store.get(f"reports/cluster={cluster}/date={night}/summary.json")
    try:
        return None if body is None else Summary.from_json(body)
    except (ValueError, RecursionError):
        return None
