"""What the detector counts: volume, mix, refusals, origin, breadth, secrets and sensitive actions of a night.

features/people.py has what is counted for people; features/catalogue.py puts both together."""

from __future__ import annotations

from features import predicates as p
from features.feature import Feature, distinct, of_table, repeated, requests

_OTHER_ERRORS = "coalesce(code >= 400 AND code NOT IN (401, 403, 404), false)"
_REVIEWS = f"coalesce(resource IN ({p.listed(p.SELF_REVIEWS)}), false)"
_SECRET_READ = f"{p.SECRETS} AND {p.READS} AND {p.SUCCEEDED}"

COUNTED: tuple[Feature, ...] = (
    requests("requests", "volume", "Requests, without leases and successful health checks.", "true"),
    of_table("peak_minute", "volume", "requests", "Most requests in one minute.", "minutes", "max(n)"),
    distinct("active_hours", "volume", "hours", "Hours with a request.", "hour(ts)"),
    requests("writes", "mix", "Creates, updates, patches and deletes, access reviews apart.", "writes"),
    requests("lists", "mix", "Lists.", "verb = 'list'"),
    requests("cluster_lists", "mix", "Lists without a namespace.", "verb = 'list' AND namespace IS NULL"),
    requests("gets", "mix", "Reads of one object by its name.", "verb = 'get' AND name IS NOT NULL"),
    requests("watches", "mix", "Watches.", "verb = 'watch'"),
    requests("creates", "mix", "Creates.", "verb = 'create'"),
    requests("updates", "mix", "Updates and patches.", "verb IN ('update', 'patch')"),
    requests("url_requests", "mix", "Requests for a URL that is no resource.", "resource IS NULL"),
    repeated("self_reviews", "mix", "Questions about one's own permissions", _REVIEWS),
    requests("deletes", "impact", "Deletes of one object.", "verb = 'delete'"),
    requests("collection_deletes", "impact", "Deletes of whole collections.", "verb = 'deletecollection'"),
    repeated("forbidden", "refusals", "Requests refused for lack of permission (403)", "code = 403"),
    requests("unauthorized", "refusals", "Requests without a valid identity (401).", "code = 401"),
    repeated("not_found", "refusals", "Requests for what is not there (404)", "code = 404"),
    repeated("other_errors", "refusals", "Other refused or failed requests (4xx, 5xx)", _OTHER_ERRORS),
    distinct(
        "distinct_denied_actions",
        "refusals",
        "actions",
        "Different (verb, resource, namespace) refused.",
        p.ACTION_IN_RAW_PLACE,
        p.DENIED,
    ),
    requests("denied_secrets", "refusals", "Refused requests for secrets.", f"{p.DENIED} AND {p.SECRETS}"),
    distinct("distinct_addresses", "origin", "addresses", "Different client addresses.", "address"),
    distinct("distinct_networks", "origin", "networks", "Different client networks (/24).", "network"),
    requests("public_requests", "origin", "Requests from public addresses.", "is_public"),
    Feature(
        "borrowed_clients",
        "origin",
        "clients",
        "Programs on a machine that others use, new to the principal as that program is.",
        new=("client", "others"),
    ),
    distinct("distinct_agents", "agent", "agents", "Different user agent families.", "agent"),
    distinct("distinct_namespaces", "breadth", "namespaces", "Different namespaces.", "namespace"),
    distinct("distinct_resources", "breadth", "resources", "Different resources.", "object", "resource IS NOT NULL"),
    distinct("distinct_actions", "breadth", "actions", "Different (verb, resource) pairs.", p.ACTION),
    requests("secret_reads", "secrets", "Secrets read, listed or watched with success.", _SECRET_READ),
    distinct(
        "distinct_secrets",
        "secrets",
        "secrets",
        "Different secrets read by name.",
        "namespace || '/' || name",
        f"{_SECRET_READ} AND name IS NOT NULL",
    ),
    distinct(
        "distinct_secret_namespaces",
        "secrets",
        "namespaces",
        "Different namespaces of secrets asked for.",
        p.RAW_PLACE,
        p.ASKS_SECRETS,
    ),
    requests(
        "secret_lists", "secrets", "Successful lists of secrets.", f"{p.SECRETS} AND verb = 'list' AND {p.SUCCEEDED}"
    ),
    requests("rbac_writes", "sensitive", "Writes of roles and bindings.", p.RBAC_WRITE),
    requests(
        "strong_rbac_writes",
        "sensitive",
        "Roles and bindings written that reach cluster-admin, system:masters, secrets or others' rights.",
        p.STRONG_RBAC_WRITE,
        p.RBAC_WRITE,
    ),
    requests("execs", "sensitive", "Shells, attachments, port forwards and ephemeral containers in pods.", p.EXEC),
    requests(
        "token_requests",
        "sensitive",
        "Service account tokens asked for; nodes and the control plane apart.",
        p.TOKEN_REQUEST,
    ),
    requests(
        "privileged_writes",
        "sensitive",
        "Workloads written with success that are privileged or reach into the node; the control plane apart.",
        p.PRIVILEGED_WRITE,
        p.WORKLOAD_WRITE,
    ),
    requests(
        "hook_writes",
        "sensitive",
        "Writes of admission webhooks and API services; the control plane apart.",
        p.HOOK_WRITE,
    ),
    requests(
        "certificate_writes",
        "sensitive",
        "Writes of certificate signing requests; nodes and the control plane apart.",
        p.CERTIFICATE_WRITE,
    ),
    requests("node_proxy_requests", "sensitive", "Requests through nodes/proxy.", p.NODE_PROXY),
    requests("aws_auth_writes", "sensitive", "Writes of aws-auth, which maps IAM to users.", p.AWS_AUTH_WRITE),
    requests(
        "impersonated_requests",
        "sensitive",
        "Requests made as somebody else.",
        p.IMPERSONATION,
        reads=("impersonated_user",),
    ),
    distinct(
        "distinct_impersonated_users",
        "sensitive",
        "users",
        "Different users acted as.",
        "impersonated_user",
        p.IMPERSONATION,
        reads=("impersonated_user",),
    ),
    of_table(
        "crowd_members",
        "crowd",
        "names",
        "New sessions of one role, or new user names, so many that they are one principal.",
        "crowds",
        "count(*)",
    ),
    requests(
        "refused_token_requests",
        "tokens",
        "Service account tokens refused (403); to a node, those of accounts without a pod on it.",
        f"{p.CREDENTIAL_CREATE} AND code = 403",
    ),
    Feature(
        "borrowed_token_accounts",
        "tokens",
        "accounts",
        "Service accounts whose tokens others ask for, asked for by the principal for the first time.",
        new=("token_account", "others"),
    ),
)
"""In the order of the table; each is a column of the measured design."""
