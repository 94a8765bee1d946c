"""Lines folded to requests: what counts once, what counts apart, what is left out, and how a caller is read."""

from __future__ import annotations

import pytest
from builders import NIGHT, event

HEALTH = ("/healthz", "/readyz", "/livez", "/livez/ping", "/readyz?verbose")
AGENTS = [
    ("kubectl/v1.29.0 (linux/amd64) kubernetes/3f7a50f", "kubectl"),
    ("kubectl/v1.31.2 (darwin/arm64)", "kubectl"),
    ("Kubectl1.30", "kubectl"),
    ("aws-cli/2.15 Python/3.11", "aws-cli"),
    ("Mozilla/5.0 (X11; Linux)", "mozilla"),
    ("python-requests", "python-requests"),
    ("agent-7", "agent"),
    ("(linux)", "none"),
    ("1.2.3", "none"),
    ("", "none"),
    ("helm (v3)", "helm"),
]
ADDRESSES = [
    ("10.1.2.3", "10.1.2.0/24", False),
    ("9.255.255.255", "9.255.255.0/24", True),
    ("11.0.0.0", "11.0.0.0/24", True),
    ("172.15.255.255", "172.15.255.0/24", True),
    ("172.16.0.0", "172.16.0.0/24", False),
    ("172.31.255.255", "172.31.255.0/24", False),
    ("172.32.0.0", "172.32.0.0/24", True),
    ("100.63.255.255", "100.63.255.0/24", True),
    ("100.64.0.0", "100.64.0.0/24", False),
    ("100.127.255.255", "100.127.255.0/24", False),
    ("100.128.0.0", "100.128.0.0/24", True),
    ("192.168.0.1", "192.168.0.0/24", False),
    ("192.169.0.1", "192.169.0.0/24", True),
    ("169.254.169.254", "169.254.169.0/24", False),
    ("127.0.0.1", "127.0.0.0/24", False),
    ("198.51.100.7", "198.51.100.0/24", True),
    ("::1", "::1", False),
    ("fd00::1", "fd00::1", False),
    ("FE80::1", "FE80::1", False),
    ("2001:db8::1", "2001:db8::1", True),
    ("12.000.22.33", "12.000.22.33", False),
    ("999.1.1.1", "999.1.1.1", False),
    ("0.0.0.0", "0.0.0.0/24", False),
    ("224.0.0.1", "224.0.0.0/24", False),
    ("223.255.255.255", "223.255.255.0/24", True),
    ("::", "::", False),
    ("ff02::1", "ff02::1", False),
    ("1.2.3", "1.2.3", False),
    ("not an address", "not an address", False),
    ("' OR 1=1 --", "' OR 1=1 --", False),
]
BEFORE_MIDNIGHT = f"{NIGHT}T23:59:59.999000Z"


@pytest.fixture(scope="module")
def callers(requests):
    """One request of every agent and one from every address."""
    return requests(*(event(agent=a) for a, _ in AGENTS), *(event(ip=a) for a, _, _ in ADDRESSES))


def _staged(*stages, **more):
    return [event(audit_id="a", stage=stage, **more) for stage in stages]


@pytest.mark.parametrize(
    "more",
    [{"verb": "watch"}, {"verb": "create", "subresource": "exec", "name": "cart-0", "code": 101}],
    ids=["watch", "exec"],
)
def test_a_request_logged_at_two_stages_counts_once(requests, more):
    found = requests(*_staged("ResponseStarted", "ResponseComplete", **more))
    assert [r["stage"] for r in found] == ["ResponseComplete"]


def test_a_401_that_exists_only_as_response_started_counts(requests, night):
    one = event(user=None, code=401, stage="ResponseStarted")
    assert [r["code"] for r in requests(one)] == [401]
    assert night(one).days["unauthenticated"]["unauthorized"] == 1


def test_the_latest_stage_speaks(requests):
    early = event(audit_id="a", stage="RequestReceived", code=None)
    late = event(audit_id="a", code=403)
    for order in ([early, late], [late, early]):
        assert [(r["stage"], r["code"]) for r in requests(*order)] == [("ResponseComplete", 403)]


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("RequestReceived", "ResponseStarted"),
        ("ResponseStarted", "Panic"),
        ("Panic", "ResponseComplete"),
        ("Unheard", "RequestReceived"),
    ],
)
def test_stages_are_ranked(requests, earlier, later):
    assert [r["stage"] for r in requests(*_staged(later, earlier))] == [later]


@pytest.mark.parametrize(
    "other",
    [{"user": "eve"}, {"verb": "delete"}, {"name": "other"}, {"at": f"{NIGHT}T12:00:01Z"}],
    ids=["user", "verb", "uri", "time"],
)
def test_a_reused_audit_id_hides_no_request(requests, other):
    assert len(requests(event(audit_id="a"), event(**({"audit_id": "a"} | other)))) == 2


def test_a_request_whose_stages_fall_on_two_nights_counts_on_each(night):
    started, complete = _staged("ResponseStarted", "ResponseComplete", verb="watch", at=BEFORE_MIDNIGHT)
    for one in (started, complete):
        assert [day["watches"] for day in night(one).days.values()] == [1]


def test_a_line_with_nothing_but_an_id_and_a_time_is_an_unauthenticated_request(night):
    bare = {"kind": "Event", "auditID": "a", "stageTimestamp": f"{NIGHT}T00:00:00Z"}
    found = night(bare, bare | {"auditID": "b", "user": {}}, bare | {"auditID": "c", "user": {"username": ""}})
    day = found.days["unauthenticated"]
    assert (day["requests"], day["url_requests"], day["writes"], day["distinct_addresses"]) == (3, 3, 0, 0)
    assert {(r["principal"], r["type"]) for r in found.requests} == {("unauthenticated", "unauthenticated")}
    assert None not in [day[name] for name in day if name not in found.counted.blind]


def test_a_missing_object_is_a_url(requests):
    found = requests(event(resource=None, verb="post"))[0]
    assert (found["object"], found["writes"], found["resource"]) == ("url", False, None)


def test_leases_are_left_out_but_a_resource_that_shares_their_name_is_not(requests):
    lease = event(resource="leases", group="coordination.k8s.io", verb="update")
    assert [r["left_out"] for r in requests(lease)] == [True]
    assert [r["left_out"] for r in requests(event(resource="leases", group="acme.example"))] == [False]
    assert [r["left_out"] for r in requests(event(resource="leases"))] == [False]


@pytest.mark.parametrize(("code", "left_out"), [(200, True), (302, True), (401, False), (403, False), (500, False)])
def test_a_health_check_is_left_out_only_when_it_succeeded(requests, code, left_out):
    found = requests(*(event(resource=None, uri=uri, code=code) for uri in HEALTH))
    assert [r["left_out"] for r in found] == [left_out] * len(HEALTH)


def test_what_only_resembles_a_health_path_counts(requests):
    alike = ["/healthz2", "/api/healthz", "/version", "/readyzebra"]
    assert not any(r["left_out"] for r in requests(*(event(resource=None, uri=uri) for uri in alike)))


def test_an_unanswered_health_check_counts(requests):
    assert not requests(event(resource=None, uri="/healthz", code=None, stage="RequestReceived"))[0]["left_out"]


@pytest.mark.parametrize(("agent", "family"), AGENTS)
def test_agents_are_told_apart_by_family(callers, agent, family):
    assert {r["agent"] for r in callers if r["user_agent"] == agent} == {family}


def test_no_agent_at_all_is_a_family(requests):
    assert requests(event(userAgent=None))[0]["agent"] == "none"


@pytest.mark.parametrize(("address", "network", "is_public"), ADDRESSES)
def test_addresses_have_a_network_and_are_public_or_not(callers, address, network, is_public):
    assert [(r["network"], r["is_public"]) for r in callers if r["address"] == address] == [(network, is_public)]


@pytest.mark.parametrize("mapped", ["::ffff:10.0.0.1", "::FFFF:10.0.0.1"])
def test_an_ipv4_address_dressed_as_ipv6_is_itself(requests, mapped):
    found = requests(event(ip=mapped))[0]
    assert (found["address"], found["network"], found["is_public"]) == ("10.0.0.1", "10.0.0.0/24", False)


@pytest.mark.parametrize("ips", [None, [], [""]], ids=["missing", "empty", "blank"])
def test_no_address_is_no_address(requests, ips):
    found = requests(event(sourceIPs=ips))[0]
    assert (found["address"], found["network"], found["is_public"]) == (None, None, False)


def test_the_client_is_the_first_of_several_addresses(requests):
    assert requests(event(sourceIPs=["198.51.100.7", "10.0.0.1"]))[0]["address"] == "198.51.100.7"
