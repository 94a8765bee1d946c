"""One export task of CloudWatch Logs to S3: made once, whatever becomes of the answers, and waited for to its end.

pipelines/sources/bulk.py reads what it wrote. tests/export_task_server.py plays the service."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from pipelines.aws.guard import Guarded, code_of, passes
from pipelines.aws.session import explained
from pipelines.errors import AuditForestError, AwsError, DataError

_FIRST_PAUSE_S = 5.0
_LONGEST_PAUSE_S = 60.0
_GROWTH = 1.5
_MISSES = 8
"""Calls that may fail in a row for want of an answer."""
_ENDED: Final = ("COMPLETED", "FAILED", "CANCELLED")
_OCCUPIED = "LimitExceededException"
_LONGER = "run again, or raise bulk_deadline_minutes under [export]"


@dataclass(frozen=True)
class Task:
    """What is to be exported, and where to; `bounds` are the window as CreateExportTask is told it."""

    name: str
    group: str
    stream_prefix: str
    bounds: Mapping[str, int]
    bucket: str
    prefix: str

    @property
    def where(self) -> str:
        """What errors call it."""
        return f"export of {self.group} to s3://{self.bucket}/{self.prefix}"

    def arguments(self) -> Mapping[str, Any]:
        """As CreateExportTask takes it."""
        return {
            "taskName": self.name,
            "logGroupName": self.group,
            "logStreamNamePrefix": self.stream_prefix,
            **self.bounds,
            "destination": self.bucket,
            "destinationPrefix": self.prefix,
        }


class _Waits:
    """Growing pauses that end at a deadline."""

    def __init__(self, deadline: float, pause: Callable[[float], None], clock: Callable[[], float]) -> None:
        self._deadline, self._pause, self._clock = deadline, pause, clock
        self._next_s = _FIRST_PAUSE_S

    def wait(self) -> bool:
        """Pause once; False, at once, when the deadline has passed."""
        left_s = self._deadline - self._clock()
        if left_s <= 0:
            return False
        self._pause(min(self._next_s, left_s))
        self._next_s = min(self._next_s * _GROWTH, _LONGEST_PAUSE_S)
        return True


def run(logs: Any, task: Task, *, deadline_s: float, pause: Callable[[float], None], clock: Callable[[], float]) -> str:
    """The id of the task once it has completed; its objects lie below PREFIX/ID/.

    Args:
        task: its name is its own, no other task of the account is called so.
        deadline_s: for the whole of it, waiting for another task of the account included. A task that has not
            ended by then, or when the run is interrupted, is cancelled: the next run would wait for it.
    Raises:
        AwsError: the task is refused, fails, is cancelled or does not end in time.
    """
    calls, deadline = Guarded(logs, pause=pause), clock() + deadline_s
    task_id = ""
    try:
        task_id = _made(calls, task, _Waits(deadline, pause, clock))
        where = f"{task.where}, task {task_id}"
        code, message = _ended(calls, where, task_id, _Waits(deadline, pause, clock))
    except BaseException as error:
        # an error of ours before there is an id has looked for the task already
        if task_id or not isinstance(error, AuditForestError):
            _cancel(calls, task, task_id)
        raise
    if code == "FAILED":
        raise AwsError(f"{where}: failed ({message}); {_policy(calls)}, then run again")
    if code == "CANCELLED":
        raise AwsError(f"{where}: cancelled by somebody ({message}); run again")
    return task_id


def _cancel(calls: Guarded, task: Task, task_id: str) -> None:
    """Tells the task to stop, as far as the service can be reached."""
    with suppress(AuditForestError):
        if found := task_id or _find(calls, task):
            calls.call("cancel_export_task", task.where, taskId=found)


def _made(calls: Guarded, task: Task, waits: _Waits) -> str:
    """The id of the one task of this name: made here, or by a request whose answer was lost."""
    lost, sent = 0, False
    while True:
        try:
            # also when told that a task runs: botocore repeats a request without an answer, and meets its own task
            if sent and (made := _find(calls, task)):
                return made
            return str(calls.call("create_export_task", task.where, idempotent=False, **task.arguments())["taskId"])
        except (AwsError, DataError) as error:
            refused, sent = error, True
        occupied = _code(refused) == _OCCUPIED
        lost = 0 if occupied else lost + 1
        if lost == _MISSES or not (occupied or _is_open(refused)):
            raise _explained(calls, task.where, refused)
        if not waits.wait():
            raise _in_use(task) if occupied else refused


def _in_use(task: Task) -> AwsError:
    return AwsError(
        f"{task.where}: another export task of this account runs all the time, and there can be only one; wait until "
        f"it has ended, then {_LONGER}"
    )


def _find(calls: Guarded, task: Task) -> str | None:
    asked: dict[str, Any] = {}
    tokens: set[str] = set()
    while True:
        page = calls.call("describe_export_tasks", task.where, **asked)
        for one in page["exportTasks"]:
            if one.get("taskName") == task.name:
                return str(one["taskId"])
        token = page.get("nextToken")
        if token is None:
            return None
        if token in tokens:
            raise AwsError(f"{task.where}: a list of tasks that begins again found; look for a proxy on the way")
        tokens.add(token)
        asked = {"nextToken": token}


def _ended(calls: Guarded, where: str, task_id: str, waits: _Waits) -> tuple[str, str]:
    """Code and message of the task's final status."""
    refused: AwsError | DataError | None
    missed = 0
    while True:
        try:
            code, message = _status(calls, where, task_id)
            refused, missed = None, 0
        except (AwsError, DataError) as error:
            refused, missed = error, missed + 1
            code, message = "unknown", str(error)
        if refused and (missed == _MISSES or not _is_open(refused)):
            raise _explained(calls, where, refused)
        if code in _ENDED:
            return code, message
        if not waits.wait():
            raise AwsError(f"{where}: not ended in time (status {code}), so it was told to stop; {_LONGER}")


def _status(calls: Guarded, where: str, task_id: str) -> tuple[str, str]:
    tasks = calls.call("describe_export_tasks", where, taskId=task_id)["exportTasks"]
    # a new task need not be on the list at once
    status = tasks[0].get("status", {}) if tasks else {}
    return status.get("code", "unknown"), status.get("message", "no message")


def _code(error: AwsError | DataError) -> str:
    return code_of(error) if isinstance(error, AwsError) else ""


def _is_open(error: AwsError | DataError) -> bool:
    """Whether another try may fare better: the service gave no answer, or one for the moment."""
    return error.__cause__ is None or isinstance(error, DataError) or passes(error)


def _policy(calls: Guarded) -> str:
    return (
        f"let the policy of the destination bucket allow logs.{calls.region}.amazonaws.com s3:GetBucketAcl on the "
        f"bucket and s3:PutObject on its keys, let the bucket lie in {calls.region}"
    )


def _explained(calls: Guarded, where: str, error: AwsError | DataError) -> AuditForestError:
    """The same, with what mends it here where this differs from elsewhere."""
    mends = {
        "AccessDeniedException": (
            "let the role logs:CreateExportTask, logs:DescribeExportTasks and logs:CancelExportTask, and s3:PutObject "
            "on the destination"
        ),
        # how the service says that it may not write to the bucket
        "InvalidParameterException": f"{_policy(calls)}, and ask for no time before the log group was made",
        "ResourceNotFoundException": "check the names of log group and bucket, and their region",
    }
    if _code(error) not in mends:
        return error
    try:
        with explained(where, mends):
            raise error.__cause__ or error
    except AuditForestError as told:
        return told
