"""Items: what a principal touched tonight, by kind, and which of it is new.

An item that several principals start on the same night is one change seen many times: it is shared out.
Shares are whole billionths, rounded up, so that their sums floor to the same whole number on any engine.
A newcomer has no past and others have: all is new to it, and of each kind no more than FIRST_NIGHT items count."""

from __future__ import annotations

from dataclasses import dataclass

from features import predicates as p
from features.families import workload
from features.levels import Level


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
    many: bool = False
    """Is it read off each entry of `told`, named `entry`, and not off the request?"""
    reads_bodies_of: str | None = None
    """Requests whose body it reads."""
    reads: tuple[str, ...] = ()
    """Columns that a source may lack (features/blind.py)."""
    forest: bool = True
    """Does the forest read the novelty features?"""

    @property
    def needs(self) -> Level:
        """The audit level that shows it."""
        return Level.METADATA if self.reads_bodies_of is None else Level.REQUEST

    def found(self, rows: str, fits: str = "true") -> str:
        """SQL over `requests` or `tallies`: the rows that touch an item, the item as `item`."""
        each = f"(SELECT t.*, u.entry FROM {rows} AS t CROSS JOIN UNNEST(t.told) AS u(entry))" if self.many else rows
        return f"SELECT *, {self.item} AS item FROM {each} AS r WHERE {fits} AND NOT left_out AND ({self.counts})"


_ALIKE = "grain = 'alike'"
_HOUR = "lpad(CAST(hour(ts) AS VARCHAR), 2, '0')"

KINDS: tuple[ItemKind, ...] = (
    ItemKind(
        "denied",
        "denied_actions",
        "actions",
        "Refused (verb, resource, namespace)",
        p.ACTION_IN_PLACE,
        p.DENIED,
        "refusals",
    ),
    ItemKind("address", "addresses", "addresses", "Client addresses", "address", group="origin"),
    ItemKind("network", "networks", "networks", "Client networks (/24)", "network", group="origin"),
    ItemKind("agent", "agents", "agents", "User agent families", "agent", group="agent"),
    ItemKind("hour", "hours", "hours", "Hours of the day (UTC)", _HOUR, group="time"),
    ItemKind(
        "namespace",
        "namespaces",
        "namespaces",
        "Namespaces",
        "CASE WHEN namespace IS NOT NULL THEN place END",
        group="breadth",
    ),
    ItemKind("action", "actions", "actions", "(verb, resource) pairs", p.ACTION, group="breadth"),
    ItemKind(
        "write",
        "writes_in_namespaces",
        "writes",
        "Written (namespace, verb, resource)",
        p.ACTION_IN_PLACE,
        "writes",
        "breadth",
    ),
    ItemKind(
        "secret",
        "secrets",
        "secrets",
        "Secrets asked for",
        "place || '/' || coalesce(name, '*')",
        p.ASKS_SECRETS,
        "secrets",
    ),
    ItemKind(
        "secret_namespace",
        "secret_namespaces",
        "namespaces",
        "Namespaces of secrets asked for",
        "place",
        p.ASKS_SECRETS,
        "secrets",
    ),
    ItemKind(
        "sensitive", "sensitive_actions", "actions", "Sensitive actions", p.SENSITIVE_ACTION, p.SENSITIVE, "sensitive"
    ),
    ItemKind(
        "entered",
        "entered_workloads",
        "workloads",
        "Workloads whose pods were entered",
        f"place || '/' || {workload('name')}",
        p.EXEC,
        "sensitive",
        forest=False,
    ),
    ItemKind(
        "token_account",
        "token_accounts",
        "accounts",
        "Service accounts whose token was asked for",
        "place || '/' || name",
        p.CREDENTIAL_CREATE,
        "sensitive",
        forest=False,
    ),
    ItemKind(
        "binding",
        "bindings",
        "bindings",
        "Bindings that allowed a request",
        "authz_binding || ' of ' || authz_role",
        group="breadth",
        reads=("authz_role",),
        forest=False,
    ),
    ItemKind(
        "node_role",
        "node_roles",
        "roles",
        "IAM roles of nodes",
        "principal",
        "type = 'node'",
        "sensitive",
        forest=False,
    ),
    ItemKind(
        "image",
        "images",
        "images",
        "Container images (tags apart)",
        "regexp_extract(entry, '^([^/]*/)*[^/:@]*')",
        p.AUTHORED_WORKLOAD,
        "sensitive",
        many=True,
        reads_bodies_of=p.WORKLOAD_WRITE,
        forest=False,
    ),
    ItemKind(
        "mapped_identity",
        "mapped_identities",
        "identities",
        "IAM roles and users that aws-auth maps",
        "entry",
        p.AWS_AUTH_WRITE,
        "sensitive",
        many=True,
        reads_bodies_of=p.AWS_AUTH_WRITE,
        forest=False,
    ),
    ItemKind("client", "clients", "clients", "Programs on a machine (agent family and address)", p.CLIENT),
    ItemKind("authz_role", "roles", "roles", "Roles that allowed a request", "authz_role"),
    ItemKind("impersonated_user", "impersonated_users", "users", "Users acted as", "impersonated_user"),
)

SHARE = 1_000_000_000
"""One whole item, in the unit of the shares."""

ITEMS = " UNION ALL ".join(
    f"SELECT principal, type, '{k.name}' AS kind, item, CAST(sum(n) AS BIGINT) AS requests, min(ts) AS first_ts "
    f"FROM ({k.found('tallies', _ALIKE)}) AS f WHERE item IS NOT NULL GROUP BY principal, type, item"
    for k in KINDS
)
"""SQL over `tallies`: the items table of the night."""


def _known(*key: str) -> str:
    same = " AND ".join(f"by_{key[0]}.{column} = t.{column}" for column in key)
    return f"(SELECT DISTINCT {', '.join(key)}, true AS known FROM past_items) AS by_{key[0]} ON {same}"


BORROWERS = ("workload", "system account")
"""Types whose first night may be judged by its clients: a program that runs for long has one of its own.

People share an office's address and kubectl from their first day on."""


def new_items(history: str = "(SELECT count(*) FROM past_items) > 0") -> str:
    """NEW_ITEMS, by another condition on an item `t` of whether there is any history."""
    # joins: NOT IN over tuples and a count in the windows took 10 s and more for the items of 100,000 principals
    return f"""
WITH started AS (
  SELECT t.*, by_type.known IS NULL AS for_type, by_kind.known IS NULL AS for_cluster,
    t.kind = 'client' AND by_agent.known IS NULL AND (by_past.known IS NOT NULL OR t.type IN ({p.listed(BORROWERS)}))
      AS foreign_here,
    t.kind = 'token_account' AND by_past.known IS NOT NULL AS minted,
    CASE WHEN by_past.known IS NULL AND {history} THEN 1 ELSE 0 END AS newcomer
  FROM items AS t
  LEFT JOIN {_known("principal", "kind", "item")}
  LEFT JOIN {_known("type", "kind", "item")}
  LEFT JOIN {_known("kind", "item")}
  LEFT JOIN (SELECT DISTINCT principal, true AS known FROM past_items) AS by_past ON by_past.principal = t.principal
  LEFT JOIN (SELECT DISTINCT principal, item, true AS known FROM past_items WHERE kind = 'agent') AS by_agent
    ON by_agent.principal = t.principal AND by_agent.item = split_part(t.item, ' ', 1)
  WHERE by_principal.known IS NULL
),
starters AS (
  SELECT kind, item, CAST(ceil({SHARE} / count(*)) AS BIGINT) AS share, count(*) AS number
  FROM started GROUP BY kind, item
),
shared AS (
  SELECT *,
    row_number() OVER (PARTITION BY type, kind, item ORDER BY first_ts, principal) = 1 AS first_of_type,
    row_number() OVER (PARTITION BY kind, item ORDER BY first_ts, principal) = 1 AS first_of_cluster
  FROM started JOIN starters USING (kind, item)
)
SELECT principal, type, kind, item, first_ts, newcomer, share AS principal_share,
  CASE WHEN NOT for_type THEN 0 WHEN first_of_type THEN {SHARE} ELSE share END AS type_share,
  CASE WHEN NOT for_cluster THEN 0 WHEN first_of_cluster THEN {SHARE} ELSE share END AS cluster_share,
  CASE WHEN (foreign_here AND (NOT for_cluster OR number > 1)) OR (minted AND NOT for_cluster) THEN {SHARE} ELSE 0
    END AS others_share
FROM shared
"""


NEW_ITEMS = new_items()
"""SQL over `items` (tonight) and `past_items` (the history): what is new, and each principal's share of it.

`others_share` is whole for a client that others use, with an agent that the principal never had: it acts from where
somebody else works, with somebody else's tool, as who borrows a token does; and for an account whose tokens others ask
for and the principal, which is no newcomer, never did. A new account is no such: somebody must be the first to ask. It
is not shared out, for every account that is borrowed on one night counts."""
