"""OpenStack Swift with its s3api: checks signatures and digests; four processes on loopback, each object once."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from real_s3.install import ROOT, swift
from real_s3.processes import Processes, StartError, answers, free_ports, processes
from real_s3.servers import REFUSALS, Server

_STARTS = 3
_PIPELINE = (
    "catch_errors", "healthcheck", "cache", "listing_formats", "s3api", "tempauth", "copy", "slo", "symlink",
    "versioned_writes",
)  # fmt: skip
_OPTIONS = {
    "s3api": ["location = us-east-1", "s3_acl = false"],
    "tempauth": ["user_test_tester = testing .admin"],
    "slo": ["min_segment_size = 1", "rate_limit_after_segment = 1000"],
    "versioned_writes": ["allow_object_versioning = true"],
}


@contextmanager
def serving() -> Iterator[Server]:
    """An empty Swift.

    Raises:
        StartError: it did not come up.
    """
    programs = swift() / "bin"
    for attempt in range(_STARTS):
        with processes(ROOT) as group:
            try:
                endpoint = _start(group, programs)
            except StartError:  # another process took a port between our asking and its use
                if attempt + 1 < _STARTS:
                    continue
                raise
            yield Server("swift", endpoint, "test:tester", "testing", frozenset(REFUSALS), one_winner=False)
            return


def _start(group: Processes, programs: Path) -> str:
    proxy, nobody, *others = free_ports(5)
    hashes = ["[swift-hash]", "swift_hash_path_prefix = a", "swift_hash_path_suffix = b"]
    _write(group, "swift", *hashes, "[storage-policy:0]", "name = one", "default = yes")
    (group.folder / "disks" / "d1").mkdir(parents=True)
    for kind, port in zip(("account", "container", "object"), others, strict=True):
        ring = programs / "swift-ring-builder"
        group.run(ring, f"{kind}.builder", "create", 4, 1, 1)
        group.run(ring, f"{kind}.builder", "add", f"r1z1-127.0.0.1:{port}/d1", 1)
        group.run(ring, f"{kind}.builder", "rebalance")
        disks = [f"devices = {group.folder / 'disks'}", "mount_check = false", "fallocate_reserve = 0"]
        app = ["[pipeline:main]", f"pipeline = {kind}-server", f"[app:{kind}-server]", f"use = egg:swift#{kind}"]
        _write(group, kind, *_default(group, port), *disks, *app)
        group.start(kind, [programs / f"swift-{kind}-server", f"{kind}.conf"])
    _write(group, "proxy", *_default(group, proxy), *_filters(nobody))
    group.start("proxy", [programs / "swift-proxy-server", "proxy.conf"])
    group.wait("proxy", partial(answers, f"http://127.0.0.1:{proxy}/healthcheck"), 60)
    for kind, port in zip(("account", "container", "object"), others, strict=True):
        group.wait(kind, partial(answers, f"http://127.0.0.1:{port}"), 60)
    return f"http://127.0.0.1:{proxy}"


def _default(group: Processes, port: int) -> list[str]:
    user = pwd.getpwuid(os.getuid()).pw_name
    home = [f"swift_dir = {group.folder}", f"user = {user}"]
    return ["[DEFAULT]", "bind_ip = 127.0.0.1", f"bind_port = {port}", "workers = 0", *home]


def _filters(nobody: int) -> list[str]:
    """The proxy's pipeline; its cache asks a port where nobody listens, and gives up for good at once."""
    cache = [
        f"memcache_servers = 127.0.0.1:{nobody}",
        "error_suppression_limit = 1",
        "error_suppression_interval = 86400",
    ]
    found = ["[pipeline:main]", f"pipeline = {' '.join(_PIPELINE)} proxy-server", "[app:proxy-server]"]
    found += ["use = egg:swift#proxy", "allow_account_management = true", "account_autocreate = true"]
    for name in _PIPELINE:
        egg = "memcache" if name == "cache" else name
        found += [f"[filter:{name}]", f"use = egg:swift#{egg}", *(cache if name == "cache" else _OPTIONS.get(name, []))]
    return found


def _write(group: Processes, name: str, *lines: str) -> None:
    (group.folder / f"{name}.conf").write_text("\n".join(lines) + "\n")
