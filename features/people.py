"""What is counted for people to read: a ratio's parts, a role's reach, what bodies say. The forest does not read it.

One that the back-test shows to help is moved to the forest by its flag. features/catalogue.py."""

from __future__ import annotations

from features import predicates as p
from features.feature import Feature, distinct, of_table, requests
from features.levels import Level

LONG_TOKEN_S = 86_400
"""A token asked for longer than a day outlives a shift; a kubelet asks for an hour."""


def _counted(
    name: str, group: str, meaning: str, counts: str, reads_bodies_of: str | None = None, reads: tuple[str, ...] = ()
) -> Feature:
    return requests(name, group, meaning, counts, reads_bodies_of, reads=reads, forest=False)


def _of(
    name: str, group: str, unit: str, meaning: str, over: str, aggregate: str, reads: tuple[str, ...] = ()
) -> Feature:
    return of_table(name, group, unit, meaning, over, aggregate, reads=reads, forest=False)


PEOPLE: tuple[Feature, ...] = (
    Feature(
        "logged_bytes",
        "volume",
        "bytes",
        "Length of the lines that tell its requests.",
        aggregate="sum(bytes)",
        reads=("bytes",),
        forest=False,
    ),
    _of("active_minutes", "volume", "minutes", "Minutes with a request.", "minutes", "count(*)"),
    _of(
        "median_minute",
        "volume",
        "requests",
        "Requests in the middle one of its active minutes.",
        "minutes",
        "max(n) FILTER (WHERE 2 * nth - minutes IN (1, 2))",
    ),
    _of(
        "gaps_s",
        "volume",
        "seconds",
        "Time between requests, all of it; a pause counts up to a day.",
        "minutes",
        "sum(span_s + pause_s)",
    ),
    _of(
        "gap_squares_s",
        "volume",
        "squared seconds",
        "Squares of the times between requests, added up; those within a minute are taken as equal.",
        "minutes",
        "sum(span_s * span_s // greatest(n - 1, 1) + pause_s * pause_s)",
    ),
    _counted("status_writes", "mix", "Writes of the status of an object.", "writes AND subresource = 'status'"),
    _counted("discovery_requests", "mix", "Questions about what the API offers, as every client asks.", "discovery"),
    _counted("forbidden_requests", "refusals", "All requests refused for lack of permission (403).", "code = 403"),
    _counted("not_found_requests", "refusals", "All requests for what is not there (404).", "code = 404"),
    _counted(
        "forbidden_by_authorization",
        "refusals",
        "Requests that no authorizer allowed (403, decision forbid).",
        "code = 403 AND decision = 'forbid'",
        reads=("decision",),
    ),
    _counted(
        "forbidden_after_authorization",
        "refusals",
        "Requests refused although they were authorized: by admission, or as an escalation (403, decision allow).",
        "code = 403 AND decision = 'allow'",
        reads=("decision",),
    ),
    _counted("conflicts", "refusals", "Writes that met another one (409).", "code = 409"),
    _counted("throttled_requests", "refusals", "Requests sent away for being too many (429).", "code = 429"),
    _counted("server_errors", "refusals", "Requests that failed in the server (5xx).", "code >= 500"),
    distinct(
        "distinct_denied_pairs",
        "refusals",
        "pairs",
        "Different (verb, resource) pairs refused, wherever.",
        p.ACTION,
        p.DENIED,
        forest=False,
    ),
    _of(
        "regained_actions",
        "refusals",
        "actions",
        "Different (verb, resource, namespace) allowed within an hour of having been refused.",
        "regained",
        "count(*)",
    ),
    _of(
        "credentials_per_pod",
        "origin",
        "tokens",
        "Most different tokens used in the name of one pod.",
        "pods",
        "max(n)",
        ("pod_name", "credential_id"),
    ),
    _of(
        "addresses_per_credential",
        "origin",
        "addresses",
        "Most client addresses from which one token was used.",
        "credentials",
        "max(n)",
        ("credential_id",),
    ),
    _counted(
        "tool_requests",
        "agent",
        "Requests of a service account by a client that people type on, such as kubectl or curl.",
        f"type IN ('workload', 'system account') AND username LIKE 'system:serviceaccount:%' AND {p.TOOL}",
    ),
    _of(
        "rare_hour_requests",
        "time",
        "requests",
        "Requests in hours in which the principal is active on fewer than 8 % of nights.",
        "hours",
        "sum(requests)",
    ),
    _of(
        "rarest_hour",
        "time",
        "decades",
        "How rarely the principal is active in the rarest of its hours: 2 is one night in 100; less for few requests.",
        "hours",
        "max(tenths) // 10",
    ),
    distinct(
        "distinct_roles",
        "breadth",
        "roles",
        "Different roles that allowed a request.",
        "authz_role",
        reads=("authz_role",),
        forest=False,
    ),
    _counted(
        "system_configmap_reads",
        "sensitive",
        "Configmaps of kube-system read, listed or watched with success.",
        f"{p.SYSTEM_CONFIGMAP} AND {p.READS} AND {p.SUCCEEDED}",
    ),
    _counted(
        "system_configmap_writes",
        "sensitive",
        "Writes of configmaps of kube-system.",
        f"{p.SYSTEM_CONFIGMAP} AND writes",
    ),
    _counted(
        "refused_rbac_writes",
        "sensitive",
        "Writes of roles and bindings refused (403): for lack of permission, or as an escalation.",
        f"{p.RBAC_WRITE} AND code = 403",
    ),
    _counted(
        "other_token_requests",
        "sensitive",
        "Tokens asked for in the name of another service account; nodes and the control plane apart.",
        f"{p.TOKEN_REQUEST} AND {p.FOR_ANOTHER}",
    ),
    Feature(
        "longest_token_s",
        "sensitive",
        "seconds",
        "Longest lifetime asked for a token.",
        p.CREDENTIAL_CREATE,
        aggregate="max(token_expiration_s)",
        needs=Level.REQUEST,
        reads_bodies_of=p.CREDENTIAL_CREATE,
        told_by="token_expiration_s IS NOT NULL",
        forest=False,
    ),
    Feature(
        "long_token_requests",
        "sensitive",
        "requests",
        "Tokens asked for that live longer than a day.",
        f"{p.CREDENTIAL_CREATE} AND token_expiration_s > {LONG_TOKEN_S}",
        needs=Level.REQUEST,
        reads_bodies_of=p.CREDENTIAL_CREATE,
        told_by="token_expiration_s IS NOT NULL",
        forest=False,
    ),
    Feature(
        "distinct_permissions_asked",
        "sensitive",
        "permissions",
        "Different permissions that access reviews asked about.",
        p.PERMISSION_QUESTION,
        distinct="asked_permission",
        needs=Level.REQUEST,
        reads_bodies_of=p.PERMISSION_QUESTION,
        forest=False,
    ),
    _counted(
        "self_bindings",
        "sensitive",
        "Bindings written that name the writer, or a group of his.",
        f"{p.BINDING_WRITE} AND binds_self",
        p.BINDING_WRITE,
    ),
    _counted(
        "broad_bindings",
        "sensitive",
        "Bindings written that name everybody, the unauthenticated, or system:masters.",
        f"{p.BINDING_WRITE} AND binds_everybody",
        p.BINDING_WRITE,
    ),
    _counted(
        "wildcard_rules",
        "sensitive",
        "Roles written that grant every verb or every resource.",
        f"{p.RULE_WRITE} AND rule_wildcard",
        p.RULE_WRITE,
    ),
    _counted(
        "secret_rules",
        "sensitive",
        "Roles written that reach secrets.",
        f"{p.RULE_WRITE} AND rule_secrets",
        p.RULE_WRITE,
    ),
    _counted(
        "exec_rules", "sensitive", "Roles written that reach into pods.", f"{p.RULE_WRITE} AND rule_exec", p.RULE_WRITE
    ),
    _counted(
        "rights_rules",
        "sensitive",
        "Roles written that grant escalate, bind or impersonate.",
        f"{p.RULE_WRITE} AND rule_rights",
        p.RULE_WRITE,
    ),
    _counted(
        "outside_hook_writes",
        "sensitive",
        "Admission webhooks written that send objects to a URL, not to a service of the cluster.",
        f"{p.WEBHOOK_WRITE} AND webhook_outside",
        p.WEBHOOK_WRITE,
    ),
    _counted(
        "strange_node_requests",
        "sensitive",
        "Requests of a node whose session is not named after an instance.",
        "no_instance",
    ),
    Feature(
        "carried_out_privileges",
        "sensitive",
        "objects",
        "Privileged objects that controllers made from what it wrote tonight.",
        aggregate="sum(n)",
        over="carried",
        needs=Level.REQUEST,
        reads_bodies_of=p.WORKLOAD_WRITE,
        forest=False,
    ),
)
"""By group, as the detector's own counts."""
