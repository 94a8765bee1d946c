"""Who a request belongs to: the rules by their own examples, and any name at all."""

from __future__ import annotations

import pyarrow as pa
import pytest
from builders import event
from hypothesis import given, settings
from hypothesis import strategies as st

from features.principal import (
    CONTROLLERS,
    MACHINE_SESSIONS,
    NOT_AN_INSTANCE,
    PRINCIPAL,
    RULES,
    TYPE,
    TYPES,
    UNAUTHENTICATED,
)

ROLE = "arn:aws:iam::111122223333:role/SRE"
STS = "arn:aws:sts::111122223333:assumed-role/SRE/"
CALLERS = ("username", "iam_role_arn", "session_name")
EXAMPLES = [
    pytest.param(rule, example, id=f"{place}-{example.username}")
    for place, rule in enumerate(RULES)
    for example in rule.examples
]
SESSIONS = {
    "EKSGetTokenAuth": ["EKSGetTokenAuth"],
    "botocore-session-[0-9]+": ["botocore-session-1", "botocore-session-1700000000"],
    "aws-(?:go-sdk|sdk-java|sdk-js|sdk-js-session)-[0-9]+": [
        "aws-go-sdk-1700000000123456789",
        "aws-sdk-java-1700000000000",
        "aws-sdk-js-1700000000000",
        "aws-sdk-js-session-1700000000000",
    ],
    "i-[0-9a-f]+": ["i-0abcdef0123456789"],
    "[0-9]+": ["1690000000"],
    "(?:[A-Za-z0-9_+=,.@-]+-)?[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}": [
        "0f8fad5b-d9cb-469f-a165-70867728950e",
        "0F8FAD5B-D9CB-469F-A165-70867728950E",
        "eks-prod-cart-7d4b9c6f-0f8fad5b-d9cb-469f-a165-70867728950e",
        "AWSCodeBuild-0f8fad5b-d9cb-469f-a165-70867728950e",
    ],
    "[0-9a-f]{32}": ["0f8fad5bd9cb469fa16570867728950e"],
}
HUMAN = (
    "maria",
    "botocore-session-",
    "botocore-session-1x",
    "i-am-eve",
    "2fast",
    "EKSGetTokenAuth2",
    "eve@acme.example",
)


@pytest.fixture(scope="module")
def named(engine):
    """Principal and type of each (username, iam_role_arn, session_name)."""

    def name(callers, extra="NULL"):
        columns = zip(*callers, strict=True)
        engine.register(
            "callers", pa.table({n: pa.array(c, pa.string()) for n, c in zip(CALLERS, columns, strict=True)})
        )
        return engine.sql(f"SELECT {PRINCIPAL}, {TYPE}, {extra} FROM callers").fetchall()

    return name


@pytest.mark.parametrize(("rule", "example"), EXAMPLES)
def test_an_example_is_decided_by_its_own_rule(named, rule, example):
    first = "CASE " + " ".join(f"WHEN {r.when} THEN {place}" for place, r in enumerate(RULES)) + " END"
    caller = (example.username, example.iam_role_arn, example.session_name)
    assert named([caller], first) == [(example.principal, rule.type, RULES.index(rule))]


def test_every_rule_has_an_example():
    assert all(rule.examples for rule in RULES)


@pytest.mark.parametrize("pattern", MACHINE_SESSIONS)
@pytest.mark.parametrize("told_by", ["user_name", "extra"])
def test_machine_made_sessions_fold_into_the_role(named, pattern, told_by):
    sessions = SESSIONS[pattern]
    callers = [(STS + s, None, None) if told_by == "user_name" else ("admin", ROLE, s) for s in sessions]
    assert {row[0] for row in named(callers)} == {"iam-role:111122223333:SRE"}


@pytest.mark.parametrize("session", HUMAN)
def test_a_session_a_human_may_have_chosen_stays_apart(named, session):
    assert named([(STS + session, ROLE, session)])[0][0] == f"iam-role:111122223333:SRE/{session}"


def test_an_empty_session_name_hides_no_session(named):
    assert named([(STS + "maria", ROLE, "")])[0][0] == "iam-role:111122223333:SRE/maria"


def test_the_session_is_read_from_the_extra_before_the_user_name(named):
    assert named([(STS + "greta-acme.example", ROLE, "greta@acme.example")])[0][0].endswith("/greta@acme.example")


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
def test_every_partition_is_read(named, partition):
    assert named([(f"arn:{partition}:sts::111122223333:assumed-role/SRE/maria", None, None)])[0][0].startswith(
        "iam-role:"
    )


@pytest.mark.parametrize(
    "name",
    ["iam-role:111122223333:SRE/maria", "iam-user:111122223333:eve", "node-group:x", "user:eve", UNAUTHENTICATED],
)
def test_a_user_name_that_looks_like_one_of_our_forms_is_prefixed(named, name):
    assert named([(name, None, None)])[0][:2] == (f"user:{name}", "person")


def test_nodes_of_one_role_are_one_principal(named):
    callers = [(f"system:node:ip-10-0-0-{n}", ROLE, f"i-0{n}") for n in range(3)]
    assert {row[:2] for row in named(callers)} == {(f"node-group:{ROLE}", "node")}


@pytest.mark.parametrize(
    ("username", "session", "strange"),
    [
        ("system:node:ip-10-0-0-1", "i-0abcdef", False),
        ("system:node:ip-10-0-0-1", "eve", True),
        ("system:node:ip-10-0-0-1", "i-am-eve", True),
        ("system:node:ip-10-0-0-1", None, True),
        ("eve", "eve", False),
        (None, None, False),
    ],
)
def test_a_node_whose_session_is_no_instance_is_told(named, username, session, strange):
    assert named([(username, ROLE, session)], NOT_AN_INSTANCE)[0][2] is strange


def test_every_controller_is_control_plane_and_its_namesake_elsewhere_is_not(named):
    callers = [(f"system:serviceaccount:{ns}:{c}", None, None) for ns in ("kube-system", "shop") for c in CONTROLLERS]
    types = [row[1] for row in named(callers)]
    assert set(types[: len(CONTROLLERS)]) == {"control plane"}
    assert set(types[len(CONTROLLERS) :]) == {"workload"}


@pytest.mark.parametrize("suffix", ["1234567", "7abcdef", "a1bcdef", "abcdef1", "abcdefabcdef1", "0a1b2c3d4e5f"])
def test_a_hash_at_the_end_of_a_namespace_is_folded_wherever_its_digit_stands(named, suffix):
    assert named([(f"system:serviceaccount:pr-{suffix}:ci", None, None)])[0][0] == "system:serviceaccount:pr-*:ci"


@pytest.mark.parametrize("suffix", ["a1bcde", "defaced", "v2", "east1", "7abcdeg", "1"])
def test_a_word_at_the_end_of_a_namespace_stays(named, suffix):
    name = f"system:serviceaccount:pr-{suffix}:ci"
    assert named([(name, None, None)])[0][0] == name


PIECES = st.sampled_from(
    ["'", '"', "\\", "%", "_", "\n", "\0", ";--", "é", "\U0001f600", "system:", "node:", "user:", "iam-role:",
     "arn:aws:", "iam::111122223333:", "role/", "user/", "sts::111122223333:", "assumed-role/", "serviceaccount:",
     "SRE", ":", "/"]
)  # fmt: skip
TEXT = st.none() | st.text(max_size=12) | st.lists(PIECES, max_size=8).map("".join)
NAME = st.text(min_size=1, max_size=12) | st.lists(PIECES, min_size=1, max_size=8).map("".join)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(TEXT, TEXT, TEXT), min_size=1, max_size=40))
def test_any_caller_has_one_principal_and_one_type(named, callers):
    rows = named(callers)
    assert len(rows) == len(callers)
    for (username, _, _), (principal, type_, _) in zip(callers, rows, strict=True):
        assert principal
        assert type_ in TYPES
        assert (principal == UNAUTHENTICATED) == (username in (None, "", "system:anonymous"))
    assert len({principal for principal, _, _ in rows}) == len({row[:2] for row in rows})


@settings(max_examples=40, deadline=None)
@given(st.lists(NAME, min_size=2, max_size=40, unique=True))
def test_two_plain_user_names_are_two_principals(named, names):
    plain = [n for n in names if not n.startswith(("system:", "arn:"))]
    assert len({row[0] for row in named([(n, None, None) for n in plain] or [("x", None, None)])}) == max(1, len(plain))


def test_one_request_feeds_exactly_one_principal(night, busy):
    found = night(*busy)
    counted = [r for r in found.requests if not r["left_out"]]
    assert sum(day["requests"] for day in found.days.values()) == len(counted) == len({e["auditID"] for e in busy})
    for name, day in found.days.items():
        assert day["requests"] == sum(r["principal"] == name for r in counted)


def test_hostile_names_come_through_the_parser_whole(night):
    names = ["'; DROP TABLE requests; --", 'a"b', "a\\b", "%", "é\U0001f600", " "]
    assert set(night(*(event(user=n) for n in names)).days) == set(names)
