"""Shares, entropies and distances for people to read, computed from the stored counts when they are read.

The tables hold whole numbers alone, so that every engine counts the same; the forest reads none of these.
tests/features/test_derived.py."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Floats = npt.NDArray[np.float64]

HOURS_OF_A_WEEK = 168
DIRICHLET = 0.5
"""What every action is granted in a profile, so that one that was never seen is not impossible."""


@dataclass(frozen=True)
class Stored:
    """One night's rows of principal_days and items, and those of the nights before it."""

    night: date
    days: pa.Table
    items: pa.Table
    past_days: pa.Table
    past_items: pa.Table

    def count(self, name: str) -> Floats:
        """A column of principal_days, NaN where it is null."""
        found: Floats = self.days[name].cast(pa.float64()).to_numpy(zero_copy_only=False)
        return found

    @cached_property
    def principals(self) -> list[str]:
        """In the order of the rows."""
        names: list[str] = self.days["principal"].to_pylist()
        return names

    @cached_property
    def actions(self) -> Mapping[str, Counter[str]]:
        """By principal: tonight's requests for each (verb, resource)."""
        return _touched(self.items, "action")

    @cached_property
    def past_actions(self) -> Mapping[str, Counter[str]]:
        """By principal: the earlier nights' requests for each (verb, resource)."""
        return _touched(self.past_items, "action")

    def each(self, number: Callable[[str], float]) -> Floats:
        """A number of each principal."""
        return np.array([number(name) for name in self.principals], dtype=np.float64)


def _touched(items: pa.Table, kind: str) -> Mapping[str, Counter[str]]:
    found: dict[str, Counter[str]] = defaultdict(Counter)
    columns = (items[name].to_pylist() for name in ("principal", "kind", "item", "requests"))
    for principal, of, item, requests in zip(*columns, strict=True):
        if of == kind:
            found[principal][item] += requests
    return found


@dataclass(frozen=True)
class Derived:
    """One number of a principal's night: what it is made of, and how; NaN where there is nothing to make it of."""

    name: str
    unit: str
    meaning: str
    of: tuple[str, ...]
    """Features, and kinds of items, that it reads."""
    formula: Callable[[Stored], Floats]


def _share(name: str, meaning: str, part: str, less: str | None = None) -> Derived:
    def formula(stored: Stored) -> Floats:
        return _ratio(stored.count(part) - (0.0 if less is None else stored.count(less)), stored.count("requests"))

    names = (part, "requests") if less is None else (part, less, "requests")
    return Derived(name, "share", meaning, names, formula)


def _share_of_all(name: str, meaning: str, *parts: str) -> Derived:
    def formula(stored: Stored) -> Floats:
        return _ratio(np.sum([stored.count(part) for part in parts], axis=0), stored.count("requests"))

    return Derived(name, "share", meaning, (*parts, "requests"), formula)


def _ratio(number: Floats, of: Floats) -> Floats:
    found: Floats = np.divide(number, of, out=np.full(len(of), np.nan), where=of > 0)
    return found


def _entropy(requests: Counter[str]) -> float:
    """Shannon's, in bits, with the correction of Miller and Madow, as a share of the most that so many could have."""
    n = requests.total()
    if n < 2:
        return float("nan")
    p = np.array(list(requests.values())) / n
    bits = -(p * np.log2(p)).sum() + (len(p) - 1) / (2 * n * np.log(2))
    return float(min(1.0, bits / np.log2(n)))


def _spread(part: int) -> Callable[[Stored], Floats]:
    def formula(stored: Stored) -> Floats:
        def of(principal: str) -> float:
            found: Counter[str] = Counter()
            for action, requests in stored.actions.get(principal, Counter()).items():
                found[action.partition(" ")[part]] += requests
            return _entropy(found)

        return stored.each(of)

    return formula


def _profile_distance(stored: Stored) -> Floats:
    """Of Jensen and Shannon, base 2, between tonight's actions and those of the own past."""

    def of(principal: str) -> float:
        tonight, past = (by.get(principal, Counter()) for by in (stored.actions, stored.past_actions))
        if not tonight or not past:
            return float("nan")
        known = sorted({*tonight, *past})
        p, q = (_smoothed(np.array([found[action] for action in known], dtype=np.float64)) for found in (tonight, past))
        middle = (p + q) / 2
        divergence = ((p * np.log2(p / middle)).sum() + (q * np.log2(q / middle)).sum()) / 2
        return float(np.sqrt(max(divergence, 0.0)))

    return stored.each(of)


def _smoothed(requests: Floats) -> Floats:
    found: Floats = (requests + DIRICHLET) / (requests.sum() + DIRICHLET * len(requests))
    return found


def _hour_surprise(stored: Stored) -> Floats:
    """Mean over requests of -log10 of the share of the own past in that hour of the week, each granted one request."""
    tonight, past = _hours_of_week(stored.items), _hours_of_week(stored.past_items)

    def of(principal: str) -> float:
        mine, before = tonight.get(principal, Counter()), past.get(principal, Counter())
        if not mine or not before:
            return float("nan")
        of_all = before.total() + HOURS_OF_A_WEEK
        decades = sum(n * -np.log10((before[hour] + 1) / of_all) for hour, n in mine.items())
        return float(decades / mine.total())

    return stored.each(of)


def _hours_of_week(items: pa.Table) -> Mapping[str, Counter[int]]:
    found: dict[str, Counter[int]] = defaultdict(Counter)
    columns = (items[name].to_pylist() for name in ("principal", "kind", "item", "requests", "first_ts"))
    for principal, kind, item, requests, first in zip(*columns, strict=True):
        if kind == "hour":
            found[principal][24 * first.weekday() + int(item)] += requests
    return found


def _burst(stored: Stored) -> Floats:
    return _ratio(stored.count("peak_minute"), stored.count("median_minute"))


def _irregularity(stored: Stored) -> Floats:
    gaps, total, squares = stored.count("requests") - 1, stored.count("gaps_s"), stored.count("gap_squares_s")
    some = (gaps > 0) & (total > 0)
    ratio = np.divide(gaps * squares, np.square(total), out=np.ones(len(gaps)), where=some)
    return np.where(some, np.sqrt(np.maximum(ratio - 1.0, 0.0)), np.nan)


def _days_known(stored: Stored) -> Floats:
    first = stored.days["first_seen"].to_pylist()
    return np.array([(stored.night - seen).days for seen in first], dtype=np.float64)


def _active_nights(stored: Stored) -> Floats:
    nights = Counter(stored.past_days["principal"].to_pylist())
    return stored.each(lambda name: nights[name])


DERIVED: tuple[Derived, ...] = (
    _share("write_share", "Writes, those of a status apart.", "writes", less="status_writes"),
    _share_of_all("delete_share", "Deletes, of one object or of collections.", "deletes", "collection_deletes"),
    _share("list_share", "Lists.", "lists"),
    _share("cluster_list_share", "Lists without a namespace.", "cluster_lists"),
    _share("watch_share", "Watches: much for a program, little for a person.", "watches"),
    _share("get_share", "Reads of one object by its name.", "gets"),
    _share("forbidden_share", "Refused for lack of permission (403).", "forbidden_requests"),
    _share("unauthorized_share", "Without a valid identity (401).", "unauthorized"),
    _share("not_found_share", "For what is not there (404); much for some controllers.", "not_found_requests"),
    _share_of_all(
        "trouble_share",
        "Conflicts (409), throttled (429) or failed in the server (5xx).",
        "conflicts",
        "throttled_requests",
        "server_errors",
    ),
    _share("public_share", "From public addresses.", "public_requests"),
    _share("tool_share", "Of a service account by a client that people type on.", "tool_requests"),
    _share("url_share", "For a URL that is no resource, discovery apart.", "url_requests", less="discovery_requests"),
    _share("impersonation_share", "Made as somebody else.", "impersonated_requests"),
    Derived("resource_entropy", "share", "How evenly spread over resources, 0 to 1.", ("action",), _spread(2)),
    Derived("verb_entropy", "share", "How evenly spread over verbs, 0 to 1.", ("action",), _spread(0)),
    Derived(
        "profile_distance",
        "distance",
        "How far tonight's (verb, resource) pairs are from those of the own past, 0 to 1; on the day of a release far "
        "for all of its accounts.",
        ("action",),
        _profile_distance,
    ),
    Derived(
        "hour_surprise",
        "decades",
        "How unusual the hours of the week are for the own past, over all requests.",
        ("hour",),
        _hour_surprise,
    ),
    Derived("burst", "ratio", "The busiest minute to the middle one.", ("peak_minute", "median_minute"), _burst),
    Derived(
        "irregularity",
        "ratio",
        "Standard deviation of the time between requests to its mean: little for a clock, more for bursts.",
        ("requests", "gaps_s", "gap_squares_s"),
        _irregularity,
    ),
    Derived("days_known", "days", "Since the first night of this principal.", ("first_seen",), _days_known),
    Derived("active_nights", "nights", "Earlier nights on which it did anything.", ("principal",), _active_nights),
)
"""Each is null where what it is made of is."""


def derived(stored: Stored) -> pa.Table:
    """A row for each of principal_days, in its order: the principal, and DERIVED as doubles, null where NaN."""
    columns = {d.name: pa.array(d.formula(stored), pa.float64(), from_pandas=True) for d in DERIVED}
    return pa.table({"principal": stored.days["principal"]} | columns)
