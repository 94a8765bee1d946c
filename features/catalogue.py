"""The feature catalogue: every number of a principal's night, declared once.

Imports nothing from pipelines/ or models/. tests/features/test_catalogue.py adds one event per feature and
expects only the declared features to move."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from features import predicates as p
from features.items import KINDS
from features.levels import Level

WEIGHTS: dict[str, float] = {
    "volume": 0.5,
    "mix": 0.5,
    "impact": 1.0,
    "refusals": 1.0,
    "origin": 1.0,
    "agent": 0.7,
    "time": 0.7,
    "breadth": 1.0,
    "secrets": 1.5,
    "sensitive": 2.0,
}
"""What a group of features weighs in the forest, all its features together."""

YARDSTICKS = ("principal", "type", "cluster")
"""For whom an item is new."""

REPEATS = 5
"""How often one request that is made over and over counts as a failure or a question: a loop is no search."""


@dataclass(frozen=True)
class Feature:
    """One whole number of a principal's night.

    Exactly one of five forms: requests that satisfy `counts`; distinct values of `distinct` among them, or, with
    `at_most`, the requests for each of these values up to so many; the most of them in one `peak`; items of kind
    `new[0]` that are new for `new[1]`, an item's yardstick. `counts` is also the evidence."""

    name: str
    group: str
    unit: str
    meaning: str
    counts: str = "true"
    distinct: str | None = None
    at_most: int | None = None
    peak: str | None = None
    new: tuple[str, str] | None = None
    needs: Level = Level.METADATA
    reads_bodies_of: str | None = None
    """Requests whose body it reads; where none of them was logged at the level it needs, it is blind."""
    forest: bool = True
    """Does the forest read it? The others are counted for people to read."""

    @property
    def weight(self) -> float:
        """Of the forest's column: the group's weight, spread over its features there; 0 where the forest reads none."""
        return float(WEIGHTS[self.group] / GROUP_SIZES[self.group] ** 0.5) if self.forest else 0.0


def _requests(name: str, group: str, meaning: str, counts: str, reads_bodies_of: str | None = None) -> Feature:
    needs = Level.METADATA if reads_bodies_of is None else Level.REQUEST
    return Feature(name, group, "requests", meaning, counts, needs=needs, reads_bodies_of=reads_bodies_of)


def _distinct(name: str, group: str, unit: str, meaning: str, expression: str, counts: str = "true") -> Feature:
    return Feature(name, group, unit, meaning, counts, distinct=expression)


def _repeated(name: str, group: str, meaning: str, counts: str) -> Feature:
    told = f"{meaning}, one that is repeated at most {REPEATS} times."
    return Feature(name, group, "requests", told, counts, distinct=p.ACTION_ON_OBJECT, at_most=REPEATS)


_OTHER_ERRORS = "coalesce(code >= 400 AND code NOT IN (401, 403, 404), false)"
_REVIEWS = f"coalesce(resource IN ({p.listed(p.SELF_REVIEWS)}), false)"
_SECRET_READ = f"{p.SECRETS} AND {p.READS} AND {p.SUCCEEDED}"

_COUNTED: tuple[Feature, ...] = (
    _requests("requests", "volume", "Requests, without leases and successful health checks.", "true"),
    Feature("peak_minute", "volume", "requests", "Most requests in one minute.", peak="minute"),
    _distinct("active_hours", "volume", "hours", "Hours with a request.", "hour(ts)"),
    _requests("writes", "mix", "Creates, updates, patches and deletes, access reviews apart.", "writes"),
    _requests("lists", "mix", "Lists.", "verb = 'list'"),
    _requests("cluster_lists", "mix", "Lists without a namespace.", "verb = 'list' AND namespace IS NULL"),
    _requests("gets", "mix", "Reads of one object by its name.", "verb = 'get' AND name IS NOT NULL"),
    _requests("watches", "mix", "Watches.", "verb = 'watch'"),
    _requests("creates", "mix", "Creates.", "verb = 'create'"),
    _requests("updates", "mix", "Updates and patches.", "verb IN ('update', 'patch')"),
    _requests("url_requests", "mix", "Requests for a URL that is no resource.", "resource IS NULL"),
    _repeated("self_reviews", "mix", "Questions about one's own permissions", _REVIEWS),
    _requests("deletes", "impact", "Deletes of one object.", "verb = 'delete'"),
    _requests("collection_deletes", "impact", "Deletes of whole collections.", "verb = 'deletecollection'"),
    _repeated("forbidden", "refusals", "Requests refused for lack of permission (403)", "code = 403"),
    _requests("unauthorized", "refusals", "Requests without a valid identity (401).", "code = 401"),
    _repeated("not_found", "refusals", "Requests for what is not there (404)", "code = 404"),
    _repeated("other_errors", "refusals", "Other refused or failed requests (4xx, 5xx)", _OTHER_ERRORS),
    _distinct(
        "distinct_denied_actions",
        "refusals",
        "actions",
        "Different (verb, resource, namespace) refused.",
        p.ACTION_IN_PLACE,
        p.DENIED,
    ),
    _requests("denied_secrets", "refusals", "Refused requests for secrets.", f"{p.DENIED} AND {p.SECRETS}"),
    _distinct("distinct_addresses", "origin", "addresses", "Different client addresses.", "address"),
    _distinct("distinct_networks", "origin", "networks", "Different client networks (/24).", "network"),
    _requests("public_requests", "origin", "Requests from public addresses.", "is_public"),
    Feature(
        "borrowed_clients",
        "origin",
        "clients",
        "Programs on a machine that others use, new to the principal as that program is.",
        new=("client", "others"),
    ),
    _distinct("distinct_agents", "agent", "agents", "Different user agent families.", "agent"),
    _distinct("distinct_namespaces", "breadth", "namespaces", "Different namespaces.", "namespace"),
    _distinct("distinct_resources", "breadth", "resources", "Different resources.", "object", "resource IS NOT NULL"),
    _distinct("distinct_actions", "breadth", "actions", "Different (verb, resource) pairs.", p.ACTION),
    _requests("secret_reads", "secrets", "Secrets read, listed or watched with success.", _SECRET_READ),
    _distinct(
        "distinct_secrets",
        "secrets",
        "secrets",
        "Different secrets read by name.",
        "namespace || '/' || name",
        f"{_SECRET_READ} AND name IS NOT NULL",
    ),
    _distinct(
        "distinct_secret_namespaces",
        "secrets",
        "namespaces",
        "Different namespaces of secrets asked for.",
        p.PLACE,
        p.ASKS_SECRETS,
    ),
    _requests(
        "secret_lists", "secrets", "Successful lists of secrets.", f"{p.SECRETS} AND verb = 'list' AND {p.SUCCEEDED}"
    ),
    _requests("rbac_writes", "sensitive", "Writes of roles and bindings.", p.RBAC_WRITE),
    _requests(
        "strong_rbac_writes",
        "sensitive",
        "Roles and bindings written that reach cluster-admin, system:masters, secrets or others' rights.",
        p.STRONG_RBAC_WRITE,
        p.RBAC_WRITE,
    ),
    _requests("execs", "sensitive", "Shells, attachments, port forwards and ephemeral containers in pods.", p.EXEC),
    _requests(
        "token_requests",
        "sensitive",
        "Service account tokens asked for; nodes and the control plane apart.",
        p.TOKEN_REQUEST,
    ),
    _requests(
        "privileged_writes",
        "sensitive",
        "Workloads written with success that are privileged or reach into the node; the control plane apart.",
        p.PRIVILEGED_WRITE,
        p.WORKLOAD_WRITE,
    ),
    _requests(
        "hook_writes",
        "sensitive",
        "Writes of admission webhooks and API services; the control plane apart.",
        p.HOOK_WRITE,
    ),
    _requests(
        "certificate_writes",
        "sensitive",
        "Writes of certificate signing requests; nodes and the control plane apart.",
        p.CERTIFICATE_WRITE,
    ),
    _requests("node_proxy_requests", "sensitive", "Requests through nodes/proxy.", p.NODE_PROXY),
    _requests("aws_auth_writes", "sensitive", "Writes of aws-auth, which maps IAM to users.", p.AWS_AUTH_WRITE),
    _requests("impersonated_requests", "sensitive", "Requests made as somebody else.", p.IMPERSONATION),
    _distinct(
        "distinct_impersonated_users",
        "sensitive",
        "users",
        "Different users acted as.",
        "impersonated_user",
        p.IMPERSONATION,
    ),
)

_FOR = {"principal": "", "type": "_for_type", "cluster": "_for_cluster"}
_WHOM = {
    "principal": "the principal",
    "type": "its type",
    "cluster": "the whole cluster",
}
_NEW: tuple[Feature, ...] = tuple(
    Feature(
        f"new_{kind.things}{_FOR[whom]}",
        kind.group,
        kind.unit,
        f"{kind.meaning} new to {_WHOM[whom]}.",
        kind.counts,
        new=(kind.name, whom),
    )
    for kind in KINDS
    if kind.group is not None
    for whom in YARDSTICKS
)

FEATURES: tuple[Feature, ...] = _COUNTED + _NEW
NAMES: tuple[str, ...] = tuple(f.name for f in FEATURES)
FOREST: tuple[Feature, ...] = tuple(f for f in FEATURES if f.forest)
"""The features that are judged, weighed and given as reasons: the columns of the forest's rows."""
FOREST_NAMES: tuple[str, ...] = tuple(f.name for f in FOREST)
GROUP_SIZES: Counter[str] = Counter(f.group for f in FOREST)
"""Columns of the forest in each group."""


def feature(name: str) -> Feature:
    """The declaration of a feature.

    Raises:
        ValueError: there is none of this name.
    """
    for declared in FEATURES:
        if declared.name == name:
            return declared
    raise ValueError(f"no feature is named {name!r}")
