"""Bulk export against a service of its own with the real layout and one task for an account, its objects in moto."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from builders import event, line
from export_task_server import ExportService, export_task_server

from pipelines.aws.session import client
from pipelines.endings import Ended
from pipelines.errors import AwsError, ConfigError, EmptyNightError
from pipelines.sources.base import Batch, Source
from pipelines.sources.bulk import run_bulk

GROUP = "/aws/eks/prod-usw2/cluster"
AUDIT = "kube-apiserver-audit-0a1b"
START = int(datetime(2026, 9, 15, tzinfo=UTC).timestamp()) * 1000
END = START + 86_400_000
SPAN = "2026-09-15T000000.000Z--2026-09-16T000000.000Z"


def message(user: str = "eve") -> str:
    return line(event(user=user)).decode().strip()


class Time:
    """A clock that only pauses move."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.pauses: list[float] = []

    def clock(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def service(shared_bucket: tuple[Any, str]) -> ExportService:
    return ExportService(shared_bucket[0], {AUDIT: [(START + 5, message())]})


Run = Callable[..., Source]


@pytest.fixture
def run(shared_bucket: tuple[Any, str], service: ExportService, time: Time) -> Iterator[Run]:
    s3, bucket = shared_bucket
    with ExitStack() as stack:
        endpoint = stack.enter_context(export_task_server(service))

        def start(
            *,
            attempts: int = 1,
            deadline_s: float = 3600,
            prefix: str = "",
            name: str = "",
            archive: str = "archive",
            end: int = END,
        ) -> Source:
            logs = stack.enter_context(closing(client("logs", region=None, endpoint_url=endpoint, attempts=attempts)))
            return run_bulk(
                logs, s3, GROUP, (START, end), f"s3://{bucket}{prefix}", name or f"run-{uuid4().hex}",
                deadline_s=deadline_s, pause=time.pause, clock=time.clock, owner=None, apart_from=archive,
            )  # fmt: skip

        yield start


def read(source: Source) -> dict[str, bytes]:
    """Each object's name and its inflated bytes, as far as they are lines."""
    found = {}
    for one in source.objects:
        with one.open() as reading:
            pieces = list(reading.batches())
        assert all(isinstance(piece, Batch) for piece in pieces)
        found[one.name] = b"".join(piece.data for piece in pieces if isinstance(piece, Batch))
    return found


def created(service: ExportService) -> int:
    return service.operations().count("CreateExportTask")


def test_the_objects_of_the_task_are_read_whole(service: ExportService, run: Run) -> None:
    service.streams = {
        AUDIT: [(START + n, message(f"user-{n}")) for n in range(250)],
        "kube-apiserver-audit-9f/8e": [(START, message("other"))],
    }
    found = read(run(prefix="/bulk/eks"))
    names = [f"{AUDIT}/{n:06d}.gz" for n in range(3)] + ["kube-apiserver-audit-9f-8e/000000.gz"]
    assert list(found) == [f"{SPAN}/{name}" for name in names]
    assert sum(data.count(b'"auditID"') for data in found.values()) == 251


def test_objects_of_two_windows_have_two_names_though_tasks_number_alike(service: ExportService, run: Run) -> None:
    service.streams = {AUDIT: [(START, message()), (END, message("b"))]}
    one, two = read(run()), read(run(end=END + 1))
    assert [name.partition("/")[2] for name in (*one, *two)] == [f"{AUDIT}/000000.gz"] * 2
    assert not set(one) & set(two)


def test_first_and_last_millisecond_belong_to_the_window_and_the_next_does_not(
    service: ExportService, run: Run
) -> None:
    service.streams = {AUDIT: [(START - 1, message("a")), (START, message("b")), (END - 1, message("c")),
                               (END, message("d"))]}  # fmt: skip
    (data,) = read(run()).values()
    assert [user in data for user in (b'"a"', b'"b"', b'"c"', b'"d"')] == [False, True, True, False]


def test_a_task_is_told_its_group_window_streams_and_a_prefix_of_its_own(service: ExportService, run: Run) -> None:
    run(prefix="/bulk/", name="run-7")
    assert service.asked[0] == (
        "CreateExportTask",
        {
            "taskName": "run-7",
            "logGroupName": GROUP,
            "logStreamNamePrefix": "kube-apiserver-audit",
            "from": START,
            "to": END - 1,
            "destination": "archives",
            "destinationPrefix": "bulk/run-7",
        },
    )


def test_other_streams_of_the_group_are_passed_over(service: ExportService, run: Run) -> None:
    service.streams = {AUDIT: [(START, message())], "authenticator-7": [(START, "time=now")]}
    create = service._create
    service._create = lambda asked: create(asked | {"logStreamNamePrefix": ""})  # type: ignore[method-assign]
    assert list(read(run())) == [f"{SPAN}/{AUDIT}/000000.gz"]


def test_pauses_between_polls_grow_to_a_minute(service: ExportService, run: Run, time: Time) -> None:
    service.statuses = [*["PENDING"] * 4, *["RUNNING"] * 8, "COMPLETED"]
    run()
    assert time.pauses[:3] == [5.0, 7.5, 11.25]
    assert time.pauses == sorted(time.pauses)
    assert time.pauses[-1] == 60


@pytest.mark.parametrize("status", ["PENDING", "RUNNING", "PENDING_CANCEL", "SOMETHING_NEW"])
def test_a_task_that_never_ends_is_cancelled_at_the_deadline_and_named(
    status: str, service: ExportService, run: Run, time: Time
) -> None:
    service.statuses = [status]
    with pytest.raises(AwsError, match=rf"task 0+-.*1: not ended in time \(status {status}\).*bulk_deadline_minutes"):
        run(deadline_s=600)
    assert time.now == 1600
    assert service.asked[-1] == ("CancelExportTask", {"taskId": service.tasks[0]["id"]})


def test_a_refused_cancel_does_not_hide_the_deadline(service: ExportService, run: Run) -> None:
    service.statuses = ["RUNNING"]
    service.faults = [("CancelExportTask", "AccessDeniedException")]
    with pytest.raises(AwsError, match="not ended in time"):
        run(deadline_s=60)


def test_a_failed_task_says_its_message_and_the_policy_it_needs(service: ExportService, run: Run) -> None:
    service.statuses, service.message = ["RUNNING", "FAILED"], "the bucket said no"
    with pytest.raises(AwsError, match=r"task 0+.*failed \(the bucket said no\); .* logs\.us-east-1\.amazonaws\.com "):
        run()


def test_a_task_that_somebody_cancelled_is_an_error(service: ExportService, run: Run) -> None:
    service.statuses = ["RUNNING", "PENDING_CANCEL", "CANCELLED"]
    with pytest.raises(AwsError, match="cancelled by somebody"):
        run()


def test_a_task_without_an_object_is_an_empty_night(service: ExportService, run: Run) -> None:
    service.streams = {"authenticator-7": [(START, "time=now")]}
    with pytest.raises(EmptyNightError, match="completed without an object of kube-apiserver-audit"):
        run()


def test_another_task_of_the_account_is_waited_for(service: ExportService, run: Run) -> None:
    service.occupy(5)
    assert len(read(run())) == 1
    assert created(service) == 6


def test_another_task_without_end_is_an_error_at_the_deadline(service: ExportService, run: Run, time: Time) -> None:
    service.occupy(1_000_000)
    with pytest.raises(AwsError, match="another export task of this account runs all the time"):
        run(deadline_s=900)
    assert time.now == 1900


@pytest.mark.parametrize("fault", ["lost", "torn", "page"])
@pytest.mark.parametrize("attempts", [1, 2], ids=["asked once", "repeated by botocore"])
def test_a_task_whose_answer_was_lost_is_found_by_its_name(
    fault: str, attempts: int, service: ExportService, run: Run
) -> None:
    for _ in range(4):
        service.occupy(0)
    service.faults = [("CreateExportTask", fault)]
    assert len(read(run(attempts=attempts))) == 1
    assert len([task for task in service.tasks if task["asked"]["taskName"].startswith("run-")]) == 1


def test_a_request_that_never_ran_is_sent_again(service: ExportService, run: Run) -> None:
    service.faults = [("CreateExportTask", "ServiceUnavailableException")] * 3
    assert len(read(run())) == 1
    assert created(service) == 4


def test_a_task_is_not_made_twice_while_nobody_knows_of_the_first(service: ExportService, run: Run) -> None:
    service.faults = [("CreateExportTask", "lost"), *[("DescribeExportTasks", "ServiceUnavailableException")] * 3]
    assert len(read(run())) == 1
    assert created(service) == 1


def test_a_list_of_tasks_without_end_is_an_error(service: ExportService, run: Run) -> None:
    service.faults = [("CreateExportTask", "lost"), *[("DescribeExportTasks", "again")] * 100]
    with pytest.raises(AwsError, match="a list of tasks that begins again"):
        run()
    assert created(service) == 1


def test_a_service_that_never_answers_is_an_error(service: ExportService, run: Run) -> None:
    service.faults = [("CreateExportTask", "ServiceUnavailableException")] * 100
    with pytest.raises(AwsError, match="CreateExportTask"):
        run()
    assert created(service) == 8


@pytest.mark.parametrize("fault", ["lost", "torn", "page", "ServiceUnavailableException", "ThrottlingException"])
def test_a_poll_without_an_answer_is_made_again(fault: str, service: ExportService, run: Run) -> None:
    service.faults = [("DescribeExportTasks", fault)] * 5
    assert len(read(run())) == 1


@pytest.mark.parametrize(
    ("operation", "code", "mend"),
    [
        ("CreateExportTask", "AccessDeniedException", "logs:CreateExportTask, .* s3:PutObject"),
        ("CreateExportTask", "InvalidParameterException", "policy of the destination bucket .* s3:GetBucketAcl"),
        ("CreateExportTask", "ResourceNotFoundException", "log group and bucket"),
        ("DescribeExportTasks", "AccessDeniedException", "logs:DescribeExportTasks"),
    ],
)
def test_a_refusal_is_final_and_says_what_mends_it(
    operation: str, code: str, mend: str, service: ExportService, run: Run, time: Time
) -> None:
    service.faults = [(operation, code)]
    with pytest.raises(AwsError, match=f"^export of {GROUP} to s3://archives/run-.*{code}.*{mend}"):
        run()
    assert time.pauses == []


def test_a_bucket_that_is_refused_gets_no_export(service: ExportService, time: Time, moto: str) -> None:
    with (
        export_task_server(service) as endpoint,
        closing(client("logs", region=None, endpoint_url=endpoint)) as logs,
        closing(client("s3", region=None, endpoint_url=moto)) as s3,
        pytest.raises(ConfigError, match="NoSuchBucket"),
    ):
        run_bulk(
            logs, s3, GROUP, (START, END), "s3://nobodys", "run",
            deadline_s=60, pause=time.pause, clock=time.clock, owner="123456789012", apart_from="archive",
        )  # fmt: skip
    assert service.asked == []


def interrupting(time: Time, error: type[BaseException], after: int) -> None:
    """Lets the n-th pause be broken off."""

    def pause(seconds: float) -> None:
        time.pauses.append(seconds)
        if len(time.pauses) == after:
            raise error

    time.pause = pause  # type: ignore[method-assign]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, Ended])
def test_an_interrupted_run_leaves_no_task(
    error: type[BaseException], service: ExportService, run: Run, time: Time
) -> None:
    service.statuses = ["RUNNING"]
    interrupting(time, error, 3)
    with pytest.raises(error):
        run()
    assert service.asked[-1] == ("CancelExportTask", {"taskId": service.tasks[0]["id"]})


def test_a_task_whose_answer_was_lost_is_cancelled_by_an_interrupted_run(
    service: ExportService, run: Run, time: Time
) -> None:
    service.statuses, service.faults = ["RUNNING"], [("CreateExportTask", "lost")]
    interrupting(time, KeyboardInterrupt, 1)
    with pytest.raises(KeyboardInterrupt):
        run()
    assert service.asked[-1] == ("CancelExportTask", {"taskId": service.tasks[0]["id"]})


def test_an_interrupted_run_cancels_no_task_of_others(service: ExportService, run: Run, time: Time) -> None:
    service.occupy(1_000_000)
    interrupting(time, KeyboardInterrupt, 2)
    with pytest.raises(KeyboardInterrupt):
        run()
    assert "CancelExportTask" not in service.operations()


@pytest.mark.parametrize("archive", ["", "/", "/bulk", "/bulk/archive", "/bulk/archive/"])
def test_a_destination_that_overlaps_the_archive_gets_no_export(
    archive: str, service: ExportService, run: Run, shared_bucket: tuple[Any, str]
) -> None:
    with pytest.raises(ConfigError, match=r"^bulk_destination s3://archives/bulk: overlaps the archive s3://archives"):
        run(prefix="/bulk", archive=f"s3://{shared_bucket[1]}{archive}")
    assert service.asked == []


@pytest.mark.parametrize("archive", ["s3://others/bulk", "s3://archives/bulky", "./bulk"])
def test_a_destination_beside_the_archive_is_exported_to(archive: str, service: ExportService, run: Run) -> None:
    assert len(read(run(prefix="/bulk", archive=archive))) == 1
    assert created(service) == 1
