"""What `show` and `compare` are given, calm unless said otherwise; `text` wherever a caller may choose it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from report_builders import night, ranked

from pipelines.report.shown import Changed, Compared, Grant, Items, PastRank, Request, Shown, Touched, Used

NIGHT = date(2026, 11, 22)
BEFORE = date(2026, 11, 21)
AT = datetime(2026, 11, 22, 3, 12, tzinfo=UTC)


def used(verb: str = "get", resource: str = "pods", **more: Any) -> Used:
    """A permission in the namespace shop."""
    kept = {
        "api_group": "", "subresource": "", "namespace": "shop", "path": None, "as_other": False, "requests": 41,
        "first": AT, "last": AT, "grants": (Grant("readers/shop", "reader"),),
    }  # fmt: skip
    return Used(verb=verb, resource=resource, **(kept | more))


def request(**more: Any) -> Request:
    """A secret read at night, the evidence of one reason."""
    kept = {
        "features": ("secret_reads",), "time": AT, "verb": "get", "what": "secrets", "namespace": "shop", "name": "own",
        "code": 200, "address": "203.0.113.9", "user_agent": "curl/8.9", "impersonated_user": None,
        "audit_id": "7e1f0a52-36a5-4b5c-9d57-1c2a5d1f0001", "alike": 1,
    }  # fmt: skip
    return Request(**(kept | more))


def shown(**more: Any) -> Shown:
    """A person on its second night."""
    kept = {
        "night": night(ranked()), "principals": 12, "new": (Items("address", "Client addresses", ("203.0.113.9",)),),
        "past": (PastRank(BEFORE, 11), PastRank(NIGHT, 12, 1, 1, 2, 120.5, 412, "secret_reads", 41)),
        "evidence": (request(),), "events_gone": False, "used": (used(),), "used_nights": (NIGHT,),
    }  # fmt: skip
    return Shown(**(kept | more))


def compared(**more: Any) -> Compared:
    """A night without a request, and one with secrets."""
    kept = {
        "cluster": "prod-usw2", "principal": "role/dev-eve", "before": PastRank(BEFORE, 11),
        "after": PastRank(NIGHT, 12, 1, 1, 2, 120.5, 412, "secret_reads", 41),
        "counts": (Changed("secret_reads", "Secrets read.", "requests", None, 41, None, 3.5),),
        "items": (Touched("address", "Client addresses", ("203.0.113.9",), ("10.0.0.7",)),),
    }  # fmt: skip
    return Compared(**(kept | more))


def hostile(text: str) -> tuple[Shown, Compared]:
    """Both with this text in every place that a caller writes."""
    grant = Grant(text, text)
    permission = used(text, text, api_group=text, subresource=text, namespace=text, as_other=True, grants=(grant,))
    asked = request(
        verb=text, what=text, namespace=text, name=text, address=text, user_agent=text, impersonated_user=text,
        audit_id=text,
    )  # fmt: skip
    whole = shown(
        night=night(ranked(principal=text, usernames=(text,), type=text, marks=(text,)), cluster=text, notices=(text,)),
        new=(Items("address", "Client addresses", (text,) * 9),), evidence=(asked,) * 9,
        used=(permission,) * 41, past=(PastRank(NIGHT, 1, 1, 1, 1, 1.0, 1, text, 1),),
    )  # fmt: skip
    touched = (Touched("address", "Client addresses", (text,) * 9, (text,)),)
    return whole, compared(cluster=text, principal=text, items=touched)
