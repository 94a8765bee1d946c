"""Keys of the archive's objects: what every store can hold, and nothing that leaves its root."""

from __future__ import annotations

import re

# No segment begins with a dot: that keeps "..", "." and our temporary files out of every store alike
_SEGMENT = re.compile(r"[A-Za-z0-9_=-][A-Za-z0-9._=-]{0,254}")


def check_key(key: str) -> str:
    """The key itself, when every store can hold it.

    Raises:
        ValueError: a segment is empty, begins with a dot or holds another character.
    """
    if not is_key(key):
        raise ValueError(
            f"key {key!r}: segments of letters, digits and '._=-' that begin with no dot, joined by '/', expected"
        )
    return key


def is_key(key: str) -> bool:
    """Whether every store can hold an object under this key."""
    return all(_SEGMENT.fullmatch(segment) for segment in key.split("/"))


def check_prefix(prefix: str) -> str:
    """The prefix itself, when a key can begin with it; "" is every key's.

    Raises:
        ValueError: no key begins like this.
    """
    check_key(prefix + "x")
    return prefix
