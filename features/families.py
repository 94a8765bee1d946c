"""Names that last for hours, under the name of their family: what succeeds them is the same thing.

Without it each pull request's namespace and each pod would be new every night. Only newness is folded: counts of
different namespaces are of raw names, and what is done in a namespace is new as it ever was, whatever it is called.
tests/features/test_families.py."""

from __future__ import annotations

# seven or more hex digits, a decimal one among them lest a word be taken for a hash; not every engine can look ahead
_HASH = "|".join([*(f"[a-f]{{{n}}}[0-9][a-f0-9]{{{6 - n},}}" for n in range(6)), "[a-f]{6,}[0-9][a-f0-9]*"])

# clusters count what stays from one: shard-1 and shard-2 are two, pr-41 and pr-42 are one
PASSING = f"(?:{_HASH}|[0-9]{{2,}})"
"""Pattern of what a namespace that lives for hours has behind its last dash."""

# of a deployment, of a daemon set or a job, of a stateful set or a cron job
_POD = "(?:[a-z0-9]{8,10}-[a-z0-9]{5}|[bcdfghjklmnpqrstvwxz2456789]{5}|[0-9]+)"


def family(name: str) -> str:
    """SQL: a namespace's name, its hash or number replaced by `*` (`pr-*`)."""
    return _starred(name, f"^(.*-){PASSING}$")


def workload(pod: str) -> str:
    """SQL: a pod's name without what tells it from its siblings (`cart-*`)."""
    return _starred(pod, f"^(.+?-){_POD}$")


def _starred(name: str, pattern: str) -> str:
    """SQL: the pattern's first group, and `*` for what is behind it; other names as they are."""
    return f"coalesce(nullif(regexp_extract({name}, '{pattern}', 1), '') || '*', {name})"
