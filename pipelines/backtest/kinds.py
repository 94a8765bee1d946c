"""What a kind of behaviour is that a back-test acts out, and the calls it is made of.

The kinds themselves stand in credentials.py, takeover.py, probing.py and innocent.py."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pipelines.backtest.scene import Scene


@dataclass(frozen=True)
class Call:
    """One request; what is None is the actor's own (address, agent) or absent."""

    at: datetime
    verb: str
    resource: str | None = None
    group: str | None = None
    namespace: str | None = None
    name: str | None = None
    subresource: str | None = None
    code: int = 200
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Body facts, stored where the night's log shows bodies of such a request."""
    impersonates: str | None = None
    uri: str | None = None
    address: str | None = None
    agent: str | None = None
    identity: Mapping[str, Any] | None = None
    """Columns of events that say who calls; None for the actor's."""


@dataclass(frozen=True)
class Kind:
    """One kind of attack, or of innocent surprise."""

    name: str
    mitre: str | None
    """Technique of MITRE ATT&CK; None for an innocent kind."""
    description: str
    actors: tuple[str, ...]
    """Types of principals that could do it."""
    acts: Callable[[Scene], Iterable[Call]]
    moves: tuple[str, ...]
    """Features of which it must move one at least, whoever acts."""
    nights: int = 1
    """Nights it takes; the last one is judged."""

    @property
    def malicious(self) -> bool:
        """Is it an attack?"""
        return self.mitre is not None
