"""Events folded to requests: one row a request, named by principal, with what the features count by.

A request counts once, however many stages were logged of it: the latest stage speaks. A 401 exists only as
ResponseStarted, so no stage is filtered out."""

from __future__ import annotations

from features.predicates import REVIEWS, listed
from features.principal import PRINCIPAL, TYPE

_STAGE_RANK = (
    "CASE stage WHEN 'ResponseComplete' THEN 4 WHEN 'Panic' THEN 3 WHEN 'ResponseStarted' THEN 2 "
    "WHEN 'RequestReceived' THEN 1 ELSE 0 END"
)
_AGENT = "rtrim(regexp_extract(lower(user_agent), '^[^/ (]*'), '0123456789.-_')"
# an IPv4 address may come dressed as IPv6
_ADDRESS = "regexp_replace(nullif(source_ips[1], ''), '^::[fF]{4}:', '')"
_OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = f"regexp_matches({_ADDRESS}, '^{_OCTET}(\\.{_OCTET}){{3}}$')"
_NETWORK = (
    f"CASE WHEN {_IPV4} THEN regexp_extract({_ADDRESS}, '^([0-9]+\\.[0-9]+\\.[0-9]+)\\.', 1) || '.0/24' "
    f"ELSE {_ADDRESS} END"
)
_PRIVATE = (
    "^(0\\.|2(2[4-9]|[34][0-9]|5[0-5])\\.|10\\.|127\\.|169\\.254\\.|192\\.168\\.|172\\.(1[6-9]|2[0-9]|3[01])\\.|"
    "100\\.(6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])\\.|::1?$|[fF][cdfCDF]|[fF][eE][89abAB])"
)

LEASES = "coalesce(resource = 'leases' AND api_group = 'coordination.k8s.io', false)"
HEALTH = (
    "coalesce(resource IS NULL AND regexp_matches(request_uri, '^/(healthz|readyz|livez)([/?]|$)') "
    "AND code < 400, false)"
)
"""Left out before counting: they say nothing about behaviour and would drown what does."""

FOLD = f"""
SELECT * EXCLUDE (nth) FROM (
  SELECT *, row_number() OVER (
    PARTITION BY audit_id, username, verb, request_uri, received_ts
    ORDER BY {_STAGE_RANK} DESC, stage_ts DESC, content_hash) AS nth
  FROM events)
WHERE nth = 1
"""
"""SQL over `events`: the line that speaks for each request."""

REQUESTS = f"""
SELECT audit_id, stage, username, impersonated_user, verb, code, decision, level, name, namespace, user_agent,
  request_uri, authz_role, truncated,
  {PRINCIPAL} AS principal,
  {TYPE} AS type,
  coalesce(received_ts, stage_ts) AS ts,
  coalesce(verb IN ('create', 'update', 'patch', 'delete', 'deletecollection'), false)
    AND coalesce(resource NOT IN ({listed(REVIEWS)}), false) AS writes,
  resource, subresource, api_group,
  coalesce(resource || coalesce('.' || api_group, '') || coalesce('/' || subresource, ''), 'url') AS object,
  {_ADDRESS} AS address,
  {_NETWORK} AS network,
  coalesce(({_IPV4} OR contains({_ADDRESS}, ':')) AND NOT regexp_matches({_ADDRESS}, '{_PRIVATE}'), false) AS is_public,
  coalesce(nullif({_AGENT}, ''), 'none') AS agent,
  privileged OR host_pid OR host_network OR host_ipc OR host_path AS host_access,
  token_expiration_s, binding_role, binding_subjects,
  rule_wildcard OR rule_escalate OR rule_bind OR rule_impersonate OR rule_secrets AS strong_rule,
  bytes IS NULL AS retold,
  {LEASES} OR {HEALTH} AS left_out
FROM ({FOLD})
"""
"""SQL over `events`: the requests of the night, those left out of counting marked.

`retold` is a request of which the source carries no line as the API server wrote it, but its own words for it."""
