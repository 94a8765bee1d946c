"""Ceph's RADOS Gateway: checks signatures, and takes each write in one step; a whole cluster on loopback, in memory."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from uuid import uuid4

from real_s3.install import ROOT, TRIPLET, rgw
from real_s3.processes import Processes, StartError, answers, free_ports, processes
from real_s3.servers import Server

_STARTS = 3
_DEADLINE_S = 60


@contextmanager
def serving() -> Iterator[Server]:
    """An empty RGW.

    Raises:
        StartError: it did not come up.
    """
    system = rgw()
    for attempt in range(_STARTS):
        with processes(ROOT, _environment(system)) as group:
            try:
                endpoint = _start(group, system)
            except StartError:  # another process took a port, or the OSD would not join
                if attempt + 1 < _STARTS:
                    continue
                raise
            checked = frozenset({"secret", "Content-MD5", "x-amz-content-sha256"})
            yield Server("rgw", endpoint, "test", "testing", checked, one_winner=True)
            return


def _environment(system: Path) -> dict[str, str]:
    """For programs that were unpacked and not installed."""
    libraries = system / "usr/lib" / TRIPLET
    return {
        "LD_LIBRARY_PATH": f"{libraries}:{libraries}/ceph:{system}/lib/{TRIPLET}",
        "PATH": f"{system}/usr/bin:{system}/usr/sbin:/usr/bin:/bin",
        "PYTHONPATH": f"{system}/usr/lib/python3/dist-packages",
        "PYTHONHOME": "",
        "CEPH_CONF": "ceph.conf",
    }


def _start(group: Processes, system: Path) -> str:
    monitor, gateway = free_ports(2)
    cluster, osd = str(uuid4()), str(uuid4())
    for name in ("mon", "osd", "rgw", "run"):
        (group.folder / name).mkdir()
    (group.folder / "ceph.conf").write_text(_configuration(group, system, cluster, monitor, gateway))
    group.run("monmaptool", "--create", "--fsid", cluster, "--addv", "a", f"[v1:127.0.0.1:{monitor}]", "monmap")
    group.run("ceph-mon", "-i", "a", "--mkfs", "--monmap", "monmap")
    group.start("mon", ["ceph-mon", "-i", "a", "-f"])
    ceph = ["/usr/bin/python3", system / "usr/bin/ceph", "--connect-timeout", 5]
    group.wait("mon", partial(_does, group, *ceph, "osd", "new", osd), _DEADLINE_S)
    group.run("ceph-osd", "-i", 0, "--mkfs", "--osd-uuid", osd)
    _start_osd(group, ceph)
    group.start("gateway", ["radosgw", "-f", "-n", "client.rgw"])
    group.wait("gateway", partial(answers, f"http://127.0.0.1:{gateway}"), _DEADLINE_S)
    user = ["--uid=test", "--display-name=test", "--access-key=test", "--secret=testing"]
    group.run("radosgw-admin", "user", "create", *user)
    return f"http://127.0.0.1:{gateway}"


def _start_osd(group: Processes, ceph: list[object]) -> None:
    """Begins the OSD until it is up: about every ninth start ends with "wrong fsid" and must be repeated."""
    until = time.monotonic() + _DEADLINE_S
    group.start("osd", ["ceph-osd", "-i", 0, "-f"])
    while "1 up" not in group.run(*ceph, "osd", "stat"):
        if time.monotonic() > until:
            raise StartError(f"osd: not up after {_DEADLINE_S} s")
        if group.ended("osd"):
            group.start("osd", ["ceph-osd", "-i", 0, "-f"])
        time.sleep(0.5)


def _does(group: Processes, *command: object) -> bool:
    try:
        group.run(*command)
    except StartError:
        return False
    return True


def _configuration(group: Processes, system: Path, cluster: str, monitor: int, gateway: int) -> str:
    libraries = system / "usr/lib" / TRIPLET
    found = {
        "fsid": cluster,
        "mon_host": f"[v1:127.0.0.1:{monitor}]",
        "public_addr": "127.0.0.1",
        "auth_cluster_required": "none",
        "auth_service_required": "none",
        "auth_client_required": "none",
        "osd_pool_default_size": "1",
        "osd_pool_default_min_size": "1",
        "osd_objectstore": "memstore",
        "memstore_device_bytes": str(2 << 30),
        "run_dir": str(group.folder / "run"),
        "admin_socket": "",
        "log_file": f"{group.folder}/$name.own.log",
        "mon_data": f"{group.folder}/mon",
        "osd_data": f"{group.folder}/osd",
        "rgw_data": f"{group.folder}/rgw",
        "plugin_dir": f"{libraries}/ceph",
        "erasure_code_dir": f"{libraries}/ceph/erasure-code",
        "osd_class_dir": f"{libraries}/rados-classes",
        "rgw_frontends": f"beast endpoint=127.0.0.1:{gateway}",
    }
    return "\n".join(["[global]", *(f"{name} = {value}" for name, value in found.items())]) + "\n"
