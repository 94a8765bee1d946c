"""One name for each principal, and its type: declared rules, the first that fits names the request.

Without it a person is a new principal with every session and a node group one with every node. Names are
chosen by callers, so no user name may pass for another principal: what looks like one of our own forms is
prefixed. tests/features/test_principal.py runs every rule's examples."""

from __future__ import annotations

from dataclasses import dataclass

from features.families import PASSING

CONTROLLERS = (
    "attachdetach-controller", "bootstrap-signer", "certificate-controller", "clusterrole-aggregation-controller",
    "cronjob-controller", "daemon-set-controller", "deployment-controller", "disruption-controller",
    "endpoint-controller", "endpointslice-controller", "endpointslicemirroring-controller",
    "ephemeral-volume-controller", "expand-controller", "generic-garbage-collector", "horizontal-pod-autoscaler",
    "job-controller", "legacy-service-account-token-cleaner", "namespace-controller", "node-controller",
    "persistent-volume-binder", "pod-garbage-collector", "pv-protection-controller", "pvc-protection-controller",
    "replicaset-controller", "replication-controller", "resourcequota-controller", "root-ca-cert-publisher",
    "route-controller", "service-account-controller", "service-controller", "statefulset-controller",
    "token-cleaner", "ttl-after-finished-controller", "ttl-controller",
)  # fmt: skip
"""Service accounts of kube-system that the controller manager runs under."""

INSTANCE = "i-[0-9a-f]+"
"""Session name of a node: its EC2 instance."""

MACHINE_SESSIONS = (
    "EKSGetTokenAuth",
    "botocore-session-[0-9]+",
    "aws-(?:go-sdk|sdk-java|sdk-js|sdk-js-session)-[0-9]+",
    INSTANCE,
    "[0-9]+",
    # alone, or behind words: Pod Identity (eks-CLUSTER-POD-...), CodeBuild (AWSCodeBuild-...)
    "(?:[A-Za-z0-9_+=,.@-]+-)?[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}",
    # tasks of ECS
    "[0-9a-f]{32}",
)
"""Session names no human chose; their sessions fold into the role."""

UNAUTHENTICATED = "unauthenticated"

_STS = "^arn:aws[a-z-]*:sts::([0-9]{12}):assumed-role/([^/]+)/(.+)$"
_ROLE = "^arn:aws[a-z-]*:iam::([0-9]{12}):role/(?:.*/)?([^/]+)$"
_USER = "^arn:aws[a-z-]*:iam::([0-9]{12}):user/(?:.*/)?([^/]+)$"
_ACCOUNT = f"coalesce(nullif(regexp_extract(iam_role_arn, '{_ROLE}', 1), ''), regexp_extract(username, '{_STS}', 1))"
_ROLE_NAME = f"coalesce(nullif(regexp_extract(iam_role_arn, '{_ROLE}', 2), ''), regexp_extract(username, '{_STS}', 2))"
_SESSION = f"coalesce(nullif(session_name, ''), nullif(regexp_extract(username, '{_STS}', 3), ''))"
_MACHINE = f"regexp_full_match({_SESSION}, '{'|'.join(MACHINE_SESSIONS)}')"
_IAM_USER = "coalesce(iam_role_arn, username)"
_OWN_FORMS = "^(iam-role:|iam-user:|node-group:|user:|crowd:|unauthenticated$)"
_CONTROLLERS = ", ".join(f"'system:serviceaccount:kube-system:{c}'" for c in CONTROLLERS)
_IN_PASSING = f"^(system:serviceaccount:[^:]*-){PASSING}:"
# asked first, for most are not: see _LOWER in features/requests.py
_ACCOUNT_OF_FAMILY = (
    f"CASE WHEN regexp_extract(username, '{_IN_PASSING}') = '' THEN username "
    f"ELSE regexp_replace(username, '{_IN_PASSING}', '\\1*:') END"
)


@dataclass(frozen=True)
class Example:
    """A caller and the principal it must become."""

    principal: str
    username: str | None = None
    iam_role_arn: str | None = None
    session_name: str | None = None


@dataclass(frozen=True)
class Rule:
    """SQL over one event: when the rule fits, the principal it names, and that principal's type."""

    type: str
    when: str
    principal: str
    examples: tuple[Example, ...]


_NODE_ROLE = "arn:aws:iam::111122223333:role/general-node"
_SRE = "arn:aws:sts::111122223333:assumed-role/SRE/"

RULES: tuple[Rule, ...] = (
    Rule(
        UNAUTHENTICATED,
        "username IS NULL OR username IN ('', 'system:anonymous')",
        f"'{UNAUTHENTICATED}'",
        (Example(UNAUTHENTICATED), Example(UNAUTHENTICATED, "system:anonymous")),
    ),
    Rule(
        "node",
        "username LIKE 'system:node:%'",
        "'node-group:' || coalesce(iam_role_arn, 'without-iam-role')",
        (
            Example(f"node-group:{_NODE_ROLE}", "system:node:ip-10-0-3-4.ec2.internal", _NODE_ROLE, "i-0abc"),
            Example("node-group:without-iam-role", "system:node:worker-1"),
        ),
    ),
    Rule(
        "control plane",
        f"username LIKE 'eks:%' OR username LIKE 'system:kube-%' OR username IN ('system:apiserver', {_CONTROLLERS})",
        "username",
        (
            Example("eks:node-manager", "eks:node-manager", "arn:aws:iam::999988887777:role/Managed", "1234567890"),
            Example("system:kube-scheduler", "system:kube-scheduler"),
            Example(
                "system:serviceaccount:kube-system:job-controller", "system:serviceaccount:kube-system:job-controller"
            ),
        ),
    ),
    Rule(
        "system account",
        "username LIKE 'system:serviceaccount:kube-system:%'",
        "username",
        (Example("system:serviceaccount:kube-system:aws-node", "system:serviceaccount:kube-system:aws-node"),),
    ),
    Rule(
        "workload",
        "username LIKE 'system:serviceaccount:%'",
        _ACCOUNT_OF_FAMILY,
        (
            Example("system:serviceaccount:shop:cart", "system:serviceaccount:shop:cart"),
            Example("system:serviceaccount:pr-*:runner", "system:serviceaccount:pr-123:runner"),
            Example("system:serviceaccount:build-*:ci", "system:serviceaccount:build-7f9c2d4e81:ci"),
            Example("system:serviceaccount:build-*:ci", "system:serviceaccount:build-abcdef1:ci"),
            Example("system:serviceaccount:team-defaced:ci", "system:serviceaccount:team-defaced:ci"),
            Example("system:serviceaccount:team-decade:ci", "system:serviceaccount:team-decade:ci"),
        ),
    ),
    Rule(
        "system account",
        "username LIKE 'system:%'",
        "username",
        (Example("system:unknown-part", "system:unknown-part"),),
    ),
    Rule(
        "person",
        f"{_SESSION} IS NOT NULL AND {_ROLE_NAME} <> '' AND {_MACHINE}",
        f"'iam-role:' || {_ACCOUNT} || ':' || {_ROLE_NAME}",
        tuple(
            Example("iam-role:111122223333:SRE", _SRE + session, "arn:aws:iam::111122223333:role/SRE", session)
            for session in (
                "EKSGetTokenAuth",
                "botocore-session-1700000000",
                "aws-go-sdk-1700000000123456789",
                "i-0abcdef",
                "1690000000",
                "0f8fad5b-d9cb-469f-a165-70867728950e",
            )
        ),
    ),
    Rule(
        "person",
        f"{_SESSION} IS NOT NULL AND {_ROLE_NAME} <> ''",
        f"'iam-role:' || {_ACCOUNT} || ':' || {_ROLE_NAME} || '/' || {_SESSION}",
        (
            Example("iam-role:111122223333:SRE/maria", _SRE + "maria"),
            Example(
                "iam-role:111122223333:SRE/greta@acme.example",
                "greta@acme.example",
                "arn:aws:iam::111122223333:role/eng/SRE",
                "greta@acme.example",
            ),
        ),
    ),
    Rule(
        "person",
        f"regexp_matches({_IAM_USER}, '{_USER}')",
        f"'iam-user:' || regexp_extract({_IAM_USER}, '{_USER}', 1) || ':' || regexp_extract({_IAM_USER}, '{_USER}', 2)",
        (
            Example("iam-user:111122223333:eve", "admin", "arn:aws:iam::111122223333:user/ops/eve"),
            Example("iam-user:111122223333:eve", "arn:aws:iam::111122223333:user/eve"),
        ),
    ),
    Rule(
        "person",
        "true",
        f"CASE WHEN regexp_matches(username, '{_OWN_FORMS}') THEN 'user:' || username ELSE username END",
        (
            Example("kubernetes-admin", "kubernetes-admin"),
            Example("user:unauthenticated", "unauthenticated"),
            Example("user:node-group:x", "node-group:x"),
        ),
    ),
)

TYPES: tuple[str, ...] = tuple(dict.fromkeys(rule.type for rule in RULES))
"""Peer groups; a principal is compared with the others of its type."""


def _case(values: list[str]) -> str:
    branches = " ".join(f"WHEN {rule.when} THEN {value}" for rule, value in zip(RULES, values, strict=True))
    return f"CASE {branches} END"


PRINCIPAL = _case([rule.principal for rule in RULES])
"""SQL over username, iam_role_arn and session_name: the principal's name."""

TYPE = _case([f"'{rule.type}'" for rule in RULES])
"""SQL over the same: the principal's type."""

_INSTANCE = f"coalesce(regexp_extract(session_name, '^{INSTANCE}$'), '')"
NOT_AN_INSTANCE = f"coalesce(username LIKE 'system:node:%' AND {_INSTANCE} = '', false)"
"""SQL over the same: a node whose session is not named after an instance; who assumes a node's role may choose it."""
