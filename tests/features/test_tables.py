"""What is counted beside requests: minutes and pauses, refused then allowed, deeds of controllers, tokens."""

from __future__ import annotations

import pytest
from builders import NIGHT, event

CART, PAY = (f"system:serviceaccount:shop:{n}" for n in ("cart", "pay"))
CONTROLLER = "system:serviceaccount:kube-system:{}-controller"
PRIVILEGED = {"spec": {"containers": [{"securityContext": {"privileged": True}}]}}


def _at(clock, **more):
    return event(at=f"{NIGHT}T{clock}Z", **more)


# Minutes


@pytest.mark.parametrize(
    ("clocks", "median"),
    [
        (["12:00:00"], 1),
        (["12:00:00", "12:00:01", "12:05:00"], 1),
        (["12:00:00", "12:00:09", "12:01:00", "12:01:09"], 2),
    ],
    ids=["one", "lower", "even"],
)
def test_the_middle_minute_is_the_lower_of_two(night, clocks, median):
    assert night(*map(_at, clocks)).days[CART]["median_minute"] == median


def test_time_between_requests_is_summed_in_seconds_with_its_squares(night):
    day = night(*map(_at, ("12:00:00", "12:00:10", "12:00:20.9", "12:02:00"))).days[CART]
    assert (day["gaps_s"], day["gap_squares_s"]) == (120, 2 * 10**2 + 100**2)


def test_a_pause_counts_up_to_a_day_however_long_the_log_says_it_was(night):
    old = _at("12:00:00", stageTimestamp=f"{NIGHT}T12:00:00Z", requestReceivedTimestamp="1000-01-01T00:00:00Z")
    day = night(old, _at("12:00:00")).days[CART]
    assert (day["gaps_s"], day["gap_squares_s"]) == (86_400, 86_400**2)


# Refused, then allowed


@pytest.mark.parametrize(
    ("clock", "more", "regained"),
    [
        ("12:59:59", {}, 1),
        ("13:00:01", {}, 0),
        ("11:59:00", {}, 0),
        ("12:30:00", {"namespace": "pay"}, 0),
        ("12:30:00", {"verb": "get"}, 0),
        ("12:30:00", {"user": PAY}, 0),
        ("12:30:00", {"code": 404}, 0),
    ],
    ids=["within an hour", "later", "before", "elsewhere", "something else", "another", "in vain"],
)
def test_what_was_refused_and_then_allowed_counts_within_the_hour(night, clock, more, regained):
    listing = {"verb": "list", "resource": "secrets"}
    found = night(_at("12:00:00", code=403, **listing), _at(clock, **(listing | more)))
    assert [found.days[CART]["regained_actions"]] == [regained]


# What controllers make of what others wrote


def _owned(kind, name):
    return PRIVILEGED | {"metadata": {"ownerReferences": [{"kind": kind, "name": name, "controller": True}]}}


def _made(by, owner, at="12:10:00", **more):
    made = {"verb": "create", "level": "Request", "body": _owned(*owner)}
    return _at(at, user=CONTROLLER.format(by), **(made | more))


def _wrote(user, kind, name, at="12:00:00", **more):
    return _at(at, **({"user": user, "verb": "create", "resource": kind, "group": "apps", "name": name} | more))


def _authors(found):
    return {name: day["carried_out_privileges"] for name, day in found.days.items() if day["carried_out_privileges"]}


def test_a_daemon_sets_privileged_pods_are_its_writers(night):
    pods = [_made("daemon-set", ("DaemonSet", "miner")) for _ in range(3)]
    assert _authors(night(_wrote("eve", "daemonsets", "miner"), *pods)) == {"eve": 3}


def test_a_deployments_pods_are_its_writers_behind_the_replica_set(night):
    replica_set = {"resource": "replicasets", "group": "apps", "name": "web-7d4b9c6f5d", "body": None}
    made = {"body": {"metadata": _owned("Deployment", "web")["metadata"]}}
    found = night(
        _wrote("eve", "deployments", "web"),
        _made("deployment", ("Deployment", "web"), "12:01:00", **(replica_set | made)),
        _made("replicaset", ("ReplicaSet", "web-7d4b9c6f5d")),
    )
    assert _authors(found) == {"eve": 1}


def test_an_operators_objects_are_whose_wish_it_carries_out(night):
    pod = {"verb": "create", "level": "Request", "body": _owned("SparkApplication", "report")}
    found = night(
        _wrote("eve", "sparkapplications", "report", group="sparkoperator.k8s.io"), _at("12:01:00", user=PAY, **pod)
    )
    assert _authors(found) == {"eve": 1}
    assert found.days[PAY]["privileged_writes"] == 1


@pytest.mark.parametrize(
    "more",
    [{"at": "12:20:00"}, {"code": 403}, {"namespace": "pay"}, {"name": "other"}, {"kind": "deployments"}],
    ids=["later", "refused", "elsewhere", "another name", "another kind"],
)
def test_who_did_not_write_the_owner_is_not_the_author(night, more):
    wrote = {"user": "eve", "kind": "daemonsets", "name": "miner"} | more
    assert _authors(night(_wrote(**wrote), _made("daemon-set", ("DaemonSet", "miner")))) == {}


def test_the_last_writer_before_is_the_author(night):
    wrote = [_wrote(user, "daemonsets", "miner", f"12:0{n}:00") for n, user in enumerate((CART, "eve"))]
    assert _authors(night(*wrote, _made("daemon-set", ("DaemonSet", "miner")))) == {"eve": 1}


def test_what_one_makes_of_ones_own_is_not_carried_out_by_another(night):
    pod = _at("12:01:00", user=PAY, verb="create", level="Request", body=_owned("DaemonSet", "miner"))
    assert _authors(night(_wrote(PAY, "daemonsets", "miner"), pod)) == {}


def test_an_owner_that_is_no_controller_owns_nothing(night):
    body = PRIVILEGED | {"metadata": {"ownerReferences": [{"kind": "DaemonSet", "name": "miner"}]}}
    assert _authors(night(_wrote("eve", "daemonsets", "miner"), _made("daemon-set", ("A", "b"), body=body))) == {}


# Tokens


def test_tokens_are_counted_by_pod_and_addresses_by_token_the_most_of_each(night):
    uses = [("a", "1", "10.0.0.1"), ("a", "2", "10.0.0.1"), ("b", "3", "10.0.0.1"), ("b", "3", "10.0.0.2")]
    uses += [("b", "3", "10.0.0.3")]
    day = night(*(event(pod=pod, credential=f"JTI={c}", ip=ip) for pod, c, ip in uses)).days[CART]
    assert (day["credentials_per_pod"], day["addresses_per_credential"]) == (2, 3)


def test_a_pod_without_an_id_of_its_token_is_blind_for_both(night):
    assert {"credentials_per_pod", "addresses_per_credential"} <= set(night(event(pod="cart-0")).counted.blind)
