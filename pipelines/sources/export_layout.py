"""What an export task of CloudWatch Logs leaves in a bucket: PREFIX/aws-logs-write-test, PREFIX/TASK/STREAM/NNNNNN.gz.

A task over the whole log group of a cluster writes the other logs of its control plane, too; the key tells them.
tests/pipelines/test_objects.py and test_files.py read such a folder."""

from __future__ import annotations

import re
from typing import Final

from pipelines.sources.base import AUDIT_STREAMS

_WRITE_TEST = "aws-logs-write-test"
_OBJECT = re.compile(r"(?:.*/)?([^/]+)/[0-9]{6}\.gz", re.DOTALL)
OTHER_STREAMS: Final = (
    "kube-apiserver-",
    "authenticator-",
    "kube-controller-manager-",
    "cloud-controller-manager-",
    "kube-scheduler-",
)
"""What the streams of a control plane's other logs begin with. A stream of any other name is read: an audit log that
somebody else ships may be called anything."""


def is_write_test(name: str) -> bool:
    """Whether it is the object by which CloudWatch Logs tries whether it may write."""
    return name.rpartition("/")[2] == _WRITE_TEST


def is_exported(name: str) -> bool:
    """Whether it is called as an export task calls what it writes."""
    return _OBJECT.fullmatch(name) is not None


def is_of_other_stream(name: str) -> bool:
    """Whether an object holds another log of the control plane than the audit log, as far as its name tells."""
    found = _OBJECT.fullmatch(name)
    return found is not None and found[1].startswith(OTHER_STREAMS) and not found[1].startswith(AUDIT_STREAMS)
