"""Credentials that stand in a text, masked: JSON Web Tokens, and what follows the words Bearer and Basic.

The patterns are those of RE2, by which DuckDB and Arrow read alike. tests/pipelines/test_tokens.py holds the truth."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

MASK = "REDACTED"

JWT = r"eyJ[A-Za-z0-9_-]{8,}(?:(?:\.|%2[Ee])[A-Za-z0-9_-]*)*"
"""Base64 of anything that begins like a JSON object, and the parts behind it: of a token cut short the start is one."""

CREDENTIAL = r"(?i:(bearer|basic))(?:\s|%20|\+)+\S+"
"""The value of an Authorization header, wherever a client has put it."""

_REPLACED = ((JWT, MASK), (CREDENTIAL, rf"\1 {MASK}"))


def without_tokens(sql: str) -> str:
    """SQL of a text with its JSON Web Tokens masked."""
    return f"regexp_replace({sql}, '{JWT}', '{MASK}', 'g')"


def masked(sql: str) -> str:
    """SQL of a text with all credentials masked."""
    found = sql
    for pattern, mask in _REPLACED:
        found = f"regexp_replace({found}, '{pattern}', '{mask}', 'g')"
    # hardly a text holds one, and to look is cheaper than to write it anew
    holds_one = f"contains({sql}, 'eyJ') OR regexp_matches({sql}, '(?i)bearer|basic')"
    return f"CASE WHEN {holds_one} THEN {found} ELSE {sql} END"


def masked_texts(texts: pa.StringArray) -> pa.StringArray:
    """The same of texts in memory."""
    for pattern, mask in _REPLACED:
        texts = pc.replace_substring_regex(texts, pattern, mask)
    return texts
