"""Body facts: the few scalars read from a request body at parse, after which the body is dropped.

Each fact is declared once: the parser's SQL, the archive's schema, the sample's maker and the docs read it.
`body` is the request body as bodies.py reads it, `pods`, `containers` and `volumes` what a workload's body holds of
them (body_steps); where the audit level logs none the fact is null, never false.
tests/pipelines/test_body_facts.py sets each fact, clears it and leaves it out."""

from __future__ import annotations

from dataclasses import dataclass

from features.levels import Level
from features.predicates import WORKLOAD, listed
from pipelines.parsing.bodies import BODY, CONTAINERS, PODS, VOLUMES
from pipelines.parsing.redact import redacted_path
from pipelines.parsing.tokens import without_tokens

MAX_LIST = 64
"""Entries kept of a list fact; a body may hold thousands."""

MAX_TEXT = 512
"""Characters kept of one entry."""

_WRITE = "verb IN ('create', 'update', 'patch')"
_WORKLOAD = f"{_WRITE} AND {WORKLOAD}"
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


def _true(path: str, among: str) -> str:
    return f"list_contains([json_extract(x, '$.{path}') for x in {among}], 'true')"


def _texts(sql: str) -> str:
    return f"[left(t, {MAX_TEXT}) for t in list_sort(list_distinct({sql}))[1:{MAX_LIST}] if t <> '']"


def _granted(field: str, *values: str) -> str:
    wanted = ", ".join(f"'{v}'" for v in values)
    return f"list_has_any(json_extract_string(body, '$[*].rules[*].{field}[*]'), [{wanted}])"


# the API server takes one controller at most; a resource is the plural of its kind
_OWNER = (
    "[lower(json_extract_string(o, '$.kind')) || 's/' || json_extract_string(o, '$.name') "
    "for o in json_extract(body, '$[*].metadata.ownerReferences[*]') if json_extract(o, '$.controller') = 'true'][1]"
)
EVERYBODY = (
    "Group/system:masters",
    "Group/system:authenticated",
    "Group/system:unauthenticated",
    "Group/system:serviceaccounts",
    "User/system:anonymous",
)
"""Subjects by which a binding grants to all, or to those who may do all."""

_ASKED = "'$[0].spec.resourceAttributes.{}'"


def _asked(field: str, otherwise: str = "'*'") -> str:
    return f"coalesce(nullif(json_extract_string(body, {_ASKED.format(field)}), ''), {otherwise})"


_ASKED_PATH = without_tokens(redacted_path("json_extract_string(body, '$[0].spec.nonResourceAttributes.path')"))
_SUBJECTS = (
    "list_transform(json_extract(body, '$[*].subjects[*]'), lambda s: concat_ws('/', json_extract_string(s, '$.kind'), "
    "nullif(json_extract_string(s, '$.namespace'), ''), json_extract_string(s, '$.name')))"
)
_WRITER = (
    "list_concat(['User/' || e.user.username, CASE WHEN e.user.username LIKE 'system:serviceaccount:%' THEN "
    "'ServiceAccount/' || replace(substr(e.user.username, length('system:serviceaccount:') + 1), ':', '/') END], "
    "[concat('Group/', g) for g in e.user.groups])"
)
_SERVICE = (
    "[concat_ws('/', 'service', json_extract_string(s, '$.namespace'), json_extract_string(s, '$.name')) "
    "for s in json_extract(body, '$[*].webhooks[*].clientConfig.service') if json_type(s) = 'OBJECT']"
)
_SCHEME, _HOST = "[A-Za-z][A-Za-z0-9+.-]*://", r"(?:[^/?#@:\s\[\]\\]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"
# user, path, query and fragment may hold a secret; where what must be the host is none, a password may hold a slash
ADDRESS = rf"^({_SCHEME})(?:(?:[^/?#]*@)?|[^?#]*@)({_HOST})(?:[/?#]|$)"
_URL = (
    f"[regexp_extract(u, '{ADDRESS}', 1) || regexp_extract(u, '{ADDRESS}', 2) "
    "for u in json_extract_string(body, '$[*].webhooks[*].clientConfig.url')]"
)
IMAGE = rf"^(?:{_SCHEME})?(?:[^@]*@)*?([^@]*(?:@sha(?:256|512):[0-9A-Fa-f]*)?)$"
"""An image, behind the user that a client may have put before it."""
_IDENTITY = (
    "regexp_extract_all(array_to_string(list_concat(json_extract_string(body, '$[*].data.mapRoles'), "
    "json_extract_string(body, '$[*].data.mapUsers')), ' '), "
    "'arn:aws[a-z-]*:iam::[0-9]{12}:(?:role|user|root)[A-Za-z0-9_+=,.@/-]*')"
)

FACTS: tuple[BodyFact, ...] = (
    BodyFact(
        "privileged",
        "BOOLEAN",
        "A container asks for privileged mode.",
        _WORKLOAD,
        _true("securityContext.privileged", "containers"),
    ),
    BodyFact("host_pid", "BOOLEAN", "The pod asks for the node's process table.", _WORKLOAD, _true("hostPID", "pods")),
    BodyFact(
        "host_network", "BOOLEAN", "The pod asks for the node's network.", _WORKLOAD, _true("hostNetwork", "pods")
    ),
    BodyFact("host_ipc", "BOOLEAN", "The pod asks for the node's shared memory.", _WORKLOAD, _true("hostIPC", "pods")),
    BodyFact(
        "host_path",
        "BOOLEAN",
        "The pod mounts a path of the node.",
        _WORKLOAD,
        "list_contains([json_type(v, '$.hostPath') for v in volumes], 'OBJECT')",
    ),
    BodyFact(
        "images",
        "VARCHAR[]",
        "Container images named.",
        _WORKLOAD,
        _texts(
            f"[regexp_extract(json_extract_string(c, '$.image'), '{IMAGE}', 1) for c in containers "
            "if json_type(c, '$.image') = 'VARCHAR']"
        ),
    ),
    BodyFact(
        "owner",
        "VARCHAR",
        "Resource and name of what controls the workload: its controller's owner reference.",
        _WORKLOAD,
        f"left({_OWNER}, {MAX_TEXT})",
    ),
    BodyFact(
        "token_expiration_s",
        "BIGINT",
        "Lifetime asked for a service account token, seconds.",
        _CREDENTIAL,
        "try_cast(json_extract_string(body, '$[0].spec.expirationSeconds') AS BIGINT)",
    ),
    BodyFact(
        "asked_permission",
        "VARCHAR",
        "Permission an access review asks about: verb, resource.group/subresource, namespace; or verb and path.",
        _REVIEW,
        f"left(CASE WHEN json_type(body, '$[0].spec.nonResourceAttributes') = 'OBJECT' THEN concat_ws(' ', "
        "json_extract_string(body, '$[0].spec.nonResourceAttributes.verb'), "
        f"{_ASKED_PATH}) ELSE "
        f"{_asked('verb')} || ' ' || {_asked('resource')} || coalesce('.' || {_asked('group', 'NULL')}, '') || "
        f"coalesce('/' || {_asked('subresource', 'NULL')}, '') || ' ' || {_asked('namespace')} END, {MAX_TEXT})",
    ),
    BodyFact(
        "binding_role",
        "VARCHAR",
        "Kind and name of the role a binding grants.",
        _BINDING,
        "left(concat_ws('/', json_extract_string(body, '$[*].roleRef.kind')[1], "
        f"json_extract_string(body, '$[*].roleRef.name')[1]), {MAX_TEXT})",
    ),
    BodyFact(
        "binding_subjects",
        "VARCHAR[]",
        "Who a binding names: kind/namespace/name.",
        _BINDING,
        _texts(_SUBJECTS),
    ),
    BodyFact(
        "binds_self",
        "BOOLEAN",
        "A binding names who writes it, or a group of his.",
        _BINDING,
        f"list_has_any({_SUBJECTS}, {_WRITER})",
    ),
    BodyFact(
        "binds_everybody",
        "BOOLEAN",
        "A binding names everybody, the unauthenticated, or system:masters.",
        _BINDING,
        f"list_has_any({_SUBJECTS}, [{listed(EVERYBODY)}])",
    ),
    BodyFact(
        "rule_wildcard",
        "BOOLEAN",
        "A rule grants every verb or every resource.",
        _ROLE,
        f"{_granted('verbs', '*')} OR {_granted('resources', '*', '*/*')}",
    ),
    BodyFact(
        "rule_secrets",
        "BOOLEAN",
        "A rule reaches secrets.",
        _ROLE,
        _granted("resources", "secrets", "*"),
    ),
    BodyFact(
        "rule_exec",
        "BOOLEAN",
        "A rule reaches exec, attach, portforward or ephemeral containers.",
        _ROLE,
        _granted(
            "resources",
            "pods/exec",
            "pods/attach",
            "pods/portforward",
            "pods/ephemeralcontainers",
            "pods/*",
            "*/exec",
        ),
    ),
    BodyFact("rule_escalate", "BOOLEAN", "A rule grants escalate.", _ROLE, _granted("verbs", "escalate", "*")),
    BodyFact("rule_bind", "BOOLEAN", "A rule grants bind.", _ROLE, _granted("verbs", "bind", "*")),
    BodyFact(
        "rule_impersonate",
        "BOOLEAN",
        "A rule grants impersonate.",
        _ROLE,
        _granted("verbs", "impersonate", "*"),
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
        "Where an admission webhook sends objects: scheme, host and port, or service.",
        _WEBHOOK,
        _texts(f"list_concat({_URL}, {_SERVICE})"),
    ),
    BodyFact(
        "webhook_outside",
        "BOOLEAN",
        "An admission webhook sends objects to a URL, not to a service of the cluster.",
        _WEBHOOK,
        "len([u for u in json_extract_string(body, '$[*].webhooks[*].clientConfig.url') if u <> '']) > 0",
    ),
)


def reads_body() -> str:
    """SQL over verb, api_group, resource, subresource, namespace, name: does any fact read this event's body?"""
    return " OR ".join(f"({applies})" for applies in dict.fromkeys(f.applies for f in FACTS))


def body_steps() -> tuple[tuple[str, str], ...]:
    """Names and SQL that the facts read, each made from those before it and null where no fact needs it."""
    return (
        ("body", f"CASE WHEN e.requestObject IS NOT NULL AND ({reads_body()}) THEN {BODY} END"),
        ("pods", f"CASE WHEN body IS NOT NULL AND {_WORKLOAD} THEN {PODS} END"),
        ("containers", f"CASE WHEN pods IS NOT NULL THEN {CONTAINERS} END"),
        ("volumes", f"CASE WHEN pods IS NOT NULL THEN {VOLUMES} END"),
    )


def facts() -> str:
    """SQL over body_steps(): all facts of an event in one struct; null without a body."""
    members = ", ".join(f"'{f.name}': {f.guarded}" for f in FACTS)
    return f"CASE WHEN body IS NOT NULL THEN {{{members}}} END"
