"""SQL over one request, said once: the actions that features and items have in common."""

from __future__ import annotations

from collections.abc import Iterable

SELF_REVIEWS = ("selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews")
REVIEWS = (*SELF_REVIEWS, "subjectaccessreviews", "localsubjectaccessreviews", "tokenreviews")
"""Questions, although they are asked by create."""

TOOLS = ("curl", "wget", "httpie", "python", "python-requests", "python-urllib", "k9s", "lens", "postmanruntime")
"""Clients that people type on, as agent families; programs in pods have libraries of their own."""

WORKLOADS = (
    "pods",
    "deployments",
    "daemonsets",
    "statefulsets",
    "replicasets",
    "replicationcontrollers",
    "jobs",
    "cronjobs",
    "podtemplates",
)
"""Resources that hold a pod, or a pattern of one."""


def listed(names: Iterable[str]) -> str:
    """SQL list of texts, whoever wrote them."""
    return ", ".join("'" + name.replace("'", "''") + "'" for name in names)


WORKLOAD = (
    f"coalesce(resource IN ({listed(WORKLOADS)}), false) "
    "AND (subresource IS NULL OR (resource = 'pods' AND subresource = 'ephemeralcontainers'))"
)

DENIED = "coalesce(code IN (401, 403), false)"
SUCCEEDED = "coalesce(code < 400, false)"
READS = "verb IN ('get', 'list', 'watch')"
SECRETS = "coalesce(resource = 'secrets' AND api_group IS NULL, false)"
ASKS_SECRETS = f"{SECRETS} AND {READS}"
"""To write a secret takes no knowledge of it: controllers and pipelines do so all day for others."""
ACTION = "coalesce(verb, '-') || ' ' || object"
RAW_PLACE = "coalesce(namespace, '-')"
ACTION_IN_RAW_PLACE = f"{ACTION} || ' ' || {RAW_PLACE}"
ACTION_IN_PLACE = f"{ACTION} || ' ' || place"
ACTION_ON_OBJECT = f"{ACTION_IN_RAW_PLACE} || '/' || coalesce(name, '*')"
CLIENT = "agent || ' ' || address"
"""A program on a machine: `agent` holds no space, so what stands before the first is the agent."""

# what the control plane and nodes do all night for others is no sign of intent; see SENSITIVE
_NOT_CONTROL_PLANE = "type <> 'control plane'"
_NOT_MACHINERY = "type NOT IN ('control plane', 'node')"

RBAC_WRITE = "coalesce(api_group = 'rbac.authorization.k8s.io', false) AND writes"
RULE_WRITE = f"{RBAC_WRITE} AND resource IN ('roles', 'clusterroles')"
BINDING_WRITE = f"{RBAC_WRITE} AND resource IN ('rolebindings', 'clusterrolebindings')"
STRONG_RBAC_WRITE = (
    f"{RBAC_WRITE} AND coalesce(strong_rule OR binding_role LIKE '%/cluster-admin' "
    "OR list_contains(binding_subjects, 'Group/system:masters'), false)"
)
EXEC = "coalesce(resource = 'pods' AND subresource IN ('exec', 'attach', 'portforward', 'ephemeralcontainers'), false)"
CREDENTIAL_CREATE = "coalesce(resource = 'serviceaccounts' AND subresource = 'token', false) AND verb = 'create'"
TOKEN_REQUEST = f"{CREDENTIAL_CREATE} AND {_NOT_MACHINERY}"
FOR_ANOTHER = (
    "coalesce(username, '') <> 'system:serviceaccount:' || coalesce(namespace, '') || ':' || coalesce(name, '')"
)
WORKLOAD_WRITE = f"writes AND verb IN ('create', 'update', 'patch') AND {WORKLOAD}"
AUTHORED_WORKLOAD = f"{WORKLOAD_WRITE} AND {SUCCEEDED} AND {_NOT_CONTROL_PLANE}"
PRIVILEGED_WRITE = f"coalesce(host_access, false) AND {SUCCEEDED} AND {_NOT_CONTROL_PLANE}"
WEBHOOK_WRITE = (
    "coalesce(resource IN ('validatingwebhookconfigurations', 'mutatingwebhookconfigurations'), false) "
    "AND verb IN ('create', 'update', 'patch')"
)
HOOK_WRITE = (
    "coalesce(resource IN ('validatingwebhookconfigurations', 'mutatingwebhookconfigurations', 'apiservices'), "
    f"false) AND writes AND {_NOT_CONTROL_PLANE}"
)
CERTIFICATE_WRITE = f"coalesce(resource = 'certificatesigningrequests', false) AND writes AND {_NOT_MACHINERY}"
NODE_PROXY = "coalesce(resource = 'nodes' AND subresource = 'proxy', false)"
SYSTEM_CONFIGMAP = "coalesce(resource = 'configmaps' AND namespace = 'kube-system', false)"
AWS_AUTH_WRITE = f"{SYSTEM_CONFIGMAP} AND name = 'aws-auth' AND writes"
PERMISSION_QUESTION = (
    "verb = 'create' AND coalesce(resource IN ('selfsubjectaccessreviews', 'subjectaccessreviews', "
    "'localsubjectaccessreviews'), false)"
)
TOOL = f"(agent LIKE 'kubectl%' OR agent IN ({listed(TOOLS)}))"
IMPERSONATION = "impersonated_user IS NOT NULL"

SENSITIVE = " OR ".join(
    f"({p})"
    for p in (
        RBAC_WRITE,
        EXEC,
        TOKEN_REQUEST,
        PRIVILEGED_WRITE,
        HOOK_WRITE,
        CERTIFICATE_WRITE,
        NODE_PROXY,
        AWS_AUTH_WRITE,
        IMPERSONATION,
        "coalesce(verb = 'deletecollection', false)",
    )
)
SENSITIVE_ACTION = (
    f"{ACTION} || CASE WHEN {PRIVILEGED_WRITE} THEN ' privileged' ELSE '' END "
    f"|| CASE WHEN {IMPERSONATION} THEN ' as other' ELSE '' END"
)
