"""A process that has imported the product and forks once for each job asked of it: a job to kill costs no start.

Speaks JSON lines: a job's arguments, environment and files for its output in; its pid, then its exit code out.
Run as `python -m faults.zygote`, with one thread only, or its children would inherit locks nobody gives back."""

from __future__ import annotations

import json
import os
import sys
import traceback
from typing import Any

from faults.warm import warm

from pipelines.aws import s3  # noqa: F401 (loaded before the first fork)
from pipelines.cli import main

_CRASHED = 1


def _child(job: dict[str, Any]) -> int:
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(job[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.clear()
    os.environ.update(job["environment"])
    os.chdir(job["cwd"])
    try:
        main(job["arguments"])
    except SystemExit as end:
        return int(end.code or 0)
    except BaseException:  # noqa: BLE001 (as the interpreter would end)
        traceback.print_exc()
        return _CRASHED
    return 0


def serve() -> None:
    """Fork for each line of stdin until it ends."""
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            code = _CRASHED
            try:
                code = _child(json.loads(line))
                sys.stdout.flush()
                sys.stderr.flush()
            finally:
                os._exit(code)
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    with warm():
        serve()
