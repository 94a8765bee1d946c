"""index.html: every reported night of every cluster of an archive, the last ones with their first three principals.

A list of links; the same style and the same care as report.html. Tested in tests/report/test_index.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from pipelines.report.html import content_security_policy, environment, resource
from pipelines.report.summary import Summary

NAMED = 14
"""Nights of a cluster that are told with their first principals; of the others the date stands alone."""


@dataclass(frozen=True)
class ListedNight:
    """A night that has a report."""

    date: date
    summary: Summary | None  # None where none is told, or none can be read


@dataclass(frozen=True)
class ListedCluster:
    """A cluster and its nights, the last first."""

    name: str
    nights: Sequence[ListedNight]

    @property
    def told(self) -> Sequence[ListedNight]:
        """The last nights."""
        return self.nights[:NAMED]

    @property
    def others(self) -> Sequence[ListedNight]:
        """The nights before."""
        return self.nights[NAMED:]


def index_html(clusters: Sequence[ListedCluster]) -> str:
    """The whole page, its links relative to the folder of all reports."""
    style = resource("report.css")
    policy = content_security_policy(style)
    return environment().get_template("index.html.jinja").render(clusters=clusters, style=style, csp=policy)
