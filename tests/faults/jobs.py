"""The command line as the sweep runs it: in this process, or in a fork that a fault may kill."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGKILL
from types import TracebackType
from unittest import mock

from e2e.job import auditforest
from faults.checker import Result
from s3_server import AWS_ENVIRONMENT

from pipelines.sources.cloudwatch import open_logs

_CRASHED = 1
_DEADLINE_S = 120
_ROOT = Path(__file__).parents[2]


def in_process(arguments: Sequence[str], environment: Mapping[str, str]) -> Result:
    """Runs in this process; pauses between attempts are counted and not waited for, deadlines come by their sum."""
    paused: list[float] = []
    began = time.monotonic()
    # a log group is read with a clock of its own, and by threads that wait to be woken
    unhurried = {
        "clock": lambda: began + sum(paused),
        "pause": lambda _, seconds: paused.append(seconds),
    }
    with mock.patch.object(time, "sleep", paused.append), mock.patch.dict(open_logs.__kwdefaults__, unhurried):
        try:
            ended = auditforest(*arguments, **environment)
        except Exception:  # noqa: BLE001 (what nobody foresaw ends a process with 1 and a traceback)
            return Result(_CRASHED, "", traceback.format_exc(), sum(paused))
    return Result(ended.code, ended.out, ended.err, sum(paused))


@dataclass
class Forks:
    """Runs in processes of their own, forked from one that has imported everything."""

    folder: Path
    """For the output of the jobs, and where they run."""
    _zygote: subprocess.Popen[str] | None = None
    _pid: int = 0
    _known: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Forks:
        path = os.pathsep.join([str(_ROOT / "tests"), str(_ROOT)])
        self._zygote = subprocess.Popen(
            [sys.executable, "-m", "faults.zygote"],
            cwd=self.folder,
            env=os.environ | {"PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1", "TMPDIR": str(self.folder)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._zygote is not None and self._zygote.stdin is not None:
            with self._zygote:
                self._zygote.stdin.close()

    def __call__(self, arguments: Sequence[str], environment: Mapping[str, str]) -> Result:
        assert self._zygote is not None
        assert self._zygote.stdin is not None
        assert self._zygote.stdout is not None
        out, err = self.folder / "out", self.folder / "err"
        plain = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        job = {
            "arguments": arguments,
            "environment": {**plain, "TMPDIR": str(self.folder), **AWS_ENVIRONMENT, **environment},
            "out": str(out),
            "err": str(err),
            "cwd": str(self.folder),
        }
        self._zygote.stdin.write(json.dumps(job) + "\n")
        self._zygote.stdin.flush()
        self._pid = int(self._zygote.stdout.readline())
        self._known.set()
        # a job that hangs is a violation, not a hanging sweep
        late = threading.Timer(_DEADLINE_S, self.kill, (SIGKILL,))
        late.start()
        code = int(self._zygote.stdout.readline())
        late.cancel()
        self._known.clear()
        return Result(code, out.read_text(), err.read_text())

    def kill(self, signal: int) -> None:
        """Send a signal to the job under way."""
        self._known.wait(10)
        os.kill(self._pid, signal)
