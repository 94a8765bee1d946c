"""What is kept of a principal beside its reasons: its hours, what it began to use, who let it, and single requests.

The fields are those of the ranking's column `detail`. Imports nothing of ours. Tested in tests/report/test_detail.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self


@dataclass(frozen=True)
class Hour:
    """The requests of one hour of the day (UTC) by outcome; an hour without any is not kept."""

    hour: int
    succeeded: int
    refused: int  # 401 and 403
    failed: int  # any other code, or none

    @property
    def requests(self) -> int:
        """All of them."""
        return self.succeeded + self.refused + self.failed


@dataclass(frozen=True)
class NewItem:
    """Something the principal used for the first time."""

    item: str
    first_ts: datetime
    new_to: str  # the widest it is new to: cluster, peers, principal


@dataclass(frozen=True)
class NewThings:
    """What it used of one kind for the first time."""

    kind: str  # of items
    items: int
    first: tuple[NewItem, ...]  # what is new to most comes first


@dataclass(frozen=True)
class Binding:
    """A binding that allowed requests, with its role: `ClusterRoleBinding/edit of ClusterRole/edit`."""

    item: str
    requests: int


@dataclass(frozen=True)
class Request:
    """One request, as it was logged; long texts are cut."""

    audit_id: str
    ts: datetime
    verb: str | None
    object: str  # resource.group/subresource, or url
    namespace: str | None
    name: str | None
    request_uri: str | None
    code: int | None
    alike: int  # requests of the principal that bear this audit ID, for clients may choose it
    address: str | None
    agent: str | None
    impersonated_user: str | None = None  # None, too, where an older version ranked the night

    @property
    def what(self) -> str:
        """What was asked for: `secrets shop/db-password`, or the path of a request for no resource."""
        if self.object == "url":
            return self.request_uri or "url"
        place = "/".join(part for part in (self.namespace, self.name) if part)
        return f"{self.object} {place}".rstrip()


@dataclass(frozen=True)
class Detail:
    """All of it, for one principal."""

    hours: tuple[Hour, ...]
    new: tuple[NewThings, ...]
    bindings: tuple[Binding, ...]
    bindings_used: int  # of which the first are named
    requests: tuple[Request, ...]  # that its evidence names, in the order of time

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """A cell of the ranking.

        Raises:
            KeyError, TypeError: it is of another version.
        """
        return cls(
            hours=tuple(Hour(**hour) for hour in row["hours"]),
            new=tuple(
                NewThings(
                    kind["kind"], kind["items"], tuple(NewItem(**_in_utc(item, "first_ts")) for item in kind["first"])
                )
                for kind in row["new"]
            ),
            bindings=tuple(Binding(**binding) for binding in row["bindings"]["first"]),
            bindings_used=row["bindings"]["items"],
            requests=tuple(Request(**_in_utc(request, "ts")) for request in row["requests"]),
        )


def _in_utc(row: Mapping[str, Any], time: str) -> dict[str, Any]:
    return {**row, time: row[time].astimezone(UTC)}
