"""Attacks on credentials: tokens, secrets, identities and certificates."""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.backtest.kinds import Call, Kind
from pipelines.backtest.scene import LackingError, Scene

ANYBODY = ("person", "workload", "system account", "node", "control plane")
NO_NODE = ("person", "workload", "system account", "control plane")
"""Types whose rights can be wide; a node's are fixed by its authoriser."""

_REVIEW = "authorization.k8s.io"
_CERTIFICATES = "certificates.k8s.io"
_YEARS_S = 10 * 365 * 86_400


def _stolen_token(scene: Scene) -> Iterator[Call]:
    address, agent = scene.foreign_address(), scene.agent()
    namespaces = scene.namespaces(3, 8)
    number = scene.chance.randint(6, 30)
    for step, at in enumerate(scene.times(number, 6, scene.cluster.hours)):
        namespace = scene.chance.choice(namespaces)
        refused = scene.chance.random() < (0.3 if scene.actor.type in ("person", "control plane") else 0.6)
        code = 403 if refused else 200
        if step % 4 == 0:
            yield Call(at, "create", "selfsubjectrulesreviews", _REVIEW, code=201, address=address, agent=agent)
        elif step % 4 == 1:
            what = scene.chance.choice(("pods", "configmaps", "services", "serviceaccounts"))
            yield Call(at, "list", what, None, namespace, code=code, address=address, agent=agent)
        elif step % 4 == 2:
            yield Call(at, "list", "secrets", None, namespace, code=code, address=address, agent=agent)
        else:
            yield Call(at, "get", uri="/api", address=address, agent=agent)


def _mass_secret_read(scene: Scene) -> Iterator[Call]:
    secrets = scene.secrets(25, 80)
    # the node authoriser shows a node the secrets of its own pods alone
    code = 403 if scene.actor.type == "node" else 200
    first, *rest = scene.times(len(secrets) + 1, 3)
    yield Call(first, "list", "secrets", code=code)
    for at, secret in zip(rest, secrets, strict=True):
        yield Call(at, "get", "secrets", None, secret.namespace, secret.name, code=code)


def _slow_secret_read(scene: Scene) -> Iterator[Call]:
    secrets = scene.secrets(10, 24)
    for at, secret in zip(scene.all_day(len(secrets)), secrets, strict=True):
        yield Call(at, "get", "secrets", None, secret.namespace, secret.name)


def _token_minting(scene: Scene) -> Iterator[Call]:
    accounts = scene.some([a for a in scene.cluster.accounts if a.namespace], 6, 15, "service account")
    first, *rest = scene.times(len(accounts) + 1, 10)
    node = scene.actor.type == "node"
    yield Call(first, "list", "serviceaccounts", code=403 if node else 200)
    for at, account in zip(rest, accounts, strict=True):
        # a node may ask for tokens of the accounts of its own pods
        code = 403 if node and scene.chance.random() < 0.7 else 201
        facts = {"token_expiration_s": _YEARS_S}
        yield Call(at, "create", "serviceaccounts", None, account.namespace, account.name, "token", code, facts)


def _impersonation(scene: Scene) -> Iterator[Call]:
    others = [name for name in scene.cluster.people if name != scene.actor.faces[0].identity["username"]]
    victims = [*scene.chance.sample(others, min(2, len(others))), "system:admin"]
    namespaces = scene.namespaces(3, 6)
    for at in scene.times(scene.chance.randint(10, 25), 20):
        what = scene.chance.choice(("pods", "secrets", "configmaps", "deployments"))
        group = "apps" if what == "deployments" else None
        place, victim = scene.chance.choice(namespaces), scene.chance.choice(victims)
        yield Call(at, "list", what, group, place, impersonates=victim)


def _certificate_back_door(scene: Scene) -> Iterator[Call]:
    name = f"csr-{scene.word()}"
    made, approved, *reads = scene.times(5, 12)
    requests = "certificatesigningrequests"
    yield Call(made, "create", requests, _CERTIFICATES, name=name, code=201)
    yield Call(approved, "update", requests, _CERTIFICATES, name=name, subresource="approval")
    for at in reads:
        yield Call(at, "get", requests, _CERTIFICATES, name=name)


def _off_hours_administrator(scene: Scene) -> Iterator[Call]:
    hours = scene.idle_hours()
    namespaces, secrets = scene.namespaces(4, 8), scene.secrets(2, 4)
    looks = [
        ("pods", None),
        ("deployments", "apps"),
        ("configmaps", None),
        ("secrets", None),
        ("serviceaccounts", None),
    ]
    first, second, third, *rest = scene.times(20 + len(secrets), 25, hours)
    yield Call(first, "list", "namespaces")
    for at in rest[: -len(secrets)]:
        what, group = scene.chance.choice(looks)
        yield Call(at, "list", what, group, scene.chance.choice(namespaces))
    for at, secret in zip(rest[-len(secrets) :], secrets, strict=True):
        yield Call(at, "get", "secrets", None, secret.namespace, secret.name)
    place, name = namespaces[0], scene.word()
    yield Call(second, "create", "serviceaccounts", None, place, name, code=201)
    facts = {"binding_role": "ClusterRole/edit", "binding_subjects": [f"ServiceAccount/{place}/{name}"]}
    yield Call(third, "create", "rolebindings", "rbac.authorization.k8s.io", place, name, code=201, facts=facts)


def _aws_auth_change(scene: Scene) -> Iterator[Call]:
    if "kube-system" not in scene.cluster.namespaces:
        raise LackingError("the night and its history show nothing of kube-system, where aws-auth lives")
    account = scene.chance.randrange(10**12)
    facts = {"aws_auth_identities": [f"arn:aws:iam::{account:012d}:role/{scene.word()}"]}
    before, change, after = scene.times(3, 5)
    yield Call(before, "get", "configmaps", None, "kube-system", "aws-auth")
    yield Call(change, "patch", "configmaps", None, "kube-system", "aws-auth", facts=facts)
    yield Call(after, "get", "configmaps", None, "kube-system", "aws-auth")


KINDS = (
    Kind(
        "stolen-token", "T1528", "A token used from a foreign address with an attacker's client, looking around.",
        ANYBODY, _stolen_token, ("new_addresses", "new_networks"),
    ),
    Kind(
        "mass-secret-read", "T1552.007", "Every secret that can be named, read within minutes from the usual place.",
        ANYBODY, _mass_secret_read, ("new_secrets", "denied_secrets"),
    ),
    Kind(
        "slow-secret-read", "T1552.007", "A few secrets an hour for three nights, from the usual place and client.",
        NO_NODE, _slow_secret_read, ("secret_reads",), nights=3,
    ),
    Kind(
        "token-minting", "T1550.001", "Tokens of other service accounts asked for, valid for years.",
        ANYBODY, _token_minting, ("token_requests", "new_denied_actions", "creates"),
    ),
    Kind(
        "impersonation", "T1134.003", "Lists made in the name of other people.",
        ("person", "workload", "system account"), _impersonation, ("impersonated_requests",),
    ),
    Kind(
        "certificate-back-door", "T1649", "A client certificate asked for and approved by the same principal.",
        ("person", "workload", "system account"), _certificate_back_door, ("certificate_writes",),
    ),
    Kind(
        "off-hours-administrator", "T1078.004",
        "A person's credential at an hour farthest from its own: looks around, reads secrets, leaves an account.",
        ("person",), _off_hours_administrator, ("rbac_writes",),
    ),
    Kind(
        "aws-auth-change", "T1098", "A foreign IAM role written into aws-auth.",
        ("person", "workload", "system account"), _aws_auth_change, ("aws_auth_writes",),
    ),
)  # fmt: skip
