"""Items: what a principal touched tonight, by kind, and which of it is new.

An item that several principals start on the same night is one change seen many times: it is shared out.
Shares are whole billionths, rounded up, so that their sums floor to the same whole number on any engine."""

from __future__ import annotations

from dataclasses import dataclass

from features.predicates import ACTION, DENIED, SECRETS, SENSITIVE, SENSITIVE_ACTION


@dataclass(frozen=True)
class ItemKind:
    """One kind of thing: its name in the table, its plural in feature names, and how it is read off a request."""

    name: str
    things: str
    unit: str
    meaning: str
    item: str
    counts: str = "true"
    group: str | None = None
    """Catalogue group of the three novelty features; None for a kind that is kept but not counted."""


_PLACE = "coalesce(namespace, '-')"
_HOUR = "lpad(CAST(hour(ts) AS VARCHAR), 2, '0')"

KINDS: tuple[ItemKind, ...] = (
    ItemKind(
        "denied",
        "denied_actions",
        "actions",
        "Refused (verb, resource, namespace)",
        f"{ACTION} || ' ' || {_PLACE}",
        DENIED,
        "refusals",
    ),
    ItemKind("address", "addresses", "addresses", "Client addresses", "address", group="origin"),
    ItemKind("network", "networks", "networks", "Client networks (/24)", "network", group="origin"),
    ItemKind("agent", "agents", "agents", "User agent families", "agent", group="agent"),
    ItemKind(
        "hour", "hours", "hours", "Hours of the day (UTC)", "lpad(CAST(hour(ts) AS VARCHAR), 2, '0')", group="time"
    ),
    ItemKind("namespace", "namespaces", "namespaces", "Namespaces", "namespace", group="breadth"),
    ItemKind("action", "actions", "actions", "(verb, resource) pairs", ACTION, group="breadth"),
    ItemKind(
        "write",
        "writes_in_namespaces",
        "writes",
        "Written (namespace, verb, resource)",
        f"{ACTION} || ' ' || {_PLACE}",
        "writes",
        "breadth",
    ),
    ItemKind(
        "secret",
        "secrets",
        "secrets",
        "Secrets asked for",
        f"{_PLACE} || '/' || coalesce(name, '*')",
        SECRETS,
        "secrets",
    ),
    ItemKind(
        "secret_namespace", "secret_namespaces", "namespaces", "Namespaces of secret calls", _PLACE, SECRETS, "secrets"
    ),
    ItemKind(
        "sensitive", "sensitive_actions", "actions", "Sensitive actions", SENSITIVE_ACTION, SENSITIVE, "sensitive"
    ),
    ItemKind("authz_role", "roles", "roles", "Roles that allowed a request", "authz_role"),
    ItemKind("impersonated_user", "impersonated_users", "users", "Users acted as", "impersonated_user"),
)

SHARE = 1_000_000_000
"""One whole item, in the unit of the shares."""

ITEMS = " UNION ALL ".join(
    f"SELECT principal, type, '{k.name}' AS kind, {k.item} AS item, count(*) AS requests, min(ts) AS first_ts "
    f"FROM requests WHERE NOT left_out AND ({k.counts}) AND ({k.item}) IS NOT NULL GROUP BY principal, type, item"
    for k in KINDS
)
"""SQL over `requests`: the items table of the night."""

NEW_ITEMS = f"""
WITH past AS (SELECT DISTINCT principal, type, kind, item FROM past_items),
seen AS (
  SELECT t.*,
    (principal, kind, item) NOT IN (SELECT (principal, kind, item) FROM past) AS for_principal,
    (type, kind, item) NOT IN (SELECT (type, kind, item) FROM past) AS for_type,
    (kind, item) NOT IN (SELECT (kind, item) FROM past) AS for_cluster
  FROM items AS t
),
shared AS (
  SELECT *,
    count(*) FILTER (WHERE for_principal) OVER (PARTITION BY kind, item) AS starting,
    row_number() OVER (PARTITION BY type, kind, item ORDER BY first_ts, principal) = 1 AS first_of_type,
    row_number() OVER (PARTITION BY kind, item ORDER BY first_ts, principal) = 1 AS first_of_cluster
  FROM seen
)
SELECT principal, type, kind, item, first_ts,
  CASE WHEN for_principal THEN CAST(ceil({SHARE} / starting) AS BIGINT) ELSE 0 END AS principal_share,
  CASE WHEN NOT for_type THEN 0 WHEN first_of_type THEN {SHARE}
    ELSE CAST(ceil({SHARE} / starting) AS BIGINT) END AS type_share,
  CASE WHEN NOT for_cluster THEN 0 WHEN first_of_cluster THEN {SHARE}
    ELSE CAST(ceil({SHARE} / starting) AS BIGINT) END AS cluster_share
FROM shared WHERE for_principal
"""
"""SQL over `items` (tonight) and `past_items` (the history): what is new, and each principal's share of it."""
