"""Body facts: the few scalars read from a request body at parse, after which the body is dropped.

Each fact is declared once: the parser's SQL, the archive's schema, the sample's maker and the docs read it.
`body` is the request body as JSON, null where the audit level does not log it; then the fact is null,
never false. A JSON patch (an array of operations) is read as well as an object."""

from __future__ import annotations

from dataclasses import dataclass

from features.levels import Level

MAX_LIST = 64
"""Entries kept of a list fact; a body may hold thousands."""

MAX_TEXT = 512
"""Characters kept of one entry."""

_WRITE = "verb IN ('create', 'update', 'patch')"
_WORKLOAD = (
    f"{_WRITE} AND subresource IS NULL AND resource IN ('pods', 'deployments', 'daemonsets', 'statefulsets', "
    "'replicasets', 'replicationcontrollers', 'jobs', 'cronjobs', 'podtemplates')"
)
_ROLE = f"{_WRITE} AND api_group = 'rbac.authorization.k8s.io' AND resource IN ('roles', 'clusterroles')"
_BINDING = (
    f"{_WRITE} AND api_group = 'rbac.authorization.k8s.io' AND resource IN ('rolebindings', 'clusterrolebindings')"
)
_REVIEW = (
    "verb = 'create' AND resource IN ('selfsubjectaccessreviews', 'subjectaccessreviews', 'localsubjectaccessreviews')"
)
_WEBHOOK = f"{_WRITE} AND resource IN ('validatingwebhookconfigurations', 'mutatingwebhookconfigurations')"
_CREDENTIAL = "verb = 'create' AND resource = 'serviceaccounts' AND subresource = 'token'"
_AWS_AUTH = f"{_WRITE} AND resource = 'configmaps' AND namespace = 'kube-system' AND name = 'aws-auth'"


@dataclass(frozen=True)
class BodyFact:
    """One fact: where it applies, how it is read, and the level below which it is blind."""

    name: str
    type: str
    meaning: str
    applies: str
    sql: str
    needs: Level = Level.REQUEST

    @property
    def guarded(self) -> str:
        """SQL over an event with a body: the fact, or null where it does not apply."""
        return f"CASE WHEN {self.applies} THEN {self.sql} END"


def _patched(key: str) -> str:
    return f"list_has_any([p[-{len(key) + 1}:] for p in json_extract_string(body, '$[*].path')], ['/{key}'])"


def _true(key: str) -> str:
    return f"coalesce(list_contains(json_extract_string(body, '$..{key}'), 'true'), false) OR {_patched(key)}"


def _set(key: str) -> str:
    return f"len(list_filter(json_extract_string(body, '$..{key}'), lambda v: v IS NOT NULL)) > 0 OR {_patched(key)}"


def _texts(sql: str) -> str:
    return f"[left(t, {MAX_TEXT}) for t in list_sort(list_distinct({sql}))[1:{MAX_LIST}] if t IS NOT NULL]"


def _names(*paths: str) -> str:
    reads = [f"json_extract_string(body, '{p}')" for p in paths]
    return _texts(f"list_concat({', '.join(reads)})" if len(reads) > 1 else reads[0])


def _any_of(key: str, *values: str) -> str:
    wanted = ", ".join(f"'{v}'" for v in values)
    return f"list_has_any(json_extract_string(body, '$..{key}[*]'), [{wanted}])"


_ASKED = "'$.spec.resourceAttributes.{}'"


def _asked(field: str, otherwise: str = "'*'") -> str:
    return f"coalesce(nullif(json_extract_string(body, {_ASKED.format(field)}), ''), {otherwise})"


_SUBJECTS = (
    "list_transform(json_extract(body, '$..subjects[*]'), lambda s: concat_ws('/', json_extract_string(s, '$.kind'), "
    "nullif(json_extract_string(s, '$.namespace'), ''), json_extract_string(s, '$.name')))"
)
_SERVICE = (
    "list_transform(json_extract(body, '$..clientConfig.service'), lambda s: concat_ws('/', 'service', "
    "json_extract_string(s, '$.namespace'), json_extract_string(s, '$.name')))"
)
# user information, query and fragment of the address may hold a secret
_URL = (
    "list_transform(json_extract_string(body, '$..clientConfig.url'), "
    "lambda u: regexp_extract(u, '^([a-z]+://)(?:[^/@]*@)?([^?#]*)', 1) || "
    "regexp_extract(u, '^([a-z]+://)(?:[^/@]*@)?([^?#]*)', 2))"
)
_IDENTITY = (
    "regexp_extract_all(concat_ws(' ', json_extract_string(body, '$.data.mapRoles'), "
    "json_extract_string(body, '$.data.mapUsers'), array_to_string(json_extract_string(body, '$[*].value'), ' ')), "
    "'arn:aws[a-z-]*:iam::[0-9]{12}:(?:role|user|root)[A-Za-z0-9_+=,.@/-]*')"
)

FACTS: tuple[BodyFact, ...] = (
    BodyFact(
        "privileged",
        "BOOLEAN",
        "A container asks for privileged mode.",
        _WORKLOAD,
        f"coalesce(list_contains(json_extract_string(body, '$..securityContext.privileged'), 'true'), false) "
        f"OR {_patched('privileged')}",
    ),
    BodyFact("host_pid", "BOOLEAN", "The pod asks for the node's process table.", _WORKLOAD, _true("hostPID")),
    BodyFact("host_network", "BOOLEAN", "The pod asks for the node's network.", _WORKLOAD, _true("hostNetwork")),
    BodyFact("host_ipc", "BOOLEAN", "The pod asks for the node's shared memory.", _WORKLOAD, _true("hostIPC")),
    BodyFact("host_path", "BOOLEAN", "The pod mounts a path of the node.", _WORKLOAD, _set("hostPath")),
    BodyFact("images", "VARCHAR[]", "Container images named.", _WORKLOAD, _names("$..image")),
    BodyFact(
        "token_expiration_s",
        "BIGINT",
        "Lifetime asked for a service account token, seconds.",
        _CREDENTIAL,
        "try_cast(json_extract_string(body, '$.spec.expirationSeconds') AS BIGINT)",
    ),
    BodyFact(
        "asked_permission",
        "VARCHAR",
        "Permission an access review asks about: verb, resource.group/subresource, namespace; or verb and path.",
        _REVIEW,
        f"left(CASE WHEN json_extract(body, '$.spec.nonResourceAttributes') IS NOT NULL THEN concat_ws(' ', "
        "json_extract_string(body, '$.spec.nonResourceAttributes.verb'), "
        "json_extract_string(body, '$.spec.nonResourceAttributes.path')) ELSE "
        f"{_asked('verb')} || ' ' || {_asked('resource')} || coalesce('.' || {_asked('group', 'NULL')}, '') || "
        f"coalesce('/' || {_asked('subresource', 'NULL')}, '') || ' ' || {_asked('namespace')} END, {MAX_TEXT})",
    ),
    BodyFact(
        "binding_role",
        "VARCHAR",
        "Kind and name of the role a binding grants.",
        _BINDING,
        "left(concat_ws('/', json_extract_string(body, '$.roleRef.kind'), "
        f"json_extract_string(body, '$.roleRef.name')), {MAX_TEXT})",
    ),
    BodyFact(
        "binding_subjects",
        "VARCHAR[]",
        "Who a binding names: kind/namespace/name.",
        _BINDING,
        _texts(_SUBJECTS),
    ),
    BodyFact(
        "rule_wildcard",
        "BOOLEAN",
        "A rule grants every verb or every resource.",
        _ROLE,
        f"{_any_of('verbs', '*')} OR {_any_of('resources', '*', '*/*')}",
    ),
    BodyFact(
        "rule_secrets",
        "BOOLEAN",
        "A rule reaches secrets.",
        _ROLE,
        _any_of("resources", "secrets", "*"),
    ),
    BodyFact(
        "rule_exec",
        "BOOLEAN",
        "A rule reaches exec, attach, portforward or ephemeral containers.",
        _ROLE,
        _any_of(
            "resources",
            "pods/exec",
            "pods/attach",
            "pods/portforward",
            "pods/ephemeralcontainers",
            "pods/*",
            "*/exec",
        ),
    ),
    BodyFact("rule_escalate", "BOOLEAN", "A rule grants escalate.", _ROLE, _any_of("verbs", "escalate", "*")),
    BodyFact("rule_bind", "BOOLEAN", "A rule grants bind.", _ROLE, _any_of("verbs", "bind", "*")),
    BodyFact(
        "rule_impersonate",
        "BOOLEAN",
        "A rule grants impersonate.",
        _ROLE,
        _any_of("verbs", "impersonate", "*"),
    ),
    BodyFact(
        "aws_auth_identities",
        "VARCHAR[]",
        "IAM roles and users that aws-auth maps after the write.",
        _AWS_AUTH,
        _texts(_IDENTITY),
    ),
    BodyFact(
        "webhook_targets",
        "VARCHAR[]",
        "Where an admission webhook sends objects: address without query, or service.",
        _WEBHOOK,
        _texts(f"list_concat({_URL}, {_SERVICE})"),
    ),
)


def reads_body() -> str:
    """SQL over verb, api_group, resource, subresource, namespace, name: does any fact read this event's body?"""
    return " OR ".join(f"({applies})" for applies in dict.fromkeys(f.applies for f in FACTS))
