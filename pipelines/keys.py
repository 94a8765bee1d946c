"""Names that S3 and the archive take: keys of objects, buckets, accounts, regions, and what we put beside the tables.

Imports nothing of ours. tests/pipelines/test_store.py asks both stores for keys, test_keys.py for the other names."""

from __future__ import annotations

import re
from datetime import date
from typing import Final

PROBE: Final = "_probe-if-none-match"
"""Key of what S3Store.probe leaves in an archive."""
TEMPORARY: Final = ".tmp-"
"""How a file's name begins that is being written, or was when its writer was killed."""

ACCOUNT: Final = "[0-9]{12}"
"""Pattern of an AWS account, without its anchors."""
REGION: Final = "[a-z0-9-]{1,63}"
"""Pattern of an AWS region's name, without its anchors."""

BUCKET_EXPECTED: Final = "3 to 63 of lower-case letters, digits, '.' and '-', no two dots in a row and no IP address"
"""Of a bucket's name, for errors."""
_BUCKET = re.compile(r"(?!.*\.\.)(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
# No segment begins with a dot: that keeps "..", "." and our temporary files out of every store alike
_SEGMENT = re.compile(r"[A-Za-z0-9_=-][A-Za-z0-9._=-]{0,254}")


def is_bucket(name: str) -> bool:
    """Whether S3 lets a bucket be called so."""
    return _BUCKET.fullmatch(name) is not None


def is_account(text: str) -> bool:
    """Whether it is the number of an AWS account."""
    return re.fullmatch(ACCOUNT, text) is not None


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


def night_named(text: str) -> date | None:
    """The night of a folder `date=...` by what stands behind the sign, None where that is no day of the calendar."""
    # fromisoformat alone would take 20261122 and 2026-W47-7 as well
    if not re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
