"""Every declared feature: the smallest events that move it, and nothing else than what they must move."""

from __future__ import annotations

import pytest
from builders import NIGHT, event

from features.catalogue import FEATURES, FOREST, GROUP_SIZES, NAMES, WEIGHTS, YARDSTICKS, feature
from features.items import KINDS
from features.levels import Level

RBAC = {"group": "rbac.authorization.k8s.io", "level": "Request"}
SECRET = {"resource": "secrets"}
SECRET_MOVES = {"distinct_actions", "distinct_resources", "distinct_secret_namespaces"}
OTHER_READ = {"distinct_actions", "distinct_resources"}
OTHER_CREATE = OTHER_READ | {"creates", "writes"}
PRIVILEGED = {"spec": {"containers": [{"securityContext": {"privileged": True}}]}}
ADMIN = {"roleRef": {"kind": "ClusterRole", "name": "cluster-admin"}}
TOKEN = {"verb": "create", "resource": "serviceaccounts", "subresource": "token"}
CLUSTER_WIDE = {"verb": "create", "namespace": None}

# feature: what one more request is, and the features that cannot but move with it; `requests` always does
COUNTED = {
    "requests": ({}, set()),
    "peak_minute": ({"at": f"{NIGHT}T12:00:45Z"}, set()),
    "active_hours": ({"at": f"{NIGHT}T13:00:00Z"}, set()),
    "writes": ({"verb": "patch"}, {"updates", "distinct_actions"}),
    "lists": ({"verb": "list"}, {"distinct_actions"}),
    "cluster_lists": ({"verb": "list", "namespace": None}, {"lists", "distinct_actions"}),
    "gets": ({"name": "cart-0"}, set()),
    "watches": ({"verb": "watch"}, {"distinct_actions"}),
    "creates": ({"verb": "create"}, {"writes", "distinct_actions"}),
    "updates": ({"verb": "update"}, {"writes", "distinct_actions"}),
    "url_requests": ({"resource": None}, {"distinct_actions"}),
    "self_reviews": (
        {"resource": "selfsubjectrulesreviews", "group": "authorization.k8s.io"} | CLUSTER_WIDE,
        OTHER_READ | {"creates"},
    ),
    "deletes": ({"verb": "delete"}, {"writes", "distinct_actions"}),
    "collection_deletes": ({"verb": "deletecollection"}, {"writes", "distinct_actions"}),
    "forbidden": ({"code": 403}, {"distinct_denied_actions"}),
    "unauthorized": ({"code": 401, "stage": "ResponseStarted"}, {"distinct_denied_actions"}),
    "not_found": ({"code": 404}, set()),
    "other_errors": ({"code": 503}, set()),
    "distinct_denied_actions": ({"code": 403}, {"forbidden"}),
    "denied_secrets": (SECRET | {"code": 403}, SECRET_MOVES | {"forbidden", "distinct_denied_actions"}),
    "distinct_addresses": ({"ip": "10.0.0.8"}, set()),
    "distinct_networks": ({"ip": "10.0.1.7"}, {"distinct_addresses"}),
    "public_requests": ({"ip": "198.51.100.7"}, {"distinct_addresses", "distinct_networks"}),
    "distinct_agents": ({"agent": "curl/8"}, set()),
    "distinct_namespaces": ({"namespace": "pay"}, set()),
    "distinct_resources": ({"resource": "services"}, {"distinct_actions"}),
    "distinct_actions": ({"verb": "list"}, {"lists"}),
    "secret_reads": (SECRET, SECRET_MOVES),
    "distinct_secrets": (SECRET | {"name": "db"}, SECRET_MOVES | {"secret_reads", "gets"}),
    "distinct_secret_namespaces": (SECRET | {"code": 404}, OTHER_READ | {"not_found"}),
    "secret_lists": (SECRET | {"verb": "list"}, SECRET_MOVES | {"secret_reads", "lists"}),
    "rbac_writes": (RBAC | {"verb": "create", "resource": "roles", "body": {"rules": []}}, OTHER_CREATE),
    "strong_rbac_writes": (
        RBAC | {"verb": "create", "resource": "rolebindings", "body": ADMIN},
        OTHER_CREATE | {"rbac_writes"},
    ),
    "execs": ({"subresource": "exec"}, OTHER_READ),
    "token_requests": (TOKEN, OTHER_CREATE),
    "privileged_writes": (
        {"verb": "create", "level": "Request", "body": PRIVILEGED},
        {"creates", "writes", "distinct_actions"},
    ),
    "hook_writes": (
        {"resource": "mutatingwebhookconfigurations", "group": "admissionregistration.k8s.io"} | CLUSTER_WIDE,
        OTHER_CREATE,
    ),
    "certificate_writes": (
        {"resource": "certificatesigningrequests", "group": "certificates.k8s.io"} | CLUSTER_WIDE,
        OTHER_CREATE,
    ),
    "node_proxy_requests": ({"resource": "nodes", "subresource": "proxy", "namespace": None}, OTHER_READ),
    "aws_auth_writes": (
        {"verb": "patch", "resource": "configmaps", "namespace": "kube-system", "name": "aws-auth"},
        OTHER_READ | {"updates", "writes", "distinct_namespaces"},
    ),
    "impersonated_requests": ({"impersonates": "root"}, {"distinct_impersonated_users"}),
    "distinct_impersonated_users": ({"impersonates": "root"}, {"impersonated_requests"}),
}

# kind of item: what one more request is that holds a new one
NEW = {
    "denied": {"code": 403},
    "address": {"ip": "10.0.0.8"},
    "network": {"ip": "10.0.1.7"},
    "agent": {"agent": "curl/8"},
    "hour": {"at": f"{NIGHT}T13:00:00Z"},
    "namespace": {"namespace": "pay"},
    "action": {"verb": "list"},
    "write": {"verb": "patch"},
    "secret": SECRET,
    "secret_namespace": SECRET,
    "sensitive": {"subresource": "exec"},
}

ORDINARY = {"at": f"{NIGHT}T12:05:00Z"}
COUNTED_FEATURES = [f for f in FEATURES if f.new is None]
NEW_FEATURES = [f for f in FEATURES if f.new is not None and f.new[1] in YARDSTICKS]


def _account(name):
    return f"system:serviceaccount:shop:{name.replace('_', '-')}"


def _baseline(user):
    return [event(user=user, at=f"{NIGHT}T12:00:{s}Z") for s in ("00", "30")]


@pytest.fixture(scope="module")
def moved(night):
    """By feature: how far each number of its own principal stands from the baseline's, with nothing new to anybody."""
    events = _baseline(_account("baseline"))
    for name, (more, _) in COUNTED.items():
        user = _account(name)
        events += [*_baseline(user), event(**(ORDINARY | {"user": user} | more))]
    days = night(*events, past=night(*events).items).days
    calm = days[_account("baseline")]
    return {
        name: {n: days[_account(name)][n] - calm[n] for n in NAMES if days[_account(name)][n] != calm[n]}
        for name in COUNTED
    }


@pytest.mark.parametrize("name", [f.name for f in COUNTED_FEATURES])
def test_one_more_request_moves_the_feature_and_only_what_it_must(moved, name):
    assert moved[name] == dict.fromkeys(COUNTED[name][1] | {name, "requests"}, 1)


@pytest.fixture(scope="module")
def touched(night):
    """(kind, item) pairs of the baseline and, by kind, of its one more request."""
    more = {_account(kind): event(**(ORDINARY | {"user": _account(kind)} | NEW[kind])) for kind in NEW}
    found = night(*_baseline(_account("baseline")), *more.values()).items
    return {name: {row[2:] for row in found if row[0] == name} for name in (_account("baseline"), *more)}


@pytest.mark.parametrize("f", NEW_FEATURES, ids=lambda f: f.name)
def test_an_item_is_new_for_whom_it_is_new_and_only_its_kind_moves(night, touched, f):
    kind, whom = f.new
    me, old = (_account(kind), "workload"), touched[_account("baseline")]
    fresh = {pair for pair in touched[me[0]] if pair[0] == kind} - old
    assert len(fresh) == 1
    past = [(*me, *pair) for pair in (old | touched[me[0]]) - fresh]
    if whom != "cluster":
        other = {"principal": (_account("pay"), "workload"), "type": ("eve", "person")}[whom]
        past += [(*other, *pair) for pair in fresh]
    day = night(*_baseline(me[0]), event(**(ORDINARY | {"user": me[0]} | NEW[kind])), past=past).days[me[0]]
    wider = YARDSTICKS[: YARDSTICKS.index(whom) + 1]
    expected = [g.name for g in NEW_FEATURES if g.new[0] == kind and g.new[1] in wider]
    assert {n: day[n] for n in NAMES if n.startswith("new_") and day[n]} == dict.fromkeys(expected, 1)


def test_a_client_of_others_moves_the_borrowed_clients_and_is_new_to_the_principal(night):
    mine, others = _account("lent"), _account("other")
    past = [(others, "workload", "agent", "curl"), (others, "workload", "client", "curl 10.0.0.7")]
    known = night(*_baseline(mine)).items
    day = night(*_baseline(mine), event(user=mine, agent="curl/8", **ORDINARY), past=[*known, *past]).days[mine]
    assert {n: day[n] for n in NAMES if n.startswith(("new_", "borrowed"))} == {
        n: n in ("new_agents", "borrowed_clients") for n in NAMES if n.startswith(("new_", "borrowed"))
    }


def test_no_feature_is_without_its_events():
    assert list(COUNTED) == [f.name for f in COUNTED_FEATURES]
    assert list(NEW) == [k.name for k in KINDS if k.group is not None]


def test_names_are_told_apart():
    assert len(set(NAMES)) == len(FEATURES)
    assert all(name.isidentifier() and name.islower() for name in NAMES)


def test_every_group_has_a_positive_weight_and_no_weight_is_idle():
    assert set(GROUP_SIZES) == set(WEIGHTS)
    assert all(weight > 0 for weight in WEIGHTS.values())
    assert all(f.weight == pytest.approx(WEIGHTS[f.group] / GROUP_SIZES[f.group] ** 0.5) for f in FOREST)


def test_what_the_forest_does_not_read_weighs_nothing_and_takes_no_weight():
    assert sum(GROUP_SIZES.values()) == len(FOREST)
    assert all(f.weight == 0 for f in FEATURES if f not in FOREST)


@pytest.mark.parametrize("f", FEATURES, ids=lambda f: f.name)
def test_a_declaration_can_be_printed(f):
    assert f.meaning.endswith(".")
    assert f.meaning[0].isupper() or f.meaning[0] == "("
    assert f.unit.endswith("s")
    assert f.unit == f.unit.strip().lower()


@pytest.mark.parametrize("f", FEATURES, ids=lambda f: f.name)
def test_a_feature_has_one_form_and_refers_to_what_exists(f):
    assert sum(form is not None for form in (f.distinct, f.peak, f.new)) <= 1
    assert f.at_most is None or f.distinct is not None
    assert (f.needs is Level.METADATA) == (f.reads_bodies_of is None)
    assert feature(f.name) is f


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match="no feature is named 'teapots'"):
        feature("teapots")
