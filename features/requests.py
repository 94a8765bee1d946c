"""Events folded to requests: one row a request, named by principal, with what the features count by.

A request counts once, however many stages were logged of it: the latest stage speaks. A 401 exists only as
ResponseStarted, so no stage is filtered out."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from string import ascii_lowercase, ascii_uppercase

from features.families import family
from features.predicates import REVIEWS, listed
from features.principal import NOT_AN_INSTANCE, PRINCIPAL, TYPE

_STAGE_RANK = (
    "CASE stage WHEN 'ResponseComplete' THEN 4 WHEN 'Panic' THEN 3 WHEN 'ResponseStarted' THEN 2 "
    "WHEN 'RequestReceived' THEN 1 ELSE 0 END"
)
# letter by letter: engines disagree on the lower case of other alphabets. Not by translate(), which DuckDB runs for
# each row; replace() it runs for each distinct agent of a Parquet page, in a tenth of the time. The same is true of
# regexp_extract(); regexp_matches() and regexp_replace() it runs for each row
_LOWER = reduce(
    lambda text, pair: f"replace({text}, '{pair[0]}', '{pair[1]}')",
    zip(ascii_uppercase, ascii_lowercase, strict=True),
    "regexp_extract(user_agent, '^[^/ (]*')",
)
_AGENT = f"rtrim({_LOWER}, '0123456789.-_')"
# an IPv4 address may come dressed as IPv6
_ADDRESS = "regexp_replace(nullif(source_ips[1], ''), '^::[fF]{4}:', '')"
_OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = f"regexp_matches(address, '^{_OCTET}(\\.{_OCTET}){{3}}$')"
_NETWORK = (
    f"CASE WHEN {_IPV4} THEN regexp_extract(address, '^([0-9]+\\.[0-9]+\\.[0-9]+)\\.', 1) || '.0/24' ELSE address END"
)
_PRIVATE = (
    "^(0\\.|2(2[4-9]|[34][0-9]|5[0-5])\\.|10\\.|127\\.|169\\.254\\.|192\\.168\\.|172\\.(1[6-9]|2[0-9]|3[01])\\.|"
    "100\\.(6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])\\.|::1?$|[fF][cdfCDF]|[fF][eE][89abAB])"
)

LEASES = "coalesce(resource = 'leases' AND api_group = 'coordination.k8s.io', false)"
HEALTH = (
    "coalesce(resource IS NULL AND regexp_extract(request_uri, '^/(healthz|readyz|livez)([/?]|$)') <> '' "
    "AND code < 400, false)"
)
"""Left out before counting: they say nothing about behaviour and would drown what does."""

OUTDONE = f"""
SELECT content_hash FROM (
  SELECT content_hash, first_value(content_hash) OVER (
    PARTITION BY audit_id, username, verb, request_uri, received_ts
    ORDER BY {_STAGE_RANK} DESC, stage_ts DESC, content_hash) AS speaks
  FROM events JOIN (SELECT audit_id FROM events GROUP BY audit_id HAVING count(*) > 1) AS told_again USING (audit_id))
WHERE content_hash <> speaks
"""
"""SQL over `events`: the lines for which another of the same request speaks.

Few requests are told at several stages: only those are sorted, and in few columns."""

FOLD = f"""
SELECT events.* FROM events LEFT JOIN ({OUTDONE}) AS outdone ON outdone.content_hash = events.content_hash
WHERE outdone.content_hash IS NULL
"""
"""SQL over `events`: the line that speaks for each request. An archive holds no two equal lines."""

_WRITES = f"""coalesce(verb IN ('create', 'update', 'patch', 'delete', 'deletecollection'), false)
    AND coalesce(resource NOT IN ({listed(REVIEWS)}), false)"""
_PUBLIC = f"coalesce(({_IPV4} OR contains(address, ':')) AND NOT regexp_matches(address, '{_PRIVATE}'), false)"

_OF_EVENT = {
    **{name: name for name in (
        "audit_id", "stage", "username", "impersonated_user", "verb", "code", "decision", "level", "name", "namespace",
        "user_agent", "request_uri", "authz_role", "authz_binding", "truncated", "resource", "subresource", "api_group",
        "pod_name", "credential_id", "token_expiration_s", "asked_permission", "binding_role", "binding_subjects",
        "binds_self", "binds_everybody", "rule_wildcard", "rule_secrets", "rule_exec", "webhook_outside", "owner",
        "bytes",
    )},
    "principal": PRINCIPAL,
    "type": TYPE,
    "ts": "coalesce(received_ts, stage_ts)",
    "no_instance": NOT_AN_INSTANCE,
    "unparsed": "coalesce(decision = 'allow' AND reason <> '' AND authz_mode IS NULL, false)",
    "discovery": (
        "coalesce(resource IS NULL AND "
        "regexp_extract(request_uri, '^/(api|apis|openapi|version)([/?]|$)') <> '', false)"
    ),
    "address": _ADDRESS,
    "agent": f"coalesce(nullif({_AGENT}, ''), 'none')",
    "host_access": "privileged OR host_pid OR host_network OR host_ipc OR host_path",
    "strong_rule": "rule_wildcard OR rule_escalate OR rule_bind OR rule_impersonate OR rule_secrets",
    "rule_rights": "rule_escalate OR rule_bind OR rule_impersonate",
    # one of the two, by the resource
    "told": "coalesce(images, aws_auth_identities)",
    "retold": "bytes IS NULL",
    "left_out": f"{LEASES} OR {HEALTH}",
    "n": "1",
}  # fmt: skip

MADE = {
    "writes": _WRITES,
    "place": f"coalesce({family('namespace')}, '-')",
    "object": "coalesce(resource || coalesce('.' || api_group, '') || coalesce('/' || subresource, ''), 'url')",
    "network": _NETWORK,
    "is_public": _PUBLIC,
}
"""By name, SQL over a request's other columns: equal where those are equal, so tallies need not be told apart by it."""

COLUMNS = {**_OF_EVENT, **MADE}
"""By name, SQL over an event, or over the columns before it.

`place` is the namespace under the name of its family, `told` the images or the identities of aws-auth that a body
names.
`retold` is a request of which the source carries no line as the API server wrote it, but its own words for it; `n` says
how many requests a row stands for, as it does in tallies."""


def selected(columns: Mapping[str, str]) -> str:
    """SQL: each column under its name."""
    return ", ".join(f"{sql} AS {name}" for name, sql in columns.items())


REQUESTS = f"SELECT *, {selected(MADE)} FROM (SELECT {selected(_OF_EVENT)} FROM ({FOLD}))"
"""SQL over `events`: the requests of the night, those left out of counting marked."""
