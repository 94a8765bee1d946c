"""What was touched, what of it is new, and how a change that many see is shared out."""

from __future__ import annotations

import pytest
from builders import NIGHT, event

from features.items import KINDS, SHARE

CART, PAY, WEB = (f"system:serviceaccount:shop:{n}" for n in ("cart", "pay", "web"))
THIRD = -(-SHARE // 3)
MAPPED = "- rolearn: arn:aws:iam::111122223333:role/ops"
AWS_AUTH = {"resource": "configmaps", "namespace": "kube-system", "name": "aws-auth"}
ROLE_REASON = 'RBAC: allowed by ClusterRoleBinding "b" of ClusterRole "viewer" to User "u"'


def _at(minute):
    return f"{NIGHT}T12:{minute:02}:00Z"


@pytest.fixture(scope="module")
def all_kinds(night):
    reason = {"authorization.k8s.io/reason": ROLE_REASON}
    return night(
        event(annotations=reason),
        event(resource="secrets", name="db", code=403),
        event(verb="create", resource="secrets"),
        event(verb="list", resource="secrets"),
        event(subresource="exec", impersonates="root", name="web-7d4b9c6f5d-x2k9p"),
        event(verb="create", resource="serviceaccounts", subresource="token", name="pay"),
        event(user="system:node:n", arn="arn:aws:iam::111122223333:role/node", session="i-0abc"),
        event(
            verb="create",
            level="Request",
            body={"spec": {"containers": [{"image": "reg.example:5000/a/b:1@sha256:0"}]}},
        ),
        event(verb="patch", level="Request", body={"data": {"mapRoles": MAPPED}}, **AWS_AUTH),
    ).items


@pytest.mark.parametrize(
    ("kind", "item"),
    [
        ("denied", "get secrets shop"),
        ("address", "10.0.0.7"),
        ("network", "10.0.0.0/24"),
        ("agent", "cart"),
        ("hour", "12"),
        ("namespace", "shop"),
        ("action", "get pods/exec"),
        ("write", "create secrets shop"),
        ("secret", "shop/db"),
        ("secret", "shop/*"),
        ("secret_namespace", "shop"),
        ("sensitive", "get pods/exec as other"),
        ("client", "cart 10.0.0.7"),
        ("entered", "shop/web-*"),
        ("token_account", "shop/pay"),
        ("binding", "b of viewer"),
        ("image", "reg.example:5000/a/b"),
        ("mapped_identity", "arn:aws:iam::111122223333:role/ops"),
        ("authz_role", "viewer"),
        ("impersonated_user", "root"),
    ],
)
def test_an_item_is_read_off_its_request(all_kinds, kind, item):
    assert (CART, "workload", kind, item) in all_kinds


def test_every_kind_appears(all_kinds):
    assert {row[2] for row in all_kinds} == {k.name for k in KINDS}


def test_an_item_is_one_row_with_its_requests_and_first_time(night):
    found = night(*(event(at=_at(m)) for m in (9, 3, 6))).counted.items.to_pylist()
    assert [(r["requests"], r["first_ts"].minute) for r in found if r["kind"] == "namespace"] == [(3, 3)]


def test_what_is_left_out_leaves_no_item(night):
    found = night(event(resource="leases", group="coordination.k8s.io"), event(resource=None, uri="/livez"))
    assert found.items == []
    assert found.new_items == []


def test_an_item_of_another_principal_is_new_for_the_principal_but_not_for_type_or_cluster(night):
    past = [(PAY, "workload", "namespace", "shop")]
    assert night(event(), past=past).news("namespace") == {CART: (SHARE, 0, 0)}


def test_on_a_first_night_one_item_of_a_kind_counts_as_new_to_the_principal(night):
    events = [event(namespace=f"n{n}", agent=f"{'abcde'[n]}/1") for n in range(5)]
    there, known = [(PAY, "workload", "namespace", "pay")], [(CART, "workload", "namespace", "pay")]
    first, later = (night(*events, past=past).days[CART] for past in (there, known))
    for things in ("namespaces", "agents"):
        assert (first[f"new_{things}"], later[f"new_{things}"]) == (1, 5)
        assert first[f"new_{things}_for_cluster"] == first[f"new_{things}_for_type"] == 5


def test_where_everybody_is_there_for_the_first_time_every_novelty_counts(night):
    assert night(*(event(namespace=f"n{n}") for n in range(5))).days[CART]["new_namespaces"] == 5


def test_an_item_of_another_type_is_new_for_the_type_but_not_for_the_cluster(night):
    past = [("eve", "person", "namespace", "shop")]
    assert night(event(), past=past).news("namespace") == {CART: (SHARE, SHARE, 0)}


def test_an_item_of_ones_own_past_is_not_new(night):
    assert night(event(), past=[(CART, "workload", "namespace", "shop")]).news("namespace") == {}


def test_the_same_word_of_another_kind_makes_nothing_known(night):
    assert night(event(), past=[(CART, "workload", "secret_namespace", "shop")]).news("namespace") == {
        CART: (SHARE, SHARE, SHARE)
    }


def test_a_null_in_the_past_makes_nothing_known_and_nothing_lost(night):
    past = [(CART, None, "namespace", None), (None, "workload", None, "shop"), (None, None, None, None)]
    assert night(event(), past=past).news("namespace") == {CART: (SHARE, SHARE, SHARE)}


def test_an_item_that_three_start_is_a_third_for_each_and_whole_for_the_first_user(night):
    found = night(event(user=PAY, at=_at(2)), event(user=CART, at=_at(1)), event(user=WEB, at=_at(3)))
    assert found.news("namespace") == {
        CART: (THIRD, SHARE, SHARE),
        PAY: (THIRD, THIRD, THIRD),
        WEB: (THIRD, THIRD, THIRD),
    }


def test_three_principals_that_start_three_items_together_have_one_new_item_each(night):
    users = {CART: 1, PAY: 2, WEB: 3}
    days = night(*(event(user=u, namespace=f"n{n}", at=_at(m)) for u, m in users.items() for n in range(3))).days
    assert [days[u]["new_namespaces"] for u in users] == [1, 1, 1]
    assert [days[u]["new_namespaces_for_type"] for u in users] == [3, 1, 1]
    assert [days[u]["new_namespaces_for_cluster"] for u in users] == [3, 1, 1]


@pytest.mark.parametrize("k", [2, 6, 7, 11, 13])
def test_as_many_shared_items_as_principals_make_one_whole_item(night, k):
    users = [f"user-{n}" for n in range(k)]
    days = night(*(event(user=u, namespace=f"n{n}") for u in users for n in range(k))).days
    assert {days[u]["new_namespaces"] for u in users} == {1}
    assert night(*(event(user=u, namespace=f"n{n}") for u in users for n in range(k - 1))).days[users[0]][
        "new_namespaces"
    ] == 0  # fmt: skip


def test_each_type_has_a_first_user_and_the_cluster_one(night):
    found = night(event(user=CART, at=_at(3)), event(user="eve", at=_at(2)), event(user=PAY, at=_at(1)))
    assert found.news("namespace") == {
        PAY: (THIRD, SHARE, SHARE),
        "eve": (THIRD, SHARE, THIRD),
        CART: (THIRD, THIRD, THIRD),
    }


def test_first_users_of_the_same_moment_are_told_apart_by_name(night):
    news = night(event(user=PAY), event(user=CART)).news("namespace")
    assert news[CART][1:] == (SHARE, SHARE)
    assert news[PAY][1:] == (SHARE // 2, SHARE // 2)


def test_who_knows_an_item_already_does_not_share_in_it(night):
    past = [(WEB, "workload", "namespace", "shop")]
    news = night(event(user=CART), event(user=PAY), event(user=WEB), past=past).news("namespace")
    assert news == {CART: (SHARE // 2, 0, 0), PAY: (SHARE // 2, 0, 0)}


def test_novelty_is_measured_by_past_items_alone(night):
    events = [event(), event(user=PAY, namespace="pay")]
    assert night(*events).news("namespace") == night(*events, event(user=PAY, namespace="pay", at=_at(40))).news(
        "namespace"
    )
    assert night(*events, past=night(*events).items).new_items == []


def test_a_role_that_a_whole_type_starts_is_kept_but_feeds_no_feature(night):
    reason = {"authorization.k8s.io/reason": ROLE_REASON}
    found = night(event(annotations=reason))
    assert found.news("authz_role") == {CART: (SHARE, SHARE, SHARE)}
    assert not any(name.startswith("new_roles") for name in found.days[CART])


def test_hostile_items_stay_whole(night):
    names = ["'; DROP TABLE items; --", 'a"b', "a/b", "é", "\\"]
    found = night(*(event(namespace=n) for n in names))
    assert {row[3] for row in found.items if row[2] == "namespace"} == set(names)
    assert found.days[CART]["new_namespaces"] == len(names)
