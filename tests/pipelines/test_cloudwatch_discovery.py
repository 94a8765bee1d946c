"""What stands in the way of a night, told apart: each outcome with its own message, code and mend."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date

import pytest
from logs_server import FOR_EVER, Fault, Stored
from logs_world import NOW_MS, START_MS, World, batches, data, spread, world

from pipelines.aws.pacing import Limits
from pipelines.aws.session import client
from pipelines.errors import AuditForestError, AwsError, ConfigError, DataError, EmptyNightError, Exit
from pipelines.sources.cloudwatch import open_logs
from pipelines.sources.window import HOUR_MS, Window, midnight_ms, of_nights

NIGHT = date(2026, 9, 15)
NIGHT_MS = midnight_ms(NIGHT)
DAY_MS = 24 * HOUR_MS
MORNING_MS = NIGHT_MS + DAY_MS + 2 * HOUR_MS
WINDOW = of_nights(NIGHT, NIGHT, 6, MORNING_MS)


@pytest.fixture(scope="module")
def served() -> Iterator[World]:
    with world() as made:
        yield made


@pytest.fixture
def logs(served: World) -> World:
    served.reset()
    served.fake.add(*spread(24, NIGHT_MS, HOUR_MS))
    return served


def refused(logs: World, **more: object) -> AuditForestError:
    with pytest.raises(AuditForestError) as caught:
        logs.open(**{"window": WINDOW, "now_ms": MORNING_MS, **more})  # type: ignore[arg-type]
    assert str(caught.value).isprintable()
    return caught.value


def no_cluster(logs: World) -> None:
    logs.fake.clusters.clear()


def audit_off(logs: World) -> None:
    logs.fake.add_cluster(audit=False)
    logs.fake.events.clear()


def audit_off_and_no_group(logs: World) -> None:
    audit_off(logs)
    logs.fake.groups.clear()


def no_group(logs: World) -> None:
    logs.fake.groups.clear()
    logs.fake.add_group("/aws/eks/prod/cluster-2")


def empty_group(logs: World) -> None:
    logs.fake.events.clear()


def other_streams_only(logs: World) -> None:
    logs.fake.events[:] = spread(24, NIGHT_MS, HOUR_MS, ["kube-apiserver-0"])
    logs.fake.heeds_prefix = False


def gone(logs: World) -> None:
    logs.fake.add_group(retention_days=1)


@pytest.mark.parametrize(
    ("arrange", "now_ms", "error", "says"),
    [
        (no_cluster, MORNING_MS, ConfigError, "cluster prod (us-east-1): EKS knows no such cluster; check --cluster"),
        (audit_off, MORNING_MS, EmptyNightError, "cluster prod: audit logging is off, and of the asked nights nothing"),
        (audit_off_and_no_group, MORNING_MS, EmptyNightError, "cluster prod: audit logging is off; turn audit logging"),
        (no_group, MORNING_MS, EmptyNightError, "log group /aws/eks/prod/cluster (us-east-1): there is none of this"),
        (empty_group, MORNING_MS, EmptyNightError, "(us-east-1): it is there, but holds no audit event (streams kube-"),
        (other_streams_only, MORNING_MS, EmptyNightError, "it is there, but holds no audit event (streams kube-"),
        (gone, NIGHT_MS + 2 * DAY_MS, EmptyNightError, "keeps events for 1 days, so everything before 2026-09-16"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_each_outcome_has_its_own_message(
    logs: World, arrange: Callable[[World], None], now_ms: int, error: type[AuditForestError], says: str
) -> None:
    arrange(logs)
    found = refused(logs, now_ms=now_ms)
    assert type(found) is error
    assert found.exit_code == (Exit.USAGE if error is ConfigError else Exit.EMPTY)
    assert says in str(found)
    assert "; " in str(found)


def test_a_healthy_night_is_read_without_a_notice(logs: World) -> None:
    logs.fake.add_group(retention_days=30)
    source = logs.open(WINDOW, now_ms=MORNING_MS)
    assert source.notices == ()
    assert source.objects[0].name.endswith("/2026-09-14T18")
    assert source.objects[-1].name.endswith("/2026-09-16T00")
    assert data(source).count(b"\n") == 24


def test_logging_that_was_turned_off_in_the_night_does_not_hide_what_was_written_before(logs: World) -> None:
    # whoever turns it off has something to hide: what stands in the log must not be lost to that
    logs.fake.add_cluster(audit=False)
    source = logs.open(WINDOW, now_ms=MORNING_MS)
    assert "Audit logging of cluster prod is off now" in source.notices[0]
    assert data(source).count(b"\n") == 24


@pytest.mark.parametrize("at_ms", [NIGHT_MS - 1, NIGHT_MS + DAY_MS], ids=["before", "after"])
def test_what_was_written_beside_the_night_does_not_stand_for_it_when_logging_is_off(logs: World, at_ms: int) -> None:
    audit_off(logs)
    logs.fake.add(Stored(at_ms, "x"))
    assert "audit logging is off" in str(refused(logs))


def test_without_the_right_to_ask_eks_the_night_is_read_with_a_notice(logs: World) -> None:
    logs.fake.faults = [Fault.refusal("AccessDeniedException", 403, operation="DescribeCluster")]
    source = logs.open(WINDOW, now_ms=MORNING_MS)
    assert "is on could not be checked; let the role eks:DescribeCluster." in source.notices[0]
    assert data(source).count(b"\n") == 24


def test_without_a_client_of_eks_the_same_is_said(logs: World) -> None:
    assert "could not be checked" in logs.open(WINDOW, now_ms=MORNING_MS, eks=None).notices[0]
    assert logs.fake.calls("DescribeCluster") == 0


def test_an_answer_of_eks_that_does_not_speak_of_logging_is_no_proof_that_it_is_off(logs: World) -> None:
    logs.fake.clusters["prod"] = {"name": "prod"}
    assert "could not be checked" in logs.open(WINDOW, now_ms=MORNING_MS).notices[0]


@pytest.mark.parametrize("code", ["ExpiredTokenException", "UnrecognizedClientException"])
def test_another_refusal_of_eks_ends_the_run(logs: World, code: str) -> None:
    logs.fake.faults = [Fault.refusal(code, operation="DescribeCluster")]
    assert isinstance(refused(logs), AwsError)


def test_discovery_outlasts_throttling(logs: World) -> None:
    for operation in ("DescribeCluster", "DescribeLogGroups", "FilterLogEvents"):
        logs.fake.faults.append(Fault.refusal("ThrottlingException", operation=operation, times=2))
    assert logs.open(WINDOW, now_ms=MORNING_MS).notices == ()


@pytest.mark.parametrize("operation", ["DescribeCluster", "DescribeLogGroups", "FilterLogEvents"])
def test_an_empty_answer_is_never_taken_for_a_missing_log(logs: World, operation: str) -> None:
    logs.fake.faults = [Fault(operation=operation, body=b"", times=FOR_EVER)]
    assert isinstance(refused(logs), DataError)


def test_a_group_is_found_by_its_whole_name_behind_pages_of_others(logs: World) -> None:
    for name in ("a", "b", "c", "d"):
        logs.fake.add_group(f"/aws/eks/prod/cluster-{name}")
    logs.fake.groups["/aws/eks/prod/cluster"]["logGroupName"] = "/aws/eks/prod/cluster"
    assert logs.open(WINDOW, now_ms=MORNING_MS, group="/aws/eks/prod/cluster").objects
    logs.fake.add_group("/aws/eks/prod/cluster-dd")
    logs.fake.add(Stored(NIGHT_MS, "x"))
    assert logs.open(WINDOW, now_ms=MORNING_MS, group="/aws/eks/prod/cluster-dd").objects
    del logs.fake.groups["/aws/eks/prod/cluster"]
    assert "there is none of this name" in str(refused(logs))
    assert logs.fake.calls("DescribeLogGroups") == 1 + 1 + 3


@pytest.mark.parametrize(("hours", "partly"), [(24, False), (25, True), (47, True)])
def test_a_night_of_which_a_part_has_expired_is_read_and_says_so(logs: World, hours: int, partly: bool) -> None:
    gone(logs)
    now_ms = NIGHT_MS + hours * HOUR_MS
    kept = [e for e in logs.fake.events if e.at_ms >= now_ms - DAY_MS]
    logs.fake.events[:] = kept
    source = logs.open(of_nights(NIGHT, NIGHT, 6, now_ms), now_ms=now_ms)
    said = f"keeps events for 1 days: audit events before 2026-09-15 {hours - 24:02d}:00:00 UTC are gone"
    assert [said in notice for notice in source.notices] == ([True] if partly else [])
    assert data(source).count(b"\n") == len(kept)


def test_a_log_younger_than_the_night_says_so(logs: World) -> None:
    logs.fake.events[:] = [e for e in logs.fake.events if e.at_ms >= NIGHT_MS + 9 * HOUR_MS]
    notice = logs.open(WINDOW, now_ms=MORNING_MS).notices[0]
    assert "The oldest audit event in log group /aws/eks/prod/cluster is of 2026-09-15 09:00:00 UTC" in notice


def test_a_log_that_answers_with_empty_pages_is_not_called_empty(logs: World) -> None:
    logs.fake.page_events, logs.fake.empty_pages = 1, 8
    logs.fake.heeds_prefix = False
    logs.fake.events[:] = [Stored(NIGHT_MS - 2 + i, "x", "scheduler-1") for i in range(4)] + logs.fake.events
    assert logs.open(WINDOW, now_ms=MORNING_MS).notices == ()
    assert data(logs.open(WINDOW, now_ms=MORNING_MS)).count(b"\n") == 24


def test_the_cluster_is_never_changed(logs: World) -> None:
    data(logs.open(WINDOW, now_ms=MORNING_MS))
    assert {name for name, _ in logs.fake.asked} == {"DescribeCluster", "DescribeLogGroups", "FilterLogEvents"}


def test_through_moto_the_same_night_is_read(moto: str) -> None:
    # moto ignores the prefix of streams and calls its JSON text/html; it takes no event older than 14 days
    now_ms = int(time.time() * 1000)
    start_ms = now_ms - 2 * HOUR_MS
    with (
        closing(client("logs", region=None, endpoint_url=moto)) as logs,
        closing(client("eks", region=None, endpoint_url=moto)) as eks,
    ):
        kinds = [{"types": ["audit"], "enabled": True}]
        role = "arn:aws:iam::123456789012:role/eks"
        eks.create_cluster(
            name="moto-1", roleArn=role, resourcesVpcConfig={"subnetIds": ["a"]}, logging={"clusterLogging": kinds}
        )
        name = "/aws/eks/moto-1/cluster"
        logs.create_log_group(logGroupName=name)
        for stream in ("kube-apiserver-audit-a", "scheduler-1"):
            logs.create_log_stream(logGroupName=name, logStreamName=stream)
            events = [{"timestamp": start_ms + i * 60_000, "message": f"{stream} {i}"} for i in range(-1, 91)]
            logs.put_log_events(logGroupName=name, logStreamName=stream, logEvents=events)
        window = Window(start_ms, start_ms + 5_400_000)
        source = open_logs(logs, eks, "moto-1", None, window, Limits(1000, 60), now_ms)
        found = batches(source)
    assert source.notices == ()
    assert b"".join(b.data for b in found).decode().splitlines() == [f"kube-apiserver-audit-a {i}" for i in range(90)]
    assert sum(b.skipped for b in found) == 90


def test_through_moto_a_cluster_without_audit_logging_is_told(moto: str) -> None:
    with (
        closing(client("logs", region=None, endpoint_url=moto)) as logs,
        closing(client("eks", region=None, endpoint_url=moto)) as eks,
    ):
        role = "arn:aws:iam::123456789012:role/eks"
        eks.create_cluster(name="moto-2", roleArn=role, resourcesVpcConfig={"subnetIds": ["a"]})
        with pytest.raises(EmptyNightError, match="audit logging is off"):
            open_logs(logs, eks, "moto-2", None, Window(START_MS, NOW_MS), Limits(1000, 60), NOW_MS)
        with pytest.raises(ConfigError, match="EKS knows no such cluster"):
            open_logs(logs, eks, "moto-3", None, Window(START_MS, NOW_MS), Limits(1000, 60), NOW_MS)
