"""Attacks by change: rights, workloads, admission, shells and destruction."""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.backtest.kinds import Call, Kind
from pipelines.backtest.scene import Scene

_HANDS = ("person", "workload", "system account")
"""Types whose credentials an intruder works with; a controller does such things for others all day."""

_RBAC = "rbac.authorization.k8s.io"
_REVIEW = "authorization.k8s.io"
_ADMISSION = "admissionregistration.k8s.io"


def _cluster_admin_binding(scene: Scene) -> Iterator[Call]:
    name = scene.word()
    me = scene.actor.faces[0].identity["username"]
    facts = {"binding_role": "ClusterRole/cluster-admin", "binding_subjects": [f"User/{me}"]}
    asked, looked, bound, *reads = scene.times(scene.chance.randint(5, 8), 8)
    yield Call(asked, "create", "selfsubjectaccessreviews", _REVIEW, code=201)
    yield Call(looked, "list", "clusterroles", _RBAC)
    yield Call(bound, "create", "clusterrolebindings", _RBAC, name=name, code=201, facts=facts)
    for at in reads:
        yield Call(at, "list", scene.chance.choice(("secrets", "pods", "nodes")))


def _privileged_workload(scene: Scene) -> Iterator[Call]:
    place, name = scene.one(scene.cluster.namespaces, "namespace"), scene.word()
    facts: dict[str, object] = {
        "privileged": True,
        "host_path": True,
        "host_pid": True,
        "host_network": False,
        "host_ipc": False,
    }
    facts |= {"images": [f"registry.example/{name}:latest"]}
    tried, made, *watched = scene.times(scene.chance.randint(4, 7), 12)
    resource, group = scene.chance.choice((("pods", None), ("daemonsets", "apps"), ("deployments", "apps")))
    yield Call(tried, "get", resource, group, place, name, code=404)
    yield Call(made, "create", resource, group, place, name, code=201, facts=facts)
    for at in watched:
        yield Call(at, "list", "pods", None, place)


def _admission_webhook(scene: Scene) -> Iterator[Call]:
    name = scene.word()
    hooks = scene.chance.choice(("mutatingwebhookconfigurations", "validatingwebhookconfigurations"))
    facts = {"webhook_targets": [f"https://{scene.foreign_address()}/"]}
    looked, made, *checked = scene.times(4, 6)
    yield Call(looked, "list", hooks, _ADMISSION)
    yield Call(made, "create", hooks, _ADMISSION, name=name, code=201, facts=facts)
    for at in checked:
        yield Call(at, "get", hooks, _ADMISSION, name=name)


def _shells(scene: Scene) -> Iterator[Call]:
    pods = scene.some(scene.cluster.pods, 3, 8, "pod")
    for at, pod in zip(scene.times(len(pods), 40), pods, strict=True):
        yield Call(at, "get", "pods", None, pod.namespace, pod.name)
        for _ in range(scene.chance.randint(1, 3)):
            how = scene.chance.choice(("exec", "exec", "portforward"))
            yield Call(at, "create", "pods", None, pod.namespace, pod.name, how, 101)


def _mass_deletion(scene: Scene) -> Iterator[Call]:
    things = scene.some(scene.cluster.workloads, 15, 40, "workload")
    namespaces = scene.namespaces(2, 3)
    times = scene.times(len(things) + len(namespaces), 10)
    for at, thing in zip(times, things, strict=False):
        yield Call(at, "delete", thing.resource, thing.group, thing.namespace, thing.name)
    for at, namespace in zip(times[len(things) :], namespaces, strict=True):
        what = scene.chance.choice(("pods", "configmaps", "secrets"))
        yield Call(at, "deletecollection", what, None, namespace)


def _node_proxy(scene: Scene) -> Iterator[Call]:
    nodes = scene.some(scene.cluster.nodes, 1, 3, "node")
    for at in scene.times(scene.chance.randint(4, 12), 10):
        node, path = scene.chance.choice(nodes), scene.chance.choice(("runningpods/", "configz", "pods", "logs/"))
        uri = f"/api/v1/nodes/{node}/proxy/{path}"
        yield Call(at, "get", "nodes", None, None, node, "proxy", uri=uri)


KINDS = (
    Kind(
        "cluster-admin-binding", "T1098.006", "A binding of cluster-admin to the actor itself.",
        (*_HANDS, "control plane"), _cluster_admin_binding, ("rbac_writes",),
    ),
    Kind(
        "privileged-workload", "T1610", "A privileged workload with a path and the processes of its node.",
        _HANDS, _privileged_workload, ("privileged_writes", "creates"),
    ),
    Kind(
        "admission-webhook", "T1546", "An admission webhook that sends every object to a foreign address.",
        _HANDS, _admission_webhook, ("hook_writes",),
    ),
    Kind("shells", "T1609", "Shells and port forwards in pods of several namespaces.", _HANDS, _shells, ("execs",)),
    Kind(
        "mass-deletion", "T1485", "Workloads of several namespaces deleted within minutes.",
        _HANDS, _mass_deletion, ("deletes", "collection_deletes"),
    ),
    Kind(
        "node-proxy", "T1609", "The kubelet's own interface reached through the API server.",
        _HANDS, _node_proxy, ("node_proxy_requests",),
    ),
)  # fmt: skip
