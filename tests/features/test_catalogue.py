"""Every declared feature: the smallest events that move it, and nothing else than what they must move."""

from __future__ import annotations

import pytest
from builders import NIGHT, event

from features.blind import LACKABLE
from features.catalogue import FEATURES, FOREST, GROUP_SIZES, NAMES, WEIGHTS, feature, weight
from features.feature import YARDSTICKS
from features.items import KINDS
from features.levels import Level
from features.tables import TABLES

ROLE = {"group": "rbac.authorization.k8s.io", "resource": "roles", "verb": "create", "level": "Request"}
BINDING = ROLE | {"resource": "rolebindings"}
SECRET = {"resource": "secrets"}
SECRET_MOVES = {"distinct_actions", "distinct_resources", "distinct_secret_namespaces"}
OTHER_READ = {"distinct_actions", "distinct_resources"}
OTHER_CREATE = OTHER_READ | {"creates", "writes"}
DENIED = {"distinct_denied_actions", "distinct_denied_pairs"}
FORBIDDEN = DENIED | {"forbidden", "forbidden_requests", "forbidden_by_authorization"}
PRIVILEGED = {"spec": {"containers": [{"securityContext": {"privileged": True}}]}}
ADMIN = {"roleRef": {"kind": "ClusterRole", "name": "cluster-admin"}}
TOKEN = {"verb": "create", "resource": "serviceaccounts", "subresource": "token", "level": "Request"}
CLUSTER_WIDE = {"verb": "create", "namespace": None}
SYSTEM_CONFIGMAP = {"resource": "configmaps", "namespace": "kube-system", "name": "coredns"}
HOOK = {"resource": "mutatingwebhookconfigurations", "group": "admissionregistration.k8s.io"} | CLUSTER_WIDE
REVIEW = {"group": "authorization.k8s.io", "resource": "selfsubjectaccessreviews", "level": "Request"} | CLUSTER_WIDE
LAST = {"at": f"{NIGHT}T12:08:00Z"}
LATE = {"active_minutes", "gaps_s", "gap_squares_s"}
NODE = {"user": "system:node:n", "arn": "arn:aws:iam::111122223333:role/strange", "session": "i-0abc"}


def _rules(**rule: object) -> dict[str, object]:
    return {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]} | rule]}


def _binds(subject: dict[str, str]) -> dict[str, object]:
    return {"roleRef": {"kind": "Role", "name": "r"}, "subjects": [subject]}


def _owned(kind: str, name: str) -> dict[str, object]:
    return {"metadata": {"ownerReferences": [{"kind": kind, "name": name, "controller": True}]}} | PRIVILEGED


def _asks(lifetime: int) -> dict[str, object]:
    return {"spec": {"expirationSeconds": lifetime}}


# feature: what one more request is, or more of them, and the features that cannot but move with it
COUNTED = {
    "requests": ({}, set()),
    "peak_minute": ({"at": f"{NIGHT}T12:00:40Z"}, {"gap_squares_s"}),
    "active_hours": ({"at": f"{NIGHT}T13:00:00Z"}, LATE),
    "writes": ({"verb": "patch"}, {"updates", "distinct_actions"}),
    "lists": ({"verb": "list"}, {"distinct_actions"}),
    "cluster_lists": ({"verb": "list", "namespace": None}, {"lists", "distinct_actions"}),
    "gets": ({"name": "cart-0"}, set()),
    "watches": ({"verb": "watch"}, {"distinct_actions"}),
    "creates": ({"verb": "create"}, {"writes", "distinct_actions"}),
    "updates": ({"verb": "update"}, {"writes", "distinct_actions"}),
    "url_requests": ({"resource": None, "uri": "/metrics"}, {"distinct_actions"}),
    "self_reviews": (REVIEW | {"resource": "selfsubjectrulesreviews"}, OTHER_READ | {"creates"}),
    "deletes": ({"verb": "delete"}, {"writes", "distinct_actions"}),
    "collection_deletes": ({"verb": "deletecollection"}, {"writes", "distinct_actions"}),
    "forbidden": (LAST | {"code": 403}, FORBIDDEN),
    "unauthorized": ({"code": 401, "stage": "ResponseStarted"}, DENIED),
    "not_found": ({"code": 404}, {"not_found_requests"}),
    "other_errors": ({"code": 422}, set()),
    "distinct_denied_actions": (LAST | {"code": 403}, FORBIDDEN),
    "denied_secrets": (SECRET | {"code": 403}, SECRET_MOVES | FORBIDDEN),
    "distinct_addresses": ({"ip": "10.0.0.8"}, set()),
    "distinct_networks": ({"ip": "10.0.1.7"}, {"distinct_addresses"}),
    "public_requests": ({"ip": "198.51.100.7"}, {"distinct_addresses", "distinct_networks"}),
    "distinct_agents": ({"agent": "payer/8"}, set()),
    "rare_hour_requests": (
        {"at": f"{NIGHT}T20:00:00Z"},
        LATE | {"active_hours", "rarest_hour", "new_hours", "new_hours_for_type", "new_hours_for_cluster"},
    ),
    "rarest_hour": (
        {"at": f"{NIGHT}T22:00:00Z"},
        LATE | {"active_hours", "rare_hour_requests", "new_hours", "new_hours_for_type", "new_hours_for_cluster"},
    ),
    "distinct_namespaces": ({"namespace": "pay"}, set()),
    "distinct_resources": ({"resource": "services"}, {"distinct_actions"}),
    "distinct_actions": ({"verb": "list"}, {"lists"}),
    "secret_reads": (SECRET, SECRET_MOVES),
    "distinct_secrets": (SECRET | {"name": "db"}, SECRET_MOVES | {"secret_reads", "gets"}),
    "distinct_secret_namespaces": (SECRET | {"code": 404}, OTHER_READ | {"not_found", "not_found_requests"}),
    "secret_lists": (SECRET | {"verb": "list"}, SECRET_MOVES | {"secret_reads", "lists"}),
    "rbac_writes": (ROLE | {"body": {"rules": []}}, OTHER_CREATE),
    "strong_rbac_writes": (BINDING | {"body": ADMIN}, OTHER_CREATE | {"rbac_writes"}),
    "execs": ({"subresource": "exec"}, OTHER_READ),
    "token_requests": (TOKEN | {"name": "token-requests"}, OTHER_CREATE),
    "privileged_writes": (
        {"verb": "create", "level": "Request", "body": PRIVILEGED},
        {"creates", "writes", "distinct_actions"},
    ),
    "hook_writes": (HOOK | {"verb": "delete"}, OTHER_READ | {"deletes", "writes"}),
    "certificate_writes": (
        {"resource": "certificatesigningrequests", "group": "certificates.k8s.io"} | CLUSTER_WIDE,
        OTHER_CREATE,
    ),
    "node_proxy_requests": ({"resource": "nodes", "subresource": "proxy", "namespace": None}, OTHER_READ),
    "aws_auth_writes": (
        SYSTEM_CONFIGMAP | {"verb": "patch", "name": "aws-auth", "level": "RequestResponse", "body": {"data": {}}},
        OTHER_READ | {"updates", "writes", "distinct_namespaces", "system_configmap_writes"},
    ),
    "impersonated_requests": ({"impersonates": "root"}, {"distinct_impersonated_users"}),
    "distinct_impersonated_users": ({"impersonates": "root"}, {"impersonated_requests"}),
    "logged_bytes": ({}, set()),
    "active_minutes": ({"at": f"{NIGHT}T12:20:00Z"}, {"gaps_s", "gap_squares_s"}),
    "median_minute": ([{"at": f"{NIGHT}T12:0{minute}:00Z"} for minute in (5, 6)], set()),
    "gaps_s": ({"at": f"{NIGHT}T12:20:00Z"}, {"active_minutes", "gap_squares_s"}),
    "gap_squares_s": ({"at": f"{NIGHT}T12:05:30Z"}, set()),
    "status_writes": (
        {"verb": "update", "subresource": "status", "name": "cart-0"},
        OTHER_READ | {"updates", "writes"},
    ),
    "discovery_requests": ({"resource": None, "uri": "/apis/apps/v1"}, {"url_requests", "distinct_actions"}),
    "forbidden_requests": (LAST | {"code": 403}, FORBIDDEN - {"forbidden_requests"}),
    "not_found_requests": ({"code": 404}, {"not_found"}),
    "forbidden_by_authorization": (LAST | {"code": 403}, FORBIDDEN - {"forbidden_by_authorization"}),
    "forbidden_after_authorization": (
        LAST | {"code": 403, "annotations": {"authorization.k8s.io/decision": "allow"}},
        DENIED | {"forbidden", "forbidden_requests"},
    ),
    "conflicts": ({"code": 409}, {"other_errors"}),
    "throttled_requests": ({"code": 429}, {"other_errors"}),
    "server_errors": ({"code": 503}, {"other_errors"}),
    "distinct_denied_pairs": (LAST | {"code": 403}, FORBIDDEN - {"distinct_denied_pairs"}),
    "regained_actions": (
        [{"verb": "list", "code": 403}, {"verb": "list", "at": f"{NIGHT}T12:05:00.500Z"}],
        FORBIDDEN | {"lists", "distinct_actions"},
    ),
    "credentials_per_pod": (
        [{"pod": "cart-0", "credential": "JTI=1"}, {"pod": "cart-0", "credential": "JTI=2"}],
        {"addresses_per_credential"},
    ),
    "addresses_per_credential": ({"credential": "JTI=3"}, set()),
    "tool_requests": ({"agent": "kubectl/v1.32"}, {"distinct_agents"}),
    "distinct_roles": (
        {"annotations": {"authorization.k8s.io/reason": 'RBAC: allowed by RoleBinding "b/n" of Role "r" to Group "g"'}},
        set(),
    ),
    "system_configmap_reads": (SYSTEM_CONFIGMAP, OTHER_READ | {"distinct_namespaces", "gets"}),
    "system_configmap_writes": (
        SYSTEM_CONFIGMAP | {"verb": "update"},
        OTHER_READ | {"distinct_namespaces", "updates", "writes"},
    ),
    "refused_rbac_writes": (ROLE | {"code": 403}, OTHER_CREATE | FORBIDDEN | {"rbac_writes"}),
    "other_token_requests": (TOKEN | {"name": "pay"}, OTHER_CREATE | {"token_requests"}),
    "refused_token_requests": (
        TOKEN | {"name": "refused-token-requests", "code": 403},
        OTHER_CREATE | FORBIDDEN | {"token_requests"},
    ),
    "longest_token_s": (
        TOKEN | {"name": "longest-token-s", "body": _asks(3600)},
        OTHER_CREATE | {"token_requests"},
    ),
    "long_token_requests": (
        TOKEN | {"name": "long-token-requests", "body": _asks(90_000)},
        OTHER_CREATE | {"token_requests", "longest_token_s"},
    ),
    "distinct_permissions_asked": (
        REVIEW | {"body": {"spec": {"resourceAttributes": {"verb": "get", "resource": "secrets"}}}},
        OTHER_READ | {"creates", "self_reviews"},
    ),
    "self_bindings": (
        BINDING | {"body": _binds({"kind": "ServiceAccount", "namespace": "shop", "name": "self-bindings"})},
        OTHER_CREATE | {"rbac_writes"},
    ),
    "broad_bindings": (
        BINDING | {"body": _binds({"kind": "Group", "name": "system:unauthenticated"})},
        OTHER_CREATE | {"rbac_writes"},
    ),
    "wildcard_rules": (
        ROLE | {"body": _rules(resources=["*/*"])},
        OTHER_CREATE | {"rbac_writes", "strong_rbac_writes"},
    ),
    "secret_rules": (
        ROLE | {"body": _rules(resources=["secrets"])},
        OTHER_CREATE | {"rbac_writes", "strong_rbac_writes"},
    ),
    "exec_rules": (ROLE | {"body": _rules(resources=["pods/exec"])}, OTHER_CREATE | {"rbac_writes"}),
    "rights_rules": (
        ROLE | {"body": _rules(verbs=["escalate"])},
        OTHER_CREATE | {"rbac_writes", "strong_rbac_writes"},
    ),
    "outside_hook_writes": (
        HOOK | {"level": "Request", "body": {"webhooks": [{"clientConfig": {"url": "https://evil.example/x"}}]}},
        OTHER_CREATE | {"hook_writes"},
    ),
    "strange_node_requests": (NODE | {"session": "eve"}, set()),
    "carried_out_privileges": (
        [
            {"verb": "create", "resource": "daemonsets", "group": "apps", "name": "miner"},
            {"user": "system:serviceaccount:kube-system:daemon-set-controller", "verb": "create", "level": "Request"}
            | {"body": _owned("DaemonSet", "miner")},
        ],
        OTHER_CREATE,
    ),
}
ALWAYS = {"requests", "logged_bytes"}
AMOUNTS = {"logged_bytes", "gaps_s", "gap_squares_s", "rarest_hour", "longest_token_s"}
"""Features that count no things: how far they move is not 1."""
MOVES_MORE = {"regained_actions": {"lists": 2}, "credentials_per_pod": {"credentials_per_pod": 2}}

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
    "secret_namespace": SECRET | {"namespace": "vault"},
    "sensitive": {"subresource": "exec"},
    "entered": {"subresource": "attach", "name": "cart-7d4b9c6f5d-x2k9p"},
    "token_account": TOKEN | {"name": "pay"},
    "binding": COUNTED["distinct_roles"][0],
    "node_role": NODE,
    "image": {"verb": "create", "level": "Request", "body": {"spec": {"containers": [{"image": "evil.example/x:1"}]}}},
    "mapped_identity": SYSTEM_CONFIGMAP
    | {"verb": "patch", "name": "aws-auth", "level": "RequestResponse"}
    | {"body": {"data": {"mapRoles": "- rolearn: arn:aws:iam::111122223333:role/evil"}}},
}

ORDINARY = {"at": f"{NIGHT}T12:05:00Z"}
# tests/features/test_crowds.py has the thousand events that move this one
BY_THE_THOUSAND = ["crowd_members"]
COUNTED_FEATURES = [f for f in FEATURES if f.new is None and f.name not in BY_THE_THOUSAND]
NEW_FEATURES = [f for f in FEATURES if f.new is not None and f.new[1] in YARDSTICKS]
CALM = ("00:00", "00:30", "00:50", "05:00", "06:00", "07:00", "08:00")
"""A minute of three requests, then one of one after another: one more at 12:05 moves neither peak nor median."""


def _account(name):
    return f"system:serviceaccount:shop:{name.replace('_', '-')}"


def _who(name):
    """Of a feature: what its own principal's events say, and its name."""
    if name in ("strange_node_requests", "node_role"):
        return NODE, f"node-group:{NODE['arn']}"
    return {"user": _account(name)}, _account(name)


def _each(name):
    more = COUNTED[name][0]
    return more if isinstance(more, list) else [more]


def _baseline(who):
    return [event(**who, at=f"{NIGHT}T12:{at}Z") for at in CALM]


@pytest.fixture(scope="module")
def moved(night):
    """By feature: how far each number of its own principal stands from the baseline's, with nothing new to anybody."""
    events = _baseline({"user": _account("baseline")})
    for name in COUNTED:
        who, _ = _who(name)
        events += [*_baseline(who), *(event(**(ORDINARY | who | one)) for one in _each(name))]
    known = [row for row in night(*events).items if row[2:] not in (("hour", "20"), ("hour", "22"))]
    found = night(*events, past=known)
    assert found.counted.blind == ()
    calm = found.days[_account("baseline")]
    return {
        name: {n: found.days[who][n] - calm[n] for n in NAMES if found.days[who][n] != calm[n]}
        for name in COUNTED
        for who in (_who(name)[1],)
    }


@pytest.mark.parametrize("name", [f.name for f in COUNTED_FEATURES])
def test_one_more_request_moves_the_feature_and_only_what_it_must(moved, name):
    assert moved[name].keys() == ALWAYS | {name} | COUNTED[name][1]
    own = [one for one in _each(name) if one.get("user", NODE["user"]) == NODE["user"]]
    by = {n: amount for n, amount in moved[name].items() if n not in AMOUNTS}
    assert by == dict.fromkeys(by, 1) | {"requests": len(own)} | MOVES_MORE.get(name, {})


@pytest.fixture(scope="module")
def touched(night):
    """(kind, item) pairs of the baseline and, by kind, of its one more request."""
    more = [event(**(ORDINARY | _who(kind)[0] | NEW[kind])) for kind in NEW]
    found = night(*_baseline({"user": _account("baseline")}), *more).items
    names = (_account("baseline"), *(_who(kind)[1] for kind in NEW))
    return {name: {row[2:] for row in found if row[0] == name} for name in names}


@pytest.fixture(scope="module")
def fresh(touched):
    """By kind, the (kind, item) pair of its one more request; no other kind's request has it."""
    old = touched[_account("baseline")]
    found = {}
    for kind in NEW:
        (found[kind],) = {pair for pair in touched[_who(kind)[1]] - old if pair[0] == kind}
        assert [name for name, pairs in touched.items() if found[kind] in pairs] == [_who(kind)[1]]
    return found


@pytest.fixture(scope="module")
def renewed(night, touched, fresh):
    """By kind and yardstick: what is new in the numbers of who does this one thing that the yardstick does not know."""
    made = {}
    for whom in YARDSTICKS:
        events, past = [], []
        for kind in NEW:
            who, name = _who(kind)
            me = (name, "node" if kind == "node_role" else "workload")
            events += [*_baseline(who), event(**(ORDINARY | who | NEW[kind]))]
            past += [(*me, *pair) for pair in (touched[_account("baseline")] | touched[name]) - {fresh[kind]}]
            if whom != "cluster":
                other = {"principal": ("another", me[1]), "type": ("eve", "person")}[whom]
                past.append((*other, *fresh[kind]))
        days = night(*events, past=past).days
        for kind in NEW:
            day = days[_who(kind)[1]]
            made[kind, whom] = {n: day[n] for n in NAMES if n.startswith("new_") and day[n]}
    return made


@pytest.mark.parametrize("f", NEW_FEATURES, ids=lambda f: f.name)
def test_an_item_is_new_for_whom_it_is_new_and_only_its_kind_moves(renewed, f):
    kind, whom = f.new
    wider = YARDSTICKS[: YARDSTICKS.index(whom) + 1]
    expected = [g.name for g in NEW_FEATURES if g.new[0] == kind and g.new[1] in wider]
    assert renewed[kind, whom] == dict.fromkeys(expected, 1)


def test_a_client_of_others_moves_the_borrowed_clients_and_is_new_to_the_principal(night):
    mine, others = _account("lent"), _account("other")
    past = [(others, "workload", "agent", "payer"), (others, "workload", "client", "payer 10.0.0.7")]
    known = night(*_baseline({"user": mine})).items
    day = night(*_baseline({"user": mine}), event(user=mine, agent="payer/8", **ORDINARY), past=[*known, *past]).days[
        mine
    ]
    assert {n: day[n] for n in NAMES if n.startswith(("new_", "borrowed"))} == {
        n: n in ("new_agents", "borrowed_clients") for n in NAMES if n.startswith(("new_", "borrowed"))
    }


def test_no_feature_is_without_its_events():
    assert set(COUNTED) == {f.name for f in COUNTED_FEATURES}
    assert list(NEW) == [k.name for k in KINDS if k.group is not None]


def test_names_are_told_apart():
    assert len(set(NAMES)) == len(FEATURES)
    assert all(name.isidentifier() and name.islower() for name in NAMES)


def test_every_group_has_a_positive_weight_and_no_weight_is_idle():
    assert set(GROUP_SIZES) == set(WEIGHTS)
    assert all(weight > 0 for weight in WEIGHTS.values())
    assert all(weight(f) == pytest.approx(WEIGHTS[f.group] / GROUP_SIZES[f.group] ** 0.5) for f in FOREST)


def test_what_the_forest_does_not_read_weighs_nothing_and_takes_no_weight():
    assert sum(GROUP_SIZES.values()) == len(FOREST)
    assert all(weight(f) == 0 for f in FEATURES if f not in FOREST)


@pytest.mark.parametrize("f", FEATURES, ids=lambda f: f.name)
def test_a_declaration_can_be_printed(f):
    assert f.meaning.endswith(".")
    assert f.meaning[0].isupper() or f.meaning[0] == "("
    assert f.unit.endswith("s")
    assert f.unit == f.unit.strip().lower()


@pytest.mark.parametrize("f", FEATURES, ids=lambda f: f.name)
def test_a_feature_has_one_form_and_refers_to_what_exists(f):
    assert sum(form is not None for form in (f.distinct, f.aggregate, f.new)) <= 1
    assert f.at_most is None or f.distinct is not None
    assert f.over is None or (f.over in TABLES and f.aggregate is not None and f.counts == "true")
    assert (f.needs is Level.METADATA) == (f.reads_bodies_of is None)
    assert f.reads_bodies_of is not None or f.told_by is None
    assert set(f.reads) <= set(LACKABLE)
    assert feature(f.name) is f


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match="no feature is named 'teapots'"):
        feature("teapots")
