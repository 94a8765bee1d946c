"""What a source does not carry is null and named, never zero: bodies, annotations, ids, the line itself."""

from __future__ import annotations

import pytest
from builders import event

from features import predicates as p
from features.blind import LACKABLE, blind, made_of, needed
from features.catalogue import FEATURES, NAMES
from features.days import count, prepare
from features.levels import Level
from pipelines.parsing.body_facts import FACTS

CART = "system:serviceaccount:shop:cart"
ROLE = {"verb": "create", "resource": "roles", "group": "rbac.authorization.k8s.io"}
REVIEW = {"verb": "create", "resource": "selfsubjectaccessreviews", "group": "authorization.k8s.io", "namespace": None}
HOOK = {"verb": "create", "resource": "mutatingwebhookconfigurations", "group": "admissionregistration.k8s.io"}
BODIES = {
    p.RBAC_WRITE: ROLE,
    p.RULE_WRITE: ROLE,
    p.BINDING_WRITE: ROLE | {"resource": "rolebindings"},
    p.WORKLOAD_WRITE: {"verb": "create", "resource": "pods"},
    p.CREDENTIAL_CREATE: {"verb": "create", "resource": "serviceaccounts", "subresource": "token", "name": "cart"},
    p.PERMISSION_QUESTION: REVIEW,
    p.WEBHOOK_WRITE: HOOK | {"namespace": None},
    p.AWS_AUTH_WRITE: {"verb": "patch", "resource": "configmaps", "namespace": "kube-system", "name": "aws-auth"},
}
READS = {f.name: BODIES[f.reads_bodies_of] for f in FEATURES if f.reads_bodies_of is not None}
# an event whose body is read whole, and says nothing but what it must
WHOLE = {"level": "Request", "body": {"spec": {"expirationSeconds": 60}}}
OF_IDS = {f.name for f in FEATURES if {"pod_name", "credential_id"} & set(f.reads)}
EACH = pytest.mark.parametrize("name", READS)
ALIKE = {name: [other for other, asked in READS.items() if asked == request] for name, request in READS.items()}
"""By feature, those that read the body of the same request."""
ONE_OF_EACH = pytest.mark.parametrize("name", dict.fromkeys(alike[0] for alike in ALIKE.values()))


def _blind(found):
    """Blind features but for those that need ids of tokens, which these nights have not."""
    return set(found.counted.blind) - OF_IDS


@ONE_OF_EACH
def test_a_feature_is_null_for_all_when_its_bodies_were_not_logged(night, name):
    found = night(event(**READS[name]), event(user="eve"))
    also = {"strong_rbac_writes"} if READS[name]["resource"] == "rolebindings" else set()
    assert _blind(found) == {*ALIKE[name], *also}
    assert [day[each] for day in found.days.values() for each in ALIKE[name]] == [None, None] * len(ALIKE[name])
    seen = set(NAMES) - _blind(found) - OF_IDS
    assert None not in [day[other] for day in found.days.values() for other in seen]


@ONE_OF_EACH
@pytest.mark.parametrize("level", ["Request", "RequestResponse"])
def test_a_feature_sees_when_one_body_was_logged(night, name, level):
    found = night(event(**READS[name]), event(**(READS[name] | WHOLE | {"level": level})))
    assert _blind(found) == set()
    assert {found.days[CART][each] for each in ALIKE[name]} <= {0, 1, 60}


@EACH
def test_a_feature_is_blind_when_an_older_version_archived_no_column_of_what_it_reads(name):
    told = {f"{f.name}_{ending}": 1 for f in FEATURES for ending in ("asked", "shown")}
    blinding = {fact.name for fact in FACTS if name in blind(told, {fact.name})}
    assert 0 < len(blinding) < 9
    assert name in blind(told, blinding)
    assert name not in blind(told, {fact.name for fact in FACTS} - blinding)
    assert name not in blind(told | {f"{name}_asked": 0}, blinding)


def test_what_is_made_of_a_column_is_made_of_what_that_one_is_made_of():
    assert made_of({"source_ips"}) == {"address", "network", "is_public"}
    assert made_of({"privileged"}) == {"host_access"}
    assert made_of(()) == set()


def test_what_older_versions_archived_of_no_event_is_null(night):
    found = night(event(**(READS["privileged_writes"] | WHOLE)), event(user="eve"))
    assert "privileged_writes" not in found.counted.blind
    older = count(found.engine, {"privileged"})
    assert set(older.blind) - set(found.counted.blind) == {"privileged_writes", "carried_out_privileges"}
    assert older.days["privileged_writes"].null_count == older.days.num_rows


def test_a_refused_or_absent_write_blinds_nothing(night):
    found = night(*(event(**(request | {"code": 403})) for request in BODIES.values()), event())
    assert _blind(found) == set()
    assert {name: found.days[CART][name] for name in READS} == dict.fromkeys(READS, 0)


@ONE_OF_EACH
def test_bodies_that_the_server_cut_off_are_not_read(night, name):
    cut = {"audit.k8s.io/truncated": "true", "authorization.k8s.io/decision": "allow"}
    found = night(event(level="Request", code=201, annotations=cut, **READS[name]))
    assert set(ALIKE[name]) <= set(found.counted.blind)


def test_an_ephemeral_container_without_its_body_is_blind(night):
    patch = {"verb": "patch", "resource": "pods", "subresource": "ephemeralcontainers"}
    assert "privileged_writes" in night(event(level="Metadata", **patch)).counted.blind


def test_a_server_that_logs_no_body_of_token_requests_at_the_level_it_claims_blinds_their_lifetimes(night):
    asked = event(level="Request", **BODIES[p.CREDENTIAL_CREATE])
    assert _blind(night(asked)) == {"longest_token_s", "long_token_requests"}


ANNOTATIONS = ("decision", "reason", "authz_role", "authz_binding", "authz_mode")


def _retold(night, busy, lost):
    """Counts the busy night as a source with words of its own tells it, without these columns, bodies and lines."""
    engine = night(*busy).engine
    types = {name: kind for name, kind, *_ in engine.sql("DESCRIBE events").fetchall()}
    lost = [*lost, "impersonated_user", "pod_name", "credential_id", "bytes", *(fact.name for fact in FACTS)]
    replaced = ", ".join(f"CAST(NULL AS {types[name]}) AS {name}" for name in lost)
    engine.register("events", engine.sql(f"SELECT * REPLACE ({replaced}) FROM events").to_arrow_table())
    prepare(engine, keep_requests=True)
    return count(engine)


def test_of_a_retold_night_every_feature_that_lacks_something_is_null_and_no_other(night, busy):
    whole, counted = night(*busy).days, _retold(night, busy, ANNOTATIONS)
    lacking = {f.name for f in FEATURES if f.reads or f.reads_bodies_of is not None}
    assert set(counted.blind) == lacking
    for row in counted.days.to_pylist():
        assert {name for name in NAMES if row[name] is None} == lacking
        same = [name for name in NAMES if name not in lacking and not _hears(name)]
        assert {n: row[n] for n in same} == {n: whole[row["principal"]][n] for n in same}


def _hears(name):
    """Of sensitive actions some are told, and those count; what is new depends on who else starts it."""
    return "sensitive_actions" in name


def test_a_source_that_keeps_its_annotations_is_not_blind_for_them(night, busy):
    blind = set(_retold(night, busy, ()).blind)
    assert {"distinct_roles", "new_bindings", "forbidden_by_authorization"}.isdisjoint(blind)
    assert {"impersonated_requests", "privileged_writes", "logged_bytes"} <= blind


@pytest.mark.parametrize("f", FEATURES, ids=lambda f: f.name)
def test_what_a_feature_needs_can_be_said(f):
    level, *more = needed(f)
    assert level == f"level `{f.needs}`"
    assert (f.needs is Level.METADATA) == ("request bodies" not in more)
    assert len(more) == len(f.reads) + (f.reads_bodies_of is not None)


def test_every_column_that_may_be_lacking_is_read_by_some_feature():
    assert {column for f in FEATURES for column in f.reads} == set(LACKABLE)
