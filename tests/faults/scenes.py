"""What is swept: the nightly job on a night that is new, and on one that was ranked before its last events came.

The new night brings late events of the one before it, which is revised."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from unittest import mock

from e2e.world import CLUSTER
from faults.bucket import Bucket
from faults.checker import Expected, Result, source_rows
from faults.feeds import BEFORE, FEEDS, NIGHT, Feed, Place, early, full
from faults.jobs import Forks, in_process
from faults.proxy import Proxy
from faults.sweep import BUCKET, Run, Scene, Sweep
from faults.warm import warm
from s3_server import moto_server

STATES = ("new", "late")
"""Is the night new to the archive, or does it only lack late events?"""


@dataclass
class Stage:
    """The emulator with everything around it, and the scenes played on it."""

    sweep: Sweep
    forks: Forks
    place: Place

    _made: dict[tuple[str, str], Scene] = field(default_factory=dict)

    def scene(self, source: str, state: str) -> Scene:
        """The scene of a kind of source and a state of the archive; made once."""
        if (source, state) not in self._made:
            self._made[source, state] = self._scene(source, state)
        return self._made[source, state]

    def _scene(self, source: str, state: str) -> Scene:
        lay = FEEDS[source]
        where = f"{source}-{state}"
        all_lines = full(revising=state == "new")
        some, every = lay(early(), f"{where}-early", self.place), lay(all_lines, f"{where}-full", self.place)
        before: Mapping[str, bytes] = {}
        for night in (BEFORE, NIGHT) if state == "late" else (BEFORE,):
            before = self.sweep.made(self._run(some, night), before)
        run, forked = self._run(every, NIGHT), self._run(every, NIGHT, self.forks)
        rows = {night: source_rows(lines, night) for night, lines in all_lines.items()}
        return self.sweep.scene(Scene(where, run, forked, Expected(before, {}, rows)))

    def _run(self, feed: Feed, night: date, forks: Forks | None = None) -> Run:
        environment = {
            "AUDITFOREST_AWS__ENDPOINT": self.sweep.proxy.url,
            "AUDITFOREST_HISTORY__NIGHTS": "1",
            # the late night brings one bad line among few
            "AUDITFOREST_EXPORT__QUARANTINED_PERCENT": "5",
            **feed.environment,
        }

        def run(prefix: str) -> Result:
            asked = ["--cluster", CLUSTER, "--source", feed.source, "--archive", f"s3://{BUCKET}/{prefix}"]
            arguments = ["nightly", *asked, "--date", night.isoformat(), "--trees", "10"]
            return (forks or in_process)(arguments, environment)

        return run


@contextmanager
def stage(folder: Path) -> Iterator[Stage]:
    """An emulator, a proxy before it and a process to fork from, until the end."""
    # a line of log for each request costs more than the request
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with ExitStack() as stack:
        forks = stack.enter_context(Forks(folder))
        stack.enter_context(warm())
        # jobs look through the temporary folder for what killed ones left: here it holds nothing else
        stack.enter_context(mock.patch.object(tempfile, "tempdir", str(folder)))
        endpoint = stack.enter_context(moto_server())
        bucket = Bucket(BUCKET)
        proxy = stack.enter_context(Proxy(endpoint))
        yield Stage(Sweep(bucket, proxy, forks.kill), forks, Place(folder, endpoint))
