"""Log groups in the moto of this process, with events as old as a test likes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import boto3
from moto.backends import get_backend
from moto.core.models import DEFAULT_ACCOUNT_ID

REGION = "us-east-1"
_STREAMS = 3


def fill(group: str, lines: Sequence[bytes]) -> None:
    """Make a group of three streams that hold these lines in turn, each at its event's time.

    Past the API, which refuses what is older than 14 days; what is no event comes right after the line before it.
    """
    backend: Any = get_backend("logs")[DEFAULT_ACCOUNT_ID][REGION]
    backend.create_log_group(group, {})
    told: list[list[dict[str, Any]]] = [[] for _ in range(_STREAMS)]
    last = 0
    for nth, line in enumerate(lines):
        last = _time_ms(line, last)
        told[nth % _STREAMS].append({"timestamp": last, "message": line.decode().rstrip("\n")})
    for nth, events in enumerate(told):
        name = f"kube-apiserver-audit-{nth:032x}"
        backend.create_log_stream(group, name)
        backend.groups[group].put_log_events(name, sorted(events, key=lambda e: int(e["timestamp"])))


def know_cluster(endpoint: str, name: str) -> None:
    """Have EKS know a cluster that writes its audit log."""
    eks: Any = boto3.client(
        "eks", endpoint_url=endpoint, region_name=REGION, aws_access_key_id="testing", aws_secret_access_key="testing"
    )
    if name not in eks.list_clusters()["clusters"]:
        eks.create_cluster(
            name=name,
            roleArn=f"arn:aws:iam::{DEFAULT_ACCOUNT_ID}:role/control-plane",
            resourcesVpcConfig={"subnetIds": ["subnet-12345678"]},
            logging={"clusterLogging": [{"types": ["audit"], "enabled": True}]},
        )
    eks.close()


def _time_ms(line: bytes, otherwise: int) -> int:
    try:
        return int(datetime.fromisoformat(json.loads(line)["stageTimestamp"]).timestamp() * 1000)
    except ValueError:
        return otherwise
