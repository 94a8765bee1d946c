"""The record of one run: what was asked, what was read, what was written, under which versions and seed.

Written last, once, also by a run that failed: the only object that a re-run of the same night adds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from typing import Any

from pipelines.commits import gaps
from pipelines.config import Config, config_hash
from pipelines.stages.export import Exported
from pipelines.stages.origin import code
from pipelines.stages.reading import Ended
from pipelines.store import ObjectStore


@dataclass
class Run:
    """A run under way. Holds no event, no name of a principal and no credential."""

    run_id: str
    command: str
    cluster: str
    nights: tuple[date, ...]
    started: datetime
    config: Config
    source: str | None = None
    bulk: bool = False
    cascade: bool = False
    export: dict[str, Any] | None = None
    by_night: dict[str, dict[str, Any]] = field(default_factory=dict)

    def exported(self, done: Exported) -> None:
        """Keep where every line of the source ended."""
        total = asdict(Ended())
        for ended in done.ended.values():
            for name, number in asdict(ended).items():
                total[name] += number
        self.export = {
            "counts": total,
            "objects": {i.name: asdict(i) | asdict(done.ended[i.name]) for i in done.inputs},
            "ignored": list(done.ignored),
            "notices": list(done.notices),
            "covers": done.covers,
            "revised": [n.isoformat() for n in done.revised],
        }
        for night, commit in {**done.revisions, **done.commits}.items():
            if commit is not None:
                self.note(
                    night,
                    generation=commit.generation,
                    events=commit.sha256,
                    counts=asdict(commit.counts),
                    gaps=list(gaps(commit.counts.hours_seen)),
                    committed=night in done.written,
                )

    def note(self, night: date, **facts: Any) -> None:
        """Keep facts about one night."""
        self.by_night.setdefault(night.isoformat(), {}).update(facts)

    @property
    def reported(self) -> list[date]:
        """The nights of which it has written a report, ascending."""
        return sorted(date.fromisoformat(night) for night, facts in self.by_night.items() if "reports" in facts)

    def body(self, finished: datetime, exit_code: int, error: str | None, peak_bytes: int) -> bytes:
        """The record as JSON."""
        record: Mapping[str, Any] = {
            "run_id": self.run_id,
            "command": self.command,
            "cluster": self.cluster,
            "nights": [n.isoformat() for n in self.nights],
            "source": self.source,
            "started": self.started.isoformat(),
            "finished": finished.isoformat(),
            "exit_code": exit_code,
            "error": error,
            "peak_memory_bytes": peak_bytes,
            "seed": self.config.forest.seed,
            "config_sha256": config_hash(self.config),
            "versions": dict(code()),
            "export": self.export,
            "by_night": self.by_night,
        }
        return (json.dumps(record, indent=1, ensure_ascii=True) + "\n").encode()

    def write(self, store: ObjectStore, body: bytes) -> str:
        """Store the record; its key comes back."""
        key = f"runs/{self.run_id}.json"
        store.put_new(key, body)
        return key
