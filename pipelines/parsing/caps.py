"""How long a text of an event may be: user names, agents and URIs are a client's choice, and so is their length.

What is longer keeps a head to read and a hash of the whole, so that two long names stay two. A text is capped after
its credentials are masked: of a token that stands at the cut nothing is left.
tests/pipelines/test_caps.py."""

from __future__ import annotations

from hashlib import sha256

NAME, LONG = 1024, 4096
"""Characters kept of a name or of an agent, and of a request's URI or of a reason.

Names of Kubernetes end at 253, ARNs of roles at 608."""

ENTRIES = 256
"""Entries kept of a list: the first ones, and the last, which alone no client can forge of a request's addresses."""

_MARK = "...sha256:"
_DIGITS = 32
_SUFFIX = len(_MARK) + _DIGITS


def capped(sql: str, most: int) -> str:
    """SQL of a text: itself, or if it has more than so many characters its head, a mark and a hash of the whole.

    Together they have as many as are allowed, so that what is capped is not capped again.
    """
    # to count bytes is cheaper, and hardly a text has so many
    is_long = f"strlen({sql}) > {most} AND length({sql}) > {most}"
    cut = f"left({sql}, {most - _SUFFIX}) || '{_MARK}' || left(sha256({sql}), {_DIGITS})"
    return f"CASE WHEN {is_long} THEN {cut} ELSE {sql} END"


def capped_list(sql: str, most: int) -> str:
    """SQL of a list of texts: each capped, and of more than ENTRIES the first and the last."""
    few = f"CASE WHEN len({sql}) > {ENTRIES} THEN list_concat({sql}[:{ENTRIES - 1}], {sql}[-1:]) ELSE {sql} END"
    is_long = f"len({sql}) > {ENTRIES} OR strlen(array_to_string({sql}, '')) > {most}"
    return f"CASE WHEN {is_long} THEN [{capped('t', most)} for t in {few}] ELSE {sql} END"


def capped_text(text: str, most: int) -> str:
    """The same of a text in memory."""
    if len(text) <= most:
        return text
    return text[: most - _SUFFIX] + _MARK + sha256(text.encode()).hexdigest()[:_DIGITS]
