"""An archive of two nights as objects in memory, and what a check finds in it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import chdir
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from builders import lines as audit_lines
from e2e.job import auditforest, everything, nightly
from e2e.world import ATTACKER, CLUSTER, NIGHTS, ordinary, theft

from pipelines.stages.check import check
from pipelines.stages.findings import Checked
from pipelines.store import ObjectStore

LATE = 240
"""Events of the second night that came late."""
BAD = b'{"no": "event"}\n'
FIRST, SECOND = NIGHTS[:2]
Objects = dict[str, bytes]


@dataclass
class Held:
    """Objects, as far as reading commits needs a store."""

    objects: Objects
    url: str = "memory"

    def get(self, key: str) -> bytes | None:
        return self.objects.get(key)


@dataclass
class Memory(Held):
    """A store in memory; a job takes its next step, in which it writes these objects, before each object read."""

    job: list[Objects] = field(default_factory=list)

    def get(self, key: str) -> bytes | None:
        if self.job:
            self.objects.update(self.job.pop(0))
        return self.objects.get(key)

    def download(self, key: str, path: Path) -> str | None:
        body = self.get(key)
        if body is None:
            return None
        path.write_bytes(body)
        return sha256(body).hexdigest()

    def list(self, prefix: str) -> list[str]:
        return sorted(key for key in self.objects if key.startswith(prefix))


def two_nights(root: Path) -> tuple[Objects, Objects]:
    """An archive of two nights, before and after late events of the second, each with a bad line; one is marked."""
    early, late = root / "early", root / "late"
    for source, night, events in ((early, FIRST, ordinary(FIRST)), (early, SECOND, ordinary(SECOND))):
        source.mkdir(exist_ok=True)
        (source / f"{night}.ndjson").write_bytes(audit_lines(events) + (BAD if night == FIRST else b""))
    late.mkdir()
    (late / "late.ndjson").write_bytes(audit_lines(theft(SECOND, LATE)) + BAD)
    with chdir(root):
        assert nightly(early, root / "archive", FIRST, SECOND).code == 0
        before = everything(root / "archive", apart_from="none")
        assert nightly(late, root / "archive", SECOND).code == 0
        where = ("--cluster", CLUSTER, "--archive", root / "archive", "--date", FIRST)
        assert auditforest("mark", ATTACKER, "--as", "confirmed", "--because", "a test", *where).code == 0
    return before, everything(root / "archive", apart_from="none")


def filled(store: ObjectStore, objects: Mapping[str, bytes]) -> ObjectStore:
    """The store with these objects."""
    for key, body in objects.items():
        assert store.put_new(key, body)
    return store


def checked(store: Any, **asked: Any) -> Checked:
    """All that a check finds."""
    return check(store, asked.get("cluster"), asked.get("nights"), lambda _text, _share: None)


def named(found: Checked) -> list[tuple[str, str]]:
    """Kind and key of each finding."""
    return [(f.kind.name, f.key) for f in found.findings]
