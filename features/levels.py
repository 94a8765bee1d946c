"""Audit levels in rising order: what a feature or a body fact needs to be seen."""

from __future__ import annotations

from enum import StrEnum


class Level(StrEnum):
    """How much of a request the API server logged."""

    METADATA = "Metadata"
    REQUEST = "Request"
    REQUEST_RESPONSE = "RequestResponse"
