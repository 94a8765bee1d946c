"""The features of a night in pandas, as one would write them there: the rival of benchmarks/features.py.

Only the columns that are needed are read, regular expressions run once for each distinct value, only requests told at
several stages are sorted. Callers are named by the rules' own SQL, a few hundred distinct ones. What the catalogue has
beyond these features is not compared. tests/test_benchmark_features.py holds them to the product's numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.feature import FIRST_NIGHT, REPEATS
from features.items import KINDS, SHARE
from features.predicates import REVIEWS, SELF_REVIEWS, WORKLOADS
from features.principal import PRINCIPAL, TYPE

_CALLER = ["username", "iam_role_arn", "session_name"]
_KEY = ["audit_id", "username", "verb", "request_uri", "received_ts"]
_HOST = ["privileged", "host_pid", "host_network", "host_ipc", "host_path"]
_STRONG = ["rule_wildcard", "rule_escalate", "rule_bind", "rule_impersonate", "rule_secrets"]
_READ = [
    *_KEY, *_CALLER[1:], "stage", "stage_ts", "content_hash", "impersonated_user", "code", "name", "namespace",
    "user_agent", "authz_role", "resource", "subresource", "api_group", "source_ips", "binding_role",
    "binding_subjects", *_HOST, *_STRONG,
]  # fmt: skip
_STAGES = {"ResponseComplete": 4, "Panic": 3, "ResponseStarted": 2, "RequestReceived": 1}
_RBAC = "rbac.authorization.k8s.io"
_HOOKS = ["validatingwebhookconfigurations", "mutatingwebhookconfigurations", "apiservices"]
_OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = re.compile(rf"{_OCTET}(\.{_OCTET}){{3}}")
_PRIVATE = re.compile(
    r"0\.|2(2[4-9]|[34][0-9]|5[0-5])\.|10\.|127\.|169\.254\.|192\.168\.|172\.(1[6-9]|2[0-9]|3[01])\.|"
    r"100\.(6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])\.|::1?$|[fF][cdfCDF]|[fF][eE][89abAB]"
)

Series = Any
"""Of a boolean or a text for each row; pandas-stubs know no way to say so."""


def requests(parts: Sequence[Path]) -> pd.DataFrame:
    """One row a request with what is counted by; those left out of counting are gone."""
    table = pa.concat_tables([pq.read_table(part, columns=_READ) for part in parts])
    subjects = pc.binary_join(table["binding_subjects"], "\n")
    first = pc.binary_join(pc.list_slice(table["source_ips"], 0, 1), "")
    table = table.drop_columns(["source_ips", "binding_subjects"]).append_column("ip", first)
    table = table.append_column("masters", pc.fill_null(pc.match_substring(subjects, "Group/system:masters"), False))
    rows = _folded(table.to_pandas())
    leases = (rows["resource"] == "leases") & (rows["api_group"] == "coordination.k8s.io")
    health = rows["resource"].isna() & rows["request_uri"].str.match("/(healthz|readyz|livez)([/?]|$)")
    rows = rows[~(leases | (health.fillna(False) & (rows["code"] < 400)))]
    rows = rows.assign(ts=rows["received_ts"].fillna(rows["stage_ts"]))
    return _described(rows.drop(columns=[*_KEY[:1], *_KEY[3:], "stage", "stage_ts", "content_hash"]))


def _folded(rows: pd.DataFrame) -> pd.DataFrame:
    several = rows.duplicated("audit_id", keep=False)
    told = rows[several]
    told = told.assign(rank=told["stage"].map(_STAGES).fillna(0))
    told = told.sort_values(["rank", "stage_ts", "content_hash"], ascending=[False, False, True])
    return pd.concat([rows[~several], told.drop_duplicates(_KEY).drop(columns="rank")], ignore_index=True)


def _described(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with principal, type, address, network, agent and the words that items are made of."""
    with duckdb.connect() as engine:
        engine.register("callers", rows[_CALLER].drop_duplicates())
        named = engine.sql(f"SELECT {', '.join(_CALLER)}, {PRINCIPAL} AS principal, {TYPE} AS type FROM callers").df()
    rows = rows.merge(named.astype(dict.fromkeys(named, "str")), how="left", on=_CALLER)
    rows["address"] = _each(rows["ip"], lambda ip: re.sub("^::[fF]{4}:", "", ip) or None)
    rows["network"] = _each(rows["address"], lambda a: f"{a.rpartition('.')[0]}.0/24" if _IPV4.fullmatch(a) else a)
    rows["is_public"] = _each(rows["address"], _is_public).fillna(False).astype(bool)
    rows["agent"] = _each(rows["user_agent"], _family).fillna("none")
    group = ("." + rows["api_group"]).fillna("")
    rows["object"] = (rows["resource"] + group + ("/" + rows["subresource"]).fillna("")).fillna("url")
    rows["action"] = rows["verb"].fillna("-") + " " + rows["object"]
    rows["place"] = rows["namespace"].fillna("-")
    rows["action_in_place"] = rows["action"] + " " + rows["place"]
    rows["on_object"] = rows["action_in_place"] + "/" + rows["name"].fillna("*")
    rows["client"] = rows["agent"] + " " + rows["address"]
    return rows.drop(columns=["ip", "user_agent", *_CALLER[1:]])


def _each(texts: Series, of: Any) -> Series:
    """The function of each text, called once for each distinct one."""
    return texts.map({text: of(text) for text in texts.dropna().unique()})


def _is_public(address: str) -> bool:
    return bool(_IPV4.fullmatch(address) or ":" in address) and not _PRIVATE.match(address)


def _family(agent: str) -> str:
    found = re.match("[^/ (]*", agent.lower())
    return (found[0] if found else "").rstrip("0123456789.-_") or "none"


def marks(r: pd.DataFrame) -> dict[str, Series]:
    """By what is counted, which requests count."""
    verb, code, resource, sub, kind = r["verb"], r["code"], r["resource"], r["subresource"], r["type"]
    writes = verb.isin(["create", "update", "patch", "delete", "deletecollection"])
    writes &= ~resource.isin(REVIEWS) & resource.notna()
    core, machinery = r["api_group"].isna(), kind.isin(["control plane", "node"])
    secrets, ok = (resource == "secrets") & core, code < 400
    denied = code.isin([401, 403])
    rbac = writes & (r["api_group"] == _RBAC)
    strong = reduce(or_, (r[name].fillna(False).astype(bool) for name in _STRONG)) | r["masters"]
    strong |= r["binding_role"].str.endswith("/cluster-admin").fillna(False)
    ephemeral = (resource == "pods") & (sub == "ephemeralcontainers")
    workload = resource.isin(WORKLOADS) & (sub.isna() | ephemeral)
    secret_read = secrets & verb.isin(["get", "list", "watch"]) & ok
    found = {
        "requests": pd.Series(True, r.index),
        "writes": writes,
        "lists": verb == "list",
        "cluster_lists": (verb == "list") & r["namespace"].isna(),
        "gets": (verb == "get") & r["name"].notna(),
        "watches": verb == "watch",
        "creates": verb == "create",
        "updates": verb.isin(["update", "patch"]),
        "url_requests": resource.isna(),
        "self_reviews": resource.isin(SELF_REVIEWS),
        "deletes": verb == "delete",
        "collection_deletes": verb == "deletecollection",
        "forbidden": code == 403,
        "unauthorized": code == 401,
        "not_found": code == 404,
        "other_errors": (code >= 400) & ~code.isin([401, 403, 404]),
        "denied": denied,
        "denied_secrets": denied & secrets,
        "public_requests": r["is_public"],
        "asks_secrets": secrets & verb.isin(["get", "list", "watch"]),
        "secret_reads": secret_read,
        "secret_lists": secrets & (verb == "list") & ok,
        "rbac_writes": rbac,
        "strong_rbac_writes": rbac & strong,
        "execs": (resource == "pods") & sub.isin(["exec", "attach", "portforward", "ephemeralcontainers"]),
        "token_requests": (resource == "serviceaccounts") & (sub == "token") & (verb == "create") & ~machinery,
        "privileged_writes": reduce(or_, (r[name].fillna(False).astype(bool) for name in _HOST)) & ok
        & (kind != "control plane"),
        "workload_writes": writes & workload & verb.isin(["create", "update", "patch"]),
        "hook_writes": resource.isin(_HOOKS) & writes & (kind != "control plane"),
        "certificate_writes": (resource == "certificatesigningrequests") & writes & ~machinery,
        "node_proxy_requests": (resource == "nodes") & (sub == "proxy"),
        "aws_auth_writes": (resource == "configmaps") & (r["namespace"] == "kube-system") & (r["name"] == "aws-auth")
        & writes,
        "impersonated_requests": r["impersonated_user"].notna(),
    }  # fmt: skip
    sensitive = ("rbac_writes", "execs", "token_requests", "privileged_writes", "hook_writes", "certificate_writes",
                 "node_proxy_requests", "aws_auth_writes", "impersonated_requests", "collection_deletes")  # fmt: skip
    found["sensitive"] = reduce(or_, (found[name] for name in sensitive))
    return {name: mark.fillna(False) for name, mark in found.items()}


_BOUNDED = ("self_reviews", "forbidden", "not_found", "other_errors")
_NOT_COUNTED = ("denied", "asks_secrets", "workload_writes", "sensitive", *_BOUNDED)


def items(r: pd.DataFrame, m: dict[str, Series]) -> pd.DataFrame:
    """principal, type, kind, item, requests and first_ts of all kinds."""
    privileged = m["privileged_writes"].map({True: " privileged", False: ""})
    as_other = m["impersonated_requests"].map({True: " as other", False: ""})
    every = m["requests"]
    kinds = {
        "denied": (r["action_in_place"], m["denied"]),
        "address": (r["address"], every),
        "network": (r["network"], every),
        "agent": (r["agent"], every),
        "hour": (r["ts"].dt.strftime("%H"), every),
        "namespace": (r["namespace"], every),
        "action": (r["action"], every),
        "write": (r["action_in_place"], m["writes"]),
        "secret": (r["place"] + "/" + r["name"].fillna("*"), m["asks_secrets"]),
        "secret_namespace": (r["place"], m["asks_secrets"]),
        "sensitive": (r["action"] + privileged + as_other, m["sensitive"]),
        "client": (r["client"], every),
        "authz_role": (r["authz_role"], every),
        "impersonated_user": (r["impersonated_user"], every),
    }
    made = []
    for kind, (item, mark) in kinds.items():
        some = r.loc[mark, ["principal", "type", "ts"]].assign(item=item[mark])
        of = some.groupby(["principal", "type", "item"], sort=False)["ts"].agg(requests="size", first_ts="min")
        made.append(of.reset_index().assign(kind=kind))
    return pd.concat(made, ignore_index=True)


def news(tonight: pd.DataFrame, past: pd.DataFrame) -> pd.DataFrame:
    """What of tonight's items is new, with each principal's shares."""
    started = tonight
    known = past[["principal", "kind", "item"]].drop_duplicates().assign(known=True)
    started = started.merge(known, how="left", on=["principal", "kind", "item"])
    started = started[started.pop("known").isna()]
    for whom, key in (("type", ["type", "kind", "item"]), ("cluster", ["kind", "item"])):
        known = past[key].drop_duplicates().assign(known=True)
        started = started.merge(known, how="left", on=key)
        started[f"for_{whom}"] = started.pop("known").isna()
    started["newcomer"] = ~started["principal"].isin(past["principal"]) & bool(len(past))
    number = started.groupby(["kind", "item"])["principal"].transform("size")
    started["principal_share"] = -(-SHARE // number)
    started = started.sort_values(["first_ts", "principal"])
    for whom, key in (("type", ["type", "kind", "item"]), ("cluster", ["kind", "item"])):
        first = ~started.duplicated(key)
        share = started["principal_share"].where(~first, SHARE)
        started[f"{whom}_share"] = share.where(started[f"for_{whom}"], 0)
    return started


def days(r: pd.DataFrame, m: dict[str, Series], new: pd.DataFrame) -> pd.DataFrame:
    """One row a principal, one column a feature, in the order of names."""
    principal = r["principal"]
    marked = pd.DataFrame({name: mark for name, mark in m.items() if name not in _NOT_COUNTED})
    found = marked.groupby(principal).sum()
    minute = r["ts"].dt.floor("min")
    found["peak_minute"] = r.groupby([principal, minute]).size().groupby("principal").max()
    for name in _BOUNDED:
        on_object = r[m[name]].groupby(["principal", "on_object"]).size()
        found[name] = on_object.clip(upper=REPEATS).groupby("principal").sum()
    named = r["namespace"] + "/" + r["name"]
    distinct = {
        "active_hours": (r["ts"].dt.hour, m["requests"]),
        "distinct_denied_actions": (r["action_in_place"], m["denied"]),
        "distinct_addresses": (r["address"], m["requests"]),
        "distinct_networks": (r["network"], m["requests"]),
        "distinct_agents": (r["agent"], m["requests"]),
        "distinct_namespaces": (r["namespace"], m["requests"]),
        "distinct_resources": (r["object"], r["resource"].notna()),
        "distinct_actions": (r["action"], m["requests"]),
        "distinct_secrets": (named, m["secret_reads"]),
        "distinct_secret_namespaces": (r["place"], m["asks_secrets"]),
        "distinct_impersonated_users": (r["impersonated_user"], m["impersonated_requests"]),
    }
    for name, (value, mark) in distinct.items():
        found[name] = value[mark].groupby(principal[mark]).nunique()
    things = {kind.name: kind.things for kind in KINDS if kind.group is not None and kind.forest}
    for kind, thing in things.items():
        of = new[new["kind"] == kind].groupby("principal")
        for whom, suffix in (("principal", ""), ("type", "_for_type"), ("cluster", "_for_cluster")):
            found[f"new_{thing}{suffix}"] = of[f"{whom}_share"].sum() // SHARE
        first_night = found.index.isin(new.loc[new["newcomer"], "principal"])
        found[f"new_{thing}"] = found[f"new_{thing}"].mask(first_night, found[f"new_{thing}"].clip(upper=FIRST_NIGHT))
    return found.fillna(0).astype("int64").sort_index()


def counted(parts: Sequence[Path], past: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of principal_days that can be compared, and the items of the night.

    Args:
        past: principal, type, kind, item of the earlier nights.
    """
    rows = requests(parts)
    told = marks(rows)
    tonight = items(rows, told)
    return days(rows, told, news(tonight, past)), tonight
